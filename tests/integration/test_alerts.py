"""Alerts on real processes: what goes wrong there fires, and what goes well does not.

A Prometheus of its own has the rules with all waits and windows thirty times as short, a minute
being two seconds: what an alert is about is done to real services, and need not go on for half an
hour. What each does to the minute, promtool tests (tests/contract/test_prometheus_rules.py).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from schemas.canary import CANARY
from schemas.wire import WireEvent, encode
from services.local_stack.prometheus import find_prometheus
from tests.integration.alert_scene import MINUTE_SECONDS, Scene, alert_scene, rfc3339
from tests.integration.conftest import PipelineFactory
from tests.integration.faulty_ingest import UNFORESEEN
from tests.integration.quick_rules import alert_names, short_wait, shortened
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(300 * MINUTE_SECONDS)

QUIET_SECONDS = 10.0 * MINUTE_SECONDS
#: What may fire all the same: scrapes that a busy machine holds up, and an event of the canary that
#: it makes wait for ten seconds. One such uses up so much of a month's budget that a long window,
#: some minutes here, sees it until the test is over.
TOLERATED = {
    *("MeterDown", "ServiceDown"),
    *("BudgetBurnsFast freshness", "BudgetBurnsSlowly freshness"),
}
#: Alerts by what is done to the services; of those of objectives, which objective.
FIRES = MappingProxyType(
    {
        "a disk of ids that is full": ("IdStoreRefusing", "IdStoreFaults"),
        "an ingest with a fault, and a certificate that ends": (
            *("EventsUnreadable", "IngestCertificateEnds", "BudgetBurnsSlowly acceptance"),
        ),
        "old price lists, and a region that fell silent": ("PriceListOld", "IntervalsStale"),
        "registers that are wrong": (
            *("CanaryDoubled", "CanaryTokensDiffer", "ReconciliationMismatch"),
            "BudgetBurnsFast exactness",
        ),
        "gateways that do wrong": (
            *("EventsRejected", "RejectionsSurge", "TokensUnpriced", "DuplicatesSurge"),
            *("ReserveMarginLow", "EstimatedShareHigh", "ReportsDiffer"),
            "BudgetBurnsFast acceptance",
        ),
        "an aggregator that hangs": (
            *("PartitionStuck", "ServiceDown", "LagGrowing", "CanaryMissing"),
            "BudgetBurnsFast freshness",
        ),
        "an aggregator that hangs for a minute": ("CanaryLate",),
        "a backup that was restored": ("CountersHeld",),
        "a broker that hangs": ("EventsUnacknowledged", "CollectorFailing", "RejectionsNotKept"),
        "services that discovery lost": ("ServiceGone", "CanaryGone"),
        "an exporter that discovery lost": ("MeterDown",),
    }
)
#: Alerts that no real process can be brought to, each with its reason.
NOT_ON_REAL_PROCESSES: dict[str, str] = {}


def test_each_alert_is_seen_to_fire_on_real_processes() -> None:
    """A new alert needs something done to a real process that makes it fire."""
    here = {name.partition(" ")[0] for names in FIRES.values() for name in names}
    assert here | NOT_ON_REAL_PROCESSES.keys() == alert_names()
    assert not here & NOT_ON_REAL_PROCESSES.keys()
    assert all(NOT_ON_REAL_PROCESSES.values()), "each has its reason"


def test_a_minute_is_two_seconds() -> None:
    assert shortened("resets(x[10m]) == 0 and x offset 1h > 2", 2) == (
        "resets(x[20s]) == 0 and x offset 120s > 2"
    )
    assert shortened("avg_over_time(r:rate10m[1d] offset 1h)", 2) == (
        "avg_over_time(r:rate10m[2880s] offset 120s)"
    )
    assert [short_wait(wait, 2) for wait in ("5m", "15m", "1h")] == ["10s", "30s", "30s"]


@pytest.fixture(scope="module")
def scene(pipelines: PipelineFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    binary = find_prometheus()
    if binary is None:
        pytest.skip("Prometheus is not installed and cannot be fetched")
    folder: Path = tmp_path_factory.mktemp("alerts")
    with alert_scene(binary, pipelines, folder) as made:
        yield made


def see(scene: Scene, *causes: str) -> None:
    """Wait until all that these causes are to have fire has fired since now."""
    scene.fires(*(name for cause in causes for name in FIRES[cause]))
    scene.seen |= set(causes)


@pytest.mark.nightly
def test_where_all_is_well_nothing_fires(scene: Scene) -> None:
    """While services start, all is not well on a busy machine: a canary's event may be late."""
    deadline = time.monotonic() + 120.0 * MINUTE_SECONDS
    firing = {"not looked yet"}
    while firing:
        assert time.monotonic() < deadline, f"still firing: {firing}"
        quiet = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < quiet:
            assert scene.post(scene.event()) == 202
            time.sleep(0.2)
        firing = scene.firing() - TOLERATED


