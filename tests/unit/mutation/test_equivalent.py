"""Mutants that change no answer are named by their lines, and only those are left out."""

from __future__ import annotations

import pytest

from tests.mutation import equivalent
from tests.mutation.equivalent import Line, Reason, stale, why_equivalent
from tests.mutation.mutants import mutants_of
from tests.mutation.planting import ROOT
from tests.mutation.run import modules

TEXT = """
ROOM_MIN: Final = 64
ROOM_MAX: Final = 64


def grown(used: int) -> int:
    if used < ROOM_MIN:
        return max(2 * used, used + 1)
    return used + 1
"""
REASONS = (
    Reason("room", (("a.py", "ROOM_MIN"),)),
    Reason("more", lines=(Line("a.py", "return max(2 * used, used + 1)", ("number",)),)),
    Reason("edge", lines=(Line("a.py", "if used < ROOM_MIN:", ("comparison <=",)),)),
)


def test_only_what_is_named_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equivalent, "REASONS", REASONS)
    found = {
        f"{mutant.line} {mutant.kind} {mutant.old} {mutant.new}": why_equivalent(mutant, TEXT)
        for mutant in mutants_of("a.py", TEXT)
    }
    assert {name: why for name, why in found.items() if why} == {
        "2 number 64 65": "room",
        "7 comparison < <=": "edge",
        "8 number 2 3": "more",
        "8 number 1 2": "more",
    }
    assert {"3 number 64 65", "8 arithmetic + -", "9 number 1 2"} <= found.keys()
    assert not any(why_equivalent(mutant, TEXT) for mutant in mutants_of("b.py", TEXT))


def test_what_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equivalent, "REASONS", REASONS)
    assert list(stale({"a.py": TEXT})) == []
    changed = TEXT.replace("ROOM_MIN: Final", "ROOM: Final").replace("2 * used", "3 * used")
    assert list(stale({"a.py": changed})) == [
        "a.py: ROOM_MIN",
        "a.py: return max(2 * used, used + 1)",
    ]


def test_all_that_is_named_is_there_and_has_mutants() -> None:
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in modules()}
    assert list(stale(texts)) == []
    found = {
        why_equivalent(m, texts[file]) for file in texts for m in mutants_of(file, texts[file])
    }
    assert {reason.why for reason in equivalent.REASONS} <= found
