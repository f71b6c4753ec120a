"""Every command where Kafka, ClickHouse or ingest is away: one line, soon, that says what to do.

The commands are those of the command line's own parser, so a new one is here or the first test
fails. Nothing listens, or something listens and says nothing.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pytest
import typer

from services.cli import app
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.services import wattoken_command
from tests.integration.conftest import PipelineFactory

Part = Literal["kafka", "clickhouse", "ingest", "exporter"]
Fault = Literal["closed", "silent"]
FAULTS: Final[tuple[Fault, ...]] = ("closed", "silent")
#: The limits of the commands are seconds; the rest is for Python to start on a busy machine.
PATIENCE_SECONDS: Final = 60.0
#: So many commands are run at once.
AT_ONCE: Final = 6
#: What a line about a part names.
SETTINGS: Final[Mapping[Part, str]] = {
    "kafka": "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS",
    "clickhouse": "WATTOKEN_CLICKHOUSE_HOST",
    "ingest": "WATTOKEN_INGEST_URL",
    "exporter": "WATTOKEN_CANARY_EXPORTER_URL",
}
#: Commands whose work it is to make or break a stack: they start their own.
OWN_STACK: Final = {"up", "demo", "chaos"}
#: Reach nothing at all.
ALONE: Final[Mapping[str, tuple[str, ...]]] = {
    "grants": (),
    "init-secrets": ("secrets",),
    "keys create": ("--tenant", "acme", "--region", "eu"),
    "keys list": (),
    "keys revoke": ("abc",),
    "keys rotate": ("abc",),
    "gateways fields": (),
    "tariffs check": (),
    "tariffs list": (),
    "tariffs show": ("gpt-5",),
    "tariffs sync": (),
    "tariffs disputes": (),
    "verify": ("settled.json",),
}
#: Give up, each over the first of the parts that it reaches.
GIVE_UP: Final[Mapping[str, tuple[tuple[str, ...], tuple[Part, ...]]]] = {
    "init-kafka": (("users",), ("kafka",)),
    "migrate": ((), ("kafka", "clickhouse")),
    "accept-restore": ((), ("kafka", "clickhouse")),
    "audit": ((), ("kafka", "clickhouse")),
    "audit --ledger": (("ledger",), ("kafka", "clickhouse")),
    "dead-letters list": ((), ("clickhouse",)),
    "dead-letters show": (("0", "0"), ("clickhouse",)),
    "dead-letters requeue": (("--yes",), ("kafka", "clickhouse")),
    "rejected list": ((), ("kafka",)),
    "rejected show": (("0", "0"), ("kafka",)),
    "rejected requeue": (("--yes",), ("kafka",)),
    "statement": (("acme", "2026-05"), ("clickhouse",)),
    "statement --all": (("2026-05", "--out", "bills"), ("clickhouse",)),
    "settle": (("2026-05", "--run", "SF"), ("clickhouse",)),
    "compare-runs": (("2026-05", "SF", "R1"), ("clickhouse",)),
    "compare-plans": (("2026-05",), ("clickhouse",)),
    "focus": (("2026-05", "--out", "focus.csv"), ("clickhouse",)),
    "reconcile": (("bill.csv",), ("clickhouse",)),
    "tariffs explain": (
        ("--tenant", "acme", "--hour", "2026-05-01T10", "--model", "gpt-5"),
        ("clickhouse",),
    ),
    "tariffs rerate": (
        ("catalogue", "--from", "2026-05-01", "--to", "2026-05-02"),
        ("clickhouse",),
    ),
    "simulate": (("--via", "kafka"), ("kafka",)),
    "simulate --via": (("http", "--key", "k", "--tenant", "acme"), ("ingest",)),
    "simulate --scenario": (("token-era",), ("kafka", "clickhouse")),
    "replay": (("trace.csv",), ("kafka",)),
    "replay --via": (("http", "trace.csv", "--key", "k"), ("ingest",)),
    "gateways unread": ((), ("ingest",)),
    "healthcheck": ((), ("ingest",)),
}
#: Say it and wait, for as long as it takes: services, and what must not stop half way.
WAIT: Final[Mapping[str, tuple[tuple[str, ...], tuple[Part, ...]]]] = {
    "ingest": ((), ("kafka",)),
    "aggregator": ((), ("kafka", "clickhouse")),
    "exporter": ((), ("clickhouse",)),
    "canary": ((), ("exporter",)),
    "succeed": (("--topic", "next", "--partitions", "3"), ("kafka",)),
}
#: Its findings are its answer: tests/integration/test_doctor.py.
EXAMINES: Final = {"doctor"}


def commands(group: typer.core.TyperGroup, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def test_every_command_is_here() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    here = {case.partition(" --")[0] for case in (*ALONE, *GIVE_UP, *WAIT, *OWN_STACK, *EXAMINES)}
    assert here == set(commands(root))


class Silent:
    """Takes connections and says nothing."""

    def __init__(self) -> None:
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listening.getsockname()[1]
        self.taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                self.taken.append(self._listening.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self._listening.close()
        for one in self.taken:
            one.close()


@contextmanager
def away(fault: Fault, silent: list[Silent]) -> Iterator[int]:
    """A port where nothing listens, or where nothing is said."""
    if fault == "closed":
        port = pick_port()
        try:
            yield port
        finally:
            give_back(port)
        return
    silent.append(Silent())
    try:
        yield silent[-1].port
    finally:
        silent[-1].close()


@dataclass(frozen=True, slots=True)
class Run:
    """What a command did; ``exit_code`` is None where it had to be ended."""

    exit_code: int | None
    stdout: str
    stderr: str
    ports: Mapping[Part, int]
    connections: int

    def lines_of(self, part: Part) -> list[str]:
        """The lines that name where a part was looked for, and the setting that says where."""
        return [
            line
            for line in (self.stdout + self.stderr).splitlines()
            if f":{self.ports[part]}" in line and SETTINGS[part] in line
        ]


#: Of each case, what it does with each fault.
Runs = Mapping[str, list[Future[Run]]]


def files(folder: Path) -> None:
    """What commands are given to read."""
    (folder / "catalogue").mkdir()
    (folder / "keys.yaml").write_text("keys: []\n")
    (folder / "pepper").write_text("made-up pepper, " * 4)
    (folder / "bill.csv").write_text(BILL)
    (folder / "trace.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-05-01 10:00:00.0000000,10,20\n"
    )
    (folder / "ledger").touch()


BILL: Final = (
    "ChargePeriodStart,ChargePeriodEnd,BilledCost,BillingCurrency,ProviderName,ServiceName,"
    "ChargeCategory,ChargeDescription,ConsumedQuantity,ConsumedUnit\n"
    "2026-05-01T00:00:00Z,2026-05-02T00:00:00Z,1.5,USD,openai,gpt-5,Usage,gpt-5 input,10,Tokens\n"
)


def environment(folder: Path, ports: Mapping[Part, int]) -> dict[str, str]:
    return {
        **os.environ,
        "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:{ports['kafka']}",
        "WATTOKEN_CLICKHOUSE_HOST": LOOPBACK,
        "WATTOKEN_CLICKHOUSE_PORT": str(ports["clickhouse"]),
        "WATTOKEN_INGEST_URL": f"http://{LOOPBACK}:{ports['ingest']}",
        "WATTOKEN_CANARY_EXPORTER_URL": f"http://{LOOPBACK}:{ports['exporter']}",
        "WATTOKEN_CANARY_API_KEY": "k",
        "WATTOKEN_INGEST_KEYS_FILE": str(folder / "keys.yaml"),
        "WATTOKEN_INGEST_PEPPER_FILE": str(folder / "pepper"),
    }


def run(case: str, arguments: tuple[str, ...], fault: Fault, folder: Path) -> Run:
    """Run a command with all parts away, until it ends or has said what is to be said."""
    folder.mkdir(parents=True)
    files(folder)
    silent: list[Silent] = []
    with ExitStack() as held:
        ports = {part: held.enter_context(away(fault, silent)) for part in SETTINGS}
        own = {name: pick_port() for name in ("INGEST", "AGGREGATOR", "EXPORTER", "CANARY")}
        held.callback(give_back, *own.values())
        env = environment(folder, ports) | {
            f"WATTOKEN_{name}_PORT": str(port) for name, port in own.items()
        }
        if case == "healthcheck":
            arguments = (f"http://{LOOPBACK}:{ports['ingest']}/readyz",)
        out, err = (held.enter_context((folder / name).open("w+")) for name in ("out", "err"))
        process = held.enter_context(
            subprocess.Popen(
                wattoken_command(*case.split(), *arguments),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=env,
                cwd=folder,
            )
        )
        held.callback(process.kill)
        parts = WAIT[case][1] if case in WAIT else ()
        # What asks nobody is waited for as long as its work takes.
        deadline = time.monotonic() + (10 if case in ALONE else 1) * PATIENCE_SECONDS
        while True:
            ended = process.poll()
            texts = ((folder / "out").read_text(), (folder / "err").read_text())
            done = Run(ended, *texts, ports, sum(len(one.taken) for one in silent))
            told = bool(parts) and all(map(done.lines_of, parts))
            if ended is not None or told or time.monotonic() > deadline:
                return done
            time.sleep(0.1)


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runs]:
    """Run each case that a test asks for with each fault, several at once: most of it is waiting.

    They begin in the order in which their tests come, so that no test waits for those behind it.
    """
    folder = tmp_path_factory.mktemp("runs")
    with ThreadPoolExecutor(AT_ONCE) as places:

        def begin(case: str) -> list[Future[Run]]:
            faults: tuple[Fault, ...] = ("silent",) if case in ALONE else FAULTS
            own = folder / case.replace(" ", "-")
            return [
                places.submit(run, case, arguments_of(case), fault, own / fault) for fault in faults
            ]

        cases = [
            str(item.callspec.params["case"])
            for item in request.session.items
            if isinstance(item, pytest.Function)
            and item.module is request.module
            and "runs" in item.fixturenames
        ]
        yield {case: begin(case) for case in cases}
        places.shutdown(cancel_futures=True)


def arguments_of(case: str) -> tuple[str, ...]:
    return ALONE[case] if case in ALONE else {**GIVE_UP, **WAIT}[case][0]


@pytest.mark.parametrize("case", GIVE_UP)
def test_it_gives_up_soon_and_says_where_and_what_to_do(case: str, runs: Runs) -> None:
    _, (part, *_) = GIVE_UP[case]
    for begun in runs[case]:
        done = begun.result()
        assert done.exit_code == 1, (done.exit_code, done.stderr)
        (line,) = done.stderr.splitlines()
        assert line.startswith("wattoken: "), line
        # A probe is asked for an address, and has no setting.
        assert done.lines_of(part) or case == "healthcheck", line
        assert f":{done.ports[part]}" in line, line
        assert not done.stdout, "a script must not take it for an answer"


@pytest.mark.parametrize("case", WAIT)
def test_it_says_soon_where_and_what_to_do_and_waits(case: str, runs: Runs) -> None:
    _, parts = WAIT[case]
    for begun in runs[case]:
        done = begun.result()
        assert done.exit_code is None, (done.exit_code, done.stderr)
        for part in parts:
            assert done.lines_of(part), (part, done.stdout, done.stderr)


@pytest.mark.parametrize("case", ALONE)
def test_what_needs_nobody_asks_nobody(case: str, runs: Runs) -> None:
    (begun,) = runs[case]
    done = begun.result()
    assert done.connections == 0
    assert done.exit_code in (0, 1), done.stderr


BOTH: Final = [case for case, (_, parts) in GIVE_UP.items() if parts == ("kafka", "clickhouse")]
OF_DATABASE: Final = [case for case, (_, parts) in GIVE_UP.items() if "clickhouse" in parts]


def with_kafka(
    infrastructure: Infrastructure, case: str, folder: Path, clickhouse_port: int, **more: str
) -> subprocess.CompletedProcess[str]:
    files(folder)
    ports: dict[Part, int] = {
        "kafka": infrastructure.ports.kafka,
        "clickhouse": clickhouse_port,
        "ingest": 1,
        "exporter": 1,
    }
    return subprocess.run(
        wattoken_command(*case.split(), *GIVE_UP[case][0]),
        env=environment(folder, ports) | more,
        cwd=folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def topic(pipelines: PipelineFactory) -> str:
    """A topic that is there."""
    return pipelines(name="there", partitions=1, services=()).topic


@pytest.mark.nightly
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("case", BOTH)
def test_the_database_alone_is_away(
    infrastructure: Infrastructure, topic: str, tmp_path: Path, case: str, fault: Fault
) -> None:
    with away(fault, []) as port:
        done = with_kafka(infrastructure, case, tmp_path, port, WATTOKEN_KAFKA_TOPIC=topic)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("wattoken: "), done.stderr
    assert f":{port}" in line, line
    assert "WATTOKEN_CLICKHOUSE_HOST" in line, line


@pytest.mark.parametrize("case", [case for case in OF_DATABASE if case != "migrate"])
def test_a_database_that_is_not_there_says_which_command_comes_next(
    infrastructure: Infrastructure, tmp_path: Path, case: str
) -> None:
    done = with_kafka(
        *(infrastructure, case, tmp_path, infrastructure.ports.clickhouse_http),
        WATTOKEN_CLICKHOUSE_DATABASE="nobody_made_it",
        WATTOKEN_KAFKA_TOPIC="nobody.made.it",
    )
    assert done.returncode == 1, done.stdout
    line = done.stderr.splitlines()[-1]
    assert line.startswith("wattoken: "), done.stderr
    assert "`wattoken migrate`" in line, line
