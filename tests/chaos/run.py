"""A run: brings everything up, injects round after round, and lets the oracle judge."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from services.local_stack.errors import ComponentMissing
from tests.chaos.actors import Actor, Keeper, UnexpectedExit
from tests.chaos.catalogue import EXPORTER, INGESTS, KIND_BY_NAME
from tests.chaos.database import Database, DatabaseAwayError
from tests.chaos.disks import own_mounts
from tests.chaos.faults import database as database_faults
from tests.chaos.faults.table import DOES, feasible, unavailable
from tests.chaos.http_sender import HttpSender
from tests.chaos.ledger import Ledger
from tests.chaos.log_reader import recount_all
from tests.chaos.oracle import Found, Recount, Verdict, verdict
from tests.chaos.plan import Fault, Plan, chosen_kinds, draw_plan
from tests.chaos.report import RECOVERY_SECONDS_MAX, Result, summary_lines
from tests.chaos.run_log import Report, RunLog, read_plan
from tests.chaos.senders import Resends, Sender
from tests.chaos.stack import Stack
from tests.chaos.topic_sender import TopicSender, TransactionSender
from tests.chaos.watch import Watch
from tests.chaos.world import World

#: Events a second of each sender: two over HTTP, one straight onto the topic, one in transactions.
#: So many that two cores have some room left: at 270 they had none, and a recovery waited for them.
RATES: Final = (45.0, 45.0, 55.0, 25.0)
WARM_UP_SECONDS_MAX: Final = 60.0
#: A round's recovery is waited for so long beyond what is allowed, to see if it ever comes.
PATIENCE_SECONDS: Final = 60.0
#: Between two rounds at least.
REST_SECONDS: Final = 1.5
ROUNDS_PER_BACKUP: Final = 2
METERED_SECONDS_MAX: Final = 90.0
DIFFERENCES_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be run."""

    seed: int
    minutes: float
    faults: Sequence[str] = ()
    replay: Path | None = None
    out: Path = Path("out/chaos.json")
    #: Compare after every so many rounds, too; 0 for at the end only.
    check_every: int = 0
    #: The most that the meter may take to make progress again.
    recovery_seconds: float = RECOVERY_SECONDS_MAX


