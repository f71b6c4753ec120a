"""PURE. Which export a file is, by what is in it, and the bills that files make up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.platform.errors import ConfigurationError
from services.reconcile.bill import Bill
from services.reconcile.formats import anthropic, focus, litellm, openai
from services.reconcile.reading import Row, csv_rows, objects, parsed_json
from services.reconcile.tally import Tally

OPENAI_USAGE: Final = "OpenAI usage"
OPENAI_COSTS: Final = "OpenAI costs"
ANTHROPIC_USAGE: Final = "Anthropic usage"
ANTHROPIC_COSTS: Final = "Anthropic costs"
SPEND_LOGS: Final = "LiteLLM spend logs"
SPEND_DAYS: Final = "LiteLLM spend by day"
FOCUS: Final = "FOCUS"
KNOWN: Final = (
    "pages of OpenAI's organization/usage and organization/costs and its dashboard's CSVs, pages of"
    " Anthropic's usage and cost reports and its console's CSVs, LiteLLM's spend logs (JSON, JSON"
    " Lines or CSV) and export by day, FOCUS (CSV)"
)
_ROWS_KEYS: Final = ("data", "logs", "results")


@dataclass(slots=True)
class Reader:
    """Reads files, each as what it is; files of one export make up one bill."""

    _tallies: dict[str, Tally] = field(default_factory=dict)
    _spend_logs: litellm.SpendLogs | None = None
    _unfinished: dict[str, str] = field(default_factory=dict)

    def read(self, name: str, text: str) -> None:
        """Read one file; raises `ConfigurationError` saying what is wrong with it, and where."""
        text = text.removeprefix("\ufeff")
        if text.lstrip()[:1] in {"{", "["}:
            self._read_json(name, parsed_json(text, name))
        else:
            self._read_csv(name, text)

    def bills(self) -> list[Bill]:
        """Give the bills, one for each export that was among the files."""
        if self._spend_logs is not None:
            self._spend_logs.finish()
        for kind, document in self._unfinished.items():
            self._tallies[kind].note(
                f"{document}: there are further pages (has_more), which are not among the files"
            )
        return [tally.build() for tally in self._tallies.values()]

    def _read_json(self, name: str, value: Any) -> None:
        parts = objects(value if isinstance(value, list) else [value], name)
        if parts and all(_is_page(part.values) for part in parts):
            for part in parts:
                self._read_page(Row(part.values, name if len(parts) == 1 else part.where))
            return
        rows = [row for part in parts for row in _rows_of(part)]
        if not rows:
            raise ConfigurationError(f"{name} has no row: nothing to reconcile")
        self._read_rows(name, rows[0].values, rows)

    def _read_page(self, page: Row) -> None:
        buckets = page.rows("data")
        results = (row.values for one in buckets for row in one.rows("results"))
        first: Mapping[str, Any] = next(results, {})
        if "start_time" in buckets[0].values:
            kind = OPENAI_COSTS if openai.is_costs(first) else OPENAI_USAGE
            tally = self._tally(kind, page.where, openai.PROVIDER)
            read = openai.read_costs_page if kind == OPENAI_COSTS else openai.read_usage_page
            read(tally, openai.buckets_of(page))
        else:
            kind = ANTHROPIC_COSTS if anthropic.is_costs(first) else ANTHROPIC_USAGE
            tally = self._tally(kind, page.where, anthropic.PROVIDER)
            if kind == ANTHROPIC_COSTS:
                anthropic.read_costs_page(tally, page)
            else:
                anthropic.read_usage_page(tally, page)
        if page.values.get("has_more"):
            self._unfinished[kind] = page.where
        else:
            self._unfinished.pop(kind, None)

    def _read_csv(self, name: str, text: str) -> None:
        header, rows = csv_rows(text, name)
        columns = dict.fromkeys(header)
        if "start_time" in columns and "end_time" in columns:
            kind = OPENAI_COSTS if openai.is_costs(columns) else OPENAI_USAGE
            read = openai.read_costs_page if kind == OPENAI_COSTS else openai.read_usage_page
            read(self._tally(kind, name, openai.PROVIDER), openai.buckets_of_csv(rows))
        elif "usage_date_utc" in columns and anthropic.is_costs(columns):
            anthropic.read_costs_csv(self._tally(ANTHROPIC_COSTS, name, anthropic.PROVIDER), rows)
        elif "usage_date_utc" in columns:
            anthropic.read_usage_csv(self._tally(ANTHROPIC_USAGE, name, anthropic.PROVIDER), rows)
        elif focus.is_focus(header):
            focus.read_rows(self._tally(FOCUS, name), rows)
        else:
            self._read_rows(name, columns, rows)

    def _read_rows(self, name: str, first: Mapping[str, Any], rows: Iterable[Row]) -> None:
        if litellm.is_spend_log(first):
            tally = self._tally(SPEND_LOGS, name)
            self._spend_logs = self._spend_logs or litellm.SpendLogs(tally)
            self._spend_logs.read(rows)
        elif litellm.is_day(first):
            litellm.read_days(self._tally(SPEND_DAYS, name), rows)
        else:
            has = ", ".join(list(map(str, first))[:12]) or "nothing"
            raise ConfigurationError(f"{name} is no export that is known ({KNOWN}): it has {has}")

    def _tally(self, kind: str, document: str, provider: str | None = None) -> Tally:
        tally = self._tallies.setdefault(kind, Tally(kind, provider=provider))
        tally.document = document
        return tally


def _is_page(value: Mapping[str, Any]) -> bool:
    """Whether this is a page of buckets, which has their times and their results."""
    data = value.get("data")
    if not isinstance(data, list) or not data or not isinstance(data[0], Mapping):
        return False
    return ("results" in data[0] or "result" in data[0]) and bool(
        {"start_time", "starting_at"} & set(data[0])
    )


def _rows_of(part: Row) -> list[Row]:
    """Give the rows of a page that has them under a key; else it is a row itself."""
    key = next((key for key in _ROWS_KEYS if isinstance(part.values.get(key), list)), None)
    if key is None or "request_id" in part.values:
        return [part]
    return part.rows(key)
