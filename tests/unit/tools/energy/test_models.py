"""Derived ratings are what the library answers, its overheads are those of the catalogue."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version

import pytest

from schemas.catalogue.energy_entries import ANY, RatingVersion
from schemas.catalogue.energy_files import MODELS, load_models
from schemas.catalogue.files import SHIPPED
from schemas.catalogue.loading import load_energy
from schemas.catalogue.tariff_entries import FOREVER
from tests.ecologits_oracle import overheads
from tools.energy.derived import NothingToClose, first_day, followed, numbers
from tools.energy.models import rated

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


def test_the_shipped_file_says_what_the_installed_library_says() -> None:
    header, ratings = load_models(SHIPPED / MODELS)
    assert header is not None
    assert f"ecologits {version('ecologits')}," in header.made_of
    now = dict(rated("2025-01-01", version("ecologits")))
    shipped = {(one.provider, one.model): one.versions[-1] for one in ratings}
    assert shipped.keys() == now.keys()
    for key, found in now.items():
        assert numbers(shipped[key]) == numbers(found), key


def test_overheads_are_those_of_the_library() -> None:
    energy = load_energy()
    for provider, pue in overheads().items():
        site = energy.sites[provider, ANY].versions[-1].pue
        assert (float(site.low), float(site.high)) == pue, provider


def rating(per_token: str, since: datetime, until: datetime = FOREVER) -> RatingVersion:
    both = {"low": Decimal(per_token), "high": Decimal(per_token)}
    return RatingVersion.model_validate(
        {
            "valid_from": since,
            "valid_to": until,
            "source": "a test",
            "source_date": since.date(),
            "it_kwh_per_output_token": both,
            "it_kwh_per_request": both,
            "embodied_gco2e_per_output_token": both,
            "embodied_gco2e_per_request": both,
        }
    )


def test_what_is_as_it_was_keeps_its_dates() -> None:
    held = {"m": (rating("0.1", JUNE),)}
    assert followed(held, {"m": rating("0.1", JULY)}, held) == held


def test_what_changed_is_closed_and_followed() -> None:
    held = {"m": (rating("0.1", JUNE),)}
    assert followed(held, {"m": rating("0.2", JULY)}, held) == {
        "m": (rating("0.1", JUNE, JULY), rating("0.2", JULY))
    }


def test_what_the_source_has_no_more_is_kept_and_what_is_new_comes_in() -> None:
    held = {"old": (rating("0.1", JUNE),)}
    found = followed(held, {"new": rating("0.2", JULY)}, held)
    assert found == held | {"new": (rating("0.2", JULY),)}


def test_the_past_is_not_changed() -> None:
    held = {"m": (rating("0.1", JULY),)}
    with pytest.raises(NothingToClose, match="hold since 2026-07-01: say a later day with --from"):
        followed(held, {"m": rating("0.2", JUNE)}, held)


def test_a_day_is_its_midnight_utc() -> None:
    assert first_day("2026-06-01") == JUNE
