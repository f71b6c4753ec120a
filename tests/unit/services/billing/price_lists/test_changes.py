"""What a sync says of what it would change."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.catalogue.listed_tariffs import Dispute, ListedTariff
from schemas.catalogue.price_lists import PriceLists
from services.billing.price_lists.changes import changes
from tests.unit.services.billing.price_lists.fakes import NOW, SOURCE, lists, tariff, tier, version

MAY = datetime(2026, 5, 1, tzinfo=UTC)


def said(before: PriceLists, now: PriceLists) -> list[tuple[str, str, str]]:
    return [(one.kind, one.tariff, one.what) for one in changes(before, now, NOW)]


def test_nothing_is_said_of_what_stays() -> None:
    assert said(lists(tariff("a")), lists(tariff("a"))) == []


def test_what_is_new_is_said_with_its_prices_of_now() -> None:
    batch = version("6", variants=[tier("batch", "3")], units={"pages": "4"})
    free = ListedTariff(list="openai", model="f", names=("f",), not_taken="is free")
    assert said(PriceLists(), lists(tariff("a", batch), free)) == [
        (
            "new",
            "openai/a",
            "uncached_input 2; output 6; batch uncached_input 2; batch output 3; pages 4",
        ),
        ("not_taken", "openai/f", "is free"),
    ]


def test_a_price_that_changes_is_said_with_its_span_and_where_it_is_from() -> None:
    now = lists(tariff("a", version("6"), version("3", MAY)))
    (change,) = changes(lists(tariff("a")), now, NOW)
    assert (change.what, change.source) == ("from 2026-05-01: output 6 -> 3", SOURCE)


def test_a_tier_that_comes_or_goes_is_a_price_that_changes() -> None:
    batch = tariff("a", version("6", variants=[tier("batch", "3")]))
    (change,) = changes(lists(tariff("a")), lists(batch), NOW)
    assert change.what == (
        "from 2000-01-01: batch uncached_input none -> 2; batch output none -> 3"
    )


def test_names_remarks_and_what_is_gone_are_said() -> None:
    before = lists(tariff("a", names=("a", "b")), tariff("z"))
    now = lists(tariff("a", names=("a", "c"), remarks=("video is billed as text",)))
    assert said(before, now) == [
        ("names", "openai/a", "names gained: c; lost: b"),
        ("remark", "openai/a", "video is billed as text"),
        ("gone", "openai/z", "is in no list of its own any more"),
    ]


def test_a_dispute_is_said_when_it_is_new_or_about_other_prices_and_when_it_is_over() -> None:
    one = Dispute(source="litellm 1", name="m", differs={"output": ("6", "7")})
    other = one.model_copy(update={"differs": {"output": ("6", "8")}})
    disputed, changed = (lists(tariff("a", disputes=(d,))) for d in (one, other))
    assert said(lists(tariff("a")), disputed) == [
        ("dispute", "openai/a", "m: output listed 6, said 7")
    ]
    assert said(disputed, disputed) == []
    assert said(disputed, changed)[0][2] == "m: output listed 6, said 8"
    assert said(disputed, lists(tariff("a"))) == [("settled", "openai/a", "m: the sources agree")]
