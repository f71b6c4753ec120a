"""Writes docs/licences.md, the licences of everything that comes from others.

``python -m tools.supply_chain.licences`` writes it; with ``--check`` it fails if the page is stale.
Either way it fails for a licence that is not allowed and no exception.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, Final

from services.local_stack.jar_lock import read_lock
from tools.supply_chain.components import ROOT, locks
from tools.supply_chain.spdx import ALLOWED, allowed, expression_of

PAGE: Final = ROOT / "docs/licences.md"
LOCK: Final = ROOT / "uv.lock"
OTHERS: Final = Path(__file__).with_name("third_party.toml")
#: Extras of no service and no command: for work on this repository.
TO_DEVELOP: Final = frozenset({"dev", "bench", "dashboards", "site"})
SERVICES: Final = "the services"

#: Three clauses, the last of which begins "Neither the name of".
_NEITHER: Final = "BSD-3-Clause"
#: Of packages whose metadata does not name one: read in the licence text that each brings.
READ: Final[Mapping[str, str]] = {
    "colorama": "BSD-3-Clause",  # only on Windows
    "contourpy": _NEITHER,
    "cycler": _NEITHER,
    "faust-streaming": _NEITHER,
    "httpx2-jsfetch": _NEITHER,  # only on Emscripten
    "jinja2": _NEITHER,
    "kiwisolver": _NEITHER,
    "lz4": _NEITHER,
    "matplotlib": "LicenseRef-matplotlib",
    "mode-streaming": _NEITHER,
    # Its own code (or Apache-2.0); the library in it is under its makers' permissive licences.
    "pypdfium2": _NEITHER,
    "venusian": "LicenseRef-Repoze",
}
#: Packages under a licence that is not in `ALLOWED`, and why they may be used all the same.
EXCEPTIONS: Final[Mapping[str, str]] = {
    "certifi": "MPL-2.0 covers its own files only: a list of authorities, used unchanged",
    "ecologits": "MPL-2.0 covers its own files only; tests ask it, and it is not distributed",
    "hypothesis": "MPL-2.0 covers its own files only; it runs tests and is not distributed",
    "manimgx-fonts": "OFL-1.1 covers the fonts, which bills may embed; they are used unchanged",
    "manimgx-fonts-cjk": "OFL-1.1, the same",
    "matplotlib": "the PSF's licence in its makers' name; it draws results and is not distributed",
    "pathspec": "MPL-2.0 covers its own files only; mypy needs it, and it is not distributed",
    "venusian": "a BSD licence that asks for changes to be marked; used unchanged",
}

HEAD: Final = f"""\
# Licences of others

Wattoken is under the [Apache License 2.0](../LICENSE). What it uses is listed here with the licence
that its own metadata names, and written by `make docs`; `make lint` fails if the page is not what
the locks say. Allowed are

{", ".join(sorted(ALLOWED))}.

Whatever has another licence is listed last, with the reason why it may be used.

The environments of programs that tests and benchmarks compare with or send from
(`tests/gateway-clients`, `tests/clickhouse-versions`, `bench/quix-streams`) are no part of
Wattoken, and so are Debian's packages, which each bring their own
`/usr/share/doc/PACKAGE/copyright`; they are not listed.
"""


@dataclass(frozen=True, slots=True)
class Package:
    """A Python package, the versions that the lock has for one Python or another, and for what."""

    name: str
    versions: tuple[str, ...]
    extras: frozenset[str]


def packages(lock: Mapping[str, Any]) -> list[Package]:
    """Everything that the project's extras bring, each with those that need it."""
    entries: dict[str, list[Mapping[str, Any]]] = {}
    for entry in lock["package"]:
        entries.setdefault(entry["name"], []).append(entry)
    (project,) = entries["wattoken"]
    roots = {SERVICES: project["dependencies"], **project["optional-dependencies"]}
    needed: dict[str, set[str]] = {}
    for extra, wanted in roots.items():
        for name in _closure(wanted, entries):
            needed.setdefault(name, set()).add(extra)
    found = []
    for name, extras in sorted(needed.items()):
        fetched = [entry for entry in entries[name] if "registry" in entry["source"]]
        if fetched:
            versions = tuple(sorted({entry["version"] for entry in fetched}))
            found.append(Package(name, versions, frozenset(extras)))
    return found


def _closure(
    wanted: list[Mapping[str, Any]], entries: Mapping[str, list[Mapping[str, Any]]]
) -> set[str]:
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        dependency = waiting.pop()
        name = dependency["name"]
        extras = dependency.get("extra", [])
        for entry in entries[name]:
            if name not in found:
                waiting += entry.get("dependencies", [])
            for extra in extras:
                more = entry.get("optional-dependencies", {}).get(extra, [])
                waiting += [each for each in more if each["name"] not in found]
        found.add(name)
    return found


