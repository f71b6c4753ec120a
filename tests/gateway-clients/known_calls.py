"""What the scripts of this folder share: the address, the keys, and what they expect of the meter.

Each script makes known calls with a real client and prints, as one line of JSON, the rows of the
view `registers` that must come of them: ``{region: [row, …]}``. Regions are those of the API keys,
which stand in the environment as WATTOKEN_KEYS, ``{region: key}``.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from typing import Any

URL = os.environ["WATTOKEN_URL"]
KEYS: dict[str, str] = json.loads(os.environ["WATTOKEN_KEYS"])
COUNTS = (
    "requests",
    "failed_requests",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "estimated_tokens",
)


class Expected:
    """Rows of the register as they must become."""

    def __init__(self) -> None:
        self._rows: defaultdict[tuple[str, str, str], dict[str, int]] = defaultdict(
            lambda: dict.fromkeys(COUNTS, 0)
        )

    def add(self, region: str, provider: str, model: str, **counts: int) -> None:
        """Expect one more request with these tokens."""
        row = self._rows[region, provider, model]
        row["requests"] += 1
        for name, number in counts.items():
            row[name] += number

    def report(self) -> None:
        """Print the rows, as the last line of the output."""
        rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for (region, provider, model), counts in sorted(self._rows.items()):
            rows[region].append({"provider": provider, "model": model, **counts})
        print(json.dumps(rows), flush=True)
