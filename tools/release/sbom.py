"""PURE: bills of materials in CycloneDX 1.6: what a release, and its image, is made of.

The same release gives the same bytes: the serial number follows from what is told, and the time
is that of the release's commit.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tools.release.lock_graph import Graph, Package

SPEC: Final = "1.6"
#: An SPDX id; whatever else a licence says is an expression.
_ID: Final = re.compile(r"[A-Za-z0-9.+-]+")


@dataclass(frozen=True, slots=True)
class Subject:
    """What the bill is of; ``kind`` as CycloneDX has them: application or container."""

    kind: str
    name: str
    version: str
    revision: str
    repository: str
    #: RFC 3339 in UTC.
    at: str


@dataclass(frozen=True, slots=True)
class Other:
    """What is in it and in no lock of Python: files of an npm package, a base image."""

    kind: str
    name: str
    version: str
    purl: str
    licence: str | None = None
    #: Whether what it is made of itself is told nowhere here.
    opaque: bool = False


def bill(
    subject: Subject, graph: Graph, others: Iterable[Other], licences: Mapping[str, str]
) -> dict[str, Any]:
    """The document; ``licences`` has SPDX expressions by a package's name."""
    others = list(others)
    packages = sorted(
        (each for each in graph.packages.values() if each is not graph.project),
        key=lambda each: each.key,
    )
    # Its own code comes from here, and from no registry.
    own = pypi(graph.project.name, graph.project.version)
    components = [component(each, licences.get(each.name)) for each in packages]
    components += [other_component(each) for each in others]
    needs = {
        (own if each is graph.project else purl(each)): sorted(pypi(*key) for key in each.needs)
        for each in graph.packages.values()
    }
    needs[own] = sorted([*needs[own], *(each.purl for each in others)])
    document: dict[str, Any] = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": metadata(subject, own),
        "components": components,
        "dependencies": [
            {"ref": ref, "dependsOn": needed} if needed else {"ref": ref}
            for ref, needed in sorted({**{each.purl: [] for each in others}, **needs}.items())
        ],
        "compositions": compositions(own, others),
    }
    digest = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return {**document, "serialNumber": f"urn:uuid:{digest}"}


def metadata(subject: Subject, ref: str) -> dict[str, Any]:
    """Whose bill it is, of when, and by what."""
    return {
        "timestamp": subject.at,
        "lifecycles": [{"phase": "build"}],
        "tools": {
            "components": [
                {"type": "application", "name": "tools.release", "version": subject.version}
            ]
        },
        "component": {
            "type": subject.kind,
            "bom-ref": ref,
            "name": subject.name,
            "version": subject.version,
            "licenses": [{"license": {"id": "Apache-2.0"}}],
            "purl": ref,
            "externalReferences": [{"type": "vcs", "url": subject.repository}],
            "properties": [{"name": "wattoken:revision", "value": subject.revision}],
        },
    }


def component(package: Package, licence: str | None) -> dict[str, Any]:
    """A Python package, with each file that it may be fetched as."""
    told: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        **licence_of(licence),
        "purl": purl(package),
    }
    if package.files:
        told["externalReferences"] = [
            {
                "type": "distribution",
                "url": each.url,
                "hashes": [{"alg": "SHA-256", "content": each.sha256}],
            }
            for each in package.files
        ]
    return told


def other_component(other: Other) -> dict[str, Any]:
    """What is no Python package."""
    return {
        "type": other.kind,
        "bom-ref": other.purl,
        "name": other.name,
        "version": other.version,
        **licence_of(other.licence),
        "purl": other.purl,
    }


def licence_of(expression: str | None) -> dict[str, Any]:
    """How a component tells its licence; nothing where that is not known."""
    if expression is None:
        return {}
    if _ID.fullmatch(expression) and not expression.startswith("LicenseRef-"):
        return {"licenses": [{"license": {"id": expression}}]}
    return {"licenses": [{"expression": expression}]}


def compositions(own: str, others: Iterable[Other]) -> list[dict[str, Any]]:
    """Of what all is told, and of what it is not."""
    opaque = [each.purl for each in others if each.opaque]
    told: list[dict[str, Any]] = [{"aggregate": "complete", "dependencies": [own]}]
    if opaque:
        told.append({"aggregate": "unknown", "dependencies": opaque})
    return told


def purl(package: Package) -> str:
    """Its package URL."""
    return pypi(*package.key)


def pypi(name: str, version: str) -> str:
    """Package URL of a Python package; names in uv.lock are normalized already."""
    return f"pkg:pypi/{name}@{version}"
