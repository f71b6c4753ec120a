"""Planting a bug: a text in functions' sources is replaced by another, until it is undone."""

from __future__ import annotations
import __future__

import inspect
import sys
import textwrap
from dataclasses import dataclass
from typing import Any

import pytest


class MisfitError(Exception):
    """A bug does not fit the code any more: it cannot be planted, or breaks it, and proves nothing.

    Plant it again.
    """


@dataclass(frozen=True, slots=True)
class Edit:
    """In one function (of a class or module) one text is replaced by another."""

    where: Any
    name: str
    old: str
    new: str


Bug = tuple[Edit, ...]


def plant(bug: Bug, patch: pytest.MonkeyPatch) -> None:
    """Plant a bug until the patch is undone. Raises `MisfitError`."""
    sources: dict[tuple[Any, str], str] = {}
    for edit in bug:
        place = edit.where, edit.name
        if place not in sources:
            function = inspect.getattr_static(*place, None)
            if function is None:
                raise MisfitError(f"{edit.where} has no {edit.name}: plant the bug again")
            sources[place] = textwrap.dedent(inspect.getsource(function))
        if edit.old not in sources[place]:
            raise MisfitError(f"{edit.name} has no {edit.old!r}: plant the bug again")
        sources[place] = sources[place].replace(edit.old, edit.new)
        if sources[place].count("super()"):
            raise MisfitError(f"{edit.name} calls super(), which only works in a class's own text")
    for (where, function_name), source in sources.items():
        function = inspect.getattr_static(where, function_name)
        file = inspect.getsourcefile(function) or ""
        code = compile(source, file, "exec", __future__.annotations.compiler_flag)
        made: dict[str, Any] = {}
        exec(code, function.__globals__, made)
        for place in [where, *importers(where, function_name)]:
            patch.setattr(place, function_name, made[function_name])


def importers(where: Any, name: str) -> list[Any]:
    """The modules of ours that took a module's function over by its name."""
    if not inspect.ismodule(where):
        return []
    function = getattr(where, name)
    ours = [
        module
        for module_name, module in sys.modules.items()
        if module_name.startswith(("services.", "tests.")) and module is not where
    ]
    return [module for module in ours if getattr(module, name, None) is function]
