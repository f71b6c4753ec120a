"""Usage that a test makes up, hour by hour: what the provider billed, and what the meter was told.

It shares no code with the comparison: bills are written from the provider's calls, by hand-made
sums and prices, and the meter's slices from the calls that reached it.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from clickhouse_connect.driver.client import Client

FIRST: Final = datetime(2026, 10, 1, tzinfo=UTC)
DAYS: Final = 3
#: USD per million, as reconcile_catalogue/tariffs.yaml has them, by model, tier and context.
PRICES: Final[Mapping[tuple[str, str, bool], tuple[str, str, str, str, str]]] = {
    # uncached, cache read, cache write for 5 minutes, for an hour, output
    ("gpt-5.6-luna", "standard", False): ("2", "0.2", "2.5", "2.5", "12"),
    ("gpt-5.6-luna", "batch", False): ("1", "0.1", "1.25", "1.25", "6"),
    ("claude-opus-5.5", "standard", False): ("4", "0.4", "5", "8", "20"),
    ("claude-opus-5.5", "standard", True): ("8", "0.8", "10", "16", "30"),
}
PER_SEARCH: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of an hour that are alike; the tokens are of all of them."""

    hour: datetime
    provider: str = "openai"
    model: str = "gpt-5.6-luna"
    tier: str = ""
    band: int = 0
    requests: int = 1000
    uncached: int = 6_000_000
    cache_read: int = 4_000_000
    write_5m: int = 0
    write_1h: int = 0
    output: int = 1_000_000
    reasoning: int = 300_000
    searches: int = 0

    @property
    def input(self) -> int:
        """All input."""
        return self.uncached + self.cache_read + self.write_5m + self.write_1h

    @property
    def parts(self) -> tuple[int, ...]:
        """Tokens in the order of `PRICES`."""
        return self.uncached, self.cache_read, self.write_5m, self.write_1h, self.output

    def amounts(self) -> tuple[Decimal, ...]:
        """What the provider asks for them, in the order of `PRICES`."""
        prices = PRICES[self.model, self.tier or "standard", self.band >= 200_000]
        return tuple(
            count * Decimal(price) / 1_000_000
            for count, price in zip(self.parts, prices, strict=True)
        )


def hours(make: Callable[[datetime], Iterable[Calls]]) -> list[Calls]:
    """Give the calls of every hour."""
    return [calls for number in range(24 * DAYS) for calls in make(FIRST + timedelta(hours=number))]


def usual(hour: datetime) -> list[Calls]:
    """Give an hour's calls; they differ from hour to hour."""
    return [Calls(hour, uncached=6_000_000 + 1000 * hour.hour, output=1_000_000 + 7000 * hour.day)]


def part(calls: Calls, of_requests: int) -> Calls:
    """Give so many of an hour's calls, each with its share of the tokens, which must be whole."""
    shares = {
        name: value * of_requests // calls.requests
        for name in ("uncached", "cache_read", "write_5m", "write_1h", "output", "reasoning")
        for value in [getattr(calls, name)]
    }
    return replace(calls, requests=of_requests, **shares)


def store(client: Client, tenant: str, told: Iterable[Calls]) -> None:
    """Write what the meter was told, as the aggregator writes it."""
    measures = (
        *("requests", "input_tokens", "cache_read_input_tokens", "cache_write_input_tokens"),
        *("cache_write_5m_input_tokens", "cache_write_1h_input_tokens", "output_tokens"),
        "reasoning_output_tokens",
    )
    totals: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(measures))
    searches: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    series: set[tuple[str, str]] = set()
    for one in told:
        key = (one.hour, tenant, "utc", one.provider, one.model)
        series.add((one.provider, one.model))
        counts = (
            *(one.requests, one.input, one.cache_read, one.write_5m + one.write_1h),
            *(one.write_5m, one.write_1h, one.output, one.reasoning),
        )
        row = totals[(*key, one.tier, one.band)]
        row[:] = [held + count for held, count in zip(row, counts, strict=True)]
        if one.searches:
            searches[key] += one.searches
    labels = ["window_start", "tenant", "region", "provider", "model"]
    tail = ["entry", "log", "partition", "version"]
    hour_columns = [*labels, "service_tier", "context_band", *measures, *tail]
    where = ("usage", "log", 0, 1)
    rows = [(*key, *counts, *where) for key, counts in totals.items()]
    client.insert("slices_hour", rows, column_names=hour_columns)
    if searches:
        units = [(*key, "web_searches", count, *where) for key, count in searches.items()]
        client.insert("slices_unit", units, column_names=[*labels, "unit", "quantity", *tail])
    registers = [("utc", *one, *where) for one in sorted(series)]
    client.insert("slices_register", registers, column_names=["region", "provider", "model", *tail])


