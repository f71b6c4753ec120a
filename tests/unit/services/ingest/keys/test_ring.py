"""Who gets in, as what, and who does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from schemas import wire
from services.ingest.errors import EventRejectedError, ForbiddenError, UnauthorizedError
from services.ingest.keys.entry import DEFAULT_SCOPES, KeyLimits
from services.ingest.keys.file import read_keys_file, write_keys_file
from services.ingest.keys.key import Key
from services.ingest.keys.limits import NO_LIMITS, Allowance, KeyUse
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.secret import new_key

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


def named(region: str = "eu", provider: str = "p", model: str = "m") -> wire.WireEvent:
    return wire.WireEvent(*("a", "gw", "acme", NOW, region, provider, model, 1, 2))


def test_a_refused_name_says_which_limit() -> None:
    _, entry = new_key("acme", "eu", PEPPER)
    key = Key(entry, KeyUse(Allowance(None, None, 1, 1, 1), 0.0))
    key.admit(named())
    for field in ("region", "provider", "model"):
        with pytest.raises(EventRejectedError) as caught:
            key.admit(named(**{field: "x"}))
        assert caught.value.code == f"too_many_{field}s"
        assert f"{field}s_max" in caught.value.message


def test_each_limit_on_names_multiplies_with_the_others_so_series_have_one() -> None:
    _, entry = new_key("acme", "eu", PEPPER)
    key = Key(entry, KeyUse(Allowance(None, None, 100, 100, 100, series_max=3), 0.0))
    for number in range(3):
        key.admit(named(region=f"r{number}", model=f"m{number}"))
    with pytest.raises(EventRejectedError) as caught:
        key.admit(named(region="r0", model="m1"))
    assert caught.value.code == "too_many_series"
    assert "series_max" in caught.value.message
    key.admit(named(region="r0", model="m0"))
    assert not key.admit_all({"r0"}, {("r0", "p", "m2")})
    # A failed call names nothing that counts.
    key.admit(named(region="r0", model="made-up"), counted=False)


def test_all_keys_together_have_a_limit_on_series_that_no_reload_lifts() -> None:
    made = [new_key(tenant, "eu", PEPPER) for tenant in ("a", "b")]
    ring = KeyRing([entry for _, entry in made], PEPPER, series_max=3)

    def key(number: int) -> Key:
        return ring.verify(f"Bearer {made[number][0]}", NOW)

    key(0).admit(named(model="m0"))
    key(0).admit(named(model="m1"))
    key(1).admit(named(model="m0"))
    key(1).admit(named(model="m2"))
    ring.replace([entry.model_copy(update={"note": "n"}) for _, entry in made], PEPPER)
    for number in (0, 1):
        with pytest.raises(EventRejectedError) as caught:
            key(number).admit(named(model="m3"))
        assert caught.value.code == "too_many_series_in_all"
        assert "WATTOKEN_INGEST_SERIES_MAX" in caught.value.message
    # What did not get in has used up nothing of the key's own.
    assert len(key(0).use.models) == 2


def test_adjustments_need_a_scope_of_their_own() -> None:
    """Else any gateway's key may credit its owner with what was never used."""
    credit = msgspec.structs.replace(named(), entry="credit", adjusts="a", reason="r")
    _, entry = new_key("acme", "eu", PEPPER, scopes=DEFAULT_SCOPES)
    with pytest.raises(EventRejectedError) as caught:
        Key(entry, KeyUse(NO_LIMITS, 0.0)).admit(credit)
    assert caught.value.code == "adjustment_not_allowed"
    assert "--scope adjust" in caught.value.message
    _, entry = new_key("acme", "eu", PEPPER, scopes=("ingest", "adjust"))
    Key(entry, KeyUse(NO_LIMITS, 0.0)).admit(credit)
