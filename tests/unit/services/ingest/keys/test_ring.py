"""Who gets in, as what, and who does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.ingest.errors import EventRejectedError, ForbiddenError, UnauthorizedError
from services.ingest.keys import Key, KeyLimits, KeyRing, new_key, read_keys_file, write_keys_file
from services.ingest.keys.limits import Allowance, KeyUse

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
PEPPER = b"p" * 32


def test_a_new_key_is_let_in_as_what_it_is_bound_to() -> None:
    text, entry = new_key("acme", "eu", PEPPER, provider="openai")
    found = KeyRing([entry], PEPPER).verify(f"Bearer {text}", NOW).entry
    assert (found.tenant, found.region, found.provider) == ("acme", "eu", "openai")


def test_the_scheme_is_read_whatever_its_case() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    assert KeyRing([entry], PEPPER).verify(f"bearer {text}", NOW).entry == entry


def test_wrong_keys_are_unauthorized() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    other, _ = new_key("acme", "eu", PEPPER)
    ring = KeyRing([entry], PEPPER)
    wrong = [
        *[None, "", "Bearer", "Bearer ", text, f"Basic {text}", f"Bearer {other}"],
        *[f"Bearer {text}x", f"Bearer {text[:-1]}", f"Bearer wtk_{entry.id}", "Bearer wtk__"],
        *[f"Bearer wtk_{entry.id}_", f"Bearer xtk{text[3:]}", "Bearer wtk_é_\udcff"],
        f"Bearer {text}" + "x" * 1000,
    ]
    for header in wrong:
        with pytest.raises(UnauthorizedError):
            ring.verify(header, NOW)


def test_a_key_is_worth_nothing_under_another_pepper() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    with pytest.raises(UnauthorizedError):
        KeyRing([entry], b"q" * 32).verify(f"Bearer {text}", NOW)


def test_no_message_shows_a_key() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    with pytest.raises(UnauthorizedError) as caught:
        KeyRing([], PEPPER).verify(f"Bearer {text}", NOW)
    assert text not in str(caught.value)
    disabled = entry.model_copy(update={"disabled": True})
    with pytest.raises(ForbiddenError) as refused:
        KeyRing([disabled], PEPPER).verify(f"Bearer {text}", NOW)
    assert text.split("_", 2)[2] not in str(refused.value)


def test_a_disabled_key_is_forbidden_and_with_a_wrong_secret_unknown() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    ring = KeyRing([entry.model_copy(update={"disabled": True})], PEPPER)
    with pytest.raises(ForbiddenError, match="revoked"):
        ring.verify(f"Bearer {text}", NOW)
    with pytest.raises(UnauthorizedError):
        ring.verify(f"Bearer {text}x", NOW)


def test_a_key_is_good_until_the_moment_it_expires() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    ring = KeyRing([entry.model_copy(update={"expires_at": NOW})], PEPPER)
    assert ring.verify(f"Bearer {text}", NOW - timedelta(seconds=1)).entry.id == entry.id
    with pytest.raises(ForbiddenError, match="expired"):
        ring.verify(f"Bearer {text}", NOW)


def test_an_expiry_without_zone_is_utc(tmp_path: Path) -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    file = tmp_path / "keys.yaml"
    write_keys_file(file, [entry])
    file.write_text(file.read_text() + "  expires_at: 2026-03-15 12:00:00\n")
    with pytest.raises(ForbiddenError):
        KeyRing(read_keys_file(file), PEPPER).verify(f"Bearer {text}", NOW)


def test_a_key_without_the_scope_is_forbidden() -> None:
    text, entry = new_key("acme", "eu", PEPPER, scopes=("read",))
    ring = KeyRing([entry], PEPPER)
    assert ring.verify(f"Bearer {text}", NOW, "read").entry == entry
    with pytest.raises(ForbiddenError, match="scope 'ingest'"):
        ring.verify(f"Bearer {text}", NOW)


def test_a_key_of_old_may_send_but_not_read() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    ring = KeyRing([entry], PEPPER)
    assert ring.verify(f"Bearer {text}", NOW).entry == entry
    with pytest.raises(ForbiddenError):
        ring.verify(f"Bearer {text}", NOW, "read")


def test_only_the_keys_of_the_last_reading_are_known() -> None:
    old_text, old = new_key("acme", "eu", PEPPER)
    text, new = new_key("acme", "eu", PEPPER)
    ring = KeyRing([old], PEPPER)
    ring.replace([new], PEPPER)
    assert len(ring) == 1
    assert ring.verify(f"Bearer {text}", NOW).entry == new
    with pytest.raises(UnauthorizedError):
        ring.verify(f"Bearer {old_text}", NOW)


def test_a_reload_is_no_way_round_a_limit() -> None:
    text, entry = new_key("acme", "eu", PEPPER, limits=KeyLimits(events_per_second=10))
    ring = KeyRing([entry], PEPPER, monotonic=lambda: 5.0)
    used = ring.verify(f"Bearer {text}", NOW).use
    ring.replace([entry.model_copy(update={"note": "another"})], PEPPER)
    assert ring.verify(f"Bearer {text}", NOW).use is used
    ring.replace([entry.model_copy(update={"limits": KeyLimits(events_per_second=20)})], PEPPER)
    assert ring.verify(f"Bearer {text}", NOW).use is not used


def test_a_keys_own_limits_win_over_the_services() -> None:
    defaults = Allowance(100.0, None, 10, 20, 30)
    text, entry = new_key("a", "eu", PEPPER, limits=KeyLimits(events_per_second=5, models_max=3))
    allowance = KeyRing([entry], PEPPER, defaults).verify(f"Bearer {text}", NOW).use.allowance
    assert allowance == Allowance(5.0, None, 3, 20, 30)


def test_a_refused_name_says_which_limit() -> None:
    from schemas import wire

    _, entry = new_key("acme", "eu", PEPPER)
    key = Key(entry, KeyUse(Allowance(None, None, 1, 1, 1), 0.0))

    def event(**fields: str) -> wire.WireEvent:
        named = {"region": "eu", "provider": "p", "model": "m"} | fields
        return wire.WireEvent(
            *("a", "gw", "acme", NOW, named["region"], named["provider"], named["model"], 1, 2)
        )

    key.admit(event())
    for field in ("region", "provider", "model"):
        with pytest.raises(EventRejectedError) as caught:
            key.admit(event(**{field: "x"}))
        assert caught.value.code == f"too_many_{field}s"
        assert f"{field}s_max" in caught.value.message
