"""What a key lets its bearer name, and what state it is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.ingest.keys.entry import KeyEntry

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def entry(**fields: Any) -> KeyEntry:
    return KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu", **fields)


@pytest.mark.parametrize(
    ("regions", "allowed"),
    [(None, {"eu", "us", "mars"}), ((), {"eu"}), (("us",), {"eu", "us"}), (("eu",), {"eu"})],
)
def test_regions_are_any_or_its_own_and_those_listed(
    regions: tuple[str, ...] | None, allowed: set[str]
) -> None:
    bound = entry(regions=regions)
    assert {name for name in ("eu", "us", "mars") if bound.allows_region(name)} == allowed


def test_tenants_are_its_own_and_those_listed() -> None:
    assert [entry().allows_tenant(name) for name in ("acme", "globex")] == [True, False]
    wider = entry(tenants=("globex",))
    assert [wider.allows_tenant(name) for name in ("acme", "globex", "x")] == [True, True, False]


def test_nobody_but_a_canary_may_name_a_canarys_region() -> None:
    assert not entry().allows_region("wattoken-canary")
    for fields in (
        {"regions": ("eu", "wattoken-canary")},
        {"tenants": ("wattoken-canary-2",)},
        {"tenant": "wattoken-canary"},
        {"region": "wattoken-canary"},
    ):
        given = {"tenant": "acme", "region": "eu", **fields}
        with pytest.raises(ValidationError, match="reserved for canaries"):
            KeyEntry(id="abcd", hmac_sha256="0" * 64, **given)


def test_a_canary_may_name_no_other_region() -> None:
    names = {"tenant": "wattoken-canary", "region": "wattoken-canary"}
    canary = KeyEntry(id="abcd", hmac_sha256="0" * 64, **names)
    assert canary.allows_region("wattoken-canary")
    assert not canary.allows_region("eu")


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "active"),
        ({"disabled": True, "expires_at": NOW}, "revoked"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW.replace(tzinfo=None)}, "expired"),
        ({"expires_at": NOW + timedelta(seconds=1)}, "expiring"),
    ],
)
def test_its_state(fields: dict[str, Any], state: str) -> None:
    assert entry(**fields).state(NOW) == state


@pytest.mark.parametrize(
    "fields",
    [{"scopes": ["admin"]}, {"limits": {"events_per_second": 0}}, {"limits": {"x": 1}}, {"a": 1}],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        entry(**fields)
