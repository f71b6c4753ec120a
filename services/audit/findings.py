"""PURE. What an audit says: differences by key, and what was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Difference:
    """One number that is not what it must be; what does not apply is None or ''.

    `check` names what was held against what. `window` is in seconds since 1970; `partition` and
    `offset` say where on the log.
    """

    check: str
    measure: str
    expected: int
    found: int
    view: str = ""
    window: int | None = None
    region: str = ""
    provider: str = ""
    model: str = ""
    tenant: str = ""
    entry: str = ""
    #: The price class or unit.
    variety: str = ""
    log: str = ""
    partition: int | None = None
    offset: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PartitionRead:
    """What was found on one partition of the log, from `first` up to its checkpoint.

    `read_from` lies before `first` by as much as the duplicate rule looks back; `records`,
    `aborted` and `markers` are of all that was read and make up every offset of it.
    """

    partition: int
    log_start: int
    log_end: int
    checkpoint: int
    read_from: int
    first: int
    records: int
    aborted: int
    markers: int
    accepted: int
    duplicate: int
    rejected: int
    #: Whether nothing that was ever metered is missing from the log.
    whole: bool


@dataclass(slots=True)
class Findings:
    """The outcome of one audit."""

    log: str
    topic: str
    #: Windows that were recounted, in seconds since 1970; half-open.
    since: int
    until: int
    partitions: list[PartitionRead] = field(default_factory=list)
    #: How many rows of each view, or keys of each check, were compared.
    compared: dict[str, int] = field(default_factory=dict)
    #: How many of these could not be read at one moment, however often; they are held against
    #: their slices alone, or not at all.
    moving: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    #: What was not compared, and why.
    notes: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether nothing differs."""
        return not self.differences
