"""PURE. The cut that a run is made at: of each partition, the first offset that is not in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.platform.errors import ConfigurationError
from services.settlement.canonical import canonical, sha256

#: A log and a partition of it.
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """An offset vector: all events below these offsets count, and no others."""

    offsets: Mapping[Place, int]

    @property
    def text(self) -> str:
        """As it is stored and hashed."""
        rows = [
            {"log": log, "partition": str(partition), "offset": str(offset)}
            for (log, partition), offset in sorted(self.offsets.items())
        ]
        return canonical(rows).decode()

    @property
    def hash(self) -> str:
        """What stands for it on bills: whose offsets they are is nobody else's business."""
        return sha256(self.text.encode())

    @classmethod
    def of(cls, text: str) -> Cut:
        """Read what `text` wrote."""
        rows: list[dict[str, str]] = json.loads(text)
        return cls({(one["log"], int(one["partition"])): int(one["offset"]) for one in rows})


def asked_cut(content: str, source: str) -> Cut:
    """Read an offset vector as people write it: ``{"LOG": {"PARTITION": OFFSET, …}, …}``.

    Or as a run has it. Raises `ConfigurationError`, naming the file.
    """
    try:
        found: Any = json.loads(content)
        if isinstance(found, list):
            return Cut.of(content)
        offsets = {
            (str(log), int(partition)): _offset(offset)
            for log, partitions in found.items()
            for partition, offset in partitions.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigurationError(
            f'{source} holds no offset vector: write {{"LOG": {{"0": 1200, "1": 800}}}}, as'
            " `wattoken settle … --json` shows it of a run that was made"
        ) from None
    return Cut(offsets)


def _offset(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def must_be_reached(asked: Cut, metered: Cut, versions: Mapping[Place, int]) -> None:
    """See that the meter has come to a cut, and that the month has nothing from beyond it.

    ``versions``: the highest version of a slice of the month, by partition. Raises
    `ConfigurationError`, saying what to do.
    """
    for place in sorted(asked.offsets.keys() | metered.offsets.keys()):
        log, partition = place
        where = f"partition {partition} of log {log}"
        if place not in metered.offsets:
            raise ConfigurationError(
                f"{where} was never metered here: leave it out, or see to it that it is metered"
            )
        if place not in asked.offsets:
            raise ConfigurationError(
                f"{where} is metered and not in the offset vector: give all of them"
            )
        wanted, reached = asked.offsets[place], metered.offsets[place]
        if wanted > reached:
            raise ConfigurationError(
                f"{where} is metered up to offset {reached:,}, and not yet to {wanted:,}: wait"
                " until the meter has come so far (table `checkpoints`) and run it again, or leave"
                " out --offsets"
            )
        if versions.get(place, 0) > wanted:
            raise ConfigurationError(
                f"the month has events of {where} from beyond offset {wanted:,}, and they cannot be"
                " taken out again: leave out --offsets, which settles what is metered by now"
            )


def must_follow(cut: Cut, before: Cut, run: str) -> None:
    """See that a cut takes nothing back that an earlier run had. Raises `ConfigurationError`."""
    for (log, partition), offset in sorted(before.offsets.items()):
        if cut.offsets.get((log, partition), 0) < offset:
            raise ConfigurationError(
                f"{run} was settled with partition {partition} of log {log} up to offset"
                f" {offset:,}, and the database has less of it: it was restored from a backup. Let"
                " the workers meter the rest first (`wattoken accept-restore`)"
            )
