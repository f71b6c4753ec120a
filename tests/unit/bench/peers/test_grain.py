from __future__ import annotations

import zlib

from bench.peers.grain import HOURS, MASK, MINUTES, Sums, clickhouse_sums, summed

GROUPS = [("60|eu|a", 5, 1), ("60|eu|b", 2, 0)]


def test_a_fingerprint_is_a_sum_over_keys_in_any_order() -> None:
    a, b = zlib.crc32(b"60|eu|a"), zlib.crc32(b"60|eu|b")
    assert summed(GROUPS) == summed(reversed(GROUPS)) == Sums(2, (8 * a + 2 * b) & MASK)


def test_tokens_under_another_key_or_of_the_other_kind_are_seen() -> None:
    right = summed(GROUPS)
    assert summed([("60|eu|a", 2, 1), ("60|eu|b", 5, 0)]) != right
    assert summed([("60|eu|a", 1, 5), ("60|eu|b", 2, 0)]) != right
    assert summed([("120|eu|a", 5, 1), ("60|eu|b", 2, 0)]) != right


def test_a_fingerprint_has_64_bits() -> None:
    many = summed([(str(number), 1 << 40, 0) for number in range(100)])
    assert 0 <= many.fingerprint <= MASK
    assert many.groups == 100


def test_clickhouse_is_asked_by_the_same_keys() -> None:
    assert "concat(toString(toUnixTimestamp(window_start)), '|', region, '|', model)" in (
        clickhouse_sums(MINUTES, "usage_minute")
    )
    assert "uniqExact(window_start, tenant, region, provider, model)" in (
        clickhouse_sums(HOURS, "usage_hour")
    )
