"""What an index says is taken as it is, within a time; what it does not say is not made up."""

from __future__ import annotations

import pytest

from tests.unit.tools.supply_chain.conftest import Index
from tools.supply_chain import osv
from tools.supply_chain.components import Component
from tools.supply_chain.osv import Client, Unreachable, within

THING = Component("PyPI", "thing", "1.0")
JAR = Component("Maven", "org.example:jar", "2.0")
GOOD = Component("PyPI", "good", "1.0")


def test_the_advisories_of_each_component(index: Index) -> None:
    index.ids = {("PyPI", "thing", "1.0"): ["B"], ("Maven", "org.example:jar", "2.0"): ["A", "B"]}
    index.documents = {"A": {"id": "A", "summary": "Bad."}, "B": {"id": "B", "aliases": ["CVE-1"]}}
    found = Client(index.url, 10).advisories([GOOD, JAR, THING])
    assert {(each.component, each.id) for each in found} == {(JAR, "A"), (JAR, "B"), (THING, "B")}
    assert {each.summary for each in found if each.id == "A"} == {"Bad."}
    assert index.asked.count("/v1/querybatch") == 1


def test_more_than_a_page_and_more_than_a_batch(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osv, "BATCH_MAX", 2)
    index.page = 1
    index.ids = {("PyPI", "thing", "1.0"): ["A", "B", "C"]}
    assert Client(index.url, 10).ids([GOOD, JAR, THING]) == {THING: ["A", "B", "C"]}


def test_an_advisory_whose_document_is_not_to_be_had_is_told_all_the_same(index: Index) -> None:
    index.ids = {("PyPI", "thing", "1.0"): ["A"]}
    (found,) = Client(index.url, 10).advisories([THING])
    assert (found.id, found.summary) == ("A", "")


def test_another_kind_of_answer_is_no_answer(index: Index) -> None:
    index.status = 500
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1.*500"):
        within(10, index.url, [THING])


@pytest.mark.parametrize(
    "answer", [{}, {"results": []}, {"results": [1]}, {"results": [{"vulns": [{}]}]}, [], "text"]
)
def test_an_index_that_speaks_otherwise_is_none(
    index: Index, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr(index, "answer", lambda path, body: answer)
    with pytest.raises(Unreachable, match="otherwise than OSV"):
        within(10, index.url, [THING])


def test_an_index_that_says_nothing_is_not_waited_for(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osv, "GRACE_SECONDS", 0.1)
    index.silent = True
    with pytest.raises(Unreachable):
        within(0.2, index.url, [THING])
    assert not index.stopped.is_set(), "it is still silent"


def test_where_nobody_listens_that_is_said() -> None:
    with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1"):
        within(10, "http://127.0.0.1:1", [THING])
