"""The meter against an ingest that misbehaves: what is recorded arrives, or is counted as lost."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wattoken.client import ConfigurationError, Meter

from tests.unit.clients.fake_ingest import (
    BUSY,
    BUSY_AFTER_TAKING,
    LIMITED,
    NO_KEY,
    OK,
    RESET,
    RESET_AFTER_TAKING,
    TOO_LARGE,
    Answer,
    FakeIngest,
    in_one_second,
)

USAGE: dict[str, Any] = {"provider": "openai", "model": "gpt-5", "input_tokens": 12}
USAGE |= {"output_tokens": 3}
#: Nobody listens on port 9 of loopback.
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def ingest() -> Iterator[FakeIngest]:
    with FakeIngest() as server:
        yield server


def meter_of(url: str, **options: Any) -> Meter:
    options = {"batch_age_seconds": 0.01, "retry_seconds": 0.01, "exit_seconds": 0.3, **options}
    return Meter(url, "wtk_key_secret", **options)


def exact(meter: Meter) -> bool:
    """Whether the meter's own counts add up with nothing left waiting."""
    counts = meter.counts
    outcome = counts.delivered + counts.rejected + counts.dropped
    return counts.waiting == 0 and counts.recorded + counts.resumed == outcome


def test_what_is_recorded_arrives_once_and_whole(ingest: FakeIngest) -> None:
    with meter_of(ingest.url, source="gateway-1", region="eu") as meter:
        before = datetime.now(UTC)
        event_id = meter.record(**USAGE, cache_read_input_tokens=None)
        given_id = meter.record(**USAGE, id="mine", region="us", time=before)
        assert meter.flush()
    assert given_id == "mine"
    assert ingest.seen == {event_id: 1, "mine": 1}
    assert ingest.authorization == "Bearer wtk_key_secret"
    event = ingest.events[event_id]
    assert before <= datetime.fromisoformat(event.pop("time")) <= datetime.now(UTC)
    assert event == USAGE | {"id": event_id, "source": "gateway-1", "region": "eu"}
    assert ingest.events["mine"]["region"] == "us"
    assert meter.counts.delivered == 2 and exact(meter)


def test_nothing_leaves_record(ingest: FakeIngest, caplog: pytest.LogCaptureFixture) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError

        def model_dump(self, **_: object) -> object:
            raise MemoryError

    wrong: list[dict[str, Any]] = [
        {"input_tokens": object()},
        {"input_tokens": float("nan")},
        {"time": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"reason": "x" * 100_000},
        {"usage": Hostile()},
        {"id": Hostile()},
    ]
    with meter_of(ingest.url) as meter:
        for fields in wrong:
            meter.record(**USAGE | fields)
        good = meter.record(**USAGE)
    assert list(ingest.events) == [good]
    assert meter.counts.dropped_invalid == len(wrong) and exact(meter)
    # The same kind of loss is not logged again and again.
    assert len([line for line in caplog.records if line.levelno == logging.ERROR]) == 1


def test_a_rejected_event_is_counted_logged_and_not_sent_again(
    ingest: FakeIngest, caplog: pytest.LogCaptureFixture
) -> None:
    ingest.bad = frozenset({"3", "7"})
    with meter_of(ingest.url, batch_age_seconds=0.1) as meter:
        for number in range(10):
            meter.record(**USAGE, id=str(number))
    assert (meter.counts.delivered, meter.counts.rejected) == (8, 2)
    assert len(ingest.requests) == 1 and exact(meter)
    told = [line.getMessage() for line in caplog.records if "rejected" in line.getMessage()]
    assert told == ["ingest rejected events=2 codes={'out_of_range': 2} first='model is bad'"]


def test_an_event_that_is_alone_and_bad_is_rejected(ingest: FakeIngest) -> None:
    ingest.bad = frozenset({"1"})
    with meter_of(ingest.url) as meter:
        meter.record(**USAGE, id="1")
    assert meter.counts.rejected == 1 and exact(meter)


