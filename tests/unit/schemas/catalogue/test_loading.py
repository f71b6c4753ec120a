"""The shipped files load and hold what the simulator needs; a folder of one's own replaces any."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.catalogue import CatalogueError, load_catalogue
from schemas.catalogue.files import SHIPPED
from services.simulator.profiles import MODELS, REGIONS


def test_the_shipped_catalogue_knows_the_simulators_regions_and_models() -> None:
    catalogue = load_catalogue()
    zones = {one.region: one.time_zone for one in catalogue.regions.regions}
    assert zones == {region.name: region.zone for region in REGIONS}
    unknown = {one.model for one in MODELS if catalogue.model_of(one.model) is None}
    assert unknown == {"others"}


def test_makers_that_lead_the_market_are_known_by_their_origin() -> None:
    catalogue = load_catalogue()
    origins = {entry.author: entry.origin for entry in catalogue.models.models}
    china = ["DeepSeek", "Tencent", "Xiaomi", "Z.ai", "MiniMax", "Moonshot", "StepFun", "Qwen"]
    america = ["OpenAI", "Google", "Anthropic", "Nvidia", "xAI", "Meta"]
    assert {origins[name] for name in china} == {"CN"}
    assert {origins[name] for name in america} == {"US"}
    assert (origins["Mistral"], origins["Cohere"]) == ("FR", "CA")


def test_prices_are_the_digits_of_the_file() -> None:
    (deepseek,) = (
        one for one in load_catalogue().tariffs.tariffs if one.tariff == "deepseek-flash"
    )
    price = deepseek.versions[0].prices["peak"].price("cache_read")
    assert price == Decimal("0.006")
    assert isinstance(price, Decimal)


def test_a_folder_replaces_the_files_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "regions.yaml").write_text("version: mine\nregions: []\n")
    catalogue = load_catalogue(tmp_path)
    assert catalogue.regions.version == "mine"
    assert catalogue.tariffs == load_catalogue().tariffs


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("version: [", "cannot read"),
        ("version: x\nregions: [{region: r}]\n", "regions.0.source: Field required"),
        ("version: x\nregions: []\nmore: 1\n", "more: Extra inputs"),
        ("version: x\nregions: [{since: 2026-02-30}]\n", "cannot read"),
        ("!!python/object/apply:os.system [ls]", "cannot read"),
        ("", "valid dictionary"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "regions.yaml").write_text(text)
    with pytest.raises(CatalogueError, match=r"regions\.yaml") as caught:
        load_catalogue(tmp_path)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tou.yaml").write_text("version: x\ncalendars: []\n")
    with pytest.raises(CatalogueError, match="no calendar deepseek-peak"):
        load_catalogue(tmp_path)
    shutil.copy(SHIPPED / "tou.yaml", tmp_path)
    tariffs = (SHIPPED / "tariffs.yaml").read_text().replace("peak:", "noon:")
    (tmp_path / "tariffs.yaml").write_text(tariffs)
    with pytest.raises(CatalogueError, match="no period"):
        load_catalogue(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no folder"):
        load_catalogue(tmp_path / "nowhere")
