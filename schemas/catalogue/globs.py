"""Globs over model names: `*` stands for any text, case does not matter; no more is special."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

#: In `provider`, `region` and `model` of a tariff: any.
ANY: Final = "*"


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in pattern.lower().split("*"))
    return re.compile(".*".join(parts), re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    """Whether the whole ``name`` is what ``pattern`` describes."""
    return _compiled(pattern).fullmatch(name.lower()) is not None


def literal_length(pattern: str) -> int:
    """How many characters of the pattern stand for themselves: the longer, the more specific."""
    return len(pattern.replace("*", ""))