@pytest.mark.parametrize(
    "answer", [BUSY, BUSY_AFTER_TAKING, LIMITED, RESET, RESET_AFTER_TAKING, NO_KEY, Answer(200)]
)
def test_after_a_failure_the_same_ids_go_again(ingest: FakeIngest, answer: Answer) -> None:
    ingest.script.extend([answer] * 3)
    with meter_of(ingest.url, batch_age_seconds=0.1) as meter:
        ids = [meter.record(**USAGE) for _ in range(5)]
        assert meter.flush(5)
    assert ingest.requests == [ids] * 4
    assert meter.counts.failed_attempts == 3
    assert meter.counts.delivered == 5 and exact(meter)


@pytest.mark.parametrize("asked", ["1", in_one_second])
def test_it_waits_as_long_as_it_is_asked(ingest: FakeIngest, asked: Any) -> None:
    text = asked if isinstance(asked, str) else asked()
    ingest.script.append(Answer(503, retry_after=text))
    with meter_of(ingest.url) as meter:
        meter.record(**USAGE)
        assert meter.flush(5)
    first, second = ingest.request_times
    assert 0.5 <= second - first < 2.5


def test_a_batch_that_is_too_large_goes_in_parts(ingest: FakeIngest) -> None:
    ingest.events_max = 30
    with meter_of(ingest.url, batch_age_seconds=0.1) as meter:
        ids = [meter.record(**USAGE) for _ in range(200)]
        assert meter.flush(5)
    assert ingest.seen == dict.fromkeys(ids, 1) and exact(meter)


def test_one_event_that_is_too_large_does_not_block_the_others(ingest: FakeIngest) -> None:
    ingest.script.append(TOO_LARGE)
    with meter_of(ingest.url) as meter:
        meter.record(**USAGE, id="large")
        assert meter.flush(5)
        meter.record(**USAGE, id="next")
    assert list(ingest.events) == ["next"]
    assert meter.counts.rejected == 1 and exact(meter)


def test_a_full_queue_drops_and_counts_and_never_blocks() -> None:
    meter = meter_of(NOBODY, queue_events=100, batch_events=10)
    slowest_ms = 0.0
    for _ in range(1_000):
        started = time.perf_counter()
        meter.record(**USAGE)
        slowest_ms = max(slowest_ms, (time.perf_counter() - started) * 1000)
    # A batch or two are out of the queue, in the sender's hands.
    assert 870 <= meter.counts.dropped_queue_full <= 900
    assert slowest_ms < 100
    started = time.perf_counter()
    meter.close()
    assert time.perf_counter() - started < 2
    assert meter.counts.dropped == 1_000 and exact(meter)
    meter.record(**USAGE)
    assert meter.counts.dropped_at_exit > 0 and exact(meter)


def test_an_event_loop_is_not_held_up_by_an_ingest_that_hangs(ingest: FakeIngest) -> None:
    ingest.default = Answer(202, takes=True, wait_seconds=0.5)

    async def serve(meter: Meter) -> float:
        latest_ms = 0.0
        for _ in range(50):
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            meter.record(**USAGE)
            latest_ms = max(latest_ms, (time.perf_counter() - due) * 1000)
        return latest_ms

    with meter_of(ingest.url, exit_seconds=5.0) as meter:
        assert asyncio.run(serve(meter)) < 200
    assert meter.counts.delivered == 50 and exact(meter)


def test_many_threads_share_a_meter(ingest: FakeIngest, tmp_path: Path) -> None:
    ids: list[str] = []

    def work() -> None:
        ids.extend([meter.record(**USAGE) for _ in range(500)])

    with meter_of(ingest.url, spool_folder=tmp_path) as meter:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert meter.flush()
    assert len(ids) == 4_000
    assert ingest.seen == dict.fromkeys(ids, 1) and exact(meter)
    assert list(tmp_path.iterdir()) == []


