"""Posts readings to ingest, as most gateways do."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.hello import HELLO_SECONDS
from services.simulator.delivery import REQUESTS_IN_FLIGHT_MAX, Posted, now_ms
from services.simulator.fleet import Emission
from services.simulator.ledger import POISON_TAKEN, Answer, Outcome
from services.simulator.reading import INVALID_EVENT, INVALID_JSON, native_body

PATH: Final = "/v1/events"
TIMEOUT_SECONDS: Final = 30.0
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
#: Statuses after which nothing of the request was taken, and after which that is not known.
NOT_TAKEN_STATUSES: Final = frozenset({408, 429})
UNKNOWN_STATUSES: Final = frozenset({500, 502, 503, 504})


class HttpSender:
    """A keep-alive client of one ingest; ``keys`` maps each tenant to its API key.

    Over https only authorities of ``ca_file`` are trusted, where one is named. An async context
    manager. Raises `ConfigurationError` for a file that holds none.
    """

    def __init__(
        self,
        url: str,
        keys: Mapping[str, str],
        transport: httpx.AsyncBaseTransport | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._keys = keys
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=REQUESTS_IN_FLIGHT_MAX),
            # A proxy named in the environment is for addresses beyond this machine.
            trust_env=httpx.URL(url).host not in LOOPBACK,
            transport=transport,
            verify=True if ca_file is None else _trusting(ca_file),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def post(self, emissions: Sequence[Emission]) -> Posted:
        """Send a batch of one tenant's, once, as NDJSON: a broken line spoils no other.

        Raises `ConfigurationError` when the key or the address is wrong.
        """
        tenant = emissions[0].reading.tenant
        if tenant not in self._keys:
            raise ConfigurationError(f"there is no API key for tenant {tenant!r}")
        body = b"\n".join(native_body(emission.reading) for emission in emissions)
        headers = {
            "Authorization": f"Bearer {self._keys[tenant]}",
            "Content-Type": "application/x-ndjson",
        }
        sent_ms = now_ms()
        try:
            response = await self._client.post(PATH, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return _again(emissions, Outcome.NOT_TAKEN, sent_ms, "no_connection")
        except httpx.TransportError:
            return _again(emissions, Outcome.UNKNOWN, sent_ms, "no_answer")
        return await self._judge(emissions, response, sent_ms)

    async def _judge(
        self, emissions: Sequence[Emission], response: httpx.Response, sent_ms: int
    ) -> Posted:
        status = response.status_code
        code = f"http_{status}"
        if status in NOT_TAKEN_STATUSES or status in UNKNOWN_STATUSES:
            outcome = Outcome.UNKNOWN if status in UNKNOWN_STATUSES else Outcome.NOT_TAKEN
            return _again(emissions, outcome, sent_ms, code, retry_after_seconds(response))
        if status == 413 and len(emissions) > 1:
            middle = len(emissions) // 2
            halves = [await self.post(emissions[:middle]), await self.post(emissions[middle:])]
            return Posted(
                [answer for half in halves for answer in half.answers],
                [emission for half in halves for emission in half.retry],
                max((half.wait_seconds or 0.0) for half in halves),
            )
        if status not in (202, 207, 400, 413):
            raise ConfigurationError(f"ingest answers {status}: {response.text[:300]}")
        refused = {} if status == 202 else refusals(response)
        answered_ms = now_ms() + 1
        return Posted(
            [
                _answer(emission, refused.get(index), sent_ms, answered_ms)
                for index, emission in enumerate(emissions)
            ]
        )


def require_ingest(url: str, ca_file: Path | None = None) -> None:
    """See that something answers at an ingest's address within `HELLO_SECONDS`.

    Raises `UnavailableError` naming the address, `ConfigurationError` where it is none.
    """
    where = f"ingest at {url}"
    remedy = "is it running, and is that its address (--url, WATTOKEN_INGEST_URL)?"
    try:
        httpx.get(
            f"{url.rstrip('/')}/healthz",
            timeout=HELLO_SECONDS,
            trust_env=httpx.URL(url).host not in LOOPBACK,
            verify=True if ca_file is None else _trusting(ca_file),
        )
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ConfigurationError(f"{where}: {error}: give http://host:port with --url") from None
    except httpx.TimeoutException:
        raise UnavailableError(
            f"{where} does not answer within {HELLO_SECONDS:g} s: {remedy}"
        ) from None
    except httpx.TransportError as error:
        raise UnavailableError(f"{where} does not answer ({error}): {remedy}") from None


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read certificates of an authority from {ca_file}: {error.strerror or error}"
        ) from None


def _again(
    emissions: Sequence[Emission],
    outcome: Outcome,
    sent_ms: int,
    code: str,
    wait_seconds: float | None = None,
) -> Posted:
    answered_ms = now_ms() + 1
    answers = [
        Answer(emission.number, outcome, sent_ms, answered_ms, code) for emission in emissions
    ]
    return Posted(answers, list(emissions), wait_seconds)


def _answer(emission: Emission, code: str | None, sent_ms: int, answered_ms: int) -> Answer:
    if code is not None:
        return Answer(emission.number, Outcome.REFUSED, sent_ms, answered_ms, code)
    poison = emission.reading.expected in (INVALID_JSON, INVALID_EVENT)
    taken = POISON_TAKEN if poison else None
    return Answer(emission.number, Outcome.ACKNOWLEDGED, sent_ms, answered_ms, taken)


def refusals(response: httpx.Response) -> dict[int, str]:
    """Read which events a 207 or 400 refuses: index -> code.

    Raises `ConfigurationError` when the answer names none, as when the body as a whole is not
    understood: then we speak to something else than our ingest.
    """
    try:
        listed: list[dict[str, Any]] = response.json()["rejected"]
        return {int(item["index"]): str(item["code"]) for item in listed}
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"ingest answers {response.status_code}: {response.text[:300]}"
        ) from None


def retry_after_seconds(response: httpx.Response) -> float | None:
    """Read Retry-After in seconds; its other form, a date, counts as absent."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
