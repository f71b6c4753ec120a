"""The meter's side: each token in one class, as charges have it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import TOKEN_CLASSES as CHARGED
from schemas.price_class import UNITS
from services.reconcile.bill import ALL
from services.reconcile.formats import focus, openai
from services.reconcile.metered import MEASURES, TOKEN_CLASSES, classes_of, wider


def test_the_classes_are_those_that_are_charged() -> None:
    assert set(TOKEN_CLASSES) == set(CHARGED)


def test_the_units_of_exports_are_those_that_are_metered() -> None:
    named = {unit for _, unit, _ in openai.UNITS.values()}
    named |= {unit for unit, _ in focus.UNITS.values()}
    assert named <= set(UNITS)


def test_every_class_and_unit_lies_in_all() -> None:
    for name in (*TOKEN_CLASSES, *UNITS):
        at: str | None = name
        while at not in {ALL, None}:
            assert at is not None
            at = wider(at)
        assert at == ALL
    assert wider(ALL) is None


@given(st.lists(st.integers(0, 10**12), min_size=13, max_size=13))
def test_each_token_is_in_exactly_one_class(parts: list[int]) -> None:
    told = dict(zip(TOKEN_CLASSES, parts, strict=True))
    audio = told["audio_input"] + told["cache_read_audio"]
    image = told["image_input"] + told["cache_read_image"]
    cache_read = told["cache_read"] + told["cache_read_audio"] + told["cache_read_image"]
    written = told["cache_write"] + told["cache_write_5m"] + told["cache_write_1h"]
    inputs = told["uncached_input"] + told["audio_input"] + told["image_input"]
    measures = {
        "input_tokens": inputs + cache_read + written,
        "cache_read_input_tokens": cache_read,
        "cache_write_input_tokens": written,
        "cache_write_5m_input_tokens": told["cache_write_5m"],
        "cache_write_1h_input_tokens": told["cache_write_1h"],
        "audio_input_tokens": audio,
        "image_input_tokens": image,
        "cache_read_audio_input_tokens": told["cache_read_audio"],
        "cache_read_image_input_tokens": told["cache_read_image"],
        "output_tokens": sum(
            told[name] for name in ("output", "reasoning", "audio_output", "image_output")
        ),
        "reasoning_output_tokens": told["reasoning"],
        "audio_output_tokens": told["audio_output"],
        "image_output_tokens": told["image_output"],
    }
    assert set(measures) == set(MEASURES)
    assert classes_of(measures) == {name: count for name, count in told.items() if count}
