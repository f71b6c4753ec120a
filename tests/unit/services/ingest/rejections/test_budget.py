"""A key's rejections are bounded in a day, and all keys' together."""

from __future__ import annotations

from services.ingest.rejections.budget import DAY_SECONDS, DayBudget, KeptBudget


def used_up(budget: KeptBudget, key_id: str, now: float, size_bytes: int = 10) -> int:
    used = 0
    while budget.spent(key_id, now) is None:
        budget.use(key_id, size_bytes, now)
        used += size_bytes
    return used


def test_a_day_gives_no_more_than_its_bytes_and_the_burst() -> None:
    budget = KeptBudget(1000, 10**9)
    used = sum(used_up(budget, "a", float(second)) for second in range(0, int(DAY_SECONDS), 600))
    assert 1000 <= used <= 1000 + 250 + 10
    assert budget.spent("a", DAY_SECONDS) == "key_limit"


def test_one_key_leaves_the_others_their_share() -> None:
    budget = KeptBudget(1000, 10**9)
    assert used_up(budget, "a", 0.0) == 250
    assert budget.spent("b", 0.0) is None


def test_all_keys_share_a_limit() -> None:
    budget = KeptBudget(1000, 400)
    assert used_up(budget, "a", 0.0) == 100
    assert budget.spent("b", 0.0) == "limit"
    assert budget.spent("b", DAY_SECONDS / 10) is None


def test_nothing_is_kept_where_the_limit_is_0() -> None:
    assert KeptBudget(0, 10**9).spent("a", 100.0) == "key_limit"


def test_a_large_one_makes_a_debt() -> None:
    budget = DayBudget(1000)
    budget.use(600, 0.0)
    assert budget.left(0.0) == -350
    assert budget.left(DAY_SECONDS) == 250
