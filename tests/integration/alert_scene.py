"""A pipeline with a canary, what can go wrong with it, and the Prometheus that watches it."""

from __future__ import annotations

import json
import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

from schemas.catalogue.listed_tariffs import ListsHeader, ListSource
from schemas.catalogue.price_list_file import FILE as PRICE_LISTS
from schemas.catalogue.price_list_file import price_list_text
from schemas.catalogue.price_lists import PriceLists
from services.local_stack.errors import StackError
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.prometheus import prometheus_plan, write_targets
from services.local_stack.services import Credential, service_plan, wattoken_command
from services.local_stack.supervisor import Supervisor
from tests.certificates import Authority, write_pair
from tests.full_disk import SmallDisk, small_disk
from tests.integration.conftest import PipelineFactory
from tests.integration.faults import PARTITIONS, database
from tests.integration.quick_rules import PREFIX, quick_rules
from tests.waiting import eventually

#: What a minute of the rules is, and how often is scraped. On a machine so busy that scrapes
#: take longer, ``ALERTS_MINUTE_SECONDS=6`` makes all of it slower.
MINUTE_SECONDS = int(os.environ.get("ALERTS_MINUTE_SECONDS", "2"))
#: How long what was done may take to fire.
SECONDS = 75.0 * MINUTE_SECONDS
#: Of the disk of ids; some dozens of small runs.
DISK_MEGABYTES = 16
#: A table of the pipeline's database beside each that a backup has.
BACKUP = "backup_of_"
NDJSON = "application/x-ndjson"
CLOUD_EVENT = "application/cloudevents+json"

_AUTHORITY = Authority()


