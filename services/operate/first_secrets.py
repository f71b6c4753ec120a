"""Makes the secrets of the container set-up: once, at its first start, each where it is needed.

Every consumer has a folder (a volume) of its own, so no container sees another's secrets::

    clickhouse/clickhouse_passwords.xml   SHA-256 of the users' passwords (users.xml includes it)
    migrate/clickhouse_password           aggregator/…, exporter/…: the same for their users
    ingest/pepper  ingest/keys.yaml       what ingest verifies API keys with
    gateway/<tenant>.key                  the API keys of the first tenants, as gateways send them
    canary/api_key                        the API key of the canary, which is nobody's tenant
    grafana/admin_password                grafana/clickhouse_password: of the user wattoken_grafana
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from schemas.canary import CANARY
from services.platform.errors import ConfigurationError

#: 256 bits: no dictionary helps against their hashes.
SECRET_BYTES: Final = 32
CLICKHOUSE_USERS: Final = ("migrate", "aggregator", "exporter", "grafana")
#: (tenant, region) of the keys made at first.
FIRST_KEYS: Final = (("acme", "eu-central"), ("globex", "us-east"))

#: Of consumers that run as the same user as this.
OWN: Final = 0o400
#: Of consumers that run as another user; the folder is mounted into their container only.
FOREIGN: Final = 0o444

Report = Callable[[str], None]


def make_first_secrets(folder: Path, report: Report) -> None:
    """Make every secret that is missing below ``folder``; what is there stays as it is.

    Raises `ConfigurationError` when the folder cannot be written.
    """
    try:
        for user in CLICKHOUSE_USERS:
            mode = FOREIGN if user == "grafana" else OWN
            make_secret(folder / user / "clickhouse_password", mode, report)
        _write_clickhouse_passwords(folder, report)
        make_secret(folder / "grafana" / "admin_password", FOREIGN, report)
        _make_keys(folder, report)
    except OSError as error:
        raise ConfigurationError(f"cannot write {error.filename}: {error.strerror}") from None


def _make_keys(folder: Path, report: Report) -> None:
    """Make ingest's pepper, its keys file, the key of each first tenant and the canary's."""
    # Here and not above: only this job needs ingest, the health probe beside it does not.
    from services.ingest.keys.store import add_key

    keys_file = folder / "ingest" / "keys.yaml"
    pepper_file = folder / "ingest" / "pepper"
    keys_file.parent.mkdir(parents=True, exist_ok=True)
    places = [
        (folder / "gateway" / f"{tenant}.key", tenant, region) for tenant, region in FIRST_KEYS
    ]
    # Not beside the gateways': whoever plays them all (`wattoken simulate --keys`) is no canary.
    places.append((folder / "canary" / "api_key", CANARY, CANARY))
    for key_file, tenant, region in places:
        name = f"{key_file.parent.name}/{key_file.name}"
        if key_file.exists():
            report(f"{name}: exists")
            continue
        write_secret(key_file, add_key(keys_file, pepper_file, tenant, region, None), OWN)
        report(f"{name}: made")


def _write_clickhouse_passwords(folder: Path, report: Report) -> None:
    """Write the hashes again each time: they must fit the passwords that are there."""
    lines = ["<clickhouse>"]
    for user in CLICKHOUSE_USERS:
        password = (folder / user / "clickhouse_password").read_bytes().strip()
        element = f"wattoken_{user}_sha256"
        lines.append(f"    <{element}>{hashlib.sha256(password).hexdigest()}</{element}>")
    text = "\n".join([*lines, "</clickhouse>"])
    write_secret(folder / "clickhouse" / "clickhouse_passwords.xml", text, FOREIGN)
    report("clickhouse/clickhouse_passwords.xml: made")


def make_secret(path: Path, mode: int, report: Report) -> None:
    """Make a secret of `SECRET_BYTES`, unless it is there."""
    name = f"{path.parent.name}/{path.name}"
    if path.exists():
        report(f"{name}: exists")
        return
    write_secret(path, secrets.token_urlsafe(SECRET_BYTES), mode)
    report(f"{name}: made")


def write_secret(path: Path, text: str, mode: int) -> None:
    """Write the file whole or not at all: a job killed half-way must leave no empty password."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text + "\n")
    fresh.chmod(mode)
    fresh.rename(path)
