"""PURE. Text that others wrote, as it is shown: no name moves the cursor, turns a line or hides.

A model may call itself ESC[2J, or turn the direction of what follows it. Ingest refuses such names
(`not_printable`); what came by another way, or before, is shown escaped by every command.
"""

from __future__ import annotations

import re
from typing import Final

#: Controls of C0 and C1, line and paragraph separators, marks that turn the direction of a text,
#: what is invisible (but for the joiners that scripts and emoji need), tags, and half surrogates.
_NOT_PRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def not_printable(text: str) -> str | None:
    """Name the first character that no name may have, such as ``U+001B``; None where all may be."""
    # Nearly every name is found fit by a pass of C code; some scripts take the second look.
    if text.isprintable():
        return None
    found = _NOT_PRINTABLE.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def shown(value: object) -> str:
    r"""Give a text as one line that shows what is in it: ``\x1b``, ``\u202e``."""
    return _NOT_PRINTABLE.sub(_escaped, str(value))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
