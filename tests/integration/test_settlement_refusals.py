"""What a settlement refuses, and says: cuts, orders, times, two at once, changed tables."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.metering_rules import DAY_MS
from services.settlement import freeze
from services.settlement.store import write_bill
from tests.integration.settlement_world import (
    END_MS,
    LOG,
    PERIOD,
    Meter,
    at,
    fresh,
    make_key,
    wattoken,
)
from tests.property.world import event
from tests.versions.database import Database, DatabaseFactory


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("key"))[0]


@pytest.fixture
def database(databases: DatabaseFactory, tmp_path: Path) -> Database:
    return fresh(databases, tmp_path / "catalogue", "refusals")


@pytest.fixture
def meter(database: Database) -> Iterator[Meter]:
    found = Meter(database)
    found.meter(0, [event(n, at(1 + n, 9), 1_000) for n in range(8)], END_MS)
    found.meter(1, [event(100 + n, at(1 + n, 9), 1_000) for n in range(5)], END_MS)
    yield found
    found.sink.close()


def refused(database: Database, *arguments: str | Path, key: Path | None = None) -> str:
    done = wattoken(database, "settle", *arguments, key=key)
    assert done.code == 1, done.stdout
    return done.stderr


def settled(database: Database, run: str, key: Path, *more: str | Path) -> dict[str, Any]:
    done = wattoken(database, "settle", PERIOD, "--run", run, "--json", *more, key=key)
    assert done.code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_offset_vector_must_be_reached_whole_and_not_passed(
    database: Database, meter: Meter, key: Path, tmp_path: Path
) -> None:
    file = tmp_path / "offsets.json"

    def asked(offsets: object) -> str:
        file.write_text(json.dumps(offsets))
        return refused(database, PERIOD, "--run", "SF", "--offsets", file, key=key)

    assert "metered up to offset 8, and not yet to 9: wait" in asked({LOG.name: {"0": 9, "1": 5}})
    assert "beyond offset 7" in asked({LOG.name: {"0": 7, "1": 5}})
    assert "is metered and not in the offset vector" in asked({LOG.name: {"0": 8}})
    assert "was never metered here" in asked({LOG.name: {"0": 8, "1": 5, "2": 0}})
    nones: tuple[object, ...] = (
        {LOG.name: {"0": "8"}},
        {LOG.name: [8, 5]},
        {LOG.name: {"x": 1}},
        7,
        [1],
        [{}],
    )
    for none in nones:
        assert "holds no offset vector" in asked(none)
    # What comes of other months goes on; the vector is still what this month is made of.
    meter.meter(0, [event(300, END_MS + DAY_MS, 5)], END_MS + DAY_MS)
    file.write_text(json.dumps({LOG.name: {"0": 8, "1": 5}}))
    found = settled(database, "SF", key, "--offsets", file)
    assert found["offsets"] == {LOG.name: {"0": 8, "1": 5}}
    assert settled(database, "SF", key) == found
    file.write_text(json.dumps({LOG.name: {"0": 9, "1": 5}}))
    assert "a run is made once" in refused(
        database, PERIOD, "--run", "SF", "--offsets", file, key=key
    )


def test_runs_are_made_in_their_order_and_in_time(
    database: Database, meter: Meter, key: Path
) -> None:
    assert "R1 of 2026-09 follows SF" in refused(database, PERIOD, "--run", "R1", key=key)
    assert "is no run: give one of SF, R1" in refused(database, PERIOD, "--run", "DF", key=key)
    assert "is no billing period" in refused(database, "2026-9", "--run", "SF", key=key)
    assert "can be settled from" in refused(database, "2999-01", "--run", "SF", key=key)
    assert "older than the 400 days" in refused(database, "2024-01", "--run", "SF", key=key)
    assert "nobody was metered in 2026-08" in refused(database, "2026-08", "--run", "SF", key=key)
    for run in ("SF", "R1", "R2", "R3", "RF"):
        assert settled(database, run.lower(), key)["run"] == run
    with database.connect() as client:
        assert client.query("SELECT max(size) FROM settlement_runs").result_rows == [(10,)]


def test_a_run_needs_a_key_and_says_how_to_make_one(
    database: Database, meter: Meter, key: Path, tmp_path: Path
) -> None:
    assert "openssl genpkey -algorithm ed25519" in refused(database, PERIOD, "--run", "SF")
    assert "cannot read" in refused(database, PERIOD, "--run", "SF", key=tmp_path / "none")
    torn = tmp_path / "torn.pem"
    torn.write_text(f"-----BEGIN {'PRIVATE'} KEY-----\nmade-up\n")
    said = refused(database, PERIOD, "--run", "SF", key=torn)
    assert "holds no private key" in said and "made-up" not in said
    settled(database, "SF", key)
    assert wattoken(database, "settle", PERIOD, "--run", "SF").code == 0, "it was made"


def test_a_flush_that_is_half_done_is_waited_for(
    database: Database, meter: Meter, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are there and their checkpoint is not: a cut in between would be no cut."""
    meter.read(0, [event(500, at(4, 9), 1_234_567)], END_MS + DAY_MS)
    checkpoint = meter.write_rows()
    paused = threading.Event()

    def pause(seconds: float) -> None:
        paused.set()
        checkpoint()

    monkeypatch.setattr("services.settlement.freeze.time.sleep", pause)
    found = settled(database, "SF", key)
    assert paused.is_set()
    assert found["offsets"][LOG.name] == {"0": 9, "1": 5}
    bill = json.loads(
        wattoken(database, "settle", PERIOD, "--run", "SF", "--tenant", "tenant-0").stdout
    )
    assert any(
        charge["quantity"] == "1234567"
        for reading in bill["readings"]
        for charge in reading["body"]["charges"]
    )


