"""TypeScript's compiler and Grafana's schema, fetched from npm for tests only, and one compilation.

Both are of the licence Apache-2.0; neither is changed nor shipped.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.local_stack.cache import Report
from services.local_stack.npm import npm, npm_installed
from tests.npm_package import NpmPackage

COMPILER: Final = NpmPackage(
    "typescript",
    "5.9.3",
    "sha512-jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4"
    "bXlb1RHhLpp8wtm6M5TgSw==",
)
#: That of the Grafana which docker-compose.yml runs, and the newest.
SCHEMAS: Final = (
    NpmPackage(
        "@grafana/schema",
        "12.2.1",
        "sha512-efsWMXUgw0ScFn3VM/6vzu0Xt2r4ecPldC9nIWAz0o9vWbuSVc56AiaLobJARRxG"
        "dxBOXIH1oc0UJ0iwXVvZzA==",
    ),
    NpmPackage(
        "@grafana/schema",
        "13.2.3",
        "sha512-rk8FEO7yuFfRTK/JD39747SZFQ+iCTQbpm6Mh2OjnqGx/g/uQQFx56t64eCLXWEy"
        "oR68ru4cigcGKrXk+ozrLg==",
    ),
)
WANTED: Final = Path(__file__).with_name("dashboard.ts")


def complaints(
    folder: Path, schema: NpmPackage, dashboards: Mapping[str, tuple[str, Any]], report: Report
) -> dict[str, str]:
    """What TypeScript says against each dashboard that is not of its type; nothing where it is.

    ``dashboards`` has the type's name in dashboard.ts and the document, by a name of letters.
    Raises `ComponentMissing`.
    """
    package = schema.unpacked(report)
    modules = folder / "node_modules" / "@grafana"
    modules.mkdir(parents=True)
    (modules / "schema").symlink_to(package, target_is_directory=True)
    (folder / "dashboard.ts").write_text(WANTED.read_text(encoding="utf-8"), encoding="utf-8")
    for name, (kind, document) in dashboards.items():
        text = json.dumps(document, indent=1)
        (folder / f"{name}.ts").write_text(
            f"import type {{ {kind} }} from './dashboard';\nconst it: {kind} = {text};\nvoid it;\n"
        )
    options = {
        "module": "esnext",
        "moduleResolution": "bundler",
        "target": "es2022",
        "noEmit": True,
        "noErrorTruncation": True,
        "preserveSymlinks": True,
        "skipLibCheck": True,
        "strict": True,
        "types": [],
        "paths": {"PANEL_TYPES/*": ["./panels/*.d.ts"]},
    }
    _link_panel_types(folder / "panels", modules / "schema")
    (folder / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": options, "files": [f"{name}.ts" for name in dashboards]})
    )
    return _compile(folder, COMPILER.unpacked(report), report)


def _link_panel_types(folder: Path, package: Path) -> None:
    """Each kind of panel under its own name: what the files are called differs by version."""
    folder.mkdir()
    for kind in re.findall(r"PANEL_TYPES/(\w+)", WANTED.read_text(encoding="utf-8")):
        (found,) = package.glob(f"dist/types/raw/composable/{kind}/panelcfg/x/*types.gen.d.ts")
        target = str(found.relative_to(folder.parent)).removesuffix(".d.ts")
        (folder / f"{kind}.d.ts").write_text(f"export * from '../{target}';\n")


def _compile(folder: Path, compiler: Path, report: Report) -> dict[str, str]:
    with npm(report) as tool:
        node = "node" if npm_installed() else tool.command[0]
        done = subprocess.run(
            [node, str(compiler / "bin" / "tsc"), "--project", str(folder), "--pretty", "false"],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
    found: dict[str, str] = {}
    for said in re.split(r"\n(?=\S)", done.stdout.strip()):
        if said:
            name = said.partition(".ts(")[0]
            found[name] = f"{found.get(name, '')}{said}\n"
    assert bool(found) == (done.returncode != 0), done.stdout + done.stderr
    return found
