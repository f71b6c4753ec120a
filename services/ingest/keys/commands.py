"""What `wattoken keys` does: create, list, revoke, rotate."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from services.ingest.keys.entry import KeyEntry, KeyLimits, in_utc
from services.ingest.keys.store import KeyStore
from services.platform.output import say
from services.platform.terminal import cell, console


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new key is to stand for, as the command line gives it."""

    tenants: list[str]
    regions: list[str]
    any_region: bool
    provider: str | None
    scopes: list[str]
    expires_in_days: float | None
    limits: dict[str, Any]
    note: str | None


def create(keys_file: Path, pepper_file: Path, grant: Grant, *, as_json: bool) -> None:
    """Make a key and print it, once."""
    now = _now()
    expires_at = (
        None if grant.expires_in_days is None else now + timedelta(days=grant.expires_in_days)
    )
    key_id, text = KeyStore(keys_file, pepper_file).create(
        now,
        grant.tenants[0],
        grant.regions[0],
        tenants=tuple(grant.tenants[1:]),
        regions=None if grant.any_region else tuple(grant.regions),
        provider=grant.provider,
        scopes=tuple(grant.scopes),
        limits=KeyLimits.model_validate(grant.limits),
        note=grant.note,
        expires_at=expires_at,
    )
    _print_key(key_id, text, as_json=as_json)


def show(keys_file: Path, pepper_file: Path, *, as_json: bool) -> None:
    """Print what each key stands for; neither secrets nor hashes."""
    now = _now()
    entries = KeyStore(keys_file, pepper_file).entries()
    if as_json:
        typer.echo(json.dumps([_shown(entry, now) for entry in entries], indent=2))
        return
    from rich.table import Table

    table = Table("id", "state", "tenants", "regions", "scopes", "until", "limits", "note")
    for entry in entries:
        limits = entry.limits.model_dump(exclude_none=True)
        table.add_row(
            cell(entry.id),
            entry.state(now),
            cell(", ".join((entry.tenant, *entry.tenants))),
            cell(_regions(entry)),
            ", ".join(entry.scopes),
            "" if entry.expires_at is None else in_utc(entry.expires_at).isoformat(),
            ", ".join(f"{name}={value:g}" for name, value in limits.items()),
            cell(entry.note or ""),
        )
    console(width_of_a_file=200).print(table)


def revoke(keys_file: Path, pepper_file: Path, key_id: str) -> None:
    """Refuse a key from now on."""
    KeyStore(keys_file, pepper_file).revoke(key_id)
    say(f"revoked {key_id}", err=True)


def rotate(
    keys_file: Path, pepper_file: Path, key_id: str, grace_hours: float, *, as_json: bool
) -> None:
    """Make a key that stands for the same and print it, once; the old one ends after a grace."""
    new_id, text = KeyStore(keys_file, pepper_file).rotate(
        key_id, _now(), timedelta(hours=grace_hours)
    )
    _print_key(new_id, text, as_json=as_json)


def _print_key(key_id: str, text: str, *, as_json: bool) -> None:
    typer.echo(json.dumps({"id": key_id, "key": text}) if as_json else text)


def _shown(entry: KeyEntry, now: datetime) -> dict[str, Any]:
    shown = entry.model_dump(mode="json", exclude={"hmac_sha256"}, exclude_none=True)
    return shown | {"state": entry.state(now)}


def _regions(entry: KeyEntry) -> str:
    if entry.regions is None:
        return f"{entry.region} (any)"
    return ", ".join((entry.region, *(name for name in entry.regions if name != entry.region)))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
