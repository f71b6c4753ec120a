"""What stands for a text that cannot be read."""

from __future__ import annotations

import secrets
from typing import Final

#: New with each process, so no text is it by chance or on purpose.
UNREADABLE: Final = f"unreadable-{secrets.token_hex(16)}"
