from __future__ import annotations

import pytest

from bench.run import Plan, setup_text

NAMES = (
    *("wattoken", "stock_faust_windowed", "stock_faust_agent", "quix_streams"),
    *("clickhouse_kafka_engine", "kafka_streams", "librdkafka_limit"),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_program_says_how_it_is_set_up(name: str) -> None:
    text = setup_text(name)
    assert len(text) > 80
    assert "*/" not in text


def test_only_the_named_parts_are_measured() -> None:
    plan = Plan(only=("wattoken", "recovery"))
    assert plan.wants("wattoken")
    assert plan.wants("recovery")
    assert not plan.wants("freshness")
    assert Plan().wants("freshness")
