"""PURE. LiteLLM's spend: logs of single requests, and its export by day.

Spend logs are rows of its table `LiteLLM_SpendLogs` (schema.prisma of 1.110), as ``/spend/logs``
and ``/spend/logs/v2`` give them or as the database exports them; the export by day has the columns
of `ExportRow`. Times are UTC. A request counts on the day on which it ended, as it is metered, and
not on the day of its ``startTime``. `prompt_tokens` includes what was cached, whoever the provider
is. Spend is of a whole request, what its tools cost included, in USD.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.platform.errors import ConfigurationError
from services.reconcile.bill import ALL, Days, one_day
from services.reconcile.reading import Row
from services.reconcile.tally import Tally
from services.reconcile.words import tier_of_word

CURRENCY: Final = "USD"


@dataclass(slots=True)
class SpendLogs:
    """Reads spend logs of one or several files, each request once.

    Pages that are fetched while requests go on may overlap: a request id that was read before is
    passed over, and said so.
    """

    tally: Tally
    _seen: set[str] = field(default_factory=set)
    _again: int = 0
    _from_cache: int = 0

    def read(self, rows: Iterable[Row]) -> None:
        """Read rows, in any order."""
        for row in rows:
            request_id = row.text("request_id")
            if not request_id:
                raise ConfigurationError(f"{row.where}: request_id is missing")
            if request_id in self._seen:
                self._again += 1
            elif row.text("cache_hit").lower() == "true":
                self._from_cache += 1
            else:
                self._seen.add(request_id)
                self._read(row)

    def finish(self) -> None:
        """Note what was passed over."""
        if self._again:
            self.tally.note(f"LiteLLM: rows that two files had, each counted once: {self._again:,}")
        if self._from_cache:
            self.tally.note(
                "LiteLLM: answers from its own cache, which no provider bills and nobody meters:"
                f" {self._from_cache:,}"
            )

    def _read(self, row: Row) -> None:
        days = one_day(row.day("endTime"))
        self.tally.cover_days(days)
        provider, model = row.text("custom_llm_provider"), row.text("model")
        metadata = row.within("metadata")
        tokens, tier = _tokens(row, _usage(metadata)), _tier(metadata)
        if (
            row.text("status") == "failure"
            and not any(tokens.values())
            and not row.decimal("spend")
        ):
            return  # It may name no provider either, since none answered.
        _add_spend(self.tally, days, provider, model, row)
        for name, count in tokens.items():
            self.tally.add(days, provider, model, name, service_tier=tier, quantity=count)
        # A failed call has a row and no answer; what it used counts, if anything.
        if row.text("status") != "failure":
            self.tally.add_requests(days, provider, model, 1)


def read_days(tally: Tally, rows: Iterable[Row]) -> None:
    """Read the export by day: a row for each day, key and model, which names no provider."""
    for row in rows:
        days = one_day(row.day("date"))
        tally.cover_days(days)
        model = row.text("model")
        _add_spend(tally, days, "", model, row)
        for name, count in _tokens(row, row).items():
            tally.add(days, "", model, name, quantity=count)
        requests = row.count("successful_requests")
        if requests is not None:
            tally.add_requests(days, "", model, requests)


def _add_spend(tally: Tally, days: Days, provider: str, model: str, row: Row) -> None:
    amount = row.decimal("spend")
    if amount is None:
        raise ConfigurationError(f"{row.where}: spend is missing")
    tally.see_currency(CURRENCY)
    tally.add(days, provider, model, ALL, amount=amount)


def _usage(metadata: Row) -> Row:
    """Give a request's usage beyond the two totals, where the log keeps it."""
    usage = metadata.within("usage_object")
    return usage if usage.values else metadata.within("additional_usage_values")


def _tokens(row: Row, usage: Row) -> dict[str, int]:
    """Give the tokens by class; what the log does not tell apart is in the larger class.

    Raises `ConfigurationError` where the parts exceed their total.
    """
    total, output = row.required_count("prompt_tokens"), row.required_count("completion_tokens")
    details = usage.within("prompt_tokens_details")
    read = usage.count("cache_read_input_tokens")
    if read is None:
        read = details.count("cached_tokens")
    written = usage.count("cache_creation_input_tokens")
    if written is None:
        written = details.count("cache_creation_tokens")
    parts = {"cache_read": read, "cache_write": written}
    found = {name: count for name, count in parts.items() if count is not None}
    found |= {"uncached_input": total - sum(found.values()), "output": output}
    if found["uncached_input"] < 0:
        cached = sum(count for name, count in found.items() if name.startswith("cache"))
        raise ConfigurationError(f"{row.where}: of {total} prompt_tokens {cached} were cached")
    return found


def _tier(metadata: Row) -> str:
    """Give the tier that the spend was computed by, where the log says it (1.100 and later)."""
    return tier_of_word(metadata.within("cost_breakdown").text("service_tier"))


def is_spend_log(row: Mapping[str, Any]) -> bool:
    """Whether a row, or the header of a CSV, is of a single request."""
    return "request_id" in row and "spend" in row


def is_day(row: Mapping[str, Any]) -> bool:
    """Whether a row, or the header of a CSV, is of the export by day."""
    return {"date", "spend", "prompt_tokens", "completion_tokens"} <= set(row)