def by_day(calls: Iterable[Calls]) -> dict[datetime, list[Calls]]:
    """Give the calls of each day."""
    found: dict[datetime, list[Calls]] = {
        FIRST + timedelta(days=number): [] for number in range(DAYS)
    }
    for one in calls:
        found[one.hour.replace(hour=0)].append(one)
    return found


def groups(calls: Iterable[Calls]) -> dict[tuple[str, str, bool], list[Calls]]:
    """Give calls by model, tier and whether their context is long."""
    found: defaultdict[tuple[str, str, bool], list[Calls]] = defaultdict(list)
    for one in calls:
        found[one.model, one.tier or "standard", one.band >= 200_000].append(one)
    return dict(found)


def summed(calls: Iterable[Calls], value: Callable[[Calls], Sequence[Any]]) -> list[Any]:
    """Add up values column by column."""
    return [sum(column) for column in zip(*map(value, calls), strict=True)]


def openai_usage(billed: Iterable[Calls]) -> str:
    """Write a page of OpenAI's usage, by model, tier and batch."""
    return _page(billed, _openai_results)


def openai_costs(billed: Iterable[Calls], output_factor: Decimal = Decimal(1)) -> str:
    """Write a page of OpenAI's costs by line item; output may be dearer than the catalogue's."""

    def results(calls: list[Calls]) -> list[dict[str, Any]]:
        kinds = ("input", "cached input", "cache writes", "cache writes", "output")
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for one in calls:
            batch = "batch | " if one.tier == "batch" else ""
            for kind, amount in zip(kinds, one.amounts(), strict=True):
                factor = output_factor if kind == "output" else Decimal(1)
                if amount:
                    sums[f"{batch}{one.model}-2026-07-30, {kind}"] += amount * factor
        return [
            {
                "object": "organization.costs.result",
                "amount": {"value": float(amount), "currency": "usd"},
                "line_item": item,
            }
            for item, amount in sums.items()
        ]

    return _page(billed, results)


def _openai_results(calls: list[Calls]) -> list[dict[str, Any]]:
    found = []
    for (model, tier, _), alike in groups(calls).items():
        requests, all_input, cached, output = summed(
            alike, lambda one: (one.requests, one.input, one.cache_read, one.output)
        )
        found.append(
            {
                "object": "organization.usage.completions.result",
                "model": f"{model}-2026-07-30",
                "batch": tier == "batch",
                "service_tier": "default",
                "num_model_requests": requests,
                "input_tokens": all_input,
                "input_cached_tokens": cached,
                "output_tokens": output,
            }
        )
    return found


def _page(billed: Iterable[Calls], results: Callable[[list[Calls]], list[Any]]) -> str:
    buckets = [
        {
            "object": "bucket",
            "start_time": int(day.timestamp()),
            "end_time": int(day.timestamp()) + 86_400,
            "results": results(calls),
        }
        for day, calls in by_day(billed).items()
    ]
    return json.dumps({"object": "page", "data": buckets, "has_more": False})


