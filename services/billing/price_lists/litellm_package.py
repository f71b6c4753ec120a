"""Reads the price file that the installed package litellm has in it; nothing of it is run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from schemas.catalogue.listed_tariffs import ListedTariff, ListSource
from services.billing.price_lists.drawn import NOT_INSTALLED, Reading, Skipped
from services.billing.price_lists.litellm_entries import draw, provider_of
from services.billing.price_lists.timeline import content
from services.platform.errors import ConfigurationError

PACKAGE: Final = "litellm"
_FILE: Final = "litellm/model_prices_and_context_window_backup.json"
#: What describes the file's keys, and is no model.
_SPECIMEN: Final = "sample_spec"


def read_litellm(seen: date, list_of: Callable[[str], str]) -> Reading:
    """Read all entries; ``list_of`` names the list of a provider that LiteLLM names.

    Raises `ConfigurationError` where the package is not installed or its file cannot be read.
    """
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        raise ConfigurationError(NOT_INSTALLED) from None
    path = Path(str(package.locate_file(_FILE)))
    try:
        entries = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read the prices of {PACKAGE}: {error}") from None
    source = ListSource(source=PACKAGE, version=package.version, license="MIT", first_seen=seen)
    return read_entries(entries, source, list_of)


def read_entries(
    entries: Mapping[str, Mapping[str, Any]], source: ListSource, list_of: Callable[[str], str]
) -> Reading:
    """Draw the tariffs of all entries, in the order of their names."""
    said = f"{source.source} {source.version}"
    tariffs: dict[str, ListedTariff] = {}
    skipped: list[Skipped] = []
    for key, entry in sorted(entries.items()):
        if key == _SPECIMEN:
            continue
        if not isinstance(entry.get("litellm_provider"), str):
            skipped.append(Skipped(PACKAGE, "", key, "does not say who serves it"))
            continue
        tariff = draw(key, entry, list_of(provider_of(entry)), said, source.first_seen)
        known = tariffs.get(tariff.tariff)
        if tariff.not_taken is not None:
            # Behind all other lists, and by whole names: it keeps no name from another tariff.
            skipped.append(Skipped(PACKAGE, tariff.list, key, tariff.not_taken))
        elif known is None:
            tariffs[tariff.tariff] = tariff
        else:
            same = content(known.versions[0]) == content(tariff.versions[0])
            reason = f"is there twice, with {'the same' if same else 'other'} prices"
            skipped.append(Skipped(PACKAGE, tariff.list, key, f"{reason}: the first is taken"))
    return Reading(source, tuple(tariffs.values()), (), tuple(skipped))
