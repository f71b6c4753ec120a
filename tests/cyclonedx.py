"""CycloneDX's own JSON schema, fetched from npm, for tests only.

Apache-2.0; it is neither changed nor shipped.
"""

from __future__ import annotations

import json
from typing import Any, Final

from jsonschema_rs import Registry, Validator, validator_for

from services.local_stack.cache import Report
from tests.npm_package import NpmPackage

#: The library of CycloneDX for JavaScript has the specification's schemas beside it.
CYCLONEDX: Final = NpmPackage(
    "@cyclonedx/cyclonedx-library",
    "10.3.0",
    "sha512-RIT28sp1U0PCHaaeF3yNRwk6Jig/XJ8UsYAVOMYaHQ+0VVOvsjcp0PTWQFLUqJFF"
    "8XMud+Kdq6G+wtDAh+QJFA==",
)
#: What the schema of a bill refers to, beside it.
BESIDE: Final = ("spdx", "jsf-0.82")


def bill_validator(report: Report) -> Validator:
    """What says whether a document is a bill of CycloneDX 1.6; raises `ComponentMissing`."""
    folder = CYCLONEDX.unpacked(report) / "res" / "schema"

    def read(name: str) -> Any:
        text = (folder / f"{name}.SNAPSHOT.schema.json").read_text(encoding="utf-8")
        return json.loads(text)

    # They name each other by the names under which they are published.
    bill = read("bom-1.6")
    base = bill["$id"].rpartition("/")[0]
    beside = [(f"{base}/{name}.SNAPSHOT.schema.json", read(name)) for name in BESIDE]
    return validator_for(bill, registry=Registry(beside), validate_formats=True)
