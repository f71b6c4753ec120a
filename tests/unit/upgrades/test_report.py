"""The report keeps what was not made this time, and says what was never made."""

from __future__ import annotations

from tests.upgrades.history import Pair
from tests.upgrades.orders import Order
from tests.upgrades.report import Outcome, entry, line, merged
from tests.upgrades.run import chosen
from tests.upgrades.sums import Verdict

PAIRS = [
    Pair("a" * 40, "b" * 40, ("0002_b.sql", "0003_c.sql")),
    Pair("b" * 40, None, ("0004_d.sql",)),
    Pair("a" * 40, None, ("0002_b.sql", "0003_c.sql", "0004_d.sql")),
]
NAMES = [pair.name for pair in PAIRS]


def outcome(pair: Pair, verdict: Verdict | None, failure: str = "") -> Outcome:
    return Outcome(pair, Order.STOPPED, 1000, 50, 12.3, ("began",), verdict, failure)


def test_upgrades_are_chosen_by_a_migration_or_by_name() -> None:
    assert chosen(PAIRS, None) == PAIRS
    assert chosen(PAIRS, "0003") == [PAIRS[0], PAIRS[2]]
    assert chosen(PAIRS, "0002-0004,0002-0003") == [PAIRS[0], PAIRS[2]]
    assert chosen(PAIRS, "0004") == [PAIRS[1]]
    assert chosen(PAIRS, "0009") == []


def test_what_is_fresh_takes_the_place_of_what_was() -> None:
    exact = Verdict(70, 0, 0, ())
    first = merged({}, NAMES, [entry("c" * 40, outcome(PAIRS[1], exact))])
    assert first["exact"] and first["not_made_yet"] == ["0002-0003", "0002-0004"]
    (told,) = first["upgrades"]
    assert (told["to"], told["rows_compared"], told["seconds"]) == ("c" * 40, 70, 12)
    assert "failure" not in told
    wrong = outcome(PAIRS[1], Verdict(70, 2, 0, ("registers [eu] requests: must be 5, is 3",)))
    also = outcome(PAIRS[0], exact)
    second = merged(first, NAMES, [entry("d" * 40, each) for each in (wrong, also)])
    assert [each["upgrade"] for each in second["upgrades"]] == ["0002-0003", "0004"]
    assert not second["exact"] and second["upgrades"][1]["lost"] == 2


def test_a_report_of_nothing_is_not_exact() -> None:
    assert merged({}, NAMES, []) == {"exact": False, "not_made_yet": NAMES, "upgrades": []}


def test_a_line_says_what_failed() -> None:
    assert line(outcome(PAIRS[0], Verdict(70, 0, 0, ()))).startswith("exact  0002-0003 (")
    wrong = line(
        outcome(PAIRS[0], Verdict(70, 2, 1, ("registers [eu] requests: must be 5, is 3",)))
    )
    assert "lost 2, counted twice 1" in wrong and "must be 5, is 3" in wrong
    ended = outcome(PAIRS[1], None, "UpgradeError: ended by itself")
    assert line(ended).startswith("FAILED 0004 (") and "by itself" in line(ended)
    assert entry("c", ended)["failure"] == "UpgradeError: ended by itself"
    assert not ended.exact
