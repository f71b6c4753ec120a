"""Asks Kafka, ClickHouse, the services and Prometheus whether they are well."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from services.operate.doctor.judging.reach import Reached
from services.operate.doctor.looking.world import World
from services.operate.doctor.settings import ServicesSettings
from services.platform.direct_http import direct_opener
from services.platform.errors import ConfigurationError, UnavailableError, WattokenError
from services.platform.hello import HELLO_SECONDS
from services.platform.kafka import require_kafka

SERVICES: Final = ("ingest", "aggregator", "exporter")
#: Each Prometheus names jobs as it likes: after the service, with the deployment's name before it.
SCRAPED: Final = f'up{{job=~"(.*[-_/])?({"|".join(SERVICES)}|canary)"}}'
_ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address answered: its status and text."""

    status: int
    text: str


def addresses(settings: ServicesSettings, service: str) -> list[str]:
    """The addresses of a service; none where they are not said."""
    said: str = getattr(settings, f"{service}_url")
    return [url.strip().rstrip("/") for url in said.split(",") if url.strip()]


def ask(settings: ServicesSettings, url: str) -> Answer:
    """Ask an address within `HELLO_SECONDS`, whatever the status.

    Raises `UnavailableError`, `ConfigurationError` for what is no address or no certificate.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{url!r} is no address: give http://host:port")
    opener = direct_opener(settings.services_ca_file, "WATTOKEN_SERVICES_CA_FILE")
    try:
        with opener.open(url, timeout=HELLO_SECONDS) as answer:
            return Answer(answer.status, answer.read(_ANSWER_BYTES_MAX).decode(errors="replace"))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read(_ANSWER_BYTES_MAX).decode(errors="replace"))
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise UnavailableError(f"{url} does not answer: {why}") from None


def look(world: World) -> tuple[Reached, ...]:
    """Ask all of them."""
    return (*_systems(world), *_services(world.settings), _prometheus(world.settings))


def _systems(world: World) -> Iterator[Reached]:
    settings = world.settings
    try:
        require_kafka(settings)
        problem = None
    except WattokenError as error:
        problem = str(error)
    yield Reached(
        *("Kafka", settings.kafka_bootstrap_servers, problem),
        *("WATTOKEN_KAFKA_BOOTSTRAP_SERVERS", "the line names the setting; is the broker up?"),
    )
    try:
        world.rows("SELECT 1")
        problem = None
    except WattokenError as error:
        problem = str(error)
    yield Reached(
        "ClickHouse",
        f"{settings.clickhouse_host}:{settings.clickhouse_port}",
        problem,
        "WATTOKEN_CLICKHOUSE_HOST",
        "the line names the setting; is the server up?",
    )


def _services(settings: ServicesSettings) -> Iterator[Reached]:
    for service in SERVICES:
        variable = f"WATTOKEN_{service.upper()}_URL"
        remedy = f"is it running, and is that its address ({variable})? Its log says more"
        urls = addresses(settings, service)
        if not urls:
            yield Reached(service, "", None, variable, remedy)
        for url in urls:
            yield Reached(f"{service} {url}", url, unready(settings, url), variable, remedy)


def unready(settings: ServicesSettings, url: str) -> str | None:
    """Why a service is not ready, as it says; None where it is."""
    try:
        answer = ask(settings, f"{url}/readyz")
    except WattokenError as error:
        return str(error)
    if answer.status == 200:
        return None
    return f"is not ready ({answer.status}): {' '.join(answer.text.split())[:300]}"


def _prometheus(settings: ServicesSettings) -> Reached:
    url = settings.prometheus_url.rstrip("/")
    problem = None if not url else not_scraping(settings, url)
    return Reached(
        *(f"Prometheus {url}".strip(), url, problem, "WATTOKEN_PROMETHEUS_URL"),
        "deploy/prometheus has its configuration and rules; its page /targets says more",
    )


def not_scraping(settings: ServicesSettings, url: str) -> str | None:
    """Say why a Prometheus does not watch the services, or None where it does."""
    try:
        up = data_of(ask(settings, f"{url}/api/v1/query?{urlencode({'query': SCRAPED})}"))
        rules = data_of(ask(settings, f"{url}/api/v1/rules?type=alert"))
    except WattokenError as error:
        return str(error)
    scraped = {one["metric"].get("instance", "?"): one["value"][1] for one in up["result"]}
    down = sorted(instance for instance, value in scraped.items() if value != "1")
    if not scraped:
        return f"scrapes no job that is called {', '.join(SERVICES)}, or ends so"
    if down:
        return f"cannot scrape {', '.join(down[:5])}"
    names = {rule["name"] for group in rules["groups"] for rule in group["rules"]}
    if not any(name.startswith("Wattoken") for name in names):
        return "has no alerts of Wattoken (deploy/prometheus/rules)"
    return None


def data_of(answer: Answer) -> Any:
    """What Prometheus' API answers with. Raises `UnavailableError` for what it does not."""
    try:
        return json.loads(answer.text)["data"]
    except (ValueError, KeyError, TypeError):
        raise UnavailableError(
            f"Prometheus answers {answer.status}: {answer.text[:200]!r}"
        ) from None
