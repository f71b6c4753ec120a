"""Grids as they are read from a wheel: units, names, and what nobody counted."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from zipfile import ZipFile

import pytest

from tools.energy.grids import COUNTRIES, factors

STATES = "codecarbon/data/private_infra/2023/usa_emissions.json"
UNIT = {"emissions": "lbs/MWh", "regionCode": "2 digit state/region code"}


def wheel(folder: Path, unit: str = "lbs/MWh") -> Path:
    path = folder / "codecarbon-9.9.9-py3-none-any.whl"
    countries = {
        "DEU": {"carbon_intensity": 380.95, "year": 2023},
        "XXX": {"year": 2023},
        "YYY": {"carbon_intensity": 0.0, "year": 2023},
    }
    states = {
        "_unit": UNIT | {"emissions": unit},
        "_source": {"year": 2023},
        "virginia": {"emissions": 539.599, "regionCode": "VA"},
    }
    with ZipFile(path, "w") as archive:
        archive.writestr(COUNTRIES, json.dumps(countries))
        archive.writestr(STATES, json.dumps(states))
    return path


def test_countries_are_in_grams_and_states_become_so(tmp_path: Path) -> None:
    found = factors(wheel(tmp_path), "2025-01-01")
    # 539.599 lb x 453.59237 g/lb / 1000 kWh. Nobody counted the other two, which is not 0.
    assert {name: one.gco2e_per_kwh for name, one in found.items()} == {
        "DEU": Decimal("380.95"),
        "US-VA": Decimal("244.757989"),
    }
    assert found["US-VA"].source == "US EPA eGRID2023, total output CO2e rate"
    assert found["DEU"].data_year == 2023


def test_another_unit_is_not_taken_for_pounds(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="states are in kg/MWh and no longer in lbs/MWh"):
        factors(wheel(tmp_path, "kg/MWh"), "2025-01-01")
