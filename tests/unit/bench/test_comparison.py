from __future__ import annotations

import pytest

from bench.chart import LABELS
from bench.comparison import setup_text
from bench.peer_runs import PEERS
from bench.results import WATTOKEN
from bench.same_rows import CONNECTIONS

NAMES = (WATTOKEN, *CONNECTIONS, *(name for name, _, _ in PEERS))


@pytest.mark.parametrize("name", NAMES)
def test_every_program_says_how_it_is_set_up(name: str) -> None:
    text = setup_text(name)
    assert len(text) > 80
    assert "*/" not in text


def test_every_program_has_a_name_that_a_reader_knows() -> None:
    assert set(LABELS) == set(NAMES)