def licence_of(package: Package, page: Mapping[str, str]) -> str | None:
    """The licence of a package: as was read, as its metadata says, else as the page has it.

    A package for another system or Python is not installed here, and of several versions it is
    this machine's Python that decides which one is: the page must be the same on all.
    """
    name = package.name
    if name in READ:
        return READ[name]
    if len(package.versions) > 1 and name in page:
        return page[name]
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return page.get(name)
    classifiers = [
        each.rpartition(" :: ")[2]
        for each in told.get_all("Classifier") or []
        if each.startswith("License :: OSI Approved :: ")
    ]
    return expression_of(told["License-Expression"], classifiers, (told["License"] or "").strip())


def licences_on(page: str) -> dict[str, str]:
    """The licences by package that a page has."""
    return dict(re.findall(r"^\| ([\w.-]+) \| [^|]+ \| ([^|]+) \|", page, re.MULTILINE))


def jars(root: Path) -> dict[str, dict[str, set[str]]]:
    """Versions of each jar of each group, over all locks."""
    found: dict[str, dict[str, set[str]]] = {}
    for lock in locks(root):
        if lock.suffix == ".lock" and lock.name != "uv.lock":
            for jar in read_lock(lock):
                found.setdefault(jar.group, {}).setdefault(jar.artifact, set()).add(jar.version)
    return found


def render(listed: list[Package], licences: Mapping[str, str], others: Mapping[str, Any]) -> str:
    """The page."""
    lines = [HEAD]
    for title, rows in (
        ("What Wattoken runs with", [each for each in listed if each.extras - TO_DEVELOP]),
        ("What only its development needs", [each for each in listed if each.extras <= TO_DEVELOP]),
    ):
        lines += [f"## {title}\n", "| package | version | licence | needed by |"]
        lines += ["| --- | --- | --- | --- |"]
        for each in rows:
            extras = sorted(each.extras, key=lambda extra: (extra != SERVICES, extra))
            needed = SERVICES if SERVICES in extras else ", ".join(f"`{name}`" for name in extras)
            version = ", ".join(each.versions)
            lines.append(f"| {each.name} | {version} | {licences[each.name]} | {needed} |")
        lines.append("")
    lines += ["## Jars\n", "Of the broker, of the versions that tests run, and of peers.\n"]
    lines += ["| group | jars and versions | licence |", "| --- | --- | --- |"]
    for group, artifacts in sorted(jars(ROOT).items()):
        licence = others["jars"].get(group, "not known")
        named = [f"{jar} {' and '.join(sorted(artifacts[jar]))}" for jar in sorted(artifacts)]
        lines.append(f"| {group} | {'; '.join(named)} | {licence} |")
    lines += ["", "## Programs\n", "| what | licence | how it is used |", "| --- | --- | --- |"]
    for program in others["program"]:
        name = f"[{program['name']}]({program['source']})"
        lines.append(f"| {name} | {program['licence']} | {program['used']} |")
    lines += [
        "",
        "## Exceptions\n",
        "| what | licence | why it may be used |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {name} | {licences[name]} | {why} |" for name, why in EXCEPTIONS.items()]
    for program in others["program"]:
        if "reason" in program:
            lines.append(f"| {program['name']} | {program['licence']} | {program['reason']} |")
    return "\n".join([*lines, ""])


def faults(
    listed: list[Package], licences: Mapping[str, str | None], others: Mapping[str, Any]
) -> Iterator[str]:
    """What is not allowed, not known or no exception any more."""
    for package in listed:
        licence = licences[package.name]
        if licence is None:
            yield f"{package.name}: its metadata names no licence; read it and add it to READ"
        elif not allowed(licence) and package.name not in EXCEPTIONS:
            yield f"{package.name}: {licence} is not allowed; do without, or say why in EXCEPTIONS"
        elif allowed(licence) and package.name in EXCEPTIONS:
            yield f"{package.name}: {licence} is allowed: remove it from EXCEPTIONS"
    names = {package.name for package in listed}
    for name in sorted({*READ, *EXCEPTIONS} - names):
        yield f"{name}: is not needed any more: remove it from READ and EXCEPTIONS"
    for group in sorted(jars(ROOT).keys() ^ others["jars"].keys()):
        yield f"{OTHERS.name}: [jars] and the locks do not both have {group}"
    for group, licence in others["jars"].items():
        if not allowed(licence):
            yield f"{OTHERS.name}: {group}: {licence} is not allowed"
    for program in others["program"]:
        if not allowed(program["licence"]) and not program.get("reason"):
            yield f"{OTHERS.name}: {program['name']}: {program['licence']} needs a reason"


def main() -> int:
    """Write the page or check it; 1 for anything wrong."""
    listed = packages(tomllib.loads(LOCK.read_text(encoding="utf-8")))
    others = tomllib.loads(OTHERS.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    licences = {each.name: licence_of(each, licences_on(page)) for each in listed}
    wrong = [f"licences: {fault}" for fault in faults(listed, licences, others)]
    fresh = render(listed, {name: text or "?" for name, text in licences.items()}, others)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != page:
        wrong.append(f"licences: {PAGE.relative_to(ROOT)} is not what the locks say: `make docs`")
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"licences: those of {len(listed)} packages and all else are allowed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
