"""Writes schemas/catalogue/energy_grids.jsonl: ``python -m tools.energy.grids WHEEL [--from DAY]``.

WHEEL is one of codecarbon (``pip download --no-deps codecarbon``), in which are the yearly carbon
intensities of countries (Our World in Data from Ember, CC BY 4.0) and of the states of the US (the
EPA's eGRID, public domain). Its data is read, and nothing of it is run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from schemas.catalogue.energy import DerivedHeader
from schemas.catalogue.energy_entries import FACTOR_DECIMALS, FactorVersion, Grid
from schemas.catalogue.energy_files import GRIDS, derived_text, load_grids
from schemas.catalogue.files import SHIPPED
from tools.energy.derived import first_day, followed
from tools.energy.models import BEGINNING

COUNTRIES: Final = "codecarbon/data/private_infra/global_energy_mix.json"
#: Grams in a pound, exactly, by the international agreement of 1959.
GRAMS_PER_POUND: Final = Decimal("453.59237")
KWH_PER_MWH: Final = 1000
EMBER: Final = "Ember by Our World in Data, CC BY 4.0"
EGRID: Final = "US EPA eGRID{year}, total output CO2e rate"


def countries(content: dict[str, Any]) -> Iterator[tuple[str, Decimal, int, str]]:
    """(grid, gCO2e/kWh, year, source) of each country that has an intensity."""
    for code, one in content.items():
        if len(code) == 3 and one.get("carbon_intensity") is not None:
            yield code, round(Decimal(one["carbon_intensity"]), FACTOR_DECIMALS), one["year"], EMBER


def states(content: dict[str, Any]) -> Iterator[tuple[str, Decimal, int, str]]:
    """The same of each state of the US, which are in pounds a MWh."""
    year = content["_source"]["year"]
    if content["_unit"]["emissions"] != "lbs/MWh":
        raise SystemExit(f"states are in {content['_unit']['emissions']} and no longer in lbs/MWh")
    for name, one in content.items():
        if name.startswith("_") or len(one.get("regionCode", "")) != 2:
            continue
        with localcontext(prec=40):
            grams = Decimal(one["emissions"]) * GRAMS_PER_POUND / KWH_PER_MWH
        source = EGRID.format(year=year)
        yield f"US-{one['regionCode']}", round(grams, FACTOR_DECIMALS), year, source


def factors(wheel: Path, day: str) -> dict[str, FactorVersion]:
    """All grids of a wheel, as factors that hold from a day on."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        newest = max(name for name in names if name.endswith("/usa_emissions.json"))
        read = [json.loads(archive.read(name), parse_float=Decimal) for name in (COUNTRIES, newest)]
    return {
        grid: FactorVersion(
            valid_from=first_day(day),
            source=source,
            source_date=datetime.now(UTC).date(),
            gco2e_per_kwh=grams,
            data_year=year,
        )
        for grid, grams, year, source in (*countries(read[0]), *states(read[1]))
        # A grid of no emission is one that nobody counted.
        if grams > 0
    }


def main() -> None:
    """Write the file."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("wheel", type=Path)
    reader.add_argument("--from", dest="day", default=BEGINNING, help="day, UTC, of what changed")
    given = reader.parse_args()
    path = SHIPPED / GRIDS
    held = load_grids(path)[1] if path.exists() else ()
    before = {one.grid: one.versions for one in held}
    after = followed(before, factors(given.wheel, given.day), before)
    release = given.wheel.name.split("-")[1]
    header = DerivedHeader(
        version=f"{datetime.now(UTC).date()}",
        made_of=f"data in codecarbon {release}, by tools/energy/grids.py",
        license="MIT; countries CC-BY-4.0 (Ember, Our World in Data); states public domain (EPA)",
        source="https://github.com/mlco2/codecarbon",
        source_date=datetime.now(UTC).date(),
    )
    grids = [Grid(grid=name, versions=versions) for name, versions in sorted(after.items())]
    path.write_text(derived_text(header, grids), encoding="utf-8")
    print(f"{path.name}: {len(grids)} grids")


if __name__ == "__main__":
    main()
