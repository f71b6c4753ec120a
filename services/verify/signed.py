"""PURE. Objects of a bill under a signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from services.verify.canonical import canonical
from services.verify.errors import BillError
from services.verify.fields import Fields
from services.verify.proofs import leaf_hash

#: What is signed begins with it, so that no signature of something else is one of a bill.
SIGNED: Final = b"wattoken-settled-bill-1:"
#: Whether a signature (64 bytes) over a message is one of a public key (32 bytes):
#: key, signature, message.
Check = Callable[[bytes, bytes, bytes], bool]


class Signed:
    """Bodies under signatures of one key."""

    def __init__(self, key: bytes, check: Check) -> None:
        self._key = key
        self._check = check

    def body(
        self, held: Fields, kind: str, names: tuple[str, ...] | None = None
    ) -> tuple[Fields, bytes]:
        """The signed object in ``body``, and its hash as a leaf."""
        place = f"{held.place}.body"
        value = held.values["body"]
        content = canonical(value)
        if not self._check(self._key, held.hexadecimal("signature", 64), SIGNED + content):
            raise BillError(f"{held.place}.signature", "it is none of this key over this content")
        if names is None:
            names = tuple(value) if isinstance(value, dict) else ()
        body = Fields(place, value, names)
        if body.values.get("kind") != kind:
            raise BillError(place, f"its kind must be {kind}")
        return body, leaf_hash(content)
