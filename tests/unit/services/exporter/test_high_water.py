"""What was shown never falls, whatever the source says next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.exporter.high_water import HighWater

_values = st.dictionaries(
    st.sampled_from("abc"), st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3
)


def test_what_rises_is_shown_as_it_is() -> None:
    water: HighWater[str] = HighWater()
    water.rise({"a": (1, 1)})
    risen = water.rise({"a": (2, 1), "b": (5, 0)})
    assert (risen.values, risen.held) == ({"a": (2, 1), "b": (5, 0)}, 0)


def test_what_falls_is_held_until_it_has_been_passed() -> None:
    water: HighWater[str] = HighWater()
    water.rise({"a": (10, 1)})
    fallen = water.rise({"a": (4, 2)})
    assert (fallen.values, fallen.held) == ({"a": (10, 2)}, 1)
    passed = water.rise({"a": (11, 2)})
    assert (passed.values, passed.held) == ({"a": (11, 2)}, 0)


def test_what_vanishes_is_held() -> None:
    water: HighWater[str] = HighWater()
    water.rise({"a": (10,), "b": (1,)})
    risen = water.rise({"b": (2,)})
    assert (risen.values, risen.held) == ({"a": (10,), "b": (2,)}, 1)


@given(st.lists(_values, max_size=8))
def test_no_value_ever_falls_and_none_is_invented(
    readings: list[dict[str, tuple[int, int]]],
) -> None:
    water: HighWater[str] = HighWater()
    before: dict[str, tuple[int, ...]] = {}
    for number, reading in enumerate(readings, 1):
        shown = dict(water.rise(reading).values)
        assert before.keys() <= shown.keys()
        for key, values in shown.items():
            assert all(
                now >= then for now, then in zip(values, before.get(key, (0, 0)), strict=True)
            )
            seen = [earlier[key] for earlier in readings[:number] if key in earlier]
            assert values == tuple(map(max, zip(*seen, strict=True)))
        before = shown
