"""The identity hash: what it must tell apart."""

from __future__ import annotations

from schemas.identity import IDENTITY_BYTES, identity_hash


def test_equal_identities_hash_equal() -> None:
    assert identity_hash("t", "s", "i") == identity_hash("t", "s", "i")
    assert len(identity_hash("t", "s", "i")) == IDENTITY_BYTES


def test_parts_are_told_apart_wherever_they_are_split() -> None:
    splits = [("ab", "c", "d"), ("a", "bc", "d"), ("a", "b", "cd"), ("", "ab", "cd")]
    assert len({identity_hash(*split) for split in splits}) == len(splits)


def test_digits_of_a_name_do_not_pass_for_a_length() -> None:
    assert identity_hash("1:1:a", "b", "c") != identity_hash("1", ":1:ab", "c")
    assert identity_hash("", "1:", "x") != identity_hash("", "1", ":x")


def test_the_hash_stays_what_it_is_on_the_log() -> None:
    # Another hash would let resends of what is on the log already pass as new.
    assert (
        identity_hash("acme", "gateway-eu-1", "req-7f3a").hex()
        == "47aee0bb7569ca7231dc5dd913a225c6"
    )
