"""Planted bugs are run by hand (`make planted`): not each is seen yet (docs/reliability.md)."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("WATTOKEN_PLANTED") == "1" else ["test_planted_bugs.py"]