class Scene:
    """What the tests do to it, and what fires then."""

    def __init__(self, pipeline: Pipeline, folder: Path, disk: SmallDisk | None) -> None:
        self.pipeline = pipeline
        self.folder = folder
        self.url = ""
        self.targets = folder / "targets"
        self._disk = disk
        self._numbers = iter(range(10**9))
        #: Causes of which all alerts were seen.
        self.seen: set[str] = set()

    @property
    def disk(self) -> SmallDisk:
        """The disk of ids; skips the test where none may be mounted."""
        if self._disk is None:
            pytest.skip("a disk of its own: only root may mount one")
        return self._disk

    # What fires.

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers to an instant query: series and their values."""
        address = f"{self.url}/api/v1/query?{urlencode({'query': query})}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """Alerts that fire now; of objectives with the name of the objective."""
        return {
            " ".join([metric["alertname"].removeprefix(PREFIX), *_objective(metric)])
            for metric in (one["metric"] for one in self.ask('ALERTS{alertstate="firing"}'))
        }

    def fires(self, *names: str) -> None:
        """Wait until each of them has fired since now."""
        left = set(names)

        def fired() -> bool:
            left.difference_update(self.firing())
            return not left

        try:
            eventually("they fire", fired, SECONDS)
        except AssertionError:
            raise AssertionError(f"never fired: {left}; firing: {self.firing()}") from None

    def is_over(self, *names: str) -> None:
        """Wait until none of them fires."""
        gone = set(names)
        try:
            eventually("they are over", lambda: not gone & self.firing(), SECONDS)
        except AssertionError:
            raise AssertionError(f"still firing: {gone & self.firing()}") from None

    def watch(self, *services: str) -> None:
        """Have Prometheus know of these services only."""
        ports = {f"wattoken-{name}": self.pipeline.ports[name] for name in services}
        write_targets(self.targets, self.pipeline.name, ports)

    # Gateways.

    def event(self, **fields: Any) -> dict[str, Any]:
        """A native event that was not sent before."""
        return {
            **{"id": f"a-{next(self._numbers)}", "source": "gateway", "time": rfc3339()},
            **{"provider": "openai", "model": "gpt-5.6-luna"},
            **{"input_tokens": 10, "output_tokens": 5},
            **fields,
        }

    def region(self, name: str) -> Credential:
        """The key that is of a region."""
        return next(one for one in self.pipeline.credentials if one.region == name)

    def post(self, *events: dict[str, Any], region: str = "eu-central") -> int:
        """Send native events as a gateway does; returns ingest's status, 0 for none."""
        body = b"\n".join(json.dumps(one).encode() for one in events)
        return self._post("/v1/events", body, NDJSON, self.region(region).key)

    def post_cloud_event(self, **fields: Any) -> int:
        """Send a CloudEvent, as OpenMeter's clients do."""
        content = {"specversion": "1.0", "type": "tokens", "source": "sdk", **fields}
        body = json.dumps(content).encode()
        return self._post("/api/v1/events", body, CLOUD_EVENT, self.region("eu-central").key)

    def _post(self, path: str, body: bytes, media: str, key: str) -> int:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": media}
        address = f"{self.pipeline.addresses['ingest']}{path}"
        return _status(urllib.request.Request(address, body, headers))

    @contextmanager
    def meanwhile(self, act: Callable[[], None], every_seconds: float = 0.25) -> Iterator[None]:
        """Do something again and again, all the time; its errors are the test's."""
        enough = threading.Event()
        errors: list[BaseException] = []

        def go_on() -> None:
            try:
                while not enough.wait(every_seconds):
                    act()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join(60)
        assert errors == []

    def producer(self) -> Producer:
        """What writes to the topic itself."""
        return Producer({"bootstrap.servers": self.pipeline.infrastructure.bootstrap_servers})

    # A second ingest.

    @contextmanager
    def faulty_ingest(self, certificate_days: float) -> Iterator[Callable[..., int]]:
        """Run a second ingest, of HTTPS, with a fault; gives what sends events to it.

        Its certificate ends in so many days. Prometheus knows of it.
        """
        folder = self.folder / "tls"
        folder.mkdir()
        ends = datetime.now(UTC) + timedelta(days=certificate_days)
        pair = write_pair(folder, _AUTHORITY.pair(not_after=ends))
        port = pick_port()
        env = {
            **self.pipeline.env,
            "WATTOKEN_INGEST_TLS_CERTIFICATE_FILE": str(pair.certificate),
            "WATTOKEN_INGEST_TLS_KEY_FILE": str(pair.key),
        }
        log = self.pipeline.infrastructure.logs / f"{self.pipeline.name}-ingest-2.log"
        plan = service_plan(*("ingest", port, env, log, folder), self._authority_file())
        command = wattoken_command("ingest")
        command[command.index("services.cli")] = "tests.integration.faulty_ingest"
        targets = self.targets / "faulty.json"
        labels = {"job": "wattoken-ingest", "__scheme__": "https"}
        with ExitStack() as stack:
            stack.callback(give_back, port)
            supervisor = stack.enter_context(Supervisor())
            supervisor.start(replace(plan, command=command))
            where = f"{LOOPBACK}:{port}"
            targets.write_text(json.dumps([{"targets": [where], "labels": labels}]))
            stack.callback(targets.unlink)
            eventually("it is known", lambda: self.ask(f'up{{instance="{where}"}} == 1'), SECONDS)
            context = _AUTHORITY.client()

            def send(*events: dict[str, Any]) -> int:
                body = b"\n".join(json.dumps(one).encode() for one in events)
                key = self.region("eu-central").key
                headers = {"Authorization": f"Bearer {key}", "Content-Type": NDJSON}
                request = urllib.request.Request(f"https://{where}/v1/events", body, headers)
                return _status(request, context)

            yield send

    def _authority_file(self) -> Path:
        return _AUTHORITY.ca_file(self.folder)

    # The database.

    def price_lists_of(self, day: date) -> None:
        """Have the catalogue hold price lists as a sync of that day wrote them."""
        write_price_lists(self.folder / "catalogue", day)
        self.pipeline.run("migrate", "--partitions", str(PARTITIONS))

    @contextmanager
    def row(self, table: str, **fields: Any) -> Iterator[None]:
        """Have a row in a table that nobody metered."""
        log = f"another-{next(self._numbers)}"
        with database(self.pipeline) as client:
            row = {"log": log, "partition": 0, "version": 1, **fields}
            client.insert(table, [list(row.values())], column_names=list(row))
            try:
                yield
            finally:
                client.command(f"DELETE FROM {table} WHERE log = '{log}'")

    def back_up(self) -> None:
        """Copy what is metered, checkpoints first (docs/runbook.md, "Restoring a backup")."""
        with database(self.pipeline) as client:
            for table in reversed(_metered_tables(client)):
                client.command(f"CREATE TABLE {BACKUP}{table} AS {table}")
                client.command(f"INSERT INTO {BACKUP}{table} SELECT * FROM {table}")

    def restore(self) -> None:
        """Put it back, checkpoints last, and accept that; no worker may run."""
        with database(self.pipeline) as client:
            for table in _metered_tables(client):
                client.command(f"TRUNCATE TABLE {table}")
                client.command(f"INSERT INTO {table} SELECT * FROM {BACKUP}{table}")

        def accepted() -> bool:
            try:
                self.pipeline.run("accept-restore")
            except StackError as error:
                # Kafka counts a worker that was killed until its session ends.
                assert "stop its workers first" in str(error)
                return False
            return True

        eventually("the restore is accepted", accepted)


