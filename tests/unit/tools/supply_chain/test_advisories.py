"""Which versions a document of OSV's format speaks of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.supply_chain.advisories import affects, from_folder, of
from tools.supply_chain.components import Component

THING = Component("PyPI", "a-thing", "1.5")


def document(*events: dict[str, str], versions: tuple[str, ...] = (), **fields: Any) -> Any:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}]
    package = {"ecosystem": "PyPI", "name": "A_Thing"}
    affected = [{"package": package, "ranges": ranges, "versions": list(versions)}]
    return {"id": "PYSEC-1", "affected": affected, **fields}


@pytest.mark.parametrize(
    ("version", "within"),
    [
        ("0.9", False),
        ("1.0", True),
        ("1.5", True),
        ("2.0", False),
        ("2.1rc1", False),
        ("3.1", True),
    ],
)
def test_a_range_begins_where_it_is_introduced_and_ends_where_it_is_fixed(
    version: str, within: bool
) -> None:
    found = document({"introduced": "1.0"}, {"fixed": "2.0"}, {"introduced": "3.0"})
    assert affects(Component("PyPI", "a-thing", version), found) is within


def test_the_last_affected_version_is_affected() -> None:
    found = document({"introduced": "0"}, {"last_affected": "1.5"})
    assert affects(THING, found)
    assert not affects(Component("PyPI", "a-thing", "1.5.1"), found)


def test_versions_that_are_listed_are_affected() -> None:
    assert affects(THING, document(versions=("1.4", "1.5")))
    assert not affects(THING, document(versions=("1.4",)))


def test_what_was_withdrawn_or_is_of_another_package_does_not_count() -> None:
    assert not affects(THING, document(versions=("1.5",), withdrawn="2026-01-01T00:00:00Z"))
    assert not affects(Component("PyPI", "other", "1.5"), document(versions=("1.5",)))
    assert not affects(Component("npm", "A_Thing", "1.5"), document(versions=("1.5",)))


def test_an_advisory_says_what_it_goes_by_and_what_mends_it() -> None:
    found = document(
        {"introduced": "0"}, {"fixed": "2.0"}, aliases=["CVE-1"], details="It is bad.\nMore."
    )
    advisory = of(THING, found)
    assert advisory.names == {"PYSEC-1", "CVE-1"}
    assert (advisory.summary, advisory.fixed) == ("It is bad.", ("2.0",))


def test_a_folder_of_documents_is_as_good_as_an_index(tmp_path: Path) -> None:
    (tmp_path / "vulns").mkdir()
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "flow.yaml").write_text(": no document")
    bad = document(versions=("1.5",))
    (tmp_path / "vulns" / "bad.json").write_text(json.dumps(bad))
    (tmp_path / "vulns" / "other.yaml").write_text("id: PYSEC-2\naffected: []\n")
    advisories, documents = from_folder(tmp_path, [THING])
    assert ([each.id for each in advisories], documents) == (["PYSEC-1"], 2)
    (tmp_path / "vulns" / "broken.json").write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json"):
        from_folder(tmp_path, [THING])
