"""Which versions of what Wattoken stands on are supported: stated here, and nowhere else in code.

docs/supported-versions.md says how each is tested; contract tests hold that the ends of each range
and what docker-compose.yml pins are among the versions that `make test` runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from services.platform.errors import ConfigurationError

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Supported:
    """The oldest and the newest minor release that is tested; those between are supported too."""

    oldest: Version
    newest: Version

    def __str__(self) -> str:
        """Show the range as people write it."""
        return " to ".join(".".join(map(str, end)) for end in (self.oldest, self.newest))

    def __contains__(self, version: Version) -> bool:
        """Tell whether a minor release lies in the range."""
        return self.oldest <= version <= self.newest


CLICKHOUSE: Final = Supported((25, 8), (26, 9))
KAFKA: Final = Supported((3, 9), (4, 4))
PROMETHEUS: Final = Supported((2, 42), (3, 5))
PYTHON: Final = Supported((3, 11), (3, 13))


def minor_release(version: str) -> Version:
    """Read the first two numbers of a version; raises `ConfigurationError` if there are none."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is None:
        raise ConfigurationError(f"{version!r} is no version: write it as 25.8")
    return int(found[1]), int(found[2])


def check_clickhouse(version: str) -> str | None:
    """Say what is to be said about a server's version, or None.

    Raises `ConfigurationError` for one older than the range, whose SQL lacks what the views need.
    A newer one is likely to work, so it is taken and only told.
    """
    found = minor_release(version)
    if found < CLICKHOUSE.oldest:
        raise ConfigurationError(
            f"ClickHouse {version} is too old: {CLICKHOUSE} is supported, upgrade the server"
        )
    if found > CLICKHOUSE.newest:
        return f"ClickHouse {version} is newer than what was tested ({CLICKHOUSE})"
    return None
