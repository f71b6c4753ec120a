"""Writes schemas/catalogue/energy_models.jsonl: ``python -m tools.energy.models [--from DAY]``.

It asks the library EcoLogits for each model that it knows, twice: for no output token and for
2^40 of them. Its impacts are affine in output tokens, so the two answers are the coefficients. The
library is an extra of development; nothing of it is copied but what it answers.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from schemas.catalogue.energy import DerivedHeader
from schemas.catalogue.energy_entries import (
    ANY,
    COEFFICIENT_DECIMALS,
    Rating,
    RatingVersion,
    RequestBounds,
    TokenBounds,
)
from schemas.catalogue.energy_files import MODELS, derived_text, load_models
from schemas.catalogue.files import SHIPPED
from tools.energy.derived import first_day, followed

#: Who serves what the library calls so, by our names; open weights are served by anybody.
PROVIDERS: Final = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "google_genai": "gcp.gemini",
    "huggingface_hub": ANY,
    "mistralai": "mistral_ai",
    "openai": "openai",
}
#: A power of two: dividing by it is exact. So many tokens outweigh what a request takes by itself.
TOKENS: Final = 2**40
GRAMS: Final = Decimal(1000)
#: Prices of our list begin then; usage from before is rated alike for want of older coefficients.
BEGINNING: Final = "2025-01-01"
SOURCE: Final = "https://github.com/mlco2/ecologits"


@dataclass(frozen=True, slots=True)
class Impacts:
    """Two bounds each of what so many output tokens take: kWh at the computers, kg embodied."""

    it_kwh: tuple[float, float]
    embodied_kg: tuple[float, float]


def impacts(model: Any, output_tokens: int) -> Impacts:
    """Ask the library for one request of a model of its repository.

    Without overhead (PUE 1) and mix, which we have by ourselves. No latency is given, so the
    library takes the one that it models.
    """
    parameters = model.architecture.parameters
    active = getattr(parameters, "active", parameters)
    total = getattr(parameters, "total", parameters)
    deployment = model.deployment
    answer = import_module("ecologits.impacts.llm").compute_llm_impacts(
        model_active_parameter_count=active,
        model_total_parameter_count=total,
        output_token_count=output_tokens,
        if_electricity_mix_adpe=0.0,
        if_electricity_mix_pe=0.0,
        if_electricity_mix_gwp=0.0,
        if_electricity_mix_wue=0.0,
        datacenter_pue=1.0,
        datacenter_wue=0.0,
        tps=deployment.tps if deployment else None,
        ttft=deployment.ttft if deployment else None,
    )
    return Impacts(bounds(answer.energy.value), bounds(answer.embodied.gwp.value))


def bounds(value: Any) -> tuple[float, float]:
    """A number of the library, or its range, as the least and the most."""
    return (getattr(value, "min", value), getattr(value, "max", value))


def rating_version(model: Any, day: str, release: str) -> RatingVersion:
    """What the library says of a model, as coefficients that hold from a day on."""
    none, many = impacts(model, 0), impacts(model, TOKENS)
    return RatingVersion(
        valid_from=first_day(day),
        source=f"ecologits {release}",
        source_date=datetime.now(UTC).date(),
        it_kwh_per_output_token=_per_token(none.it_kwh, many.it_kwh, Decimal(1)),
        it_kwh_per_request=_per_request(none.it_kwh, Decimal(1)),
        embodied_gco2e_per_output_token=_per_token(none.embodied_kg, many.embodied_kg, GRAMS),
        embodied_gco2e_per_request=_per_request(none.embodied_kg, GRAMS),
        notes=tuple(one.code for one in model.warnings),
    )


def _per_token(none: tuple[float, float], many: tuple[float, float], unit: Decimal) -> TokenBounds:
    low, high = ((most - base) / TOKENS for base, most in zip(none, many, strict=True))
    return TokenBounds(low=_exactly(low, unit), high=_exactly(high, unit))


def _per_request(none: tuple[float, float], unit: Decimal) -> RequestBounds:
    low, high = none
    return RequestBounds(low=_exactly(low, unit), high=_exactly(high, unit))


def _exactly(number: float, unit: Decimal) -> Decimal:
    """The decimal that a float is written as, in our unit; without zeros at its end."""
    with localcontext(prec=60):
        found = round(Decimal(repr(float(number))) * unit, COEFFICIENT_DECIMALS)
        return found.normalize() if found else Decimal(0)


def rated(day: str, release: str) -> Iterator[tuple[tuple[str, str], RatingVersion]]:
    """All models that the library knows, by our provider and name."""
    repository = import_module("ecologits.model_repository").models
    for model in repository.list_models():
        key = (PROVIDERS[model.provider.value], model.name.lower())
        yield key, rating_version(model, day, release)


def main() -> None:
    """Write the file."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--from", dest="day", default=BEGINNING, help="day, UTC, of what changed")
    day = reader.parse_args().day
    release = version("ecologits")
    path = SHIPPED / MODELS
    held = load_models(path)[1] if path.exists() else ()
    before = {(one.provider, one.model): one.versions for one in held}
    after = followed(before, dict(rated(day, release)), before)
    header = DerivedHeader(
        version=f"{datetime.now(UTC).date()}",
        made_of=f"ecologits {release}, by tools/energy/models.py",
        license="figures computed by a program under MPL-2.0",
        source=SOURCE,
        source_date=datetime.now(UTC).date(),
    )
    ratings = [
        Rating(provider=provider, model=model, versions=versions)
        for (provider, model), versions in sorted(after.items())
    ]
    path.write_text(derived_text(header, ratings), encoding="utf-8")
    print(f"{path.name}: {len(ratings)} models")


if __name__ == "__main__":
    main()
