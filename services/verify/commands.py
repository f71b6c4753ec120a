"""`wattoken verify`: reads a bill, and a key; says what is proven, or what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.verify.bill import Verified, verify
from services.verify.ed25519 import is_signed, read_public_key
from services.verify.errors import BillError

#: A bill of a large month has some tens of MB; what is longer is none, and is not read.
BYTES_MAX: Final = 1 << 30


def verify_bill(
    path: Path,
    *,
    key: Path | None,
    earlier: Path | None,
    earlier_key: Path | None,
    as_json: bool,
) -> bool:
    """Check a bill and print what was found; whether it is proven.

    ``key`` is a file with the public key that it must be signed with, ``earlier`` the bill of the
    run before, whose head this one's log must begin with; it is of ``earlier_key``, or the same
    key. Raises `ConfigurationError` where a file cannot be read.
    """
    pinned = None if key is None else read_public_key(key)
    before = None if earlier_key is None else read_public_key(earlier_key)
    try:
        found = _checked(path, pinned)
        if earlier is not None:
            _must_follow(found, _checked(earlier, before or found.key), earlier)
    except BillError as error:
        if as_json:
            print(json.dumps({"proven": False, "place": error.place, "wrong": error.wrong}))
        else:
            say(f"NOT PROVEN: {error}", err=True)
        return False
    if as_json:
        print(json.dumps(_document(found, pinned=pinned is not None), indent=2))
    else:
        _say(found, pinned=pinned is not None)
    return True


def _checked(path: Path, pinned: bytes | None) -> Verified:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise BillError(str(path), "it is longer than any bill")
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read the bill {path}: {error.strerror}") from None
    found = verify(content, is_signed)
    if pinned is not None and found.key != pinned:
        raise BillError(
            "bill.key", f"{path} is signed with another key than the one that it must be"
        )
    return found


def _must_follow(found: Verified, earlier: Verified, path: Path) -> None:
    """See that a bill's log goes on from the one that an earlier bill was shown in."""
    if found.tenant != earlier.tenant:
        raise BillError("statement.body.tenant", f"{path} is of another tenant")
    if found.earlier != earlier.head:
        raise BillError("earlier", f"its log is not proven to begin with that of {path}")


def _say(found: Verified, *, pinned: bool) -> None:
    say(f"proven: {found.tenant}, {found.period}, run {found.run}")
    say(f"  {found.readings:,} readings and {found.lines:,} lines, each signed and in the log")
    for currency, amount in found.totals:
        say(f"  {currency} {amount:f}")
    if found.unpriced_tokens:
        say(f"  not in it: {found.unpriced_tokens:,} tokens that no price fits")
    say(f"  log of {found.head.size:,} statements, root {found.head.root.hex()}")
    if found.earlier is not None:
        before = found.earlier
        say(
            f"  it only grew since run {before.run} of {before.period} ({before.size:,} statements)"
        )
    if pinned:
        say("  signed with the key that was given")
    else:
        say(
            f"  signed with {found.key.hex()}: give --key to have it held against the key of who"
            " billed, as he published it"
        )


def _document(found: Verified, *, pinned: bool) -> dict[str, object]:
    earlier = found.earlier
    return {
        "proven": True,
        "key": found.key.hex(),
        "key_was_given": pinned,
        "tenant": found.tenant,
        "period": found.period,
        "run": found.run,
        "readings": found.readings,
        "lines": found.lines,
        "totals": {currency: f"{amount:f}" for currency, amount in found.totals},
        "unpriced_tokens": found.unpriced_tokens,
        "log": {"size": found.head.size, "root": found.head.root.hex()},
        "earlier": None
        if earlier is None
        else {
            "period": earlier.period,
            "run": earlier.run,
            "size": earlier.size,
            "root": earlier.root.hex(),
        },
    }
