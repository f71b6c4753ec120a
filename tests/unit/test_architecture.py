"""Who may import whom: services never each other, the core nothing that is not a value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("ingest", "aggregator", "exporter", "billing", "audit")

#: What the pure core may import: values, containers, arithmetic. No clock, environment, network,
#: log, randomness or concurrency.
PURE = {
    "__future__", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "decimal",
    "enum", "functools", "html", "itertools", "math", "numpy", "numpy.typing", "operator", "typing",
    "xxhash", "zoneinfo",
}  # fmt: skip
#: Attributes of pure modules that read the clock all the same.
CLOCKS = {"now", "utcnow", "today"}


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


def test_platform_knows_no_service() -> None:
    for path in modules("services/platform"):
        wrong = [
            name
            for name in imports(path)
            if name.startswith("services.") and not name.startswith("services.platform")
        ]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_schemas_import_nothing_of_ours() -> None:
    for path in modules("schemas"):
        wrong = [name for name in imports(path) if name.startswith(("services", "tools"))]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


#: Bills are values too: what is printed or asked of a database stands in other modules.
BILLS = [
    ROOT / "services/billing" / f"{name}.py"
    for name in ("statement", "statement_html", "statement_json", "tariff_check", "tariff_prices")
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
    pure = PURE | {f"services.billing.{bill.stem}" for bill in BILLS}
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
