"""Every answer of ingest is understood: what is on the log, and what must be resent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.platform.errors import ConfigurationError
from services.simulator.delivery import Posted
from services.simulator.fleet import Emission
from services.simulator.http_sender import HttpSender
from services.simulator.ledger import POISON_TAKEN, Outcome
from services.simulator.reading import INVALID_EVENT, METERED, Reading

READING = Reading(METERED, "acme", "gw", "e", 1_773_576_000_000, "eu", "openai", "luna", 9, 1)


def batch(*poison: int, size: int = 3) -> list[Emission]:
    emissions = []
    for number in range(size):
        reading = READING._replace(id=f"e{number}")
        if number in poison:
            reading = reading._replace(expected=INVALID_EVENT, payload=b"{}")
        emissions.append(Emission(0, number, reading, straight=False))
    return emissions


def post(handler: Callable[[httpx.Request], httpx.Response], emissions: list[Emission]) -> Posted:
    async def run() -> Posted:
        transport = httpx.MockTransport(handler)
        async with HttpSender("http://ingest", {"acme": "wtk_a_b"}, transport) as sender:
            return await sender.post(emissions)

    return asyncio.run(run())


def outcomes(posted: Posted) -> list[Outcome]:
    return [answer.outcome for answer in posted.answers]


def answering(
    status: int, body: object = None, headers: dict[str, str] | None = None
) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, json=body, headers=headers)


def test_one_line_an_event_with_the_tenants_key() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202, json={"accepted": 3})

    posted = post(handler, batch())
    assert outcomes(posted) == [Outcome.ACKNOWLEDGED] * 3
    assert posted.retry == []
    (request,) = seen
    assert request.url.path == "/v1/events"
    assert request.headers["Authorization"] == "Bearer wtk_a_b"
    assert request.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line)["id"] for line in request.content.split(b"\n")] == ["e0", "e1", "e2"]


@pytest.mark.parametrize("status", [207, 400])
def test_refused_by_index_the_rest_acknowledged(status: int) -> None:
    body = {"accepted": 2, "rejected": [{"index": 1, "code": "missing_field", "message": "…"}]}
    posted = post(answering(status, body), batch(1))
    assert outcomes(posted) == [Outcome.ACKNOWLEDGED, Outcome.REFUSED, Outcome.ACKNOWLEDGED]
    assert posted.answers[1].code == "missing_field"
    assert posted.retry == []


def test_poison_that_is_accepted_is_marked() -> None:
    posted = post(answering(202), batch(2))
    assert [answer.code for answer in posted.answers] == [None, None, POISON_TAKEN]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(429, Outcome.NOT_TAKEN), (503, Outcome.UNKNOWN), (500, Outcome.UNKNOWN)],
)
def test_busy_means_again_with_the_same_ids(status: int, outcome: Outcome) -> None:
    emissions = batch()
    posted = post(answering(status, {}, {"Retry-After": "3"}), emissions)
    assert outcomes(posted) == [outcome] * 3
    assert posted.retry == emissions
    assert posted.wait_seconds == 3


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError("refused"), Outcome.NOT_TAKEN),
        (httpx.ReadTimeout("no answer"), Outcome.UNKNOWN),
        (httpx.RemoteProtocolError("closed"), Outcome.UNKNOWN),
    ],
)
def test_a_broken_connection_means_again(error: Exception, outcome: Outcome) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    posted = post(handler, batch())
    assert outcomes(posted) == [outcome] * 3
    assert len(posted.retry) == 3


def test_too_large_is_split() -> None:
    sizes = []

    def handler(request: httpx.Request) -> httpx.Response:
        sizes.append(len(request.content.split(b"\n")))
        return httpx.Response(413 if sizes[-1] > 1 else 202)

    posted = post(handler, batch())
    assert [answer.number for answer in posted.answers] == [0, 1, 2]
    assert outcomes(posted) == [Outcome.ACKNOWLEDGED] * 3
    assert sizes == [3, 1, 2, 1, 1]


@pytest.mark.parametrize("status", [401, 403, 404, 415])
def test_what_no_retry_mends_ends_the_run(status: int) -> None:
    with pytest.raises(ConfigurationError, match=str(status)):
        post(answering(status, {"error": {"message": "no"}}), batch())


def test_a_400_that_names_no_event_ends_the_run() -> None:
    with pytest.raises(ConfigurationError, match="malformed"):
        post(answering(400, {"error": {"code": "malformed_body"}}), batch())


def test_a_tenant_without_a_key() -> None:
    stranger = [Emission(0, 0, READING._replace(tenant="globex"), straight=False)]
    with pytest.raises(ConfigurationError, match="globex"):
        post(answering(202), stranger)


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_file_without_an_authority_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=str(file)):
        HttpSender("https://ingest", {}, ca_file=file)
