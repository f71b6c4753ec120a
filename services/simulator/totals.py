"""What the meter must show, computed from the ledger alone.

In SQL over the ledger and with nothing of the aggregator's: a mistake there cannot hide here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.simulator.expected import (
    COLUMNS,
    UNITS,
    Bounds,
    LedgerTotals,
    Rows,
    Thresholds,
    ViewShape,
)
from services.simulator.ledger import POISON_TAKEN, Ledger, Outcome
from services.simulator.reading import METERED

_TOTALS_SQL: Final = """
    sum(entry = 'usage'),
    sum(entry = 'usage' AND status = 'error'),
    sum(CASE entry WHEN 'usage' THEN input_tokens ELSE 0 END),
    sum(CASE entry WHEN 'usage' THEN ifnull(cache_read_input_tokens, 0) ELSE 0 END),
    sum(CASE entry WHEN 'usage' THEN ifnull(cache_write_input_tokens, 0) ELSE 0 END),
    sum(CASE entry WHEN 'usage' THEN output_tokens ELSE 0 END),
    sum(CASE entry WHEN 'usage' THEN ifnull(reasoning_output_tokens, 0) ELSE 0 END),
    sum(CASE WHEN entry = 'usage' AND quality = 'estimated'
        THEN input_tokens + output_tokens ELSE 0 END),
    sum(CASE entry WHEN 'debit' THEN input_tokens + output_tokens ELSE 0 END),
    sum(CASE entry WHEN 'credit' THEN input_tokens + output_tokens ELSE 0 END)
"""

# What a reading says of one unit, as rows of their own; nothing and 0 are none.
_UNIT_SQL: Final = "SELECT *, '{unit}' AS unit, {unit} AS quantity FROM readings WHERE {unit} > 0"

# One row an identity. A reading without any answer was perhaps sent: its writer died before.
# What was only refused or not taken is not on the log, so it is not in here.
_FATES_SQL: Final = f"""
CREATE TEMP TABLE fates AS
WITH copies AS (
    SELECT
        seq,
        sum(outcome = {Outcome.ACKNOWLEDGED:d}) AS copies_acknowledged,
        sum(outcome = {Outcome.UNKNOWN:d}) AS copies_unknown,
        min(CASE WHEN outcome IN ({Outcome.ACKNOWLEDGED:d}, {Outcome.UNKNOWN:d})
            THEN sent_ms END) AS first_sent_ms,
        min(CASE WHEN outcome = {Outcome.ACKNOWLEDGED:d} THEN answered_ms END) AS first_answered_ms
    FROM sends GROUP BY seq
), identities AS (
    SELECT
        min(seq) AS seq,
        sum(ifnull(copies_acknowledged, 0)) AS acknowledged,
        sum(ifnull(copies_unknown, 1)) AS unknown,
        min(first_sent_ms) AS append_ms_min,
        min(first_answered_ms) AS append_ms_max
    FROM readings LEFT JOIN copies USING (seq)
    GROUP BY tenant, source, id
)
SELECT identities.*, expected, time_ms FROM identities JOIN readings USING (seq)
WHERE acknowledged + unknown > 0
"""


def prepare(ledger: Ledger) -> None:
    """Compute the fate of every identity; to be called again after the ledger grew."""
    ledger.connection.execute("DROP TABLE IF EXISTS temp.fates")
    ledger.connection.execute(_FATES_SQL)


def expected_rows(ledger: Ledger, shape: ViewShape, thresholds: Thresholds = ()) -> Rows:
    """Compute what a view must show, after `prepare`; windows as seconds since 1970.

    ``thresholds`` are those of the log's rules, where the view is by band.
    """
    key = [_key_part(name, shape, thresholds) for name in shape.key]
    metered = "seq IN (SELECT seq FROM fates WHERE expected = :metered AND acknowledged > 0)"
    columns = "sum(quantity)"
    tables = "(" + " UNION ALL ".join(_UNIT_SQL.format(unit=unit) for unit in UNITS) + ")"
    if "unit" not in shape.key:
        tables = "readings"
        columns = _TOTALS_SQL if shape.columns == COLUMNS else _close_totals(shape.columns)
    cursor = ledger.connection.execute(
        f"SELECT {', '.join(key)}, {columns} FROM {tables} WHERE {metered}"
        f" GROUP BY {', '.join(str(number + 1) for number in range(len(key)))}",
        {"metered": METERED},
    )
    width = len(key)
    return {row[:width]: row[width:] for row in cursor}


def _key_part(name: str, shape: ViewShape, thresholds: Thresholds) -> str:
    if name == "window_start":
        return f"time_ms / {shape.window_ms} * {shape.window_ms} / 1000"
    if name == "service_tier":
        return "ifnull(service_tier, '')"
    if name == "context_band":
        bands = [
            f"WHEN input_tokens > {threshold} THEN {threshold}"
            for threshold in sorted(thresholds or (), reverse=True)
        ]
        return f"CASE {' '.join(bands)} ELSE 0 END" if bands else "0"
    return name


def _close_totals(columns: Sequence[str]) -> str:
    """Each entry has rows of its own, so an adjustment's tokens are added up as any."""
    return ", ".join(
        "count(*)" if name == "requests" else f"sum(ifnull({name}, 0))" for name in columns
    )


