"""PURE. Whether all of it is of a version that is tested, and the services of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.operate.doctor.finding import Finding, error, ok, skipped, warning
from services.platform.supported import CLICKHOUSE, KAFKA, PROMETHEUS, Supported, Version

#: The highest level of the feature ``metadata.version`` that a release knows: a broker tells no
#: other version of its own. From Kafka's source, MetadataVersion.
METADATA_LEVELS: Final[Mapping[int, Version]] = {
    **{level: (3, 3) for level in range(1, 8)},
    8: (3, 4),
    **{level: (3, 5) for level in range(9, 12)},
    **{level: (3, 6) for level in range(12, 15)},
    **{level: (3, 7) for level in range(15, 20)},
    20: (3, 8),
    21: (3, 9),
    **{level: (4, 0) for level in range(22, 26)},
    **{level: (4, 1) for level in range(26, 28)},
    **{level: (4, 2) for level in range(28, 30)},
    30: (4, 3),
    **{level: (4, 4) for level in range(31, 34)},
}
UPGRADE: Final = "docs/supported-versions.md has what is tested"


@dataclass(frozen=True, slots=True)
class Versions:
    """What answers, in which version; None and missing where that is not known.

    ``brokers`` are metadata levels by address, ``services`` versions by address. ``own`` is this
    program's.
    """

    brokers: Mapping[str, int | None]
    clickhouse: str | None
    prometheus: str | None
    services: Mapping[str, str | None]
    own: str


def judge(facts: Versions) -> Iterator[Finding]:
    """Judge brokers, ClickHouse, Prometheus, and the services among themselves."""
    for address, level in sorted(facts.brokers.items()):
        yield _broker(address, level)
    if facts.clickhouse is not None:
        yield _in_range("ClickHouse", facts.clickhouse, CLICKHOUSE)
    if facts.prometheus is not None:
        yield _in_range("Prometheus", facts.prometheus, PROMETHEUS)
    others = {name: found for name, found in facts.services.items() if found != facts.own}
    for name, found in sorted(others.items()):
        yield warning(
            name,
            f"runs version {found or 'unknown'}, and this program is {facts.own}",
            "update all services to one version: `wattoken migrate`, workers, ingest, exporter",
        )
    if facts.services and not others:
        yield ok("services", f"all run version {facts.own}")


def _broker(address: str, level: int | None) -> Finding:
    what = f"Kafka at {address}"
    if level is None:
        return skipped(what, "does not tell its version (it is no Apache Kafka, or has no KRaft)")
    if level > max(METADATA_LEVELS):
        newer = f"is newer than what was tested ({KAFKA}; metadata level {level})"
        return warning(what, newer, UPGRADE)
    release = METADATA_LEVELS.get(level, (0, 0))
    return _judged(what, ".".join(map(str, release)), release, KAFKA)


def _in_range(what: str, version: str, supported: Supported) -> Finding:
    numbers = version.lstrip("v").split(".")[:2]
    if len(numbers) < 2 or not all(number.isdecimal() for number in numbers):
        return skipped(what, f"tells no version that can be read ({version})")
    return _judged(what, version, (int(numbers[0]), int(numbers[1])), supported)


def _judged(what: str, shown: str, version: Version, supported: Supported) -> Finding:
    if version in supported:
        return ok(what, f"{shown}; {supported} is supported")
    if version < supported.oldest:
        return error(
            what, f"{shown} is too old: {supported} is supported", f"upgrade it; {UPGRADE}"
        )
    return warning(what, f"{shown} is newer than what was tested ({supported})", UPGRADE)
