"""The application: its plain paths, its metrics, and what it refuses to start without."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from services.ingest.app import create_app, load_certificate, load_keys, run
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.store import add_key
from services.ingest.metrics import IngestMetrics
from services.ingest.settings import IngestSettings
from services.platform.errors import ConfigurationError
from tests.certificates import Authority, write_pair

#: Nobody listens there: these tests need no broker.
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def app() -> ASGIApp:
    return create_app(IngestSettings(kafka_bootstrap_servers=NOWHERE), KeyRing([], b"p" * 32))


def get(app: ASGIApp, *paths: str, accept: str = "*/*") -> list[httpx.Response]:
    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            return [await client.get(path, headers={"accept": accept}) for path in paths]

    return asyncio.run(send())


def test_it_is_alive_without_a_broker_but_not_ready(app: ASGIApp) -> None:
    alive, ready = get(app, "/healthz", "/readyz")
    assert alive.status_code == 200
    assert ready.status_code == 503
    assert "usage.events.v1" in ready.json()["message"]


def test_requests_are_counted_by_path_and_status(app: ASGIApp) -> None:
    *answers, metrics = get(app, "/healthz", "/v1/events", "/elsewhere", "/else/2", "/metrics")
    assert [answer.status_code for answer in answers] == [200, 405, 404, 404]
    for line in (
        'wattoken_ingest_requests_total{path="/healthz",status="200"} 1.0',
        'wattoken_ingest_requests_total{path="/v1/events",status="405"} 1.0',
        'wattoken_ingest_requests_total{path="other",status="404"} 2.0',
    ):
        assert line in metrics.text
    assert "elsewhere" not in metrics.text


def test_metrics_come_in_the_format_asked_for(app: ASGIApp) -> None:
    (plain,) = get(app, "/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    (openmetrics,) = get(app, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


@pytest.mark.parametrize("missing", ["ingest_keys_file", "ingest_pepper_file"])
def test_it_does_not_start_without_keys(missing: str, tmp_path: Path) -> None:
    files = {"ingest_keys_file": tmp_path / "keys", "ingest_pepper_file": tmp_path / "pepper"}
    settings = IngestSettings().model_copy(update=files | {missing: None})
    with pytest.raises(ConfigurationError, match=f"set WATTOKEN_{missing.upper()}"):
        load_keys(settings)


def test_it_starts_with_the_keys_of_its_files(tmp_path: Path) -> None:
    add_key(tmp_path / "keys", tmp_path / "pepper", "acme", "eu", None)
    settings = IngestSettings(
        ingest_keys_file=tmp_path / "keys", ingest_pepper_file=tmp_path / "pepper"
    )
    assert isinstance(load_keys(settings), KeyRing)


def test_running_without_keys_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTOKEN_INGEST_KEYS_FILE", "")
    with pytest.raises(ConfigurationError, match="WATTOKEN_INGEST_KEYS_FILE"):
        run()


@pytest.mark.parametrize(
    ("given", "events_per_second", "bytes_per_second"),
    [
        ({}, 50_000.0, 64.0 * 2**20),
        ({"events": 7, "bytes": 900}, 7.0, 900.0),
        ({"events": 0, "bytes": 0}, None, None),
    ],
)
def test_a_key_without_a_rate_of_its_own_has_the_settings(
    tmp_path: Path,
    given: dict[str, Any],
    events_per_second: float | None,
    bytes_per_second: float | None,
) -> None:
    files = tmp_path / "keys.yaml", tmp_path / "pepper"
    text = add_key(*files, "acme", "eu", None)
    settings = IngestSettings(
        ingest_keys_file=files[0],
        ingest_pepper_file=files[1],
        **{f"ingest_key_{name}_per_second": value for name, value in given.items()},
    )
    allowance = load_keys(settings).verify(f"Bearer {text}", datetime.now(UTC)).use.allowance
    assert (allowance.events_per_second, allowance.bytes_per_second) == (
        events_per_second,
        bytes_per_second,
    )


def test_the_certificate_is_loaded_where_both_files_are_named(tmp_path: Path) -> None:
    pair = Authority().pair()
    files = write_pair(tmp_path, pair)
    both: dict[str, Any] = {
        "ingest_tls_certificate_file": files.certificate,
        "ingest_tls_key_file": files.key,
    }
    loaded = load_certificate(IngestSettings(**both), IngestMetrics())
    assert loaded is not None
    assert loaded.current.pair == pair
    assert load_certificate(IngestSettings(), IngestMetrics()) is None
    for name, file in both.items():
        with pytest.raises(ConfigurationError, match="set both to serve TLS, or neither"):
            load_certificate(IngestSettings(**{name: file}), IngestMetrics())
