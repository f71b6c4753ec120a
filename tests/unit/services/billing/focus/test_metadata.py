"""The metadata: each column is described, and ids stay the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

from services.billing.focus.columns import COLUMNS
from services.billing.focus.metadata import Delivery, document
from tests.unit.services.billing.focus.charges import MONTH

DELIVERY = Delivery(
    grain="day",
    period_start=MONTH.start,
    period_end=MONTH.end,
    read_at=datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC),
    complete=True,
    generator_version="0.1.0",
)


def test_each_column_is_described_as_it_is_written() -> None:
    (schema,) = json.loads(json.dumps(document(DELIVERY)))["Schema"]
    found = {one["ColumnName"]: one for one in schema["ColumnDefinition"]}
    assert list(found) == [column.name for column in COLUMNS]
    assert found["BilledCost"] == {
        "ColumnName": "BilledCost",
        "DataType": "DECIMAL",
        "NumericPrecision": 38,
        "NumberScale": 27,
    }
    assert found["ChargePeriodStart"] == {
        "ColumnName": "ChargePeriodStart",
        "DataType": "DATETIME",
    }
    assert found["SkuPriceDetails"]["DataType"] == "JSON"
    assert schema["FocusVersion"] == "1.4"


def test_ids_stay_the_same_and_tell_grains_apart() -> None:
    one, again = (
        document(replace(DELIVERY, read_at=datetime(year, 1, 1, tzinfo=UTC)))
        for year in (2026, 2027)
    )
    assert one["DatasetInstance"] == again["DatasetInstance"]
    assert one["Schema"] == again["Schema"]
    hourly = document(replace(DELIVERY, grain="hour"))
    ids = [each["DatasetInstance"][0]["DatasetInstanceId"] for each in (one, hourly)]
    assert ids[0] != ids[1]
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", each) for each in ids)
    assert one["Schema"][0]["DatasetInstanceId"] == ids[0]


def test_recency_says_as_of_when_and_whether_the_month_had_ended() -> None:
    (recency,) = document(replace(DELIVERY, complete=False))["Recency"]
    assert recency["RecencyLastUpdated"] == "2026-11-02T03:04:05Z"
    (sector,) = recency["TimeSectors"]
    assert sector["TimeSectorStart"] == "2026-10-01T00:00:00Z"
    assert sector["TimeSectorEnd"] == "2026-11-01T00:00:00Z"
    assert sector["TimeSectorComplete"] is False