def test_a_fork_sends_what_is_its_own(ingest: FakeIngest, tmp_path: Path) -> None:
    ingest.default = Answer(202, takes=True, wait_seconds=0.1)
    meter = meter_of(ingest.url, spool_folder=tmp_path, exit_seconds=5.0)
    for number in range(100):
        meter.record(**USAGE, id=f"parent-{number}")
    time.sleep(0.05)  # the parent's threads are in the middle of it
    pid = os.fork()
    if pid == 0:
        try:
            clean = meter.counts.recorded == 0
            meter.record(**USAGE, id="child")
            done = meter.close()
            os._exit(0 if clean and done.delivered == 1 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    meter.close()
    assert ingest.seen == dict.fromkeys([*(f"parent-{n}" for n in range(100)), "child"], 1)
    assert exact(meter)


def test_what_could_not_be_sent_is_sent_by_the_next_meter(
    ingest: FakeIngest, tmp_path: Path
) -> None:
    with meter_of(NOBODY, spool_folder=tmp_path) as first:
        ids = [first.record(**USAGE) for _ in range(20)]
    assert first.counts.waiting == 20 and first.counts.dropped == 0
    # No event has to come: making the meter is enough.
    second = meter_of(ingest.url, spool_folder=tmp_path)
    assert second.flush()
    second.close()
    assert ingest.seen == dict.fromkeys(ids, 1)
    assert second.counts.resumed == 20 and exact(second)
    assert list(tmp_path.iterdir()) == []


def test_a_living_meter_keeps_its_own_spool(ingest: FakeIngest, tmp_path: Path) -> None:
    first = meter_of(NOBODY, spool_folder=tmp_path)
    first.record(**USAGE)
    while not list(tmp_path.iterdir()):
        time.sleep(0.01)
    with meter_of(ingest.url, spool_folder=tmp_path) as second:
        second.record(**USAGE, id="second")
        assert second.flush()
    assert list(ingest.events) == ["second"] and second.counts.resumed == 0
    first.close()


def test_a_full_spool_stops_nothing_while_ingest_is_up(ingest: FakeIngest, tmp_path: Path) -> None:
    with meter_of(ingest.url, spool_folder=tmp_path, spool_bytes=100) as meter:
        for _ in range(50):
            meter.record(**USAGE)
        assert meter.flush()
    assert meter.counts.delivered == 50 and exact(meter)


def test_a_full_spool_and_no_ingest_drop_and_count(tmp_path: Path) -> None:
    options: dict[str, Any] = {"spool_bytes": 3_000, "queue_events": 10, "batch_events": 5}
    with meter_of(NOBODY, spool_folder=tmp_path, **options) as meter:
        for _ in range(500):
            meter.record(**USAGE)
            time.sleep(0.0002)
    counts = meter.counts
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3_000
    assert counts.waiting > 0 and counts.dropped_queue_full > 0
    with meter_of(NOBODY, spool_folder=tmp_path) as after:
        after.flush(0.3)
    assert after.counts.resumed == counts.waiting


RECORDER = """
import sys, time
from wattoken.client import Meter
url, folder, events = sys.argv[1:]
options = {"spool_folder": folder} if folder else {}
meter = Meter(url, "wtk_key_secret", batch_age_seconds=0.02, exit_seconds=0.5, **options)
for number in range(int(events)):
    print(meter.record(provider="p", model="m", input_tokens=1, output_tokens=1), flush=True)
    time.sleep(0.001)
if len(sys.argv) > 3 and events == "100000":
    time.sleep(60)
"""


def recorder(url: str, folder: Path | None, events: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RECORDER, url, str(folder or ""), str(events)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_exit_sends_what_is_left(ingest: FakeIngest) -> None:
    out, err = recorder(ingest.url, None, 50).communicate(timeout=20)
    assert ingest.seen == dict.fromkeys(out.split(), 1) and len(ingest.seen) == 50, err


def test_an_exit_without_ingest_takes_no_longer_than_allowed_and_says_what_is_lost() -> None:
    child = recorder(NOBODY, None, 50)
    started = time.monotonic()
    _, err = child.communicate(timeout=20)
    assert child.returncode == 0 and time.monotonic() - started < 5
    assert "dropped events=50" in err


@pytest.mark.parametrize("answer", [BUSY, RESET_AFTER_TAKING, OK])
def test_kill_9_loses_only_what_is_younger_than_a_batch(
    ingest: FakeIngest, tmp_path: Path, answer: Answer
) -> None:
    ingest.default = answer
    child = recorder(ingest.url, tmp_path, 100_000)
    assert child.stdout is not None
    recorded = [child.stdout.readline().strip() for _ in range(150)]
    time.sleep(2.0)  # well over a batch's age, and the disk's time, on a busy machine too
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate()
    recorded_late = rest.split()
    spools = list(tmp_path.iterdir())
    if answer is not OK:
        # The last write was cut off in the middle of a line.
        assert len(spools) == 1
        with spools[0].open("ab") as torn:
            torn.write(b'{"id": "torn", "mod')
    ingest.default = OK
    with meter_of(ingest.url, spool_folder=tmp_path) as meter:
        meter.record(**USAGE, id="after")
        assert meter.flush()
    assert set(recorded) <= set(ingest.seen)
    # The kill may have come when one was recorded, and sent, and not yet printed.
    assert len(set(ingest.seen) - {*recorded, *recorded_late, "after"}) <= 1
    assert "torn" not in ingest.seen
    assert meter.counts.rejected == 0 and exact(meter)


ANSWERS = [OK, BUSY, BUSY_AFTER_TAKING, LIMITED, RESET, RESET_AFTER_TAKING, TOO_LARGE, NO_KEY]
LIVES = st.lists(
    st.tuples(
        st.lists(st.sampled_from(ANSWERS), max_size=6),
        st.integers(0, 30),
        st.sampled_from([0.0, 0.05, 1.0]),
    ),
    min_size=1,
    max_size=4,
)


@given(lives=LIVES, with_spool=st.booleans(), queue_events=st.sampled_from([5, 1_000]))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_event_arrives_under_its_one_id_or_is_counted(
    tmp_path_factory: pytest.TempPathFactory,
    lives: list[tuple[list[Answer], int, float]],
    with_spool: bool,
    queue_events: int,
) -> None:
    """Meters come and go on one spool, and ingest fails as it likes."""
    folder = tmp_path_factory.mktemp("spool") if with_spool else None
    options: dict[str, Any] = {"queue_events": queue_events, "batch_events": 7}
    options |= {"spool_folder": folder, "timeout_seconds": 2.0, "retry_seconds": 0.002}
    recorded: list[str] = []
    lost = rejected = waiting = 0
    with FakeIngest() as server:
        for answers, events, exit_seconds in [*lives, ([], 0, 5.0)]:
            server.script.clear()
            server.script.extend(answers)
            meter = meter_of(server.url, **options)
            recorded += [meter.record(**USAGE) for _ in range(events)]
            if not exit_seconds and meter.counts.recorded:
                time.sleep(0.01)
            elif exit_seconds >= 1:
                meter.flush(exit_seconds)
            counts = meter.close(exit_seconds)
            assert counts.resumed <= waiting and counts.waiting >= 0
            waiting = waiting - counts.resumed + counts.waiting
            lost, rejected = lost + counts.dropped, rejected + counts.rejected
        assert waiting == 0
        assert set(server.seen) <= set(recorded)
        # What was given up at an exit may have arrived all the same: never silently lost is it.
        assert len(recorded) <= len(server.seen) + lost + rejected
        if with_spool and queue_events > 30:
            assert lost == 0


def test_what_cannot_work_is_said_when_the_meter_is_made(tmp_path: Path) -> None:
    for url, key in (("ingest:8080", "k"), ("", "k"), ("http://h", ""), ("http://h", "ключ")):
        with pytest.raises(ConfigurationError):
            Meter(url, key)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError):
        Meter(NOBODY, "k", spool_folder=tmp_path / "file")
    with pytest.raises(ConfigurationError):
        Meter(NOBODY, "k", batch_events=0)


def test_a_meter_of_the_environment(monkeypatch: pytest.MonkeyPatch, ingest: FakeIngest) -> None:
    monkeypatch.setenv("WATTOKEN_URL", ingest.url)
    with pytest.raises(ConfigurationError, match="WATTOKEN_API_KEY"):
        Meter.from_env()
    monkeypatch.setenv("WATTOKEN_API_KEY", "wtk_a_b")
    monkeypatch.setenv("WATTOKEN_REGION", "eu")
    with Meter.from_env(source="mine") as meter:
        meter.record(**USAGE, id="1")
    assert ingest.events["1"].items() >= {"region": "eu", "source": "mine"}.items()


def test_what_is_in_memory_at_the_exit_goes_on_disk(
    ingest: FakeIngest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as slow:
        slow.setattr("wattoken.client.delivery.Delivery._collect", lambda self: None)
        first = meter_of(NOBODY, spool_folder=tmp_path)
        ids = [first.record(**USAGE) for _ in range(5)]
        assert first.close(0.1).waiting == 5
    with meter_of(ingest.url, spool_folder=tmp_path) as second:
        assert second.flush()
    assert ingest.seen == dict.fromkeys(ids, 1) and exact(second)
