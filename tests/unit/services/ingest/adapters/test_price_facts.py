"""No token is in two classes, nothing is guessed, and what is left out is noted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event_rules import COUNTED_TWICE, PRICED_APART, SUBSETS
from schemas.measures import MEASURES
from schemas.price_class import UNITS as EVENT_UNITS
from services.ingest.adapters.price_facts import PARTS, UNITS, fields_beside, with_price_facts
from services.ingest.adapters.provider_usage import FORMATS
from services.ingest.adapters.totals import NO_TOKENS, Totals
from services.ingest.adapters.usage_fields.fields import Quantity
from services.ingest.adapters.usage_fields.reading import Told
from services.ingest.adapters.usage_fields.unread import Unread, collecting
from services.ingest.errors import EventRejectedError
from services.ingest.explain import EXPECTED, PRICED_PARTS
from tests.versions.effort import examples

REGISTER = FORMATS["openai_chat"].register
AUDIO, IMAGE = Quantity.AUDIO_INPUT, Quantity.IMAGE_INPUT
CACHED_AUDIO, CACHED_IMAGE = Quantity.CACHED_AUDIO, Quantity.CACHED_IMAGE
DETAILS = "prompt_tokens_details"


def facts(
    counts: dict[Quantity, int], read: int | None = None, written: int | None = None
) -> tuple[dict[str, int], Unread]:
    """The parts of 100 tokens of input and 10 of output."""
    noted: Unread = Counter()
    with collecting(noted):
        totals = Totals(100, 10, read, written, None)
        found = with_price_facts(totals, Told(REGISTER, "usage.", counts))
    return dict(found.parts), noted


def test_they_are_the_events_fields() -> None:
    assert (*PARTS,) == PRICED_PARTS
    assert (*UNITS,) == EVENT_UNITS
    assert {*PARTS} <= {*MEASURES}
    assert {"service_tier", *PARTS, *UNITS} <= EXPECTED.keys()


@pytest.mark.parametrize(
    ("counts", "read", "written", "parts"),
    [
        ({}, 60, 40, {}),
        ({AUDIO: 0}, 60, 40, {"audio_input_tokens": 0}),
        # They fit side by side: what was cached is text.
        ({AUDIO: 40}, 60, None, {"audio_input_tokens": 40}),
        # One more does not: it was cached, too.
        (
            {AUDIO: 41},
            60,
            None,
            {"audio_input_tokens": 41, "cache_read_audio_input_tokens": 1},
        ),
        (
            {IMAGE: 100},
            100,
            None,
            {"image_input_tokens": 100, "cache_read_image_input_tokens": 100},
        ),
        # What is told of the one proves it of the other.
        (
            {AUDIO: 30, CACHED_AUDIO: 10, IMAGE: 30},
            60,
            None,
            {
                "audio_input_tokens": 30,
                "cache_read_audio_input_tokens": 10,
                "image_input_tokens": 30,
                "cache_read_image_input_tokens": 10,
            },
        ),
        (
            {AUDIO: 30, CACHED_AUDIO: 30, IMAGE: 60},
            50,
            None,
            {
                "audio_input_tokens": 30,
                "cache_read_audio_input_tokens": 30,
                "image_input_tokens": 60,
                "cache_read_image_input_tokens": 10,
            },
        ),
    ],
)
def test_kinds_beside_what_was_cached(
    counts: dict[Quantity, int], read: int | None, written: int | None, parts: dict[str, int]
) -> None:
    found, noted = facts(counts, read, written)
    assert found == parts
    assert not noted


@pytest.mark.parametrize(
    ("counts", "read", "written", "parts", "places"),
    [
        # Audio or images were cached, and nothing tells which.
        ({AUDIO: 40, IMAGE: 40}, 60, None, {}, {"audio_tokens", "image_tokens"}),
        # They may be among what was written.
        ({IMAGE: 41}, 30, 30, {}, {"image_tokens"}),
        ({IMAGE: 41}, None, 60, {}, {"image_tokens"}),
        # A cached part without the kind that it is a part of.
        ({CACHED_AUDIO: 4}, 30, None, {}, {"cached_tokens_details.audio_tokens"}),
    ],
)
def test_what_nothing_tells_is_left_out_and_noted(
    counts: dict[Quantity, int],
    read: int | None,
    written: int | None,
    parts: dict[str, int],
    places: set[str],
) -> None:
    found, noted = facts(counts, read, written)
    assert found == parts
    assert noted == {("openai_chat", f"{DETAILS}.{place}"): 1 for place in places}


@pytest.mark.parametrize(
    ("counts", "read", "message"),
    [
        ({AUDIO: 101}, None, "audio_input_tokens are 101 and must not exceed input_tokens"),
        ({AUDIO: 60, IMAGE: 41}, None, "audio_input_tokens + image_input_tokens are 101"),
        ({AUDIO: 5, CACHED_AUDIO: 6}, 60, "cache_read_audio_input_tokens are 6"),
        ({AUDIO: 9, CACHED_AUDIO: 6}, 5, "must not exceed cache_read_input_tokens, which are 5"),
        ({AUDIO: 60, CACHED_AUDIO: 6}, 60, "cached, audio and image tokens, each counted once"),
        ({Quantity.AUDIO_OUTPUT: 11}, None, "must not exceed output_tokens, which are 10"),
        ({Quantity.CACHE_WRITE_1H: 6}, None, "must not exceed cache_write_input_tokens"),
    ],
)
def test_contradictions_are_refused(
    counts: dict[Quantity, int], read: int | None, message: str
) -> None:
    with pytest.raises(EventRejectedError) as caught:
        facts(counts, read)
    assert caught.value.code == "subset_exceeds_total"
    assert message in caught.value.message


@given(
    counts=st.dictionaries(
        st.sampled_from([AUDIO, IMAGE, CACHED_AUDIO, CACHED_IMAGE]), st.integers(0, 120)
    ),
    read=st.none() | st.integers(0, 100),
    written=st.none() | st.integers(0, 100),
)
@settings(max_examples=examples(300), deadline=None)
def test_what_is_not_refused_has_each_token_in_one_class(
    counts: dict[Quantity, int], read: int | None, written: int | None
) -> None:
    try:
        parts, _ = facts(counts, read, written)
    except EventRejectedError:
        return
    told = parts | {
        "input_tokens": 100,
        "output_tokens": 10,
        "cache_read_input_tokens": read or 0,
        "cache_write_input_tokens": written or 0,
    }
    for of_one, total in SUBSETS:
        assert sum(told.get(one, 0) for one in of_one) <= told.get(total, 0)
    apart = sum(told.get(one, 0) for one in PRICED_APART)
    assert apart - sum(told.get(one, 0) for one in COUNTED_TWICE) <= 100
    for quantity, count in counts.items():
        name = next(name for name, alike in PARTS.items() if alike[0] is quantity)
        assert parts.get(name, count) == count, "what is told is never changed"


@pytest.mark.parametrize(
    ("beside", "usage_format", "found"),
    [
        ({}, "openai_chat", {}),
        ({"service_tier": "default"}, "openai_chat", {"service_tier": "standard"}),
        ({"service_tier": "fast"}, "openai_chat", {"service_tier": "priority"}),
        ({"service_tier": "fast"}, "anthropic", {"service_tier": "fast"}),
        ({"service_tier": "standard"}, "anthropic", {"service_tier": "standard"}),
        ({"service_tier": "auto"}, "openai_chat", {}),
        ({"service_tier": "new"}, "openai_chat", {}),
        ({"service_tier": 7}, "openai_chat", {"service_tier": 7}),
        ({"web_searches": 0, "pages": 3}, "gemini", {"web_searches": 0, "pages": 3}),
    ],
)
def test_what_is_told_beside_the_usage(
    beside: dict[str, Any], usage_format: str, found: dict[str, Any]
) -> None:
    fields = fields_beside(NO_TOKENS, beside, usage_format)
    none = {name: value for name, value in NO_TOKENS.fields().items() if name not in found}
    assert fields == none | found


def test_of_a_unit_the_usages_own_count_stands() -> None:
    totals = Totals(1, 1, None, None, None, units={"web_searches": 2, "pages": 0})
    fields = fields_beside(totals, {"web_searches": 5, "pages": 5}, "anthropic")
    assert (fields["web_searches"], fields["pages"]) == (2, 5)
    with pytest.raises(EventRejectedError, match="pages is the number -1"):
        fields_beside(totals, {"pages": -1}, "anthropic")


@pytest.mark.parametrize(
    ("inside", "beside", "tier"),
    [
        ("standard", "priority", "priority"),
        ("fast", "standard", "fast"),
        ("fast", "fast", "fast"),
        ("batch", "priority", None),
        (None, "batch", "batch"),
        ("batch", None, "batch"),
    ],
)
def test_two_tiers_must_not_contradict_each_other(
    inside: str | None, beside: str | None, tier: str | None
) -> None:
    totals = Totals(1, 1, None, None, None, service_tier=inside)
    noted: Unread = Counter()
    with collecting(noted):
        found = fields_beside(totals, {"service_tier": beside}, "anthropic")
    assert found["service_tier"] == tier
    assert bool(noted) == (tier is None)
