"""What counts as a valid answer of the exporter that is measured."""

from __future__ import annotations

import pytest

from bench import exporter
from bench.errors import VoidRunError


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "SERIES", 2)


def text(registers: int = 2, demands: int = 2, difference: str = "0") -> str:
    lines = ["# HELP"]
    lines += [f'wattoken_input_tokens_total{{model="{n}"}} 1' for n in range(registers)]
    lines += [f'wattoken_block_demand_tokens_per_second{{model="{n}"}} 1' for n in range(demands)]
    lines += [f'wattoken_reconciliation_difference_tokens{{stage="hours"}} {difference}']
    lines += ["wattoken_reconciliation_difference_events 0", ""]
    return "\n".join(lines)


def test_every_label_set_and_no_difference_is_valid() -> None:
    exporter.check(text())


@pytest.mark.parametrize("answer", [text(registers=1), text(demands=1), text(difference="-5"), ""])
def test_anything_else_is_void(answer: str) -> None:
    with pytest.raises(VoidRunError):
        exporter.check(answer)