def test_a_month_that_never_holds_still_is_not_settled(
    database: Database, meter: Meter, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter.read(0, [event(500, at(4, 9), 1_234_567)], END_MS + DAY_MS)
    meter.write_rows()
    monkeypatch.setattr("services.settlement.freeze.time.sleep", lambda seconds: None)
    assert "does not hold still" in refused(database, PERIOD, "--run", "SF", key=key)
    with database.connect() as client:
        assert client.query("SELECT count() FROM settlement_bills").result_rows == [(0,)]


def test_what_moves_while_bills_are_written_stops_it_and_leaves_no_run(
    database: Database, meter: Meter, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_bill

    def late(client: Any, row: Any) -> None:
        written(client, row)
        if row[2] == "tenant-0":
            meter.meter(1, [event(501, at(4, 9), 7)], END_MS + DAY_MS)

    monkeypatch.setattr(freeze, "TENANTS_AT_ONCE", 1)
    monkeypatch.setattr(freeze, "write_bill", late)
    assert "moved while its bills were written" in refused(database, PERIOD, "--run", "SF", key=key)
    monkeypatch.setattr(freeze, "write_bill", written)
    # What was left is no bill of the run that is made next.
    found = settled(database, "SF", key)
    assert [*found["bills"]] == ["tenant-0", "tenant-1"]
    assert found["log"]["size"] == 2


def test_only_one_settles_at_a_time(database: Database, meter: Meter, key: Path) -> None:
    with database.connect() as client:
        client.command("CREATE TABLE settlement_lock (x UInt8) ENGINE = Memory COMMENT 'taken now'")
        said = refused(database, PERIOD, "--run", "SF", key=key)
        assert "another `wattoken settle` is at work, taken now" in said
        assert f"DROP TABLE {database.name}.settlement_lock" in said
        client.command("DROP TABLE settlement_lock SYNC")
    settled(database, "SF", key)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "ALTER TABLE settlement_bills UPDATE bill = replaceAll(bill, '1000', '2000')"
            " WHERE tenant = 'tenant-0' SETTINGS mutations_sync = 1",
            "is not the one that was settled",
        ),
        (
            "ALTER TABLE settlement_bills DELETE WHERE tenant = 'tenant-0'"
            " SETTINGS mutations_sync = 1",
            "are not those that were settled",
        ),
        (
            "ALTER TABLE settlement_bills UPDATE leaf = reverse(leaf) WHERE tenant = 'tenant-0'"
            " SETTINGS mutations_sync = 1",
            "the Merkle log",
        ),
        ("INSERT INTO settlement_runs SELECT * FROM settlement_runs", "settlement_runs twice"),
    ],
)
def test_tables_that_were_changed_are_not_gone_on_from(
    database: Database, meter: Meter, key: Path, change: str, said: str
) -> None:
    settled(database, "SF", key)
    with database.connect() as client:
        client.command(change)
    if said == "the Merkle log":
        assert said in refused(database, PERIOD, "--run", "R1", key=key)
    else:
        assert said in refused(database, PERIOD, "--run", "SF", "--tenant", "tenant-0")


def test_a_database_that_went_back_settles_no_later_run(
    database: Database, meter: Meter, key: Path
) -> None:
    settled(database, "SF", key)
    with database.connect() as client:
        client.command("TRUNCATE TABLE checkpoints")
        client.command(
            "INSERT INTO checkpoints (log, partition, next_offset)"
            f" VALUES ('{LOG.name}', 0, 8), ('{LOG.name}', 1, 4)"
        )
    assert "it was restored from a backup" in refused(database, PERIOD, "--run", "R1", key=key)
