"""A head that could be read in two ways is refused."""

from __future__ import annotations

import pytest

from services.ingest.errors import MalformedError
from services.ingest.headers import check_headers

Head = list[tuple[bytes, bytes]]
ONE: Head = [(b"host", b"h"), (b"authorization", b"Bearer a"), (b"content-length", b"2")]


@pytest.mark.parametrize(
    "head",
    [
        ONE,
        [*ONE, (b"x-forwarded-for", b"1"), (b"x-forwarded-for", b"2")],
        [(b"transfer-encoding", b" Chunked ")],
        [*ONE, (b"te", b"gzip, chunked")],
        [],
    ],
)
def test_plain_heads_are_let_in(head: Head) -> None:
    check_headers(head)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ([*ONE, (b"authorization", b"Bearer b")], "authorization"),
        ([*ONE, (b"authorization", b"Bearer a")], "authorization"),
        ([*ONE, (b"content-length", b"2")], "content-length"),
        ([*ONE, (b"host", b"other")], "host"),
        ([(b"content-type", b"a"), (b"content-type", b"b")], "content-type"),
        ([(b"content-encoding", b"gzip"), (b"content-encoding", b"gzip")], "content-encoding"),
        ([(b"ce-id", b"a"), (b"ce-id", b"b")], "ce-id"),
        ([(b"transfer-encoding", b"gzip, chunked")], "chunked and nothing else"),
        ([(b"transfer-encoding", b"gzip"), (b"transfer-encoding", b"chunked")], "twice"),
        ([(b"transfer-encoding", b"identity")], "chunked and nothing else"),
        ([*ONE, (b"transfer-encoding", b"chunked")], "beside"),
    ],
)
def test_ambiguous_heads_are_refused(head: Head, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        check_headers(head)
