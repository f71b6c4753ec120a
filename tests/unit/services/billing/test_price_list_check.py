"""What `wattoken tariffs check` finds of price lists."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from schemas.catalogue import Catalogue
from schemas.catalogue.listed_tariffs import Dispute, ListSource
from services.billing.price_list_check import age, is_old
from services.billing.tariff_check import check
from tests.unit.services.billing.price_lists.fakes import lists, tariff
from tests.unit.services.billing.test_tariff_check import sound

SOURCE = ListSource(
    source="genai-prices", version="0.2.3", license="MIT", first_seen=date(2026, 11, 26)
)


def found(now: datetime, **more: Any) -> list[tuple[str, str, str]]:
    catalogue = Catalogue.model_validate(
        sound() | {"price_lists": lists(tariff("m", **more), sources=(SOURCE,))}
    )
    return [(one.level, one.kind, one.entry) for one in check(catalogue, now)]


def test_a_source_is_old_after_30_days_of_one_version() -> None:
    assert not is_old(SOURCE, datetime(2026, 12, 26, 23, tzinfo=UTC))
    assert is_old(SOURCE, datetime(2026, 12, 27, tzinfo=UTC))
    assert age(SOURCE, datetime(2026, 12, 27, tzinfo=UTC)) == (
        "version 0.2.3 has been in use for 31 days"
    )


def test_the_check_warns_of_what_is_old_and_of_nothing_before() -> None:
    assert found(datetime(2026, 12, 1, tzinfo=UTC)) == []
    assert found(datetime(2026, 12, 27, tzinfo=UTC)) == [
        ("warning", "price_list_old", "genai-prices")
    ]


def test_that_sources_disagree_is_a_note() -> None:
    dispute = Dispute(source="litellm 1", name="m", differs={"output": ("6", "7")})
    assert found(datetime(2026, 12, 1, tzinfo=UTC), disputes=(dispute,)) == [
        ("note", "sources_disagree", "genai-prices")
    ]


def test_a_model_with_a_listed_price_has_one() -> None:
    files = sound()
    files["tariffs"]["tariffs"] = []
    now = datetime(2026, 12, 1, tzinfo=UTC)
    without = check(Catalogue.model_validate(files), now)
    assert [one.kind for one in without] == ["no_price"]
    with_one = files | {"price_lists": lists(tariff("m", listed="p"))}
    assert check(Catalogue.model_validate(with_one), now) == []
