"""`wattoken tariffs sync` and `disputes`: shown first, written only when asked to."""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.catalogue import load_catalogue
from schemas.catalogue.listed_tariffs import ListSource
from schemas.catalogue.price_list_file import FILE, load_price_lists
from services.billing.price_lists import commands
from services.billing.price_lists.commands import list_disputes, sync
from services.billing.price_lists.drawn import Reading, Skipped
from services.platform.errors import ConfigurationError
from tests.unit.services.billing.price_lists.fakes import tariff, version

TODAY = datetime.now(UTC).date()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue's folder, and two packages that disagree about one model."""
    (tmp_path / FILE).write_text("")
    monkeypatch.setenv("WATTOKEN_CATALOGUE_DIR", str(tmp_path))
    say(monkeypatch, "6")
    return tmp_path


def say(monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """Let the first package ask this price for output of a model."""
    first = (tariff("gpt-5", version(output)), tariff("gpt-5.6-luna"))
    other = tariff("gpt-5", version("9", source="litellm 1"), listed="litellm.openai")
    skipped = (Skipped("litellm", "litellm.openai", "free", "has only prices of 0"),)
    sources = [
        ListSource(source=name, version="1", license="MIT", first_seen=TODAY)
        for name in ("genai-prices", "litellm")
    ]
    readings = Reading(sources[0], first, (), ()), Reading(sources[1], (other,), (), skipped)
    monkeypatch.setattr(commands, "read_genai_prices", lambda seen: readings[0])
    monkeypatch.setattr(commands, "read_litellm", lambda seen, list_of: readings[1])


def test_nothing_is_written_before_it_is_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(write=False, whole=False, as_json=False)
    shown = capsys.readouterr()
    assert (folder / FILE).read_text() == ""
    assert "nothing is written: `wattoken tariffs sync --write`" in shown.err
    assert "openai/gpt-5: litellm.openai/gpt-5: output listed 6, said 9 (litellm 1)" in shown.out
    assert "gpt-5.6-luna before openai/gpt-5.6-luna" in shown.out
    assert "1 x has only prices of 0" in shown.out
    assert "new: 2" in shown.out


def test_what_is_written_is_loaded_and_then_there_is_nothing_to_change(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(write=True, whole=False, as_json=False)
    found = load_price_lists(folder / FILE).find("openai", "GPT-5")
    assert found is not None and found.versions == tariff("gpt-5").versions
    assert [one.name for one in folder.iterdir()] == [FILE]
    capsys.readouterr()
    written = (folder / FILE).read_bytes()
    sync(write=True, whole=False, as_json=False)
    shown = capsys.readouterr()
    assert "nothing to change" in shown.err and "dispute" not in shown.out
    assert (folder / FILE).read_bytes() == written


def test_a_price_that_changed_is_shown_and_becomes_a_version(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(write=True, whole=False, as_json=False)
    say(monkeypatch, "3")
    capsys.readouterr()
    sync(write=True, whole=False, as_json=True)
    document = json.loads(capsys.readouterr().out)
    prices = [one for one in document["changes"] if one["kind"] == "price"]
    assert [one["what"] for one in prices] == [f"from {TODAY}: output 6 -> 3"]
    found = load_price_lists(folder / FILE).find("openai", "gpt-5")
    assert found is not None and len(found.versions) == 2


def test_disputes_of_the_file_in_force_are_listed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(write=True, whole=False, as_json=False)
    capsys.readouterr()
    list_disputes(as_json=False)
    shown = capsys.readouterr().out
    assert "openai/gpt-5: litellm 1 says of litellm.openai/gpt-5: output listed 6, said 9" in shown
    assert "1 disputes about 1 tariffs" in shown
    list_disputes(as_json=True)
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["tariff"], one["differs"]) == ("openai/gpt-5", {"output": ["6", "9"]})


def test_the_shipped_lists_are_those_of_the_packages_in_the_lock() -> None:
    pytest.importorskip("genai_prices")
    if importlib.util.find_spec("litellm") is None:
        pytest.skip("litellm is not installed")
    found = commands.compare(load_catalogue(), TODAY)
    assert found.changes == ()
    assert found.before == found.after


def test_a_folder_that_cannot_be_written_to_is_an_error_that_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(ConfigurationError, match=f"cannot write .*{FILE}: Permission denied"):
        sync(write=True, whole=False, as_json=False)
