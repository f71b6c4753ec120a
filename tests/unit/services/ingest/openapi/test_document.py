"""The document names every path that is served, and nothing it points to is missing."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from schemas.price_class import SERVICE_TIERS
from services.ingest.app import create_app
from services.ingest.errors import RequestError
from services.ingest.keys.ring import KeyRing
from services.ingest.metrics import PATHS
from services.ingest.openapi import document
from services.ingest.settings import IngestSettings

DOCUMENT = document("1.2.3")
TAKING = [path for path, operations in DOCUMENT["paths"].items() if "post" in operations]
OTLP = ("/v1/traces", "/v1/logs")


def test_it_names_every_path_and_no_other() -> None:
    assert set(DOCUMENT["paths"]) == PATHS
    app: Any = create_app(IngestSettings(kafka_bootstrap_servers="127.0.0.1:1"), KeyRing([], b""))
    served = {
        (route.path, method.lower())
        for route in app._app.routes
        for method in route.methods - {"HEAD"}
    }
    named = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert named == served
    assert set(app._handlers) == set(TAKING)


@pytest.mark.parametrize("path", TAKING)
def test_every_refusal_is_an_answer_of_every_path_that_takes_events(path: str) -> None:
    answers = DOCUMENT["paths"][path]["post"]["responses"]
    refusals = {str(kind.status) for kind in RequestError.__subclasses__()}
    assert refusals - set(answers) == ({"408"} if path in OTLP else set())
    assert {status for status in answers if "headers" in answers[status]} == {"429", "503"}


def test_every_reference_leads_somewhere() -> None:
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))
    assert names == set(DOCUMENT["components"]["schemas"])


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_schema_is_one(name: str) -> None:
    schema = {**DOCUMENT["components"]["schemas"][name], "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(schema)


def test_an_event_without_what_its_key_says_fits_its_schema() -> None:
    event = {"id": "a", "source": "gw", "time": "2026-03-15T12:00:00Z", "model": "m"}
    event |= {"input_tokens": 1, "output_tokens": 2}  # type: ignore[dict-item]
    validator = jsonschema_rs.Draft202012Validator(DOCUMENT["components"]["schemas"]["Event"])
    assert validator.is_valid(event)
    assert not validator.is_valid(event | {"extra": 1})
    assert not validator.is_valid({name: value for name, value in event.items() if name != "id"})


def test_a_tier_beside_usage_may_be_in_the_providers_word() -> None:
    event = {"id": "a", "source": "gw", "time": "2026-03-15T12:00:00Z", "model": "m"}
    event |= {"usage": {"input_tokens": 1}, "usage_format": "openai_responses"}  # type: ignore[dict-item]
    schema = DOCUMENT["components"]["schemas"]["Event"]
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert validator.is_valid(event | {"service_tier": "on_demand", "web_searches": 1})
    assert not validator.is_valid(event | {"service_tier": 1})
    for tier in SERVICE_TIERS:
        assert tier in schema["properties"]["service_tier"]["description"]
