"""PURE. Anthropic's usage and costs: pages of its Admin and Analytics APIs, CSVs of its console.

The pages have rows in buckets of UTC time (platform.claude.com, "Usage and Cost API"; types of the
SDK 2.12, `BetaAnalyticsUsageBucketedResult` and `BetaAnalyticsCostBucketedResult`); the console's
CSVs have a row for each day, model, key and, of costs, kind of token. Input is told in three parts
that do not overlap: uncached, read from a cache, written to one; output includes thinking.

Amounts of the API are in cents, written with fractions; those of the console are in dollars,
rounded to cents, row by row. What a page is grouped by decides what it tells: ask for
``group_by[]=model,service_tier,context_window`` of usage, ``group_by[]=description`` of costs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from services.platform.errors import ConfigurationError
from services.reconcile.bill import ALL, DAY, TOKENS, Context, Days, one_day
from services.reconcile.reading import Row
from services.reconcile.tally import Tally, days_of
from services.reconcile.words import class_of_text, context_of, tier_of_word

PROVIDER: Final = "anthropic"
CENTS: Final = Decimal("0.01")
#: Kinds of tokens as costs name them, in the API and in the console.
TOKEN_TYPES: Final[Mapping[str, str]] = {
    "uncached_input_tokens": "uncached_input",
    "input_no_cache": "uncached_input",
    "cache_read_input_tokens": "cache_read",
    "input_cache_read": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "input_cache_write_5m": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "input_cache_write_1h": "cache_write_1h",
    "output_tokens": "output",
    "output": "output",
}
#: Columns of the console's usage.
USAGE_COLUMNS: Final[Mapping[str, str]] = {
    "usage_input_tokens_no_cache": "uncached_input",
    "usage_input_tokens_cache_read": "cache_read",
    "usage_input_tokens_cache_write_5m": "cache_write_5m",
    "usage_input_tokens_cache_write_1h": "cache_write_1h",
    "usage_output_tokens": "output",
    "web_search_count": "web_searches",
}
_TOKENS: Final = {"token", "tokens"}
_SEARCHES: Final = {"web_search", "web_searches", "web_search_requests"}
#: A model as the console shows it, with a date as it is in no model's name.
_SHOWN_DATE: Final = re.compile(r" (\d{4})-(\d\d)-(\d\d)$")


def read_usage_page(tally: Tally, page: Row) -> None:
    """Read a page of the usage report for messages."""
    for days, row in _rows(tally, page, "usage"):
        written = row.within("cache_creation")
        counts = {
            "uncached_input": row.required_count("uncached_input_tokens"),
            "cache_read": row.required_count("cache_read_input_tokens"),
            "cache_write_5m": written.required_count("ephemeral_5m_input_tokens"),
            "cache_write_1h": written.required_count("ephemeral_1h_input_tokens"),
            "output": row.required_count("output_tokens"),
            "web_searches": row.within("server_tool_use").count("web_search_requests"),
        }
        _add(tally, days, row, row.text("model"), _tier(row, "service_tier"), counts)
        requests = row.count("requests")
        if requests is not None:
            tally.add_requests(days, PROVIDER, row.text("model"), requests)


def read_costs_page(tally: Tally, page: Row) -> None:
    """Read a page of the cost report."""
    for days, row in _rows(tally, page, "costs"):
        amount = row.decimal("amount")
        if amount is None:
            raise ConfigurationError(f"{row.where}: amount is missing")
        tally.see_currency(row.text("currency") or "USD")
        kind, token_type = row.text("cost_type"), row.text("token_type")
        billed_as = _billed_as(row, kind, token_type)
        if billed_as is None:
            tally.leave_out(row.text("description") or kind, amount * CENTS)
            continue
        tokens = billed_as != "web_searches"
        tally.add(
            *(days, PROVIDER, row.text("model"), billed_as),
            service_tier=_tier(row, "service_tier") if tokens else "",
            context=context_of(row.text("context_window")) if tokens else Context(),
            amount=amount * CENTS,
        )


def read_usage_csv(tally: Tally, rows: Iterable[Row]) -> None:
    """Read the console's usage: a row for each day, model, key and class of prices."""
    for row in rows:
        days = one_day(row.day("usage_date_utc"))
        tally.cover_days(days)
        counts = {name: row.count(column) for column, name in USAGE_COLUMNS.items()}
        _add(
            tally, days, row, model_of(row.text("model_version")), _tier(row, "usage_type"), counts
        )


