"""Under which line of a bill something that was metered falls."""

from __future__ import annotations

from datetime import date

import pytest

from services.platform.errors import ConfigurationError
from services.reconcile.bill import NOT_BATCH, Context, Days, Key, one_day
from services.reconcile.grain import Grain

FIRST = date(2026, 10, 1)
DAY, NEXT = one_day(FIRST), one_day(date(2026, 10, 2))
LONG = Context(200_000, above=True)
SHORT = Context(200_000, above=False)


def key(billed_as: str, model: str = "m", days: Days = DAY, **told: object) -> Key:
    return Key(days, "p", model, billed_as, **told)  # type: ignore[arg-type]


def grain(*keys: Key, every_unit: bool = False) -> Grain:
    return Grain(keys, [DAY, NEXT], {"p"}, every_unit=every_unit)


@pytest.mark.parametrize(
    ("known", "billed_as", "line"),
    [
        (["uncached_input", "cache_read", "output"], "cache_read", "cache_read"),
        (["uncached_input", "cache_read", "output"], "cache_read_audio", "cache_read"),
        (["uncached_input", "output"], "cache_read", "uncached_input"),
        (["uncached_input", "output"], "cache_write_1h", "uncached_input"),
        (["uncached_input", "cache_write_1h", "output"], "cache_write_5m", "cache_write_5m"),
        (["uncached_input", "cache_write_1h", "output"], "cache_write", "cache_write"),
        (["uncached_input", "audio_input", "output"], "audio_input", "audio_input"),
        (["output"], "reasoning", "output"),
        (["tokens"], "reasoning", "tokens"),
        (["all"], "image_input", "all"),
        (["all"], "web_searches", "all"),
        (["output"], "cache_read", "cache_read"),
    ],
)
def test_a_class_is_in_the_narrowest_line_that_has_it(
    known: list[str], billed_as: str, line: str
) -> None:
    found = grain(*map(key, known)).of_metered(FIRST, "p", "m", billed_as, "", 0)
    assert found is not None
    assert found.billed_as == line


def test_a_model_that_is_not_on_the_bill_is_told_as_the_others_are() -> None:
    of_others = grain(key("uncached_input"), key("output"))
    found = of_others.of_metered(FIRST, "p", "unbilled", "cache_read", "batch", 0)
    assert found == key("uncached_input", "unbilled")


def test_of_a_bill_that_tells_no_models_all_is_one_line() -> None:
    found = grain(key("all", "")).of_metered(FIRST, "p", "m", "output", "batch", 200_000)
    assert found == key("all", "")


def test_a_unit_is_compared_where_the_bill_tells_it() -> None:
    tells = grain(key("output"), key("web_searches", ""))
    assert tells.of_metered(FIRST, "p", "m", "web_searches", "", 0) == key("web_searches", "")
    assert tells.of_metered(FIRST, "p", "m", "images", "", 0) is None
    costs = grain(key("output"), every_unit=True)
    assert costs.of_metered(FIRST, "p", "m", "images", "", 0) == key("images")


def test_other_providers_and_days_are_not_of_the_bill() -> None:
    of_p = grain(key("output"))
    assert of_p.of_metered(FIRST, "q", "m", "output", "", 0) is None
    assert of_p.of_metered(date(2026, 10, 3), "p", "m", "output", "", 0) is None
    assert of_p.of_metered(date(2026, 10, 2), "p", "m", "output", "", 0) == key("output", days=NEXT)


@pytest.mark.parametrize(
    ("told", "metered", "tier"),
    [
        ([""], "batch", ""),
        (["standard", "batch"], "", "standard"),
        (["standard", "batch"], "priority", "priority"),
        (["", "priority"], "", "standard"),
        ([NOT_BATCH, "batch"], "priority", NOT_BATCH),
        ([NOT_BATCH, "batch"], "batch", "batch"),
    ],
)
def test_tiers_are_told_apart_as_the_bill_does(told: list[str], metered: str, tier: str) -> None:
    of_tiers = grain(*(key("output", service_tier=one) for one in told))
    found = of_tiers.of_metered(FIRST, "p", "m", "output", metered, 0)
    assert found is not None
    assert found.service_tier == tier


def test_a_line_without_a_tier_is_standard_where_others_tell_one() -> None:
    of_tiers = grain(key("output"), key("output", service_tier="priority"))
    assert of_tiers.of_line(key("output")) == key("output", service_tier="standard")
    assert grain(key("output")).of_line(key("output")) == key("output")


@pytest.mark.parametrize(
    ("band", "context"), [(0, SHORT), (199_999, SHORT), (200_000, LONG), (272_000, LONG)]
)
def test_contexts_are_sides_of_the_bills_threshold(band: int, context: Context) -> None:
    of_contexts = grain(key("output", context=SHORT))
    found = of_contexts.of_metered(FIRST, "p", "m", "output", "", band)
    assert found is not None
    assert found.context == context


def test_periods_that_overlap_are_an_error() -> None:
    month = Days(FIRST, date(2026, 11, 1))
    with pytest.raises(ConfigurationError, match="p m: periods overlap"):
        grain(key("output"), key("output", days=month))
