"""The topic's records as a list: selected, in order, and marked where they were put back."""

from __future__ import annotations

from datetime import UTC, datetime

from services.ingest.rejections.record import KeptRejection, encode, encode_requeued
from services.rejected.commands import as_fields
from services.rejected.reading import Place, Selection, selected

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def topic() -> list[tuple[Place, datetime, bytes]]:
    what = [
        KeptRejection(NOW, "k1", "acme", "native", "too_old", "…", 0, "{}"),
        KeptRejection(NOW, "k2", "globex", "litellm", "too_old", "…", 0, "{}"),
        KeptRejection(NOW, "k1", "acme", "native", "wrong_type", "…", 1, "{}"),
    ]
    records = [encode(one) for one in what]
    records += [encode_requeued([(0, 2)]), b"none of ours", b'{"requeued": "x"}']
    return [(Place(0, offset), NOW, value) for offset, value in enumerate(records)]


def offsets(selection: Selection) -> list[int]:
    return [one.place.offset for one in selected(topic(), selection)]


def test_it_is_in_the_topics_order_without_what_is_none() -> None:
    assert offsets(Selection()) == [0, 1, 2]


def test_selections_restrict() -> None:
    assert offsets(Selection(reason="too_old")) == [0, 1]
    assert offsets(Selection(key_id="k1")) == [0, 2]
    assert offsets(Selection(tenant="globex")) == [1]
    assert offsets(Selection(place=Place(0, 2))) == [2]
    assert offsets(Selection(reason="too_old", place=Place(0, 2))) == []


def test_what_was_put_back_is_marked() -> None:
    assert [one.requeued for one in selected(topic(), Selection())] == [False, False, True]
    assert as_fields(selected(topic(), Selection())[2])["requeued"] is True
