"""``python -m services.cli``."""

from __future__ import annotations

from services.cli import main

main()
