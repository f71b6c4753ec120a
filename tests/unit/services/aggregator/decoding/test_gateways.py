from __future__ import annotations

from services.aggregator.arrays.seen_hash import seed
from services.aggregator.decoding.gateways import ROOM_MIN, Gateways
from services.aggregator.decoding.labels import Labels


def test_a_gateway_keeps_its_number_and_has_its_tenants() -> None:
    labels = Labels()
    labels.tenants.number("met before")
    gateways = Gateways(labels)
    pairs = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x"), ("met before", "y"), ("b", "x")]
    assert [gateways.number(*pair) for pair in pairs] == [0, 1, 2, 0, 3, 2]
    assert len(gateways) == 4
    assert gateways.tenants[[0, 1, 2, 3]].tolist() == [1, 1, 2, 0]
    for number, pair in enumerate(dict.fromkeys(pairs)):
        assert tuple(gateways.seeds[number].tolist()) == seed(*pair)


def test_tenant_and_source_are_not_taken_for_one_text() -> None:
    gateways = Gateways(Labels())
    assert gateways.number("a-b", "c") != gateways.number("a", "-bc")
    assert gateways.seeds[0].tolist() != gateways.seeds[1].tolist()


def test_room_grows_and_what_was_there_stays() -> None:
    labels = Labels()
    gateways = Gateways(labels)
    count = 2 * ROOM_MIN + 1
    numbers = [gateways.number(f"tenant-{index}", f"source-{index}") for index in range(count)]
    assert numbers == list(range(count)) == gateways.tenants[:count].tolist()
    for number in (0, ROOM_MIN - 1, ROOM_MIN, 2 * ROOM_MIN - 1, 2 * ROOM_MIN):
        expected = seed(f"tenant-{number}", f"source-{number}")
        assert tuple(gateways.seeds[number].tolist()) == expected
