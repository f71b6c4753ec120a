"""Price lists on a real ClickHouse: which tariff a model has there, and what its usage costs.

Bills are held against genai-prices itself, which is told the same requests; no code is shared.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from clickhouse_connect.driver.client import Client

from schemas.catalogue import Catalogue, load_catalogue
from schemas.catalogue.listed_tariffs import ListsHeader
from schemas.catalogue.price_lists import PriceLists
from services.billing.price_lists.genai_package import read_genai_prices
from services.platform.catalogue import store_catalogue
from tests import price_requests
from tests.integration.billing_oracle import Reading
from tests.price_requests import Request, draw_requests, their_price, tier_is_listed
from tests.versions.database import Database, DatabaseFactory

SAMPLE = 500
#: Hours are kept for 400 days; on a day of these, so that time alone breaks no test.
LAST = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
FIRST = LAST - timedelta(days=300)
DIFFERENCES = Path(price_requests.__file__).with_name("price_differences.yaml")
#: What may stand behind a model's name, and which lists know or do not.
ENDS = ("-20260401", "-preview")
HOUR = datetime(2026, 11, 20, 10, tzinfo=UTC)


def with_lists(lists: PriceLists) -> Catalogue:
    """The shipped catalogue with these lists, and no tariff by hand before them."""
    shipped = load_catalogue(with_price_lists=False)
    none = shipped.tariffs.model_copy(update={"tariffs": ()})
    return shipped.model_copy(update={"tariffs": none, "price_lists": lists})


def store(client: Client, readings: Iterable[Reading]) -> None:
    """Insert readings as the aggregator writes them, and what is metered at all."""
    slices: dict[Any, Counter[str]] = defaultdict(Counter)
    units: dict[Any, Counter[str]] = defaultdict(Counter)
    series = set()
    for one in readings:
        labels = (one.hour, one.tenant, one.region, one.provider, one.model, one.entry, 0)
        slices[(*labels, one.service_tier, one.context_band)].update(one.measures)
        for unit, quantity in one.units.items():
            units[(*labels, unit)].update(quantity=quantity)
        series.add((one.region, one.provider, one.model))
    names = ["window_start", "tenant", "region", "provider", "model", "entry", "partition"]
    insert(client, "slices_hour", [*names, "service_tier", "context_band"], slices)
    insert(client, "slices_unit", [*names, "unit"], units)
    meter(client, series)


def insert(client: Client, table: str, names: list[str], rows: dict[Any, Counter[str]]) -> None:
    measures = sorted({name for row in rows.values() for name in row})
    client.insert(
        table,
        [(*key, *(row[name] for name in measures), 1, "log") for key, row in rows.items()],
        column_names=[*names, *measures, "version", "log"],
    )


def meter(client: Client, series: Iterable[tuple[str, str, str]]) -> None:
    client.insert(
        "slices_register",
        [(*labels, "log", 1) for labels in series],
        column_names=["region", "provider", "model", "log", "version"],
    )


@pytest.fixture(scope="module")
def shipped(databases: DatabaseFactory) -> Database:
    """A database with the shipped catalogue."""
    return databases("price_lists_shipped")


def test_a_sample_of_requests_costs_in_charges_what_the_package_says(
    databases: DatabaseFactory,
) -> None:
    package = pytest.importorskip("genai_prices")
    lists, sample = drawn_sample()
    database = databases("price_lists_proof")
    store_catalogue(database.settings, with_lists(lists), lambda line: None)
    with database.connect() as client:
        store(client, (reading(number, one) for number, one in enumerate(sample)))
        rows = client.query(
            "SELECT tenant, sum(toDecimal256(amount_usd, 15)), countIf(amount_usd IS NULL),"
            " uniqExact(tariff_id) FROM charges GROUP BY tenant"
        ).result_rows
    charged = {int(tenant): (amount or Decimal(0), none, ids) for tenant, amount, none, ids in rows}
    known = yaml.safe_load(DIFFERENCES.read_text(encoding="utf-8"))
    compared = 0
    for number, request in enumerate(sample):
        amount, unpriced, tariffs = charged.get(number, (Decimal(0), 0, 1))
        assert tariffs == 1, request
        if not tier_is_listed(request, package):
            assert unpriced or not any(request.classes.values()), request
        elif request.tariff.tariff not in known:
            assert (amount, unpriced) == (their_price(request, package), 0), request
            compared += 1
    assert compared > 0.8 * SAMPLE


def drawn_sample() -> tuple[PriceLists, list[Request]]:
    """The package's lists, each of a provider of its own name, and requests of models of theirs."""
    found = read_genai_prices(date(2026, 11, 26))
    names = dict.fromkeys(one.list for one in found.tariffs)
    header = ListsHeader(providers={name: (name,) for name in names}, calendars=found.calendars)
    lists = PriceLists(header=header, tariffs=found.tariffs)
    priced = [one for one in lists.tariffs if one.versions and one.names]
    by_hour = [one for one in priced if one.calendar is not None]
    drawn = [
        *draw_requests(priced, SAMPLE, 5, FIRST, LAST),
        *draw_requests(by_hour, 20 * len(by_hour), 6, FIRST, LAST),
    ]
    return lists, [one for one in drawn if lists.find(one.tariff.list, one.name) is one.tariff]


