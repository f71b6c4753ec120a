"""Writes the event's JSON Schema into its file: ``python -m schemas.json_schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from schemas.usage_event import UsageEvent

JSON_SCHEMA_PATH: Final = Path(__file__).with_name("usage_event.v1.json")


def json_schema() -> str:
    """Render the JSON Schema of the event, as committed in `usage_event.v1.json`."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= UsageEvent.model_json_schema()
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    JSON_SCHEMA_PATH.write_text(json_schema(), encoding="utf-8")
