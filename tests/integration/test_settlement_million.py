"""After a million late events and a re-rate, nothing of two runs' difference is unexplained."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.metering_rules import DAY_MS
from services.verify.bill import verify
from services.verify.ed25519 import is_signed
from tests.integration.settlement_world import (
    END_MS,
    PERIOD,
    START_MS,
    Meter,
    at,
    fresh,
    make_key,
    reprice,
    wattoken,
)
from tests.property.world import event
from tests.versions.database import DatabaseFactory

LATE: int = 1_000_000
BATCH: int = 20_000
GATEWAYS = ("gw-berlin", "gw-paris", "gw-oslo", "gw-roma")


@pytest.mark.nightly
@pytest.mark.timeout(3_000)
def test_a_million_late_events_and_a_re_rate_are_explained(
    databases: DatabaseFactory, tmp_path: Path
) -> None:
    key, _ = make_key(tmp_path)
    database = fresh(databases, tmp_path / "catalogue", "million")
    meter = Meter(database)
    drawn = random.Random(18)
    meter.meter(
        0,
        [event(n, at(1 + n % 30, n % 24), 1 + drawn.randrange(9_000)) for n in range(3_000)],
        END_MS,
    )
    assert wattoken(database, "settle", PERIOD, "--run", "SF", key=key).code == 0
    late: Counter[tuple[str, str, str]] = Counter()
    credited: Counter[str] = Counter()
    identity = 1_000_000
    for first in range(0, LATE, BATCH):
        values = []
        for number in range(first, first + BATCH):
            identity += 1
            time_ms = START_MS + drawn.randrange(30 * DAY_MS)
            tokens, out = drawn.randrange(1, 5_000), drawn.randrange(600)
            gateway = GATEWAYS[number % len(GATEWAYS)]
            tenant = f"tenant-{identity % 2}"
            if number % 1_000 == 999:
                more = {"entry": "credit", "adjusts": "id-1", "reason": "broke off"}
                values.append(
                    event(identity, time_ms, tokens, output_tokens=out, source=gateway, **more)
                )
                credited[tenant] += tokens + out
                continue
            values.append(event(identity, time_ms, tokens, output_tokens=out, source=gateway))
            day = datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()
            late[tenant, gateway, day] += tokens + out
        meter.read(first // BATCH % 2, values, END_MS + 2 * DAY_MS + first)
        meter.flush()
    reprice(database, output=7, demand="0.4")
    assert wattoken(database, "settle", PERIOD, "--run", "R1", key=key).code == 0
    done = wattoken(database, "compare-runs", PERIOD, "SF", "R1", "--json")
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["explained"]
    told: Counter[tuple[str, str, str]] = Counter()
    told_credits: Counter[str] = Counter()
    for tenant in found["tenants"]:
        assert tenant["unexplained"] == {}
        causes = [
            (line, cause)
            for line in tenant["lines"]
            for cause in line["causes"]
            if line["line"] == "charges"
        ]
        for line, cause in causes:
            assert line["unexplained"] == {"quantity": "0", "amounts": {}}
            if cause["cause"] == "late events":
                told[tenant["tenant"], cause["who"], cause["day"]] += int(cause["quantity"])
            elif cause["cause"] == "adjustment":
                told_credits[tenant["tenant"]] += int(cause["quantity"])
        assert any(cause["cause"] == "price" for _, cause in causes)
        of_causes = sum(
            (Decimal(one["amounts"].get("USD", 0)) for one in tenant["causes"].values()), Decimal(0)
        )
        assert of_causes == Decimal(tenant["difference"]["USD"]) != 0
    assert (told, told_credits) == (late, credited)
    for tenant in ("tenant-0", "tenant-1"):
        bill = wattoken(database, "settle", PERIOD, "--run", "R1", "--tenant", tenant).stdout
        proven = verify(bill, is_signed)
        new = {one["tenant"]: one["new"] for one in found["tenants"]}[tenant]
        assert {name: Decimal(amount) for name, amount in new.items()} == dict(proven.totals)
    with database.connect() as client:
        (count,) = client.query("SELECT count() FROM belated_events FINAL").result_rows[0]
    assert count == LATE - LATE // 1_000
