"""Topic, tables and the three services on an infrastructure: one pipeline of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas.canary import CANARY
from services.local_stack.cache import Report
from services.local_stack.credentials import DEFAULT_ACCOUNTS, make_credentials
from services.local_stack.errors import StackError
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child, inherited_environment
from services.local_stack.prometheus import SCRAPE_INTERVAL_SECONDS, write_targets
from services.local_stack.services import (
    CANARY_PORT,
    USUAL_PORTS,
    Credential,
    service_plan,
    wattoken_command,
)
from services.local_stack.supervisor import Supervisor

MIGRATE_TIMEOUT_SECONDS = 180


class Pipeline:
    """A topic, a database, a consumer group, and the services on them; a context manager.

    ``name`` sets it apart from others on the same infrastructure; topic, database and group are
    named after it unless ``usual_names``. ``services`` says which run. ``env`` adds settings to
    all of them, ``migrate_options`` are for ``wattoken migrate``. ``accounts`` are the (tenant,
    region) that get an API key. With ``canary`` one runs beside the services. ``ingest_ca_file`` is
    the authority of ingest's certificate where ``env`` gives it one: it is asked over https then,
    and Prometheus does not scrape it.

    Raises `StackError` when ``wattoken migrate`` fails, `ChildFailed` when a service does not
    start.
    """

    def __init__(
        self,
        infrastructure: Infrastructure,
        name: str = "wattoken",
        *,
        partitions: int = 12,
        services: Iterable[str] = tuple(USUAL_PORTS),
        accounts: Iterable[tuple[str, str]] = DEFAULT_ACCOUNTS,
        env: Mapping[str, str] | None = None,
        migrate_options: Iterable[str] = (),
        canary: bool = False,
        ingest_ca_file: Path | None = None,
        usual_names: bool = False,
        usual_ports: bool = False,
        report: Report = lambda line: None,
    ) -> None:
        self.infrastructure = infrastructure
        self.name = name
        self.topic = "usage.events.v1" if usual_names else f"usage.events.{name}"
        self.rejected_topic = "usage.rejected.v1" if usual_names else f"usage.rejected.{name}"
        self.database = "wattoken" if usual_names else f"wattoken_{name}".replace("-", "_")
        self.group = "wattoken-aggregator" if usual_names else f"wattoken-{name}"
        self.partitions = partitions
        self.report = report
        self.supervisor = Supervisor()
        self.credentials: list[Credential] = []
        wanted = {service: USUAL_PORTS[service] for service in services}
        if canary:
            wanted["canary"] = CANARY_PORT
        self.ports = {
            service: pick_port(port if usual_ports else None) for service, port in wanted.items()
        }
        self._ingest_ca_file = ingest_ca_file
        self._accounts = tuple(accounts)
        self._migrate_options = tuple(migrate_options)
        self._extra_env = dict(env or {})
        self._keys_env: dict[str, str] = {}
        self._stack = ExitStack()

    @property
    def env(self) -> dict[str, str]:
        """Environment that points any Wattoken command at this pipeline."""
        return {
            **self.infrastructure.env,
            "WATTOKEN_KAFKA_TOPIC": self.topic,
            "WATTOKEN_KAFKA_REJECTED_TOPIC": self.rejected_topic,
            "WATTOKEN_CLICKHOUSE_DATABASE": self.database,
            "WATTOKEN_AGGREGATOR_GROUP": self.group,
            # A killed worker's partitions are given on after this; locally that should be soon.
            "WATTOKEN_AGGREGATOR_SESSION_TIMEOUT_SECONDS": "6",
            "WATTOKEN_EXPORTER_TIMEOUT_SECONDS": str(SCRAPE_INTERVAL_SECONDS * 0.75),
            # The control room tells which alerts fire.
            **(
                {"WATTOKEN_EXPORTER_PROMETHEUS_URL": self.infrastructure.prometheus_url}
                if self.infrastructure.prometheus is not None
                else {}
            ),
            **self._keys_env,
            **self._extra_env,
        }

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(give_back, *self.ports.values())
            keys = self.infrastructure.data / "keys" / self.name
            self._make_credentials(keys)
            self._migrate("--partitions", str(self.partitions), *self._migrate_options)
            stack.enter_context(self.supervisor)
            self._start_services()
            if self.infrastructure.prometheus is not None and self.ports:
                folder = self.infrastructure.prometheus_targets
                jobs = {
                    f"wattoken-{service}": port
                    for service, port in self.ports.items()
                    if self._ca_file(service) is None
                }
                targets = write_targets(folder, self.name, jobs)
                stack.callback(targets.unlink, missing_ok=True)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _migrate(self, *options: str) -> None:
        self.run("migrate", *options)

    def _make_credentials(self, folder: Path) -> None:
        """Make the accounts' API keys, and one for the canary, which is nobody's gateway."""
        canaries = [(CANARY, CANARY)] if "canary" in self.ports else []
        made, self._keys_env = make_credentials([*self._accounts, *canaries], folder)
        self.credentials = made[: len(self._accounts)]
        for canary in made[len(self._accounts) :]:
            self._keys_env |= {
                "WATTOKEN_CANARY_API_KEY": canary.key,
                "WATTOKEN_CANARY_INGEST_URL": self.addresses["ingest"],
                "WATTOKEN_CANARY_EXPORTER_URL": self.addresses["exporter"],
            }
            if self._ingest_ca_file is not None:
                self._keys_env["WATTOKEN_CANARY_CA_FILE"] = str(self._ingest_ca_file)

    def _start_services(self) -> None:
        logs = self.infrastructure.logs
        plans = [
            service_plan(
                *(service, port, self.env),
                logs / f"{self.name}-{service}.log",
                self.infrastructure.data / "services" / self.name / service,
                self._ca_file(service),
            )
            for service, port in self.ports.items()
        ]
        # They do not need each other, so they come up side by side.
        children = [self.supervisor.launch(plan) for plan in plans]
        for child in children:
            child.wait_ready()
            self.report(f"{child.name}: ready, pid {child.pid}, log {child.plan.log_path}")

    def run(self, *arguments: str, timeout_seconds: float = MIGRATE_TIMEOUT_SECONDS) -> str:
        """Run a `wattoken` command on this pipeline and return what it printed.

        Raises `StackError` with the end of its output when it fails or takes too long.
        """
        command = wattoken_command(*arguments)
        try:
            done = subprocess.run(
                command,
                env={**inherited_environment(), **self.env},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StackError(f"`wattoken {arguments[0]}` took over {timeout_seconds:g} s") from None
        if done.returncode != 0:
            tail = "\n".join(done.stdout.strip().splitlines()[-15:])
            raise StackError(f"`wattoken {arguments[0]}` failed:\n{tail}")
        return done.stdout

    @property
    def ingest(self) -> Child:
        """The ingest service's process."""
        return self._service("ingest")

    @property
    def aggregator(self) -> Child:
        """The aggregator's process."""
        return self._service("aggregator")

    @property
    def exporter(self) -> Child:
        """The exporter's process."""
        return self._service("exporter")

    @property
    def canary(self) -> Child:
        """The canary's process."""
        return self._service("canary")

    @property
    def addresses(self) -> dict[str, str]:
        """Base URL of each service that runs."""
        return {
            service: f"{'https' if self._ca_file(service) else 'http'}://{LOOPBACK}:{port}"
            for service, port in self.ports.items()
        }

    def _ca_file(self, service: str) -> Path | None:
        return self._ingest_ca_file if service == "ingest" else None

    def _service(self, name: str) -> Child:
        if name not in self.supervisor.children:
            raise StackError(f"{name} does not run in the pipeline {self.name!r}")
        return self.supervisor.children[name]
