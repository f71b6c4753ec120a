"""The keys that may send, looked up by their id, verified in constant time, replaced at once."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from services.ingest.errors import ForbiddenError, UnauthorizedError
from services.ingest.keys.entry import KeyEntry, KeyLimits, Scope
from services.ingest.keys.file import read_keys_file, read_pepper
from services.ingest.keys.key import Key
from services.ingest.keys.limits import (
    NO_LIMIT,
    NO_LIMITS,
    Allowance,
    Combination,
    DistinctValues,
    KeyUse,
)
from services.ingest.keys.secret import DIGEST_BYTES, digest, parse_key

_NONE: Final = "no API key: send the header `Authorization: Bearer wtk_…`"
_UNKNOWN: Final = (
    "this API key is not known: send `Authorization: Bearer wtk_…` with a key from the keys file"
)
#: Longer than any key of ours; whatever is longer is not worth hashing.
_HEADER_LENGTH_MAX: Final = 256
_NO_DIGEST: Final = bytes(DIGEST_BYTES)


class KeyRing:
    """The keys of one keys file under one pepper."""

    def __init__(
        self,
        entries: Iterable[KeyEntry],
        pepper: bytes,
        defaults: Allowance = NO_LIMITS,
        monotonic: Callable[[], float] = time.monotonic,
        series_max: int = NO_LIMIT,
    ) -> None:
        #: What all keys together have named; no reload forgets it.
        self._all_series = DistinctValues[Combination](series_max)
        self._defaults = defaults
        self._monotonic = monotonic
        self._known: dict[str, tuple[bytes, KeyEntry, KeyUse]] = {}
        self._pepper = pepper
        self.replace(entries, pepper)

    @classmethod
    def load(
        cls,
        keys_file: Path,
        pepper_file: Path,
        defaults: Allowance = NO_LIMITS,
        series_max: int = NO_LIMIT,
    ) -> KeyRing:
        """Read both files; raises `ConfigurationError` naming what is wrong with which."""
        entries, pepper = read_keys_file(keys_file), read_pepper(pepper_file)
        return cls(entries, pepper, defaults, series_max=series_max)

    def __len__(self) -> int:
        return len(self._known)

    def replace(self, entries: Iterable[KeyEntry], pepper: bytes) -> None:
        """Know these keys from now on and no others.

        A key whose limits stay the same keeps what it has used: a reload is no way round them.
        """
        now = self._monotonic()
        known: dict[str, tuple[bytes, KeyEntry, KeyUse]] = {}
        for entry in entries:
            allowance = allowance_of(entry.limits, self._defaults)
            before = self._known.get(entry.id)
            if before is not None and before[2].allowance == allowance:
                use = before[2]
            else:
                use = KeyUse(allowance, now, self._all_series)
            known[entry.id] = (bytes.fromhex(entry.hmac_sha256), entry, use)
        self._known, self._pepper = known, pepper

    def verify(self, authorization: str | None, now: datetime, scope: Scope = "ingest") -> Key:
        """Say which key an ``Authorization`` header bears.

        Raises `UnauthorizedError` for none or an unknown one, `ForbiddenError` for a known one
        that is revoked, expired at ``now``, or without ``scope``. An unknown id costs as much
        time as a wrong secret.
        """
        if not authorization:
            raise UnauthorizedError(_NONE)
        parsed = parse_key(authorization) if len(authorization) <= _HEADER_LENGTH_MAX else None
        if parsed is None:
            raise UnauthorizedError(_UNKNOWN)
        lookup_id, secret = parsed
        known = self._known.get(lookup_id)
        expected = _NO_DIGEST if known is None else known[0]
        matches = hmac.compare_digest(digest(self._pepper, secret), expected)
        if known is None or not matches:
            raise UnauthorizedError(_UNKNOWN)
        _, entry, use = known
        if entry.disabled:
            raise ForbiddenError(f"API key {lookup_id} is revoked: use another key")
        if entry.expired(now):
            raise ForbiddenError(f"API key {lookup_id} has expired: use a newer key")
        if scope not in entry.scopes:
            raise ForbiddenError(
                f"API key {lookup_id} lacks the scope {scope!r}: use a key that has it"
            )
        return Key(entry, use, self._monotonic())


def allowance_of(limits: KeyLimits, defaults: Allowance) -> Allowance:
    """Fill in the service's limits where the key has none of its own."""
    own = limits.model_dump(exclude_none=True)
    return Allowance(
        events_per_second=own.get("events_per_second", defaults.events_per_second),
        bytes_per_second=own.get("bytes_per_second", defaults.bytes_per_second),
        models_max=own.get("models_max", defaults.models_max),
        regions_max=own.get("regions_max", defaults.regions_max),
        providers_max=own.get("providers_max", defaults.providers_max),
        series_max=own.get("series_max", defaults.series_max),
    )