@pytest.mark.nightly
def test_what_goes_wrong_inside_fires(scene: Scene) -> None:
    """A disk, a certificate, a reader, prices, registers; and one of twenty events is refused."""
    tomorrow = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, UNFORESEEN: 1}
    told = {"usage_format": "openai_chat", "usage": tomorrow}

    with ExitStack() as stack:
        send = stack.enter_context(scene.faulty_ingest(certificate_days=10))
        scene.price_lists_of(datetime.now(UTC).date() - timedelta(days=45))
        canaries = dict.fromkeys(("region", "provider", "model"), CANARY)
        counted = {"entry": "usage", "requests": 1}
        stack.enter_context(scene.row("slices_register", **canaries, **counted))
        two_hours_ago = scene.event(time=rfc3339(timedelta(hours=2)))
        assert scene.post(two_hours_ago, region="ap-northeast") == 202
        scene.disk.fill()
        stack.callback(scene.disk.free)

        def report() -> None:
            unread = {**scene.event(), **told}
            del unread["input_tokens"], unread["output_tokens"]
            send(*(scene.event() for _ in range(21)), unread)

        stack.enter_context(scene.meanwhile(report))
        see(scene, "an ingest with a fault, and a certificate that ends")
        # Fewer than would use up the month's budget within days.
        assert "BudgetBurnsFast acceptance" not in scene.firing()
        see(
            scene,
            *("a disk of ids that is full", "registers that are wrong"),
            "old price lists, and a region that fell silent",
        )
    scene.is_over("CanaryDoubled")


@pytest.mark.nightly
def test_what_gateways_do_wrong_fires(scene: Scene) -> None:
    """Resent, unpriced, invalid, estimated, beyond capacity; each call told twice, not alike."""
    again = [scene.event()] * 10
    producer = scene.producer()

    def do_wrong() -> None:
        scene.post(*again, scene.event(model="nobody-prices-it"))
        scene.post(*(scene.event(input_tokens=-1) for _ in range(5)))
        scene.post(scene.event(quality="estimated"), scene.event(), region="us-east")
        tell_twice(scene)
        for _ in range(20):
            producer.produce(scene.pipeline.topic, b"{}")
        producer.flush(5)

    with scene.meanwhile(do_wrong):
        assert scene.post(scene.event(input_tokens=10**11)) == 202
        see(scene, "gateways that do wrong")


def tell_twice(scene: Scene) -> None:
    """Report a call, and then once more with what came from a cache."""
    usage: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    call = scene.event()["id"]
    for more in ({}, {"prompt_tokens_details": {"cached_tokens": 8}}):
        told = {"usage_format": "openai_chat", "usage": {**usage, **more}}
        data = {"provider": "openai", "model": "gpt-5.6-luna", **told}
        scene.post_cloud_event(id=call, time=rfc3339(), data=data)


@pytest.mark.nightly
def test_a_broker_that_hangs_fires(scene: Scene) -> None:
    broker = scene.pipeline.infrastructure.broker
    broker.kill(signal.SIGSTOP)
    try:
        assert scene.post(scene.event()) == 503
        # What is wrong with it ingest knows by itself; but it cannot be kept.
        assert scene.post(scene.event(input_tokens=-1)) == 400
        see(scene, "a broker that hangs")
    finally:
        broker.kill(signal.SIGCONT)
    eventually("ingest is well", lambda: scene.post(scene.event()) == 202)


@pytest.mark.nightly
def test_services_that_are_gone_from_discovery_fire(scene: Scene) -> None:
    scene.watch("exporter")
    see(scene, "services that discovery lost")
    assert "MeterDown" not in scene.firing()
    scene.watch()
    see(scene, "an exporter that discovery lost")
    scene.watch(*scene.pipeline.ports)
    scene.is_over("ServiceGone", "CanaryGone", "MeterDown")


@pytest.mark.nightly
def test_an_aggregator_that_hangs_and_a_backup_that_is_restored_fire(scene: Scene) -> None:
    """While much comes in. It is killed, and restored is what was before all that."""
    aggregator = scene.pipeline.aggregator
    producer = scene.producer()

    def produce(events: int) -> None:
        for _ in range(events):
            one = scene.event()["id"]
            names = (one, "direct", "acme", datetime.now(UTC), "eu-central", "openai")
            producer.produce(
                scene.pipeline.topic, encode(WireEvent(*names, "gpt-5.6-luna", 10, 5)), one
            )
        assert producer.flush(20) == 0

    def shown() -> float:
        (accepted,) = scene.ask("wattoken_events_accepted_total")
        return float(accepted["value"][1])

    before = shown()
    scene.back_up()
    produce(100)
    eventually("they are shown", lambda: shown() >= before + 100)
    aggregator.kill(signal.SIGSTOP)
    produce(11_000)
    with scene.meanwhile(lambda: produce(50)):
        see(scene, "an aggregator that hangs")
        aggregator.kill(signal.SIGKILL)
        scene.restore()
        see(scene, "a backup that was restored", "an aggregator that hangs for a minute")
    aggregator.restart()
    scene.is_over("PartitionStuck", "LagGrowing", "CanaryMissing", "CanaryLate", "CountersHeld")


@pytest.mark.nightly
def test_all_of_it_was_seen(scene: Scene, request: pytest.FixtureRequest) -> None:
    """Each cause that is named above was brought about, unless only some tests are run."""
    here = {one.name for one in request.session.items if one.path == request.path}
    asked = {name for name in globals() if name.startswith("test_")}
    if here != asked:
        pytest.skip("only some of the tests are run")
    assert scene.seen == FIRES.keys()
