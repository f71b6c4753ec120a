"""PURE. OpenAI's usage and costs: pages of its Admin API, and the CSV of its dashboard.

Both have the same rows (`openai.types.admin.organization`, SDK 2.54): the API as buckets of
results, the dashboard as a line each, with the bucket's start and end. All days are UTC, as OpenAI
says (help.openai.com, "API Usage Dashboard"). What a row is grouped by decides what it tells: ask
for ``group_by=model,service_tier,batch`` of usage, and for ``group_by=line_item`` of costs.

In usage, `input_tokens` includes what was read from a cache and written to one, and where
`input_uncached_tokens` is given, `input_audio_tokens` and `input_image_tokens` are of the uncached
alone. `output_tokens` includes reasoning, which is never told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.platform.errors import ConfigurationError
from services.reconcile.bill import ALL, NOT_BATCH, Days, one_day
from services.reconcile.reading import Row
from services.reconcile.tally import DAY_SECONDS, Tally
from services.reconcile.words import class_of_text, tier_of_word

PROVIDER: Final = "openai"
COMPLETIONS: Final = "completions"
#: Kinds of usage that are counted in units: the field, the unit, and how many make one.
UNITS: Final[Mapping[str, tuple[str, str, int]]] = {
    "images": ("images", "images", 1),
    "audio_speeches": ("characters", "characters", 1),
    "audio_transcriptions": ("seconds", "audio_milliseconds", 1000),
    "web_searches": ("num_requests", "web_searches", 1),
    "file_searches": ("num_requests", "file_searches", 1),
}
SEARCHES: Final = ("web_searches", "file_searches")
#: Kinds that no gateway reports, or that cost nothing.
NOT_METERED: Final[Mapping[str, str]] = {
    "vector_stores": "usage of vector stores",
    "code_interpreter_sessions": "usage of code interpreter sessions",
    "moderations": "usage of moderations, which are free",
}
#: Line items that are of a unit: these words are in them.
_UNIT_ITEMS: Final = (
    (re.compile(r"\bweb search"), "web_searches"),
    (re.compile(r"\bfile search"), "file_searches"),
)
#: ``priority | gpt-5.6-sol image, cached input, long context``: the tier, the model, a modality and
#: the kind. How long a context is long is told nowhere, so it is not told apart.
_LINE_ITEM: Final = re.compile(
    r"^(?:(?P<tier>[\w-]+) \| )?(?P<model>[^\s,]+)(?: (?P<modality>text|audio|image))?"
    r", (?P<kind>[^,]+?)(?:, long context)?$"
)


def read_usage_page(tally: Tally, results: Iterable[tuple[int, int, list[Row]]]) -> None:
    """Read buckets of one kind of usage: completions, embeddings, images or another.

    A bucket without a result is time in which nothing of it was used.
    """
    buckets = list(results)
    kind = next((_kind(row) for _, _, rows in buckets for row in rows), COMPLETIONS)
    for start, end, rows in buckets:
        tally.cover(kind, start, end)
        for row in rows:
            _read_usage(tally, kind, _day(start, end, row.where), row)


def read_costs_page(tally: Tally, results: Iterable[tuple[int, int, list[Row]]]) -> None:
    """Read buckets of costs; a bucket without a result is a day on which nothing was billed."""
    for start, end, rows in results:
        tally.cover("costs", start, end)
        for row in rows:
            _read_cost(tally, _day(start, end, row.where), row)


def buckets_of(page: Row) -> Iterator[tuple[int, int, list[Row]]]:
    """Give the buckets of a page of the API; raises `ConfigurationError` if it is none."""
    for bucket in page.rows("data"):
        # `result` is what some versions of the API's documents call it.
        results = bucket.rows("results") or bucket.rows("result")
        yield bucket.seconds("start_time"), bucket.seconds("end_time"), results


def buckets_of_csv(rows: Iterable[Row]) -> Iterator[tuple[int, int, list[Row]]]:
    """Give the rows of the dashboard's CSV as buckets; an empty one is a row of times alone."""
    names = ("start_time", "end_time", "start_time_iso", "end_time_iso")
    for row in rows:
        start, end = row.seconds("start_time"), row.seconds("end_time")
        told = any(row.told(name) is not None for name in row.values if name not in names)
        yield start, end, [row] if told else []


def _read_usage(tally: Tally, kind: str, days: Days, row: Row) -> None:
    model = row.text("model")
    if kind in NOT_METERED:
        tally.leave_out(NOT_METERED[kind])
        return
    if kind in UNITS:
        field, unit, factor = UNITS[kind]
        tally.add(days, PROVIDER, model, unit, quantity=row.required_count(field) * factor)
    else:
        tier = _tier(row)
        for billed_as, quantity in tokens_of(row).items():
            tally.add(days, PROVIDER, model, billed_as, service_tier=tier, quantity=quantity)
    # Who searches has a request of completions too, which counts there.
    requests = None if kind in SEARCHES else row.count("num_model_requests")
    if requests is not None:
        tally.add_requests(days, PROVIDER, model, requests)


