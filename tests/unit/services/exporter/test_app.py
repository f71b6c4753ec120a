"""Formats, encodings and refusals of the HTTP side, without ClickHouse."""

from __future__ import annotations

import gzip
import socket

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.responses import Response

from services.exporter import app
from services.exporter.app import named, run
from services.exporter.exposition import Exposition, family
from services.platform.errors import ConfigurationError

FAMILIES = [family("wattoken_events_late_total", [((), 3)]), family("wattoken_up", [((), 1)])]
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def encode(accept: str = "", accept_encoding: str = "") -> Response:
    return app.encode(Exposition(), FAMILIES, accept, accept_encoding)


def test_text_unless_asked_otherwise() -> None:
    response = encode()
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    parsed = list(parse_text(bytes(response.body).decode()))
    assert [metric.name for metric in parsed] == ["wattoken_events_late", "wattoken_up"]


def test_openmetrics_where_asked() -> None:
    response = encode(OPENMETRICS)
    assert response.headers["content-type"].startswith(
        "application/openmetrics-text; version=1.0.0"
    )
    parsed = parse_openmetrics(bytes(response.body).decode())  # type: ignore[no-untyped-call]
    assert [metric.samples[0].value for metric in parsed] == [3, 1]


def test_gzip_where_accepted() -> None:
    response = encode(accept_encoding="gzip, deflate")
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(response.body) == encode().body
    assert "content-encoding" not in encode().headers


@pytest.mark.parametrize("version", ["x", "1.x", "x.y.z", ""])
def test_a_version_that_is_no_number_still_gets_an_answer(version: str) -> None:
    response = encode(f"application/openmetrics-text;version={version}")
    assert b"wattoken_events_late_total 3\n" in response.body


def test_a_port_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("WATTOKEN_EXPORTER_PORT", str(taken.getsockname()[1]))
        with pytest.raises(ConfigurationError, match="WATTOKEN_EXPORTER_PORT"):
            run()


def test_only_the_families_that_are_asked_for_are_written() -> None:
    families = [
        family("wattoken_up", [((), 1)]),
        family("wattoken_build", [(("1", "abc"), 1)]),
        family("wattoken_held_series", [((), 0)]),
    ]
    assert named(families, []) == families
    asked = named(families, ["wattoken_build_info", "wattoken_up", "made_up"])
    assert [one.meaning.name for one in asked] == ["wattoken_up", "wattoken_build"]