def ledger_totals(ledger: Ledger, late_after_ms: Bounds) -> LedgerTotals:
    """Compute the counts, after `prepare`.

    ``late_after_ms`` has two ends when the log had two rules; append time lies between a send
    and its answer, so events near the limit may count as late or not.
    """
    assert late_after_ms.most is not None
    one = ledger.connection.execute
    sent, refused = one(
        "SELECT ifnull(sum(outcome != ?), 0), ifnull(sum(outcome = ?), 0) FROM sends",
        [Outcome.NOT_TAKEN, Outcome.REFUSED],
    ).fetchone()
    (wrongly_refused,) = one(
        "SELECT count(*) FROM sends JOIN readings USING (seq) WHERE outcome = ? AND expected = ?",
        [Outcome.REFUSED, METERED],
    ).fetchone()
    (wrongly_taken,) = one(
        "SELECT count(*) FROM sends WHERE outcome = ? AND code = ?",
        [Outcome.ACKNOWLEDGED, POISON_TAKEN],
    ).fetchone()
    (open_runs,) = one(
        "SELECT count(*) FROM runs WHERE run NOT IN (SELECT run FROM finished_runs)"
    ).fetchone()
    unique, unresolved, copies, unknown, late_least, late_most = one(
        "SELECT ifnull(sum(acknowledged > 0), 0), ifnull(sum(acknowledged = 0), 0),"
        " ifnull(sum(acknowledged), 0), ifnull(sum(unknown), 0),"
        " ifnull(sum(append_ms_min - time_ms > ? AND acknowledged > 0), 0),"
        " ifnull(sum(append_ms_max - time_ms > ? OR acknowledged = 0), 0)"
        " FROM fates WHERE expected = ?",
        [late_after_ms.most, late_after_ms.least, METERED],
    ).fetchone()
    rejected = {
        reason: Bounds(least, None if open_runs else least + maybe)
        for reason, least, maybe in one(
            "SELECT expected, sum(acknowledged), sum(unknown) FROM fates"
            " WHERE expected != ? GROUP BY expected",
            [METERED],
        )
    }
    duplicates = Bounds(copies - unique, None if open_runs else copies - unique + unknown)
    least = copies + sum(bounds.least for bounds in rejected.values())
    maybe = unknown + sum((bounds.most or 0) - bounds.least for bounds in rejected.values())
    return LedgerTotals(
        sent=sent,
        unique=unique,
        unresolved=unresolved,
        refused=refused,
        wrongly_refused=wrongly_refused,
        wrongly_taken=wrongly_taken,
        received=Bounds(least, None if open_runs else least + maybe),
        accepted=Bounds(unique, unique + unresolved),
        duplicate=duplicates,
        late=Bounds(late_least, late_most),
        rejected=rejected,
    )
