"""PURE: the register of usage fields: for each format, what every number of its objects is.

A number is in one of five classes, `FieldClass`. One that is in none is not metered and not
ignored either: `unread.py` counts it, so that a provider's new name is noticed the day it appears
and not on a bill.

A path names a field: ``prompt_tokens_details.cached_tokens`` is nested, and
``iterations[].input_tokens`` in every element of an array; ``cost_details.*`` is all that is below.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

#: An object that is deeper or wider than any provider's is not walked to its end.
_DEPTH_MAX: Final = 6
_ITEMS_MAX: Final = 64
_FOUND_MAX: Final = 32


class FieldClass(StrEnum):
    """What a number in a usage object is to the meter."""

    TOTAL = "a total"
    INSIDE = "a part inside a total"
    BESIDE = "a part beside the totals"
    OTHER_UNIT = "another unit"
    KNOWN = "known and not metered"


class Quantity(StrEnum):
    """What a number counts, where it is read."""

    INPUT = "input tokens"
    OUTPUT = "output tokens"
    #: Of input and output.
    SUM = "all tokens"
    CACHE_READ = "cached tokens"
    CACHE_WRITE = "tokens written to the cache"
    #: DeepSeek's: with the cached ones it makes up the prompt.
    CACHE_MISS = "tokens not in the cache"
    REASONING = "reasoning tokens"
    #: Input that the input total leaves out: prompts of tools, audio.
    MORE_INPUT = "input tokens beside the prompt"
    #: An input total that includes the caches, of a source whose usual one does not.
    ALL_INPUT = "input tokens with caches"
    #: Anthropic's compaction, which its totals leave out.
    COMPACTION_INPUT = "input tokens of a compaction"
    COMPACTION_CACHE_READ = "cached tokens of a compaction"
    COMPACTION_CACHE_WRITE = "tokens that a compaction wrote to the cache"
    COMPACTION_OUTPUT = "output tokens of a compaction"


@dataclass(frozen=True, slots=True)
class Field:
    """One path, and what stands there."""

    path: str
    field_class: FieldClass
    #: What it counts; None for what is not read.
    quantity: Quantity | None = None
    #: The path names an object, whose counts add up to the quantity: caches by lifetime.
    summed: bool = False


def total(quantity: Quantity, *paths: str) -> tuple[Field, ...]:
    """Class paths as totals; of several names of one quantity each may be given."""
    return tuple(Field(path, FieldClass.TOTAL, quantity) for path in paths)


def inside(quantity: Quantity, *paths: str) -> tuple[Field, ...]:
    """Class paths as parts that their total includes."""
    return tuple(Field(path, FieldClass.INSIDE, quantity) for path in paths)


def beside(quantity: Quantity, *paths: str) -> tuple[Field, ...]:
    """Class paths as parts that the totals leave out."""
    return tuple(Field(path, FieldClass.BESIDE, quantity) for path in paths)


def breakdown(field_class: FieldClass, quantity: Quantity, *paths: str) -> tuple[Field, ...]:
    """Class objects whose counts add up to a quantity, whatever lifetimes there will be."""
    return tuple(Field(path, field_class, quantity, summed=True) for path in paths)


def other_unit(*paths: str) -> tuple[Field, ...]:
    """Class paths as money, time, searches and whatever else is no token."""
    return tuple(Field(path, FieldClass.OTHER_UNIT) for path in paths)


def known(*paths: str) -> tuple[Field, ...]:
    """Class paths as tokens that others of the object count already, or that nobody meters."""
    return tuple(Field(path, FieldClass.KNOWN) for path in paths)


class Register:
    """The classed fields of one format."""

    def __init__(self, name: str, *groups: tuple[Field, ...]) -> None:
        """Register fields under the format's name; a path may be classed once."""
        self.name: Final = name
        self.fields: Final = tuple(field for group in groups for field in group)
        self._classes: dict[str, FieldClass] = {}
        #: Prefixes of which all that is below is classed.
        self._below: dict[str, FieldClass] = {}
        by_quantity: defaultdict[Quantity, list[Field]] = defaultdict(list)
        for field in self.fields:
            if field.path in self._classes or field.path in self._below:
                raise ValueError(f"{name}: {field.path} is classed twice")
            if field.summed:
                self._below[field.path] = field.field_class
            elif field.path.endswith(".*"):
                self._below[field.path.removesuffix(".*")] = field.field_class
            else:
                self._classes[field.path] = field.field_class
            if field.quantity is not None:
                by_quantity[field.quantity].append(field)
        self.by_quantity: Final[Mapping[Quantity, tuple[Field, ...]]] = {
            quantity: tuple(fields) for quantity, fields in by_quantity.items()
        }

    def class_of(self, path: str) -> FieldClass | None:
        """Tell what a path is; None for one that is in no class."""
        found = self._classes.get(path)
        while found is None and path:
            found = self._below.get(path)
            above = path.removesuffix("[]")
            path = above if above != path else path.rpartition(".")[0]
        return found

    def unread(self, usage: Mapping[str, Any]) -> list[str]:
        """List the paths of numbers that are in no class; a few dozen at most."""
        found: list[str] = []
        for path in _numbers(usage, "", 0):
            if self.class_of(path) is None and path not in found:
                found.append(path)
                if len(found) == _FOUND_MAX:
                    break
        return found

    def has_unit(self, usage: Mapping[str, Any], field_class: FieldClass) -> str | None:
        """Find the path of a number of a class that is there."""
        return next((p for p in _numbers(usage, "", 0) if self.class_of(p) is field_class), None)


def _numbers(value: Any, path: str, depth: int) -> Iterator[str]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield path
    elif depth < _DEPTH_MAX:
        if isinstance(value, dict):
            for name in list(value)[:_ITEMS_MAX]:
                yield from _numbers(value[name], f"{path}.{name}" if path else name, depth + 1)
        elif isinstance(value, list):
            for item in value[:_ITEMS_MAX]:
                yield from _numbers(item, f"{path}[]", depth + 1)
