"""The identity hash: what it must tell apart."""

from __future__ import annotations

import pytest
from wattoken.client import ids

from schemas.identity import ID_LENGTH_MAX, IDENTITY_BYTES, compact_id, identity_hash


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


@pytest.mark.parametrize("given", ["", "a", "x" * ID_LENGTH_MAX, "\U0001f600" * ID_LENGTH_MAX])
def test_ids_up_to_the_limit_stay_as_they_are(given: str) -> None:
    assert compact_id(given) == ids.compact_id(given) == given


@pytest.mark.parametrize("given", ["x" * 129, "\u00e9" * 470, "x" * 1_000_000, "\ud83d" * 200])
def test_long_ids_become_a_digest_and_the_client_makes_the_same(given: str) -> None:
    digest = compact_id(given)
    assert digest == ids.compact_id(given) == compact_id(digest)
    assert len(digest) <= ID_LENGTH_MAX
    assert digest != compact_id(given + "x")


def test_the_digest_stays_what_it_is_on_the_log() -> None:
    # Another digest would let a resend of what is on the log already pass as new.
    assert compact_id("a" * 200) == (
        "sha256:c2a908d98f5df987ade41b5fce213067efbcc21ef2240212a41e54b5e7c28ae5"
    )
