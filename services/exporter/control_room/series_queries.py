"""What series.json asks ClickHouse: sums of the parts, and of charges; never by tenant.

A question's names and times are bound by the server. Which columns are asked for comes from the
tables here, not from the question's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.canary import NO_CANARY_REGION
from services.exporter.control_room.questions import KINDS, NameQuestion, Question
from services.exporter.control_room.series import CURVES_MAX, RANKING_MAX, CurveRow, Name, Ranked
from services.platform.clickhouse import all_rows

#: Of each measure what is summed up. Amounts are summed wider than one is, and nothing is rounded.
SUMMED: Final = {
    "tokens": "toUInt128(input_tokens) + output_tokens",
    "input_tokens": "toUInt128(input_tokens)",
    "output_tokens": "toUInt128(output_tokens)",
    "requests": "toUInt128(requests)",
    "failed_requests": "toUInt128(failed_requests)",
    "spend": "toDecimal256(assumeNotNull(amount), 15)",
}
NAMES_MAX: Final = 20

NAMES_SQL: Final = f"""
SELECT one.1 AS kind, one.2 AS name, sum(toUInt128(input_tokens) + output_tokens) AS tokens
FROM registers
ARRAY JOIN [('region', region), ('provider', provider), ('model', model)] AS one
WHERE positionCaseInsensitiveUTF8(one.2, {{find:String}}) > 0 AND {NO_CANARY_REGION}
GROUP BY kind, name
ORDER BY tokens DESC, kind, name
LIMIT {NAMES_MAX}
"""


def ranking_sql(question: Question) -> str:
    """Give the text that sums up each name, and how many there are."""
    return f"""
SELECT {_column(question)} AS name, sum({SUMMED[question.measure]}) AS amount,
    count() OVER () AS names, sum(amount) OVER () AS all_amounts
FROM {_from(question)}
GROUP BY name
ORDER BY amount DESC, name
LIMIT {RANKING_MAX}
"""


def curves_sql(question: Question) -> str:
    """Give the text that sums up each step, apart for those that have a curve."""
    return f"""
SELECT
    intDiv(toUnixTimestamp(window_start), {{step_seconds:UInt32}}) * {{step_seconds:UInt32}} AS at,
    has({{named:Array(String)}}, {_column(question)}) AS is_named,
    if(is_named, {_column(question)}, '') AS name,
    sum({SUMMED[question.measure]}) AS amount
FROM {_from(question)}
GROUP BY at, is_named, name
"""


def read_series(client: Client, question: Question) -> tuple[list[Ranked], list[CurveRow]]:
    """Read ranking and curves. Raises as `mapped_errors` says."""
    given = _parameters(question)
    ranked = [Ranked(*row) for row in all_rows(client, ranking_sql(question), given)]
    ranked.sort(key=lambda row: (-row.amount, row.name))
    named = [row.name for row in ranked[:CURVES_MAX]]
    rows = all_rows(client, curves_sql(question), {**given, **_steps(question), "named": named})
    return ranked, [CurveRow(int(at), bool(one), name, sum_) for at, one, name, sum_ in rows]


def read_names(client: Client, question: NameQuestion) -> list[Name]:
    """Read the names that have a text in them, most tokens first."""
    rows = all_rows(client, NAMES_SQL, {"find": question.find})
    return [Name(kind, name) for kind, name, _ in sorted(rows, key=lambda row: (-row[2], row))]


def _column(question: Question) -> str:
    assert question.by in KINDS
    return question.by


def _from(question: Question) -> str:
    spend = question.measure == "spend"
    table = "usage_hour_parts" if question.of_hours else "usage_minute_parts"
    wheres = [
        "window_start >= toDateTime({begin:UInt32}, 'UTC')",
        "window_start < toDateTime({end:UInt32}, 'UTC')",
        *(f"{kind} = {{{kind}:String}}" for kind in KINDS if getattr(question, kind)),
        *(["currency = {currency:String}"] if spend else [NO_CANARY_REGION]),
    ]
    return f"{'charge_parts' if spend else table}\nWHERE {' AND '.join(wheres)}"


def _parameters(question: Question) -> Mapping[str, Any]:
    # Only what the text names is sent: ClickHouse takes further parameters for a mistake.
    given = {name: value for name, value in asdict(question).items() if name in ("begin", "end")}
    given |= {kind: getattr(question, kind) for kind in KINDS if getattr(question, kind)}
    return given | ({"currency": question.currency} if question.measure == "spend" else {})


def _steps(question: Question) -> Mapping[str, Any]:
    return {"step_seconds": question.step_seconds}
