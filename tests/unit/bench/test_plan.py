from __future__ import annotations

from bench.plan import Plan


def test_only_the_named_parts_are_measured() -> None:
    plan = Plan(only=("wattoken", "recovery"))
    assert plan.wants("wattoken")
    assert plan.wants("recovery")
    assert not plan.wants("freshness")
    assert Plan().wants("freshness")
