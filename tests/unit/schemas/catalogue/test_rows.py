"""The rows of the tables, and time zones as offsets."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import TOKEN_CLASSES, load_catalogue
from schemas.catalogue.rows import OFFSETS_FROM, OFFSETS_TO, table_rows, zone_offsets

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "America/Sao_Paulo"]
ZONES += ["Africa/Casablanca", "Australia/Lord_Howe"]


@given(
    st.sampled_from(ZONES),
    st.integers(round(OFFSETS_FROM.timestamp()), round(OFFSETS_TO.timestamp()) - 1),
)
def test_the_last_offset_at_or_before_a_moment_is_the_zones(zone: str, second: int) -> None:
    moment = datetime.fromtimestamp(second, UTC)
    held = [offset for since, offset in zone_offsets(zone) if since <= moment][-1]
    expected = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert expected is not None
    assert held == expected.total_seconds()


def test_a_change_is_at_its_very_second() -> None:
    changes = dict(zone_offsets("Europe/Berlin"))
    assert changes[datetime(2026, 3, 29, 1, tzinfo=UTC)] == 7200
    assert changes[datetime(2026, 10, 25, 1, tzinfo=UTC)] == 3600


def test_each_price_is_a_row_of_its_own() -> None:
    catalogue = load_catalogue()
    tables = {one.table: one for one in table_rows(catalogue)}
    tariffs = [
        row
        for row in (
            dict(zip(tables["tariffs"].columns, row, strict=True)) for row in tables["tariffs"].rows
        )
        if row["list"] == ""
    ]
    versions = [one for tariff in catalogue.tariffs.tariffs for one in tariff.versions]
    of_tokens = [row for row in tariffs if row["unit"] == ""]
    assert len(of_tokens) == len(TOKEN_CLASSES) * sum(
        len(one.prices) * len(one.all_variants) for one in versions
    )
    of_units = sum(len(one.prices) * len(one.units) for one in versions)
    assert len(tariffs) == len(of_tokens) + of_units
    reasoning = [row for row in tariffs if row["token_class"] == "reasoning"]
    assert {row["billed_as"] for row in reasoning} == {"output"}
    calendars = (*catalogue.tou.calendars, *catalogue.price_lists.header.calendars)
    kinds = sum(len(one.day_kinds) for one in calendars)
    assert len(tables["tou_periods"].rows) == 24 * kinds
    days = tables["calendar_days"].rows
    # Make-up workdays are their own weekday in DeepSeek's calendar, which names none.
    assert {row[2] for row in days} == {8}
    assert ("deepseek-peak", date(2026, 10, 7), 8) in days
    assert ("deepseek-peak", date(2026, 10, 10), 9) not in days
