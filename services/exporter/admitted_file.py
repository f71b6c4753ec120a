"""The file that remembers which label sets are shown by name, from one start to the next.

Without it a restarted exporter would choose by the ranking of that day: a series that got a name
would leave "other", which falls, and a fall of a counter is a restart of it to Prometheus.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.exporter.rows import Series
from services.platform.errors import ConfigurationError
from services.platform.log import get_logger

_log = get_logger(__name__)
NAME: Final = "admitted.jsonl"


class AdmittedFile:
    """One line of JSON for each label set, in the order of admission; written whole.

    It only helps: one that cannot be written is a warning, once, and the exporter goes on.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / NAME
        self._written = 0
        self._failed = False

    def read(self) -> list[Series]:
        """Give the label sets admitted before; none where there is no file yet.

        Raises `ConfigurationError` when there is one that cannot be read: to go on without it
        would overwrite it.
        """
        if self._path is None:
            return []
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
            admitted = [Series(*json.loads(line)) for line in lines]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise ConfigurationError(
                f"cannot read {self._path} ({error}): mend it, or delete it to choose anew which"
                " label sets are shown by name"
            ) from None
        self._written = len(admitted)
        return admitted

    def write(self, admitted: Sequence[Series]) -> None:
        """Write the label sets if there are more than before: none ever leaves."""
        if self._path is None or len(admitted) <= self._written:
            return
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text("".join(f"{json.dumps(one)}\n" for one in admitted), encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            if not self._failed:
                _log.warning("cannot write the state file", path=str(self._path), reason=str(error))
            self._failed = True
            return
        self._written, self._failed = len(admitted), False
