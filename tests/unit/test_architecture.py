"""Who may import whom: services never each other, the core nothing that is not a value."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = (
    "ingest",
    "aggregator",
    "exporter",
    "billing",
    "audit",
    "dead_letters",
    "reconcile",
    "canary",
    "verify",
)

#: What the pure core may import: values, containers, arithmetic. No clock, environment, network,
#: log, randomness or concurrency.
CORE = {
    "__future__", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "decimal",
    "enum", "functools", "graphlib", "html", "itertools", "math", "numpy", "numpy.typing",
    "operator", "typing", "xxhash", "zoneinfo",
}  # fmt: skip
#: What anything that calls itself PURE may reach besides: encodings, hashes, codecs and models of
#: values; a lock, for what threads share; chance that is drawn from a seed; a count for a request.
PURE = CORE | {
    "base64", "calendar", "contextlib", "contextvars", "csv", "difflib", "hashlib", "heapq", "http",
    "json", "msgspec", "prometheus_client.utils", "pydantic", "pydantic_core", "random", "re",
    "struct", "threading", "urllib.parse", "zlib",
}  # fmt: skip
#: Of these only what does nothing by itself.
NAMES_OF = {"random": {"Random"}, "threading": {"Lock"}, "http": {"HTTPStatus"}}
#: A token drawn once, which no sender can guess, and nothing else.
DRAWN_ONCE = "services.ingest.unreadable"
#: Attributes of pure modules that read the clock all the same.
CLOCKS = {"now", "utcnow", "today"}
#: Calls that reach the world without an import.
EFFECTS = {"open", "print", "input"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("service", SERVICES)
def test_services_never_import_each_other(service: str) -> None:
    others = tuple(f"services.{other}" for other in SERVICES if other != service)
    others += (
        "services.simulator",
        "services.cli",
        "services.local_stack",
        "tests",
        "bench",
        "tools",
    )
    for path in modules(f"services/{service}"):
        wrong = [name for name in imports(path) if name.startswith(others)]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_who_checks_a_bill_shares_nothing_with_who_makes_it() -> None:
    ours = ("services.verify", "services.platform.errors", "services.platform.output")
    for path in modules("services/verify"):
        wrong = [
            name
            for name in imports(path)
            if name.startswith(("services", "schemas")) and not name.startswith(ours)
        ]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"
    for path in modules("services/settlement"):
        wrong = [name for name in imports(path) if name.startswith("services.verify")]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


#: What services stand on, and what of it each room may know.
GROUND = {"platform": ("services.platform",), "serving": ("services.platform", "services.serving")}


@pytest.mark.parametrize("room", GROUND)
def test_what_services_stand_on_knows_no_service(room: str) -> None:
    for path in modules(f"services/{room}"):
        wrong = [
            name
            for name in imports(path)
            if name.startswith("services.") and not name.startswith(GROUND[room])
        ]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_schemas_import_nothing_of_ours() -> None:
    for path in modules("schemas"):
        wrong = [name for name in imports(path) if name.startswith(("services", "tools"))]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


#: Prices are values too: what is printed or asked of a database stands in other modules.
BILLS = [
    ROOT / "services/billing" / f"{name}.py"
    for name in (
        *("tariff_check", "tariff_prices", "class_check", "currency_check"),
        *("price_list_check", "stored_price_lists"),
        *("explanation", "explanation_text", "findings"),
    )
]
#: What makes columns of bytes; the rest of that wing is processes and pipes.
READING = [
    ROOT / "services/aggregator/decoding" / f"{name}.py"
    for name in ("canonical", "columns", "gateways", "labels", "phrases")
]


@pytest.mark.parametrize(
    "path",
    [
        *modules("services/aggregator/core"),
        *modules("services/aggregator/arrays"),
        *READING,
        *BILLS,
    ],
    ids=lambda path: path.name,
)
def test_core_is_pure(path: Path) -> None:
    ours = (
        "schemas.",
        *(f"services.aggregator.{wing}." for wing in ("arrays", "core", "decoding")),
    )
    pure = CORE | {f"services.billing.{bill.stem}" for bill in BILLS}
    wrong = [name for name in imports(path) if name not in pure and not name.startswith(ours)]
    assert not wrong, f"{path.name} imports {wrong}"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in CLOCKS, f"{path.name}:{node.lineno} reads the clock"


#: The wings of the aggregator, each below those after it: no arrow goes up. What lies at its root
#: ties them together; of that they may know only what has no ties itself.
WINGS = ("arrays", "decoding", "core", "kafka", "storage", "succession")
LEAVES = {"errors", "metrics", "settings"}


@pytest.mark.parametrize("wing", WINGS)
def test_no_wing_knows_one_above_it(wing: str) -> None:
    below = WINGS[: WINGS.index(wing) + 1]
    root = "services.aggregator."
    for path in modules(f"services/aggregator/{wing}"):
        wrong = [
            name
            for name in imports(path)
            if name.startswith(root)
            and name.removeprefix(root).partition(".")[0] not in {*below, *LEAVES}
        ]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_nothing_imports_what_imports_it() -> None:
    """No circle among all modules of ours, those of type checkers alone included."""
    paths = {name_of(path): path for path in (*modules("services"), *modules("schemas"))}
    arrows = {
        name: {found for found in imports(path) if found in paths and found != name}
        for name, path in paths.items()
    }
    left = dict(arrows)
    while free := [name for name, known in left.items() if not known & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"in or above a circle: {sorted(left)}"


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def says_pure(path: Path) -> bool:
    return "PURE" in (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")


#: Modules of ours by name, and what each imports when it runs.
OURS = {name_of(path): path for path in (*modules("services"), *modules("schemas"))}


def at_run_time(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Name what is imported, and of what is named in `NAMES_OF` what of it, as MODULE:NAME."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in OURS:
                    yield inner
                else:
                    named = NAMES_OF.get(node.module, {alias.name})
                    yield node.module if alias.name in named else f"{node.module}:{alias.name}"
        yield from at_run_time(ast.iter_child_nodes(node))


@cache
def imported_by(module: str) -> frozenset[str]:
    return frozenset(at_run_time(ast.parse(OURS[module].read_text(encoding="utf-8")).body))


def reached(name: str) -> dict[str, str]:
    """All that a module reaches through ours, and from which of them."""
    found: dict[str, str] = {}
    left = [name]
    while left:
        module = left.pop()
        for other in imported_by(module):
            if other not in found and other != DRAWN_ONCE:
                found[other] = module
                if other in OURS:
                    left.append(other)
    return found


@pytest.mark.parametrize("name", [name for name, path in OURS.items() if says_pure(path)])
def test_what_says_pure_reaches_nothing_that_is_not(name: str) -> None:
    found = reached(name)
    wrong = {
        other: module
        for other, module in found.items()
        if other not in PURE
        and other not in OURS
        or other in NAMES_OF
        and f"import {other}" in OURS[module].read_text(encoding="utf-8")
    }
    assert not wrong, f"{name} says PURE and reaches {wrong}"
    for node in ast.walk(ast.parse(OURS[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in EFFECTS, f"{name}:{node.lineno} calls {node.func.id}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in CLOCKS, f"{name}:{node.lineno} reads the clock"


def test_pure_is_said_of_whole_modules_first_of_all() -> None:
    for path in OURS.values():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            at = f"{path.relative_to(ROOT)}:{number}"
            assert "PURE" not in line or line.startswith('"""PURE'), f"{at}: say it at the start"
            assert ". Pure." not in line, f"{at}: PURE is said of whole modules"
