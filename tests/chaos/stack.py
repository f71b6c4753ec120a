"""The real processes of a run: Kafka, ClickHouse, the services, and the links between them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from services.local_stack.clickhouse import clickhouse_library, clickhouse_plan
from services.local_stack.credentials import make_credentials
from services.local_stack.errors import ComponentMissing, StackError
from services.local_stack.kafka import kafka_jars, kafka_plan, server_properties
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import ChildPlan, inherited_environment
from services.local_stack.services import Credential, service_plan
from services.local_stack.supervisor import Supervisor
from tests.chaos.actors import Actor
from tests.chaos.catalogue import (
    BROKER,
    CLICKHOUSE,
    DECODING_WORKER,
    EXPORTER,
    GUEST,
    INGESTS,
    WORKERS,
)
from tests.chaos.clocks import Clock, faketime_library, library_without_sleep
from tests.chaos.disks import Disk
from tests.chaos.events import ACCOUNTS
from tests.chaos.proxy import Network
from tests.jvm import SHORT_LIVED

PARTITIONS: Final = 6
TOPIC: Final = "usage.events.chaos"
DATABASE: Final = "wattoken_chaos"
GROUP: Final = "wattoken-chaos"
KAFKA_CLIENTS: Final = (*WORKERS, GUEST, *INGESTS)
CLICKHOUSE_CLIENTS: Final = (*WORKERS, GUEST, EXPORTER)
COMMAND_SECONDS: Final = 60.0
#: Small limits, so that flushes, evictions, look-ups and moves of ids to disk happen all the time.
SMALL_LIMITS: Final = {
    "WATTOKEN_AGGREGATOR_FLUSH_INTERVAL_SECONDS": "0.5",
    "WATTOKEN_AGGREGATOR_IDS_IN_MEMORY_MAX": "1000",
    "WATTOKEN_AGGREGATOR_KEEP_MINUTES_SECONDS": "90",
    "WATTOKEN_AGGREGATOR_KEEP_HOURS_SECONDS": "3600",
    "WATTOKEN_AGGREGATOR_PENDING_ROWS_MAX": "5000",
    "WATTOKEN_AGGREGATOR_FETCH_BYTES_MAX": str(256 * 1024),
    "WATTOKEN_AGGREGATOR_SESSION_TIMEOUT_SECONDS": "6",
    "WATTOKEN_AGGREGATOR_REPLICA_WAIT_SECONDS": "4",
    "WATTOKEN_AGGREGATOR_STANDSTILL_SECONDS": "20",
    "WATTOKEN_CLICKHOUSE_TIMEOUT_SECONDS": "5",
    "WATTOKEN_INGEST_DELIVERY_TIMEOUT_SECONDS": "5",
    "WATTOKEN_EXPORTER_TIMEOUT_SECONDS": "2",
}
Report = Callable[[str], None]


class Stack:
    """All processes, disks, clocks and links of a run; a context manager.

    ``missing`` says which abilities the machine does not give, and why: "disks", "clocks".
    """

    def __init__(self, folder: Path, *, own_mounts: str | None, report: Report) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.report = report
        self.topic = TOPIC
        self.network = Network()
        self.supervisor = Supervisor()
        self.actors: dict[str, Actor] = {}
        self.disks: dict[str, Disk] = {}
        self.clocks: dict[str, Clock] = {}
        self.missing: dict[str, str] = {} if own_mounts is None else {"disks": own_mounts}
        self.credentials: list[Credential] = []
        self.ports = {
            name: pick_port()
            for name in ("kafka", "controller", "http", "tcp", EXPORTER, *INGESTS, *WORKERS, GUEST)
        }
        self.listeners = {name: pick_port() for name in KAFKA_CLIENTS}
        self.link_ports = {f"{name}>kafka": pick_port() for name in KAFKA_CLIENTS} | {
            f"{name}>clickhouse": pick_port() for name in CLICKHOUSE_CLIENTS
        }
        self._keys_env: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            every = (*self.ports.values(), *self.listeners.values(), *self.link_ports.values())
            stack.callback(give_back, *every)
            self._prepare_disks(stack)
            self._prepare_clocks()
            stack.enter_context(self.network)
            for name, port in self.link_ports.items():
                http = name.endswith("clickhouse")
                behind = self.ports["http"] if http else self.listeners[name.partition(">")[0]]
                self.network.add(name, port, behind, http=http)
            stack.enter_context(self.supervisor)
            stack.callback(self.supervisor.kill)
            self._start_infrastructure()
            self._migrate()
            self._start_services()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def bootstrap_servers(self) -> str:
        """The broker, without any link between."""
        return f"{LOOPBACK}:{self.ports['kafka']}"

    @property
    def workers(self) -> list[Actor]:
        """The three that always run."""
        return [self.actors[name] for name in WORKERS]

    def state_dir(self, worker: str) -> Path:
        """Where a worker keeps ids."""
        return self._place("ids") / worker

    def direct_env(self) -> dict[str, str]:
        """Environment of commands, which use no link."""
        return {
            "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "WATTOKEN_KAFKA_TOPIC": self.topic,
            "WATTOKEN_CLICKHOUSE_HOST": LOOPBACK,
            "WATTOKEN_CLICKHOUSE_PORT": str(self.ports["http"]),
            "WATTOKEN_CLICKHOUSE_DATABASE": DATABASE,
            "WATTOKEN_AGGREGATOR_GROUP": GROUP,
            **self._keys_env,
        }

    def run(self, *arguments: str, seconds: float = COMMAND_SECONDS) -> str:
        """Run a `wattoken` command and return what it said.

        Raises `StackError` with the end of its output when it fails or takes too long.
        """
        try:
            done = subprocess.run(
                [sys.executable, "-m", "services.cli", *arguments],
                env={**inherited_environment(), **self.direct_env()},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StackError(f"`wattoken {arguments[0]}` took over {seconds:g} s") from None
        if done.returncode != 0:
            raise StackError(f"`wattoken {arguments[0]}` failed: {done.stdout.strip()[-1000:]}")
        return done.stdout

    def _place(self, name: str) -> Path:
        return self.disks[name].place if name in self.disks else self.folder / name

    def _prepare_disks(self, stack: ExitStack) -> None:
        if "disks" in self.missing:
            return
        try:
            for name in (BROKER, CLICKHOUSE, "ids"):
                disk = Disk(self.folder / "disks" / name)
                stack.callback(disk.unmount)
                disk.mount(self.folder / f"{name}.img")
                self.disks[name] = disk
        except ComponentMissing as error:
            self.disks.clear()
            self.missing["disks"] = str(error)

    def _prepare_clocks(self) -> None:
        try:
            library = library_without_sleep(faketime_library(self.report), self.folder)
        except ComponentMissing as error:
            self.missing["clocks"] = str(error).splitlines()[0]
            return
        for name in (BROKER, *WORKERS):
            self.clocks[name] = Clock(library, self.folder / f"{name}.clock")

    def _clock_env(self, name: str) -> Mapping[str, str]:
        return self.clocks[name].env if name in self.clocks else {}

    def _launch(self, plan: ChildPlan) -> Actor:
        actor = Actor(self.supervisor.launch(plan))
        self.actors[plan.name] = actor
        return actor

    def _start_infrastructure(self) -> None:
        launched = [self._launch(self._kafka_plan()), self._launch(self._clickhouse_plan())]
        for actor in launched:
            actor.child.wait_ready()
            self.report(f"{actor.name}: ready, pid {actor.child.pid}")

    def _kafka_plan(self) -> ChildPlan:
        data = self._place(BROKER) / "broker"
        ports = (self.ports["kafka"], self.ports["controller"])
        plan = kafka_plan(kafka_jars(self.report), data, *ports, self.logs / "kafka.log")
        advertised = {name: self.link_ports[f"{name}>kafka"] for name in KAFKA_CLIENTS}
        text = with_listeners(server_properties(data, *ports), self.listeners, advertised)
        (data / "server.properties").write_text(text)
        env = {**SHORT_LIVED, **self._clock_env(BROKER)}
        return replace(plan, env=env, directory=self.folder / "kafka-run")

    def _clickhouse_plan(self) -> ChildPlan:
        backups = self.folder / "backups"
        backups.mkdir()
        config = self.folder / "clickhouse.xml"
        config.write_text(
            f"<clickhouse><backups><allowed_path>{backups}/</allowed_path></backups></clickhouse>\n"
        )
        plan = clickhouse_plan(
            clickhouse_library(self.report),
            self._place(CLICKHOUSE) / "data",
            self.ports["http"],
            self.ports["tcp"],
            self.logs / "clickhouse.log",
        )
        command = list(plan.command)
        data = next(n for n, part in enumerate(command) if part.startswith("--path="))
        command.insert(data, f"--config-file={config}")
        return replace(plan, command=command, directory=self.folder / "clickhouse-run")

    def _migrate(self) -> None:
        self.credentials, self._keys_env = make_credentials(ACCOUNTS, self.folder / "keys")
        self.run("migrate", "--partitions", str(PARTITIONS))

    def service_env(self, name: str) -> dict[str, str]:
        """Environment of a service: everything it reaches, it reaches over links of its own."""
        env = {**self.direct_env(), **SMALL_LIMITS}
        if name in KAFKA_CLIENTS:
            port = self.link_ports[f"{name}>kafka"]
            env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"] = f"{LOOPBACK}:{port}"
        if name in CLICKHOUSE_CLIENTS:
            env["WATTOKEN_CLICKHOUSE_PORT"] = str(self.link_ports[f"{name}>clickhouse"])
        if name in (*WORKERS, GUEST):
            env["WATTOKEN_AGGREGATOR_STATE_DIR"] = str(self.state_dir(name))
            decoders = "1" if name == DECODING_WORKER else "0"
            env["WATTOKEN_AGGREGATOR_DECODER_PROCESSES"] = decoders
            # One of them has a name that outlives its process, the others have none.
            env["WATTOKEN_AGGREGATOR_INSTANCE_ID"] = name if name == WORKERS[1] else ""
        if name == EXPORTER:
            env["WATTOKEN_EXPORTER_STATE_DIR"] = str(self.folder / "exporter-state")
        return {**env, **self._clock_env(name)}

    def _service_plan(self, name: str) -> ChildPlan:
        service = "aggregator" if name in (*WORKERS, GUEST) else name.partition("-")[0]
        plan = service_plan(
            *(service, self.ports[name], self.service_env(name)),
            *(self.logs / f"{name}.log", self.folder / "run" / name),
        )
        return replace(plan, name=name)

    def _start_services(self) -> None:
        for name in (*INGESTS, *WORKERS, EXPORTER):
            self._launch(self._service_plan(name))
        for name in (*INGESTS, *WORKERS, EXPORTER):
            self.actors[name].child.wait_ready()
            self.report(f"{name}: ready, pid {self.actors[name].child.pid}")

    def invite_guest(self) -> Actor:
        """Start the worker that joins for a while."""
        if GUEST not in self.actors:
            return self._launch(self._service_plan(GUEST))
        guest = self.actors[GUEST]
        guest.wanted = True
        guest.ensure()
        return guest


def with_listeners(
    properties: str, listeners: Mapping[str, int], advertised: Mapping[str, int]
) -> str:
    """Give a broker's configuration one more listener for each client.

    A broker tells its clients where it is by the listener that they came in by. With one of its
    own, which advertises the client's link, all connections of a client stay on its link.
    """
    names = {name: name.replace("-", "").upper() for name in listeners}
    lines = []
    for line in properties.splitlines():
        if line.startswith("listeners="):
            line += "".join(f",{names[n]}://{LOOPBACK}:{port}" for n, port in listeners.items())
        elif line.startswith("advertised.listeners="):
            line += "".join(f",{names[n]}://{LOOPBACK}:{port}" for n, port in advertised.items())
        lines.append(line)
    every = ("CONTROLLER", "PLAINTEXT", *names.values())
    lines += [
        "listener.security.protocol.map=" + ",".join(f"{name}:PLAINTEXT" for name in every),
        "inter.broker.listener.name=PLAINTEXT",
        # A transaction whose producer is gone holds all readers up until it is aborted.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000",
    ]
    return "\n".join(lines) + "\n"
