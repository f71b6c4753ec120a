"""PURE. What is wrong with a bill."""

from __future__ import annotations


class BillError(ValueError):
    """A bill that is not what was settled; says where in it, and what is wrong there."""

    def __init__(self, place: str, wrong: str) -> None:
        super().__init__(f"{place}: {wrong}")
        self.place = place
        self.wrong = wrong
