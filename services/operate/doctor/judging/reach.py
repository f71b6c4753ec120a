"""PURE. Whether everything answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.operate.doctor.finding import Finding, error, ok, skipped


@dataclass(frozen=True, slots=True)
class Reached:
    """What was asked and where, and why it is not well; ``where`` is empty where it is not said.

    ``remedy`` is for when it is not well, ``setting`` says where it is.
    """

    what: str
    where: str
    problem: str | None
    setting: str
    remedy: str


def judge(asked: tuple[Reached, ...]) -> Iterator[Finding]:
    """Judge each that was asked."""
    for one in asked:
        if not one.where:
            yield skipped(one.what, "not asked", f"set {one.setting} to its address")
        elif one.problem is None:
            yield ok(one.what, f"answers at {one.where}")
        else:
            yield error(one.what, one.problem, one.remedy)
