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
    others += ("services.simulator", "services.cli", "deploy", "tests", "bench")
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
        wrong = [name for name in imports(path) if name.startswith(("services", "deploy"))]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


#: Bills are values too: what is printed or asked of a database stands in other modules.
BILLS = [
    ROOT / "services/billing" / f"{name}.py"
    for name in ("statement", "statement_html", "statement_json", "tariff_check", "tariff_prices")
]


@pytest.mark.parametrize(
    "path", [*modules("services/aggregator/core"), *BILLS], ids=lambda path: path.name
)
def test_core_is_pure(path: Path) -> None:
    ours = ("schemas.", "services.aggregator.core")
    pure = PURE | {f"services.billing.{bill.stem}" for bill in BILLS}
    wrong = [name for name in imports(path) if name not in pure and not name.startswith(ours)]
    assert not wrong, f"{path.name} imports {wrong}"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in CLOCKS, f"{path.name}:{node.lineno} reads the clock"
