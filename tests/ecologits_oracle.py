"""What EcoLogits itself says of single requests: the reference that nothing of ours computes.

The library is asked as its tracers ask it, with names of its own repository, once for each request.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

#: What the library calls the providers of `energy_models.jsonl`.
ECOLOGITS_PROVIDERS: Final = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "gcp.gemini": "google_genai",
    "huggingface": "huggingface_hub",
    "mistral_ai": "mistralai",
    "openai": "openai",
}


@dataclass(frozen=True)
class Answer:
    """The least and the most of kWh with overhead, of gCO2e of it, and of embodied gCO2e."""

    kwh: tuple[float, float]
    usage_gco2e: tuple[float, float]
    embodied_gco2e: tuple[float, float]


def asked(provider: str, model: str, output_tokens: int, zone: str) -> Answer:
    """Ask the library for one request, with its own overhead and electricity mix of a zone.

    A latency without end: the library then takes the one that it models by itself.
    """
    answer = import_module("ecologits.tracers.utils").llm_impacts(
        provider=ECOLOGITS_PROVIDERS[provider],
        model_name=model,
        output_token_count=output_tokens,
        request_latency=math.inf,
        electricity_mix_zone=zone,
    )
    assert not answer.has_errors, answer.errors
    return Answer(
        _ends(answer.usage.energy.value),
        _ends(answer.usage.gwp.value, 1000),
        _ends(answer.embodied.gwp.value, 1000),
    )


def mix_gco2e_per_kwh(zone: str) -> float:
    """The library's own factor of a zone."""
    found = import_module("ecologits.electricity_mix_repository").electricity_mixes
    return float(found.find_electricity_mix(zone).gwp * 1000)


def models() -> list[tuple[str, str]]:
    """(Our provider, the library's name) of every model that it knows."""
    ours = {theirs: name for name, theirs in ECOLOGITS_PROVIDERS.items()}
    repository = import_module("ecologits.model_repository").models
    return [(ours[one.provider.value], one.name) for one in repository.list_models()]


def overheads() -> dict[str, tuple[float, float]]:
    """The library's own PUE of each provider, by our names."""
    config = import_module("ecologits.tracers.utils").PROVIDER_CONFIG_MAP
    return {
        ours: _ends(config[theirs].datacenter_pue) for ours, theirs in ECOLOGITS_PROVIDERS.items()
    }


def added(answers: Iterable[Answer]) -> Answer:
    """Add up answers without a rounding error of our own."""
    found = list(answers)
    return Answer(
        *(
            (
                math.fsum(getattr(one, name)[0] for one in found),
                math.fsum(getattr(one, name)[1] for one in found),
            )
            for name in ("kwh", "usage_gco2e", "embodied_gco2e")
        )
    )


def _ends(value: Any, unit: int = 1) -> tuple[float, float]:
    low, high = getattr(value, "min", value), getattr(value, "max", value)
    return float(low) * unit, float(high) * unit
