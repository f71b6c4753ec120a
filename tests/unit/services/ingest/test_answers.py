"""What outcomes are answered with."""

from __future__ import annotations

import json

from services.ingest.answers import (
    PROBLEM_JSON,
    native_outcome,
    native_refusal,
    openmeter_outcome,
    openmeter_refusal,
)
from services.ingest.batches import Rejection
from services.ingest.errors import BusyError

FAULTS: list[Rejection] = [
    {"index": index, "code": "missing_field", "message": f"fault {index}"} for index in range(12)
]


def test_statuses_of_our_own_path() -> None:
    assert native_outcome(5, []).status == 202
    assert native_outcome(5, FAULTS).status == 207
    assert native_outcome(0, FAULTS).status == 400
    assert native_outcome(0, []).status == 202


def test_every_rejection_is_named() -> None:
    assert json.loads(native_outcome(5, FAULTS).body)["rejected"] == FAULTS
    problem = json.loads(openmeter_outcome(FAULTS, 20).body)
    assert problem["extensions"]["validationErrors"] == FAULTS


def test_a_problems_text_stays_short() -> None:
    detail = json.loads(openmeter_outcome(FAULTS, 20).body)["detail"]
    assert "12 of 20 not valid" in detail
    assert "event 9: fault 9; and 2 more" in detail


def test_refusals_bear_the_headers_of_their_error() -> None:
    error = BusyError("later", 7)
    for answer in (native_refusal(error), openmeter_refusal(error)):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    assert openmeter_refusal(error).content_type == PROBLEM_JSON
    assert json.loads(openmeter_refusal(error).body)["title"] == "Service Unavailable"