def anthropic_usage(billed: Iterable[Calls]) -> str:
    """Write a page of Anthropic's usage report, by model, tier and context window."""

    def results(calls: list[Calls]) -> list[dict[str, Any]]:
        found = []
        for (model, tier, long), alike in groups(calls).items():
            uncached, read, write_5m, write_1h, output, searches = summed(
                alike, lambda one: (*one.parts, one.searches)
            )
            found.append(
                {
                    "model": model.replace(".", "-"),
                    "service_tier": tier,
                    "context_window": "200k-1M" if long else "0-200k",
                    "uncached_input_tokens": uncached,
                    "cache_read_input_tokens": read,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": write_5m,
                        "ephemeral_1h_input_tokens": write_1h,
                    },
                    "output_tokens": output,
                    "server_tool_use": {"web_search_requests": searches},
                }
            )
        return found

    return _anthropic_page(billed, results)


def anthropic_costs(billed: Iterable[Calls]) -> str:
    """Write a page of Anthropic's cost report, by description; amounts are in cents."""
    types = (
        *("uncached_input_tokens", "cache_read_input_tokens"),
        *("cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens"),
        "output_tokens",
    )

    def results(calls: list[Calls]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for (model, tier, long), alike in groups(calls).items():
            for kind, amount in zip(types, summed(alike, Calls.amounts), strict=True):
                found.append(
                    {
                        "currency": "USD",
                        "amount": f"{amount * 100:f}",
                        "cost_type": "tokens",
                        "token_type": kind,
                        "model": model.replace(".", "-"),
                        "service_tier": tier,
                        "context_window": "200k-1M" if long else "0-200k",
                    }
                )
        (searches,) = summed(calls, lambda one: (one.searches,)) if calls else (0,)
        cents = f"{searches * PER_SEARCH * 100:f}"
        found.append({"currency": "USD", "amount": cents, "cost_type": "web_search"})
        return found

    return _anthropic_page(billed, results)


def _anthropic_page(billed: Iterable[Calls], results: Callable[[list[Calls]], list[Any]]) -> str:
    buckets = [
        {
            "starting_at": f"{day:%FT%TZ}",
            "ending_at": f"{day + timedelta(days=1):%FT%TZ}",
            "results": results(calls),
        }
        for day, calls in by_day(billed).items()
    ]
    return json.dumps({"data": buckets, "has_more": False, "next_page": None})


def spend_logs(billed: Iterable[Calls]) -> str:
    """Write LiteLLM's spend logs as JSON Lines: a row for each group of calls of an hour."""
    rows = []
    for number, one in enumerate(billed):
        end = one.hour + timedelta(minutes=30)
        usage = {
            "cache_read_input_tokens": one.cache_read,
            "cache_creation_input_tokens": one.write_5m + one.write_1h,
        }
        rows.append(
            {
                "request_id": f"chatcmpl-made-up-{number}",
                "spend": float(sum(one.amounts())),
                "prompt_tokens": one.input,
                "completion_tokens": one.output,
                "startTime": f"{end - timedelta(seconds=9):%FT%TZ}",
                "endTime": f"{end:%FT%TZ}",
                "model": one.model,
                "custom_llm_provider": one.provider,
                "metadata": {"usage_object": usage},
                "cache_hit": "None",
                "status": "success",
            }
        )
    return "\n".join(map(json.dumps, rows))


def focus(billed: Iterable[Calls]) -> str:
    """Write a FOCUS dataset by hour, with a SKU for each kind of token."""
    written = io.StringIO()
    columns = (
        *("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart"),
        *("ChargePeriodEnd", "ConsumedQuantity", "ConsumedUnit", "ServiceProviderName"),
        *("ServiceName", "SkuMeter", "SkuPriceDetails"),
    )
    rows = csv.writer(written)
    rows.writerow(columns)
    meters = ("Input", "Cached Input", "Cache Write 5m Input", "Cache Write 1h Input", "Output")
    for one in billed:
        tier = "Batch " if one.tier == "batch" else ""
        for meter, count, amount in zip(meters, one.parts, one.amounts(), strict=True):
            if count:
                rows.writerow(
                    (
                        *(f"{amount:f}", "USD", "Usage", f"{one.hour:%FT%TZ}"),
                        *(f"{one.hour + timedelta(hours=1):%FT%TZ}", count, "Tokens", "OpenAI"),
                        *("OpenAI API", f"{tier}{meter} Tokens"),
                        json.dumps({"ModelId": one.model}),
                    )
                )
    return written.getvalue()