def run(options: Options, report: Report) -> bool:
    """Run and write the result file; say whether the meter passed.

    Raises `ValueError` for options that make no sense, `StackError` when the stack cannot be had.
    """
    options.out.parent.mkdir(parents=True, exist_ok=True)
    plan = read_plan(options.replay) if options.replay else None
    chosen_kinds(options.faults)
    # What a run leaves tells why it failed, so the next one under another name spares it.
    folder = options.out.resolve().with_name(f"{options.out.stem}-run")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    no_mounts = None
    try:
        own_mounts()
    except ComponentMissing as error:
        no_mounts = str(error)
    with RunLog(options.out.with_suffix(".log.jsonl"), report) as log:
        with Stack(folder, own_mounts=no_mounts, report=report) as stack:
            skipped = unavailable(stack.missing)
            kinds = [kind for kind in chosen_kinds(options.faults) if kind.name not in skipped]
            plan = plan or draw_plan(options.seed, options.minutes, kinds)
            log.plan(plan)
            one = Run(stack, plan, options, log)
            one.result.skipped = {
                kind.name: skipped[kind.name]
                for kind in chosen_kinds(options.faults)
                if kind.name in skipped
            }
            for kind, why in one.result.skipped.items():
                log.tell("note", f"{kind} is skipped: {why}")
            result = one.run()
        for name in ("disks", "kafka", "clickhouse", "ids", "backups"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for image in folder.glob("*.img"):
            image.unlink()
    options.out.write_text(json.dumps(result.to_json(), indent=2) + "\n")
    for line in summary_lines(result):
        report(line)
    return not result.problems()


class Run:
    """One run over a stack that is up."""

    def __init__(self, stack: Stack, plan: Plan, options: Options, log: RunLog) -> None:
        self.stack = stack
        self.plan = plan
        self.options = options
        self.log = log
        self.world = World(stack, log.tell)
        self.ledger = Ledger(len(RATES))
        self.senders = self._make_senders()
        self.resends = Resends(plan.seed, self.ledger, self.senders)
        self.result = Result(plan.seed, recovery_seconds_allowed=options.recovery_seconds)
        self.keeper = Keeper(self._actors, self._exited)
        self.watch = Watch(stack.ports[EXPORTER], self._actors, log.seconds)

    def _actors(self) -> list[Actor]:
        return list(self.stack.actors.values())

    def _make_senders(self) -> list[Sender]:
        of_all = [(n, self.plan.seed, rate, self.ledger) for n, rate in enumerate(RATES)]
        servers = self.stack.bootstrap_servers
        ports = [self.stack.ports[name] for name in INGESTS]
        keys = self.stack.credentials

        def topic() -> str:
            return self.world.topic

        self.world.transactions = TransactionSender(
            *of_all[3], bootstrap_servers=servers, topic=topic
        )
        return [
            HttpSender(*of_all[0], ports=ports, credentials=keys),
            HttpSender(*of_all[1], ports=ports, credentials=keys),
            TopicSender(*of_all[2], bootstrap_servers=servers, topic=topic),
            self.world.transactions,
        ]

    def _exited(self, ended: UnexpectedExit) -> None:
        text = f"{ended.actor} ended by itself ({ended.ending}): {ended.last_line}"
        self.result.unexpected_exits.append(text)
        self.log.tell("exit", text)

    def run(self) -> Result:
        """Run it all."""
        for watching in (self.keeper, self.watch, self.world.progress):
            watching.start()
        for sender in self.senders:
            sender.told = partial(self.log.tell, "sender")
            sender.start()
        self.resends.start()
        try:
            self._warm_up()
            started = time.monotonic()
            self._rounds(started)
            self.result.minutes = (time.monotonic() - started) / 60
            self._finish()
        finally:
            self.world.ending.set()
            for watching in (self.keeper, self.watch, self.world.progress):
                watching.stop()
        self.result.complaints = self.log.complaints
        self.result.peak_mb = self.watch.memory.peak_mb
        self.result.peak_parts = self.watch.memory.peak_parts
        self.result.counters_fallen = self.watch.counters.falls
        self.result.scrapes = self.watch.counters.scrapes
        self.result.checkpoints_fallen = self.world.progress.fell
        return self.result

    def _warm_up(self) -> None:
        """Wait until every partition is being metered."""
        self.world.look_at_partitions()
        recovery = self.world.progress.watch_recovery()
        deadline = time.monotonic() + WARM_UP_SECONDS_MAX
        while not recovery.done and time.monotonic() < deadline:
            time.sleep(0.2)
        if not recovery.done:
            self.log.tell("complaint", f"not metered before any fault: {recovery.pending}")
        database_faults.back_up(self.world)
        self.log.tell("phase", "every partition is metered, faults begin")

    def _rounds(self, started: float) -> None:
        for number, faults in enumerate(self.plan.rounds, start=1):
            # A round that would not end in time is not begun.
            if time.monotonic() - started > self.plan.minutes * 60:
                return
            self._round(number, faults)
            self.result.rounds = number
            if number % ROUNDS_PER_BACKUP == 0:
                database_faults.back_up(self.world)
            if self.options.check_every and number % self.options.check_every == 0:
                self._check(number)

    def _round(self, number: int, faults: Sequence[Fault]) -> None:
        self.log.tell("round", f"{number} with {len(faults)} faults")
        threads = [
            threading.Thread(target=self._inject, args=[fault], name=f"fault-{fault.number}")
            for fault in faults
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recovery = self.world.progress.watch_recovery()
        self.resends.burst()
        limit = time.monotonic() + self.options.recovery_seconds
        told = False
        while not recovery.done and time.monotonic() < limit + PATIENCE_SECONDS:
            time.sleep(0.2)
            if not told and time.monotonic() > limit:
                self._tell_standing_still(number, recovery.pending)
                told = True
        took = recovery.seconds(time.monotonic())
        self.result.max_recovery_seconds = max(self.result.max_recovery_seconds, took)
        self.log.tell("recovered", f"round {number}: every partition moved after {took:.1f} s")
        time.sleep(REST_SECONDS)

    def _inject(self, fault: Fault) -> None:
        self.world.wait(fault.start_seconds)
        kind = KIND_BY_NAME[fault.kind]
        if kind.name in self.result.skipped or not feasible(kind, self.world):
            self.log.tell("note", f"{fault} cannot be done now")
            return
        self.log.tell("begin", str(fault), number=fault.number)
        try:
            DOES[fault.kind](self.world, fault)
        except Exception as error:  # whatever it is, the run must say so and fail
            text = f"{fault} could not be done: {type(error).__name__}: {error}"
            self.log.tell("complaint", text, number=fault.number)
            return
        self.result.faults[fault.kind] += 1
        self.log.tell("end", str(fault), number=fault.number)

    def _tell_standing_still(self, number: int, pending: Sequence[object]) -> None:
        workers = "; ".join(f"{w.name}: {w.last_line()[:200]}" for w in self.stack.workers)
        self.log.tell("note", f"round {number}: {pending} still stand; {workers}")

    def _check(self, number: int) -> None:
        """Compare in the middle of a run, to learn which rounds did it."""
        for sender in self.senders:
            sender.pause(True)
        time.sleep(2 * REST_SECONDS)
        found = self._examine(settled=False)
        text = f"after round {number}: lost {found.lost}, counted twice {found.double_counted}"
        self.log.tell("check", text)
        for sender in self.senders:
            sender.pause(False)

    def _finish(self) -> None:
        """Let everything come to its end and compare."""
        self.log.tell("phase", "the end: nothing new is sent")
        self.resends.stop()
        for sender in self.senders:
            try:
                sender.stop()
            except Exception as error:  # a sender that died makes the run worthless
                self.log.tell("complaint", f"sender {sender.number} died: {error!r}")
        transactions = self.world.transactions
        self.result.transactions = {
            "committed": transactions.committed,
            "aborted": transactions.aborted,
        }
        self.result.verdict = self._examine(settled=True)

    def _examine(self, *, settled: bool) -> Verdict:
        recount = recount_all(self.stack.bootstrap_servers, self.world.topics)
        self._wait_until_metered(recount)
        shown = read_found(self.world.database)
        found = verdict(recount, self.ledger, shown, settled=settled)
        if not found.exact:
            self._tell_differences(found, recount)
        return found

    def _tell_differences(self, found: Verdict, recount: Recount) -> None:
        """Put what differs into the log, and which events may be to blame."""
        minutes = {d.key for d in found.differences if d.where == "usage_minute"}
        self.log.tell(
            "differences",
            f"{len(found.differences)} numbers differ",
            differences=[str(d) for d in found.differences[:DIFFERENCES_MAX]],
            suspects=list(islice(recount.suspects(minutes), DIFFERENCES_MAX)),
        )

    def _wait_until_metered(self, recount: Recount) -> None:
        deadline = time.monotonic() + METERED_SECONDS_MAX
        behind: list[str] = []
        while time.monotonic() < deadline:
            at = self.world.progress.checkpoints()
            behind = [
                f"{place} is at {at.get(place, 0)} of {count.next_offset}"
                for place, count in recount.partitions.items()
                if at.get(place, 0) < count.next_offset
            ]
            if not behind:
                return
            time.sleep(0.25)
        self.log.tell("complaint", f"not metered to the end: {'; '.join(behind)}")


def read_found(database: Database) -> Found:
    """What the meter shows; asked again while the database is away."""
    deadline = time.monotonic() + METERED_SECONDS_MAX
    while True:
        try:
            return database.found()
        except DatabaseAwayError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
