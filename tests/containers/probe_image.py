"""Run inside our image: prints what was left out of it and whether that is missed, as JSON."""

from __future__ import annotations

import ctypes
import importlib
import json
import pkgutil
import struct
import sys
from importlib.util import cache_from_source
from pathlib import Path

PACKAGES = ("services", "schemas")
#: Runs Kafka, ClickHouse and Prometheus as processes of a laptop; no container is asked for that.
NOT_FOR_CONTAINERS = "services.local_stack."


def main() -> None:
    """Load every shared library and import every module of ours."""
    top = Path(sys.prefix)
    libraries = [path for path in top.rglob("*.so*") if path.is_file()]
    for path in libraries:
        ctypes.CDLL(str(path))
    missing = import_all()
    sources = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
    installed = [path for path in sources if path.startswith(str(top)) and path.endswith(".py")]
    found = {
        "libraries": len(libraries),
        "with_symbols": [str(path) for path in libraries if b".debug_info" in sections(path)],
        "folders_of_tests": [str(path) for path in top.rglob("tests") if path.is_dir()],
        "modules": len(installed),
        "without_bytecode": [
            path for path in installed if not Path(cache_from_source(path)).exists()
        ],
        "missing": missing,
    }
    print(json.dumps(found))


def import_all() -> dict[str, str]:
    """Import each module of ours; return what each that cannot be imported lacks."""
    missing = {}
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if module.name.endswith("__main__") or module.name.startswith(NOT_FOR_CONTAINERS):
                continue
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                missing[module.name] = str(error.name)
    return missing


def sections(path: Path) -> set[bytes]:
    """Names of the sections of a 64-bit ELF file, from its own table of them."""
    content = path.read_bytes()
    assert content[:5] == b"\x7fELF\x02", path
    (table,) = struct.unpack_from("<Q", content, 0x28)
    size, count, index_of_names = struct.unpack_from("<HHH", content, 0x3A)
    headers = [struct.unpack_from("<I20xQ", content, table + size * n) for n in range(count)]
    _, names = headers[index_of_names]
    return {content[names + name : content.index(b"\0", names + name)] for name, _ in headers}


if __name__ == "__main__":
    main()
