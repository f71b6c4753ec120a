"""What each answer of ingest means for the batch that was sent."""

from __future__ import annotations

import json

import pytest
from wattoken.client.answers import Again, Answer, NoAnswer, Settled, Split, Verdict, judge

NOW = 1_700_000_000.0


def listed(*indexes: int) -> bytes:
    rejected = [{"index": index, "code": "c", "message": "m"} for index in indexes]
    return json.dumps({"accepted": 1, "rejected": rejected}).encode()


@pytest.mark.parametrize(
    ("answer", "events", "verdict"),
    [
        (Answer(202, b"{}"), 3, Settled({})),
        (Answer(204), 3, Settled({})),
        (Answer(207, listed(0, 2)), 3, Settled({0: ("c", "m"), 2: ("c", "m")})),
        (Answer(400, listed(0)), 1, Settled({0: ("c", "m")})),
        (Answer(400, b"malformed"), 3, Split()),
        (Answer(413, b"too large"), 3, Split()),
        (Answer(413, b"too large"), 1, Settled({0: ("http_413", "too large")})),
        (Answer(429, b"", "7"), 3, Again("HTTP 429", 7.0)),
        (Answer(408), 3, Again("HTTP 408")),
        (Answer(503, b"", "2"), 3, Again("HTTP 503", 2.0, may_have_arrived=True)),
        (Answer(503, b"", "soon"), 3, Again("HTTP 503", None, may_have_arrived=True)),
        (NoAnswer("gone", may_have_arrived=False), 3, Again("gone")),
        (NoAnswer("gone", may_have_arrived=True), 3, Again("gone", may_have_arrived=True)),
        (Answer(401), 3, Again("HTTP 401", needs_a_person=True)),
        (Answer(301), 3, Again("HTTP 301", needs_a_person=True)),
        # Whoever answers 200 to anything is not our ingest.
        (Answer(200), 3, Again("HTTP 200", needs_a_person=True)),
    ],
)
def test_judge(answer: Answer | NoAnswer, events: int, verdict: Verdict) -> None:
    assert judge(answer, events, NOW) == verdict


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"rejected": [{}]}', listed(3), listed(-1), b'{"rejected": []}']
)
def test_a_207_that_names_none_of_our_events_settles_nothing(body: bytes) -> None:
    assert judge(Answer(207, body), 3, NOW) == Again(
        "HTTP 207", may_have_arrived=True, needs_a_person=True
    )


def test_retry_after_may_be_a_date() -> None:
    verdict = judge(Answer(429, b"", "Tue, 14 Nov 2023 22:13:30 GMT"), 1, NOW)
    assert verdict == Again("HTTP 429", 10.0)
    past = judge(Answer(429, b"", "Tue, 14 Nov 2000 22:13:30 GMT"), 1, NOW)
    assert past == Again("HTTP 429", 0.0)