def read_costs_csv(tally: Tally, rows: Iterable[Row]) -> None:
    """Read the console's costs: a row for each day, model, key, price class and kind of token."""
    for row in rows:
        days = one_day(row.day("usage_date_utc"))
        tally.cover_days(days)
        amount = row.decimal("cost_usd")
        if amount is None:
            raise ConfigurationError(f"{row.where}: cost_usd is missing")
        tally.see_currency("USD")
        kind, token_type = row.text("cost_type"), row.text("token_type")
        billed_as = _billed_as(row, kind, token_type)
        if billed_as is None:
            tally.leave_out(kind or token_type, amount)
            continue
        tokens = billed_as != "web_searches"
        tally.add(
            *(days, PROVIDER, model_of(row.text("model")), billed_as),
            service_tier=_tier(row, "usage_type") if tokens else "",
            context=context_of(row.text("context_window")) if tokens else Context(),
            amount=amount,
        )


def model_of(shown: str) -> str:
    """Give the name of a model as the console shows it: Claude Haiku 4.5 is claude-haiku-4-5."""
    name = _SHOWN_DATE.sub(r"-\1\2\3", shown)
    return name if " " not in name else re.sub(r"[\s.]+", "-", name).lower()


def _rows(tally: Tally, page: Row, kind: str) -> Iterable[tuple[Days, Row]]:
    for bucket in page.rows("data"):
        start, end = bucket.moment("starting_at"), bucket.moment("ending_at")
        days = days_of(start, end, bucket.where)
        if days.end - days.first > DAY:
            tally.cover_days(days)
        else:
            tally.cover(kind, int(start.timestamp()), int(end.timestamp()))
        for row in bucket.rows("results"):
            yield days, row


def _add(
    tally: Tally,
    days: Days,
    row: Row,
    model: str,
    tier: str,
    counts: Mapping[str, int | None],
) -> None:
    context = context_of(row.text("context_window"))
    for name, count in counts.items():
        if count is None:
            continue
        if name == "web_searches":
            tally.add(days, PROVIDER, model, name, quantity=count)
        else:
            tally.add(
                *(days, PROVIDER, model, name), service_tier=tier, context=context, quantity=count
            )


def _billed_as(row: Row, kind: str, token_type: str) -> str | None:
    """Give the class of a row of costs; None for what no gateway reports.

    Raises `ConfigurationError` for a kind of token that is not known: it would be compared with
    another's.
    """
    if kind.lower() in _SEARCHES or token_type.lower() in _SEARCHES:
        return "web_searches"
    if kind and kind.lower() not in _TOKENS:
        return None
    if not token_type:
        return TOKENS if kind else ALL
    billed_as = TOKEN_TYPES.get(token_type) or class_of_text(token_type)
    if billed_as is None:
        raise row.wrong("token_type", token_type, f"one of {', '.join(TOKEN_TYPES)}")
    return billed_as


def _tier(row: Row, name: str) -> str:
    """Give the tier of a row; a fast answer is one of the standard tier, at another price.

    The console calls a message that was not in a batch `message`, or says nothing.
    """
    word = row.text(name)
    if row.text("speed").lower() == "fast":
        return "fast"
    return "" if word.lower() == "message" else tier_of_word(word)


def is_costs(row: Mapping[str, Any]) -> bool:
    """Whether a result, or the header of a CSV, is of costs and not of usage."""
    return "amount" in row or "cost_usd" in row
