"""API keys for the local stack: recreated for each run, in files only the owner can read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from services.local_stack.services import Credential

#: (tenant, region) of the keys that a local pipeline gets unless told otherwise.
DEFAULT_ACCOUNTS = (
    ("acme", "eu-central"),
    ("acme", "us-east"),
    ("globex", "us-east"),
    ("globex", "ap-northeast"),
)


def make_credentials(
    accounts: Iterable[tuple[str, str]], folder: Path
) -> tuple[list[Credential], dict[str, str]]:
    """Make a key for each (tenant, region); return them and the environment ingest needs."""
    from services.ingest.keys.file import write_keys_file
    from services.ingest.keys.secret import new_key, new_pepper

    folder.mkdir(parents=True, exist_ok=True)
    pepper = new_pepper()
    credentials, entries = [], []
    for tenant, region in accounts:
        # The simulated gateways adjust what they sent.
        key, entry = new_key(tenant, region, pepper, scopes=("ingest", "adjust"))
        credentials.append(Credential(tenant, region, key))
        entries.append(entry)
    keys_file, pepper_file = folder / "keys.yaml", folder / "pepper"
    write_keys_file(keys_file, entries)
    with os.fdopen(os.open(pepper_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(pepper)
    return credentials, {
        "WATTOKEN_INGEST_KEYS_FILE": str(keys_file),
        "WATTOKEN_INGEST_PEPPER_FILE": str(pepper_file),
    }
