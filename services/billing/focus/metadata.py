"""PURE. The FOCUS metadata that goes with a dataset: who made it, its columns, how recent it is.

FOCUS wants them apart from the data (metadata objects DataGenerator, DatasetInstance, Schema and
Recency); here they are one file beside it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.billing.focus.columns import COLUMNS, DATASET_ID, FOCUS_VERSION, PRECISION, Column

_TYPES: Final = {
    "string": "STRING",
    "json": "JSON",
    "datetime": "DATETIME",
    "decimal": "DECIMAL",
    "integer": "INTEGER",
}
INTEGER_DIGITS: Final = 10
#: When these columns came to be what they are: it changes with them.
SCHEMA_CREATED: Final = "2026-11-26T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a file is of: charge periods of this grain, of one month, as of one time.

    ``complete``: the month had ended when it was read.
    """

    grain: str
    period_start: datetime
    period_end: datetime
    read_at: datetime
    complete: bool
    generator_version: str


def document(delivery: Delivery) -> dict[str, Any]:
    """The metadata as JSON has it."""
    name = {"hour": "Cost and Usage Hourly", "day": "Cost and Usage Daily"}[delivery.grain]
    instance = _guid(name)
    return {
        "DataGenerator": {"DataGenerator": "Wattoken"},
        "DatasetInstance": [
            {
                "DatasetInstanceId": instance,
                "DatasetInstanceName": name,
                "FocusDatasetId": DATASET_ID,
            }
        ],
        "Schema": [
            {
                "SchemaId": _guid(repr(COLUMNS)),
                "FocusVersion": FOCUS_VERSION,
                "CreationDate": SCHEMA_CREATED,
                "DataGeneratorVersion": delivery.generator_version,
                "DatasetInstanceId": instance,
                "ColumnDefinition": [_definition(column) for column in COLUMNS],
            }
        ],
        "Recency": [
            {
                "DatasetInstanceId": instance,
                "RecencyLastUpdated": _time(delivery.read_at),
                "TimeSectors": [
                    {
                        "TimeSectorStart": _time(delivery.period_start),
                        "TimeSectorEnd": _time(delivery.period_end),
                        "TimeSectorComplete": delivery.complete,
                        "TimeSectorLastUpdated": _time(delivery.read_at),
                    }
                ],
            }
        ],
    }


def _definition(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"ColumnName": column.name, "DataType": _TYPES[column.kind]}
    if column.kind == "decimal":
        found |= {"NumericPrecision": PRECISION, "NumberScale": column.scale}
    elif column.kind == "integer":
        found |= {"NumericPrecision": INTEGER_DIGITS, "NumberScale": 0}
    elif column.kind in ("string", "json"):
        found["StringEncoding"] = "UTF-8"
    return found


def _guid(text: str) -> str:
    """An id in the form of a GUID, the same for the same text."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    return "-".join(
        (digits[:8], digits[8:12], f"8{digits[13:16]}", f"8{digits[17:20]}", digits[20:32])
    )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
