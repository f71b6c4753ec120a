"""The bench's programs on the real broker and ClickHouse: each has the sums of what was produced.

Not those in Java and not Quix, which `make bench` builds first; it holds them to the same sums.
"""

from __future__ import annotations

import pytest

from bench import same_rows
from bench.errors import VoidRunError
from bench.fill import FilledTopic, fill_topic
from bench.generator import grain_of, now_ms, shaped
from bench.insert_recorder import Insert
from bench.peer_runs import peers, run_peer
from services.local_stack.infrastructure import Infrastructure

pytestmark = pytest.mark.nightly

EVENTS = 6_000
NEEDS_NOTHING = (
    *("stock_faust_windowed", "stock_faust_agent"),
    *("clickhouse_kafka_engine", "librdkafka_limit"),
)


@pytest.fixture(scope="module", params=["usual", "zipf"])
def topic(infrastructure: Infrastructure, request: pytest.FixtureRequest) -> FilledTopic:
    return fill_topic(
        *(infrastructure.bootstrap_servers, f"bench.programs.{request.param}", 4),
        *(shaped(request.param, EVENTS, now_ms()), print, grain_of(request.param)),
    )


@pytest.mark.parametrize("name", NEEDS_NOTHING)
def test_a_peer_has_the_sums_of_what_was_produced(
    infrastructure: Infrastructure, topic: FilledTopic, name: str
) -> None:
    (peer,) = peers(print, lambda each: each == name)
    done = run_peer(infrastructure, peer, topic, 1)
    assert done.report.events == EVENTS
    assert done.report.groups == (topic.sums.groups if peer.sums else 0)


@pytest.fixture(scope="module")
def inserts(infrastructure: Infrastructure, topic: FilledTopic) -> list[Insert]:
    return same_rows.record(infrastructure, topic, f"recorded-{topic.grain.name}")


@pytest.mark.parametrize("connections", [1, 2])
def test_clickhouse_takes_the_rows_of_a_worker_once_more(
    infrastructure: Infrastructure, topic: FilledTopic, inserts: list[Insert], connections: int
) -> None:
    name = f"again-{topic.grain.name}-{connections}"
    done = same_rows.replay(infrastructure, topic, inserts, name, connections)
    assert done.events == EVENTS
    assert done.seconds > 0


def test_rows_that_are_missing_void_the_run(
    infrastructure: Infrastructure, topic: FilledTopic, inserts: list[Insert]
) -> None:
    table = f"INSERT INTO slices_{topic.grain.name} ".encode()
    fewer = [one for one in inserts if not one.body.startswith(table)]
    assert 0 < len(fewer) < len(inserts)
    with pytest.raises(VoidRunError, match=f"usage_{topic.grain.name}"):
        same_rows.replay(infrastructure, topic, fewer, f"fewer-{topic.grain.name}", 1)
