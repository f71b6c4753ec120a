"""Nothing that runs code it was given: no pickle, no eval, no unsafe YAML, no shell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.compose_file import ROOT

FOLDERS = ("services", "schemas", "clients/python/src", "tools")
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
CALLS = {"eval", "exec", "compile", "__import__"}
#: Of yaml, whatever does not say that it is safe; `load` is where its loader is.
UNSAFE_YAML = {"load_all", "unsafe_load", "full_load", "Loader", "UnsafeLoader", "FullLoader"}
SAFE_YAML = {"SafeLoader", "CSafeLoader"}
SHELLS = {("os", "system"), ("os", "popen"), ("subprocess", "getoutput")}


def faults(source: str) -> Iterator[str]:
    """Name what is forbidden in a file."""
    tree = ast.parse(source)
    safe = SAFE_YAML | {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and SAFE_YAML & {last_name(base) for base in node.bases}
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (f"import {one.name}" for one in names if root(one.name) in MODULES)
            case ast.ImportFrom(module=str(module)) if root(module) in MODULES:
                yield f"from {module}"
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield f"{name}()"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="yaml"), attr="load")):
                loaders = [*node.args[1:], *(one.value for one in node.keywords)]
                if not [one for one in loaders if last_name(one) in safe]:
                    yield "yaml.load"
            case ast.Attribute(value=ast.Name(id="yaml"), attr=name) if name in UNSAFE_YAML:
                yield f"yaml.{name}"
            case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in SHELLS:
                yield f"{module}.{name}"
            case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                yield "shell=True"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                yield "allow_pickle=True"


def last_name(node: ast.expr) -> str:
    """The name of a thing, without what it is in."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def root(module: str) -> str:
    return module.partition(".")[0]


FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_comes_from_data(path: Path) -> None:
    assert list(faults(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        *("import pickle", "from pickle import loads", "yaml.load(x)", "yaml.load(x, yaml.Loader)"),
        *("eval('1')", "import os\nos.system('ls')", "run(a, shell=True)"),
        "np.load(f, allow_pickle=True)",
    ],
)
def test_it_would_be_noticed(source: str) -> None:
    assert list(faults(source))