def tokens_of(row: Row) -> dict[str, int]:
    """Give a result's tokens by class, each token once; a class that is not told is in another.

    Raises `ConfigurationError` where the parts exceed their total.
    """
    total = row.required_count("input_tokens")
    cached, written = row.count("input_cached_tokens"), row.count("input_cache_write_tokens")
    cached_audio = row.count("input_cached_audio_tokens")
    cached_image = row.count("input_cached_image_tokens")
    audio, image = row.count("input_audio_tokens"), row.count("input_image_tokens")
    if audio is not None and row.told("input_uncached_tokens") is None:
        audio -= cached_audio or 0  # Audio included what was cached before uncached was told.
    parts = {
        "cache_read": None
        if cached is None
        else cached - (cached_audio or 0) - (cached_image or 0),
        "cache_read_audio": cached_audio,
        "cache_read_image": cached_image,
        "cache_write": written,
        "audio_input": audio,
        "image_input": image,
    }
    found = {name: value for name, value in parts.items() if value is not None}
    found["uncached_input"] = total - sum(found.values())
    output = row.count("output_tokens")
    if output is not None:  # Embeddings have none.
        of_output = {
            "audio_output": row.count("output_audio_tokens"),
            "image_output": row.count("output_image_tokens"),
        }
        told = {name: value for name, value in of_output.items() if value is not None}
        found |= told | {"output": output - sum(told.values())}
    below = [name for name, value in found.items() if value < 0]
    if below:
        raise ConfigurationError(
            f"{row.where}: {below[0]} is below 0: the parts exceed their total"
        )
    return found


def _kind(row: Row) -> str:
    """Name the kind of usage, by its object or, in a CSV, by the columns that it alone has."""
    named = row.text("object").removeprefix("organization.usage.").removesuffix(".result")
    if named:
        return named
    has = row.values
    if "num_requests" in has:
        return "web_searches" if "num_model_requests" in has else "file_searches"
    counted = next((kind for kind, (field, *_) in UNITS.items() if field in has), None)
    if counted is not None:
        return counted
    if "usage_bytes" in has or "num_sessions" in has:
        return "vector_stores" if "usage_bytes" in has else "code_interpreter_sessions"
    return COMPLETIONS if "output_tokens" in has else "embeddings"


def _tier(row: Row) -> str:
    """Give the tier of a row: its batch says more than its service tier, which calls it default."""
    batch = row.told("batch")
    if str(batch).lower() == "true":
        return "batch"
    word = row.text("service_tier")
    if not word:
        return "" if batch is None else NOT_BATCH
    return tier_of_word(word)


def _read_cost(tally: Tally, days: Days, row: Row) -> None:
    amount, currency = row.decimal("amount_value"), row.text("amount_currency")
    if isinstance(row.values.get("amount"), Mapping):
        within = row.within("amount")
        amount, currency = within.decimal("value"), within.text("currency")
    if amount is None:
        raise ConfigurationError(f"{row.where}: amount is missing")
    if not currency:
        raise ConfigurationError(f"{row.where}: the amount has no currency")
    tally.see_currency(currency)
    item = row.text("line_item")
    where = _billed_as(item)
    if where is None:
        tally.leave_out(item, amount)
        return
    model, billed_as, tier = where
    tally.add(
        *(days, PROVIDER, model, billed_as),
        service_tier=tier,
        quantity=_tokens_of_item(row) if model else None,
        amount=amount,
    )


def _tokens_of_item(row: Row) -> int | None:
    """Give a line item's quantity where it is of tokens; of others its unit is not sure."""
    quantity = row.decimal("quantity")
    if quantity is None or row.text("quantity_unit") not in {"", "tokens"}:
        return None
    return int(quantity) if quantity == quantity.to_integral_value() else None


def _billed_as(item: str) -> tuple[str, str, str] | None:
    """Give model, class and tier of a line item; None for what no gateway reports."""
    if not item:
        return "", ALL, ""
    for pattern, unit in _UNIT_ITEMS:
        if pattern.search(item.lower()):
            return "", unit, ""
    found = _LINE_ITEM.match(item)
    if found is None:
        return None
    modality = "" if found["modality"] in (None, "text") else found["modality"]
    billed_as = class_of_text(f"{modality} {found['kind']}")
    tier = tier_of_word(found["tier"] or "")
    return None if billed_as is None else (found["model"], billed_as, tier)


def _day(start: int, end: int, where: str) -> Days:
    day = datetime.fromtimestamp(start, UTC).date()
    if end <= start or (end - 1) // DAY_SECONDS != start // DAY_SECONDS:
        raise ConfigurationError(
            f"{where}: the bucket from {start} to {end} is not within one UTC day: export by day"
        )
    return one_day(day)


def is_costs(row: Mapping[str, Any]) -> bool:
    """Whether a result, or the header of a CSV, is of costs and not of usage."""
    return "amount" in row or "amount_value" in row
