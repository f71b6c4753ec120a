"""What readings tell of their prices: within their totals, and for what has a price."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import load_catalogue
from schemas.event_rules import TOKENS_MAX
from schemas.wire import decode
from services.billing.tariff_prices import prices_at, tariffs_of
from services.simulator.price_facts import PriceFacts
from services.simulator.price_profiles import HABITS, LIFETIME_SHARES, LISTENING
from services.simulator.profiles import MODELS
from services.simulator.reading import METERED, Reading, log_record

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SERVED = [(one.provider, one.model) for one in (*MODELS, *LISTENING)]
tokens = st.integers(0, TOKENS_MAX // 3)


def reading(provider: str, model: str, **fields: object) -> Reading:
    usual = Reading(METERED, "t", "s", "i", 1_795_700_000_000, "r", provider, model, 900, 90)
    return usual._replace(**fields)  # type: ignore[arg-type]


@given(st.sampled_from(SERVED), st.integers(0, 99), st.tuples(*[tokens] * 5))
def test_whatever_the_totals_it_is_a_valid_event(
    served: tuple[str, str], seed: int, parts: tuple[int, ...]
) -> None:
    read, written, rest, made, reasoning = parts
    plain = reading(*served)._replace(
        input_tokens=read + written + rest,
        output_tokens=made + reasoning,
        cache_read_input_tokens=read,
        cache_write_input_tokens=written,
        reasoning_output_tokens=reasoning,
    )
    told = PriceFacts(seed).told(plain)
    assert told[:19] == plain[:19]
    # Raises where parts exceed their total.
    decode(log_record(told))


def test_audio_and_images_share_what_was_read_from_a_cache() -> None:
    """With nothing else in the input, any token that was counted twice is one too many."""
    facts = PriceFacts(1)
    both = 0
    for _ in range(2_000):
        plain = reading("gcp.gemini", "gemini-3.1-flash-lite", cache_read_input_tokens=900)
        told = facts.told(plain)
        decode(log_record(told))
        both += bool(told.cache_read_audio_input_tokens and told.cache_read_image_input_tokens)
    assert both > 100


def test_equal_seeds_tell_the_same() -> None:
    readings = [reading(*served) for served in SERVED] * 50
    first, again, other = (list(map(PriceFacts(seed).told, readings)) for seed in (1, 1, 2))
    assert first == again != other


def test_shares_are_kept() -> None:
    facts = PriceFacts(1)
    told = [
        facts.told(reading("anthropic", "claude-opus-5.5", cache_write_input_tokens=80))
        for _ in range(20_000)
    ]
    tiers = Counter(one.service_tier for one in told)
    assert tiers["standard"] == pytest.approx(12_000, rel=0.05)
    assert tiers["batch"] == pytest.approx(2_400, rel=0.1)
    assert tiers.keys() == {"standard", "batch", None}
    lifetimes = Counter(
        (one.cache_write_5m_input_tokens, one.cache_write_1h_input_tokens) for one in told
    )
    pairs = [(80, 0), (0, 80), (40, 40), (None, None)]
    shares = dict(zip(pairs, [*LIFETIME_SHARES, 1 - sum(LIFETIME_SHARES)], strict=True))
    assert lifetimes.keys() == shares.keys()
    for pair, share in shares.items():
        assert lifetimes[pair] == pytest.approx(20_000 * share, rel=0.1)
    assert sum(one.web_searches or 0 for one in told) == pytest.approx(3_000, rel=0.1)


def test_a_cache_that_was_not_written_to_has_no_lifetimes() -> None:
    facts = PriceFacts(1)
    for _ in range(100):
        told = facts.told(reading("anthropic", "claude-opus-5.5"))
        assert told.cache_write_5m_input_tokens is told.cache_write_1h_input_tokens is None


def test_habits_are_of_models_that_are_served_and_shares_of_one() -> None:
    assert HABITS.keys() <= set(SERVED)
    for habits in HABITS.values():
        assert sum(share for share, _ in habits.tiers) < 1
        for kind in (habits.audio_input, habits.image_input, habits.audio_output):
            assert 0 <= kind.request_share <= 1 and 0 <= kind.token_share <= 0.5


def test_what_is_sent_has_a_price_but_what_stands_for_all_others() -> None:
    catalogue = load_catalogue()
    for (provider, model), habits in HABITS.items():
        found = prices_at(
            catalogue, tariffs_of(catalogue, "us-east", provider, model), "us-east", NOW
        )
        if model == "others":
            assert not found
            continue
        version = found[0].version
        priced = {one.service_tier for one in version.all_variants}
        assert {tier for _, tier in habits.tiers} <= priced, (provider, model)
        assert {unit for _, unit, _ in habits.units} <= set(version.units), (provider, model)
