"""PURE. Assumptions as they are set on the command line, and as they are listed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from bench.errors import BenchError
from bench.scale.platform import Assumptions


def with_settings(given: Iterable[str]) -> Assumptions:
    """The assumptions with those that are given as NAME=NUMBER; raises `BenchError`."""
    found = Assumptions()
    kinds = {one.name: type(getattr(found, one.name)) for one in fields(found)}
    for text in given:
        name, _, number = text.partition("=")
        if name not in kinds:
            raise BenchError(f"--set {text}: there is no {name!r}: see --help-assumptions")
        try:
            value = kinds[name](number)
        except ValueError:
            raise BenchError(f"--set {text}: {name} must be a number") from None
        if value <= 0:
            raise BenchError(f"--set {text}: {name} must be above 0")
        found = replace(found, **{name: value})
    return found


def listed(found: Assumptions) -> str:
    """A line for each."""
    return "\n".join(f"{one.name}={getattr(found, one.name):g}" for one in fields(found))