def reading(number: int, request: Request) -> Reading:
    return Reading(
        tenant=str(number),
        hour=request.hour,
        region="eu-central",
        provider=request.tariff.list,
        model=request.name,
        entry="usage",
        partition=0,
        classes={str(name): tokens for name, tokens in request.classes.items()},
        service_tier=request.tier,
        context_band=request.context_band,
        units=request.units,
    )


def test_the_database_finds_the_tariff_of_each_name_that_the_catalogue_finds(
    shipped: Database,
) -> None:
    lists = load_catalogue().price_lists
    series = set()
    for provider, named in lists.header.providers.items():
        for number, tariff in enumerate(one for name in named for one in lists.by_list[name]):
            series.add(("eu", provider, tariff.names[0] if tariff.names else tariff.model))
            if number % 5 == 0:
                series |= {("eu", provider, f"{tariff.model}{end}") for end in ("", *ENDS)}
    series |= {("eu", "OpenAI", "GPT-5"), ("eu", "nobody", "gpt-5"), ("eu", "openai", "unheard")}
    with shipped.connect() as client:
        meter(client, series)
        rows = client.query("SELECT provider, model, tariff_id FROM listed_series").result_rows
        client.command("TRUNCATE TABLE slices_register")
    stored = {(provider, model): tariff for provider, model, tariff in rows}
    expected = {
        (provider, model): found.tariff
        for _, provider, model in series
        if (found := lists.find(provider, model)) is not None
    }
    assert {one for one in expected.items() if stored.get(one[0]) != one[1]} == set()
    assert {one: stored[one] for one in stored if one not in expected} == {}


def test_a_tariff_by_hand_goes_before_the_lists_and_both_are_explained(shipped: Database) -> None:
    tokens = {"uncached_input": 1_000_000}
    usage = [("openai", "gpt-5"), ("openrouter", "openai/gpt-5"), ("perplexity", "sonar")]
    with shipped.connect() as client:
        store(
            client,
            (
                Reading("own", HOUR, "eu", provider, model, "usage", 0, tokens)
                for provider, model in usage
            ),
        )
        rows = client.query(
            "SELECT model, tariff_id, amount_usd FROM charges WHERE tenant = 'own'"
        ).result_rows
    assert {model: (tariff, amount) for model, tariff, amount in rows} == {
        "gpt-5": ("gpt-5", Decimal("1.25")),
        "openai/gpt-5": ("openrouter/openai/gpt-5", Decimal("1.25")),
        "sonar": ("unpriced", None),
    }
    for model, reason in (
        ("gpt-5", "openai/gpt-5 (provider with the list openai"),
        ("openai/gpt-5", "openrouter/openai/gpt-5 (provider with the list openrouter"),
        ("sonar", "has no price: its list has no price that could be taken over"),
    ):
        explained = json.loads(
            shipped.run(
                *("tariffs", "explain", "--tenant", "own", "--hour", "2026-11-20T10"),
                *("--model", model, "--json"),
            )
        )
        assert any(reason in sentence for sentence in explained[0]["reasons"]), explained


def test_loading_the_same_lists_again_changes_nothing(shipped: Database) -> None:
    lines: list[str] = []
    store_catalogue(shipped.settings, load_catalogue(), lines.append)
    assert all(line.endswith("unchanged") for line in lines), lines