@contextmanager
def alert_scene(binary: Path, pipelines: PipelineFactory, folder: Path) -> Iterator[Scene]:
    """Start it all: rules as `quick_rules` says, looked at each second."""
    port = pick_port()
    write_price_lists(folder / "catalogue", datetime.now(UTC).date())
    with ExitStack() as stack:
        stack.callback(give_back, port)
        disk = _disk_of_ids(stack, folder / "disk")
        pipeline = pipelines(
            canary=True,
            partitions=PARTITIONS,
            accounts=[("acme", "eu-central"), ("acme", "us-east"), ("acme", "ap-northeast")],
            env={
                "WATTOKEN_CATALOGUE_DIR": str(folder / "catalogue"),
                "WATTOKEN_AGGREGATOR_STATE_DIR": str(folder / "disk" / "ids"),
                # So few that ids go to disk.
                "WATTOKEN_AGGREGATOR_IDS_IN_MEMORY_MAX": "100",
                "WATTOKEN_CANARY_ROUND_SECONDS": "1",
                # Longer than a busy machine makes an event wait, or all that is well is not.
                "WATTOKEN_CANARY_MISSING_SECONDS": str(10 * MINUTE_SECONDS),
                "WATTOKEN_CANARY_TIMEOUT_SECONDS": "5",
                "WATTOKEN_EXPORTER_REFRESH_SECONDS": "1",
                "WATTOKEN_EXPORTER_TIMEOUT_SECONDS": str(0.75 * MINUTE_SECONDS),
                "WATTOKEN_INGEST_DELIVERY_TIMEOUT_SECONDS": "3",
            },
        )
        scene = Scene(pipeline, folder, disk)
        plan = prometheus_plan(binary, folder, port, folder / "prometheus.log")
        config = json.loads((folder / "prometheus.yml").read_text())
        each = f"{MINUTE_SECONDS}s"
        times = {"scrape_interval": each, "scrape_timeout": each, "evaluation_interval": "1s"}
        config["global"] |= times
        config["rule_files"] = quick_rules(folder / "rules", MINUTE_SECONDS)
        authority = {"ca_file": str(scene._authority_file())}
        config["scrape_configs"][0]["tls_config"] = authority
        (folder / "prometheus.yml").write_text(json.dumps(config))
        scene.url = f"http://{LOOPBACK}:{port}"
        scene.watch(*pipeline.ports)
        supervisor = stack.enter_context(Supervisor())
        stack.callback(supervisor.kill)
        supervisor.launch(plan).wait_ready()
        yield scene


def _disk_of_ids(stack: ExitStack, path: Path) -> SmallDisk | None:
    """A small disk, or a folder where none may be mounted."""
    try:
        return stack.enter_context(small_disk(path, DISK_MEGABYTES))
    except pytest.skip.Exception:
        return None


def write_price_lists(folder: Path, day: date) -> None:
    """Write price lists without a price, of a package whose version was first seen that day."""
    folder.mkdir(exist_ok=True)
    source = ListSource(source="genai-prices", version="1", license="MIT", first_seen=day)
    text = price_list_text(PriceLists(header=ListsHeader(sources=(source,))))
    (folder / PRICE_LISTS).write_text(text, encoding="utf-8")


def rfc3339(ago: timedelta = timedelta()) -> str:
    """A time as events have it."""
    return (datetime.now(UTC) - ago).isoformat()


def _metered_tables(client: Client) -> list[str]:
    """What the meter writes, checkpoints last."""
    written = ("slices_", "dead_letters", "adjustments", "admitted_series", "belated_events")
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND engine LIKE '%MergeTree'"
    ).result_rows
    names = sorted(str(name) for (name,) in rows if str(name).startswith(written))
    assert "slices_register" in names
    return [*names, "checkpoints"]


def _objective(metric: dict[str, str]) -> list[str]:
    """The objective that an alert is of, where it is of one."""
    return [metric["slo"]] if "slo" in metric else []


def _status(request: urllib.request.Request, context: ssl.SSLContext | None = None) -> int:
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0
