"""Which stack a command goes by: taken over from the one that runs in this folder, and told."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Final

from services.platform import stack_here
from services.platform.output import say

#: Make a stack of their own, and what they start is told of that one.
OWN_STACK: Final = frozenset({"up", "demo", "chaos"})
#: Reach neither Kafka nor ClickHouse, so there is nothing to tell. A new command tells.
REACH_NOTHING: Final = frozenset(
    {
        *("grants", "init-secrets", "healthcheck", "keys create", "keys list", "keys revoke"),
        *("keys rotate", "gateways unread", "gateways fields", "tariffs check", "tariffs list"),
        *("tariffs show", "tariffs sync", "tariffs disputes"),
    }
)


def follow(
    arguments: Sequence[str],
    environ: MutableMapping[str, str],
    folder: Path = stack_here.FOLDER,
) -> None:
    """Have a command go by the stack of this folder where nobody says another; tell what differs.

    ``arguments`` are the command line's, ``environ`` is changed.
    """
    words = [word for word in arguments if not word.startswith("-")]
    if not words or words[0] in OWN_STACK or "--help" in arguments:
        return
    stack = stack_here.stack_here(folder)
    taken = stack_here.followed(environ, stack)
    environ.update(taken)
    if REACH_NOTHING.isdisjoint({words[0], " ".join(words[:2])}):
        line = stack_here.said_of(environ, stack, taken=bool(taken))
        if line is not None:
            say(f"wattoken: {line}", err=True)
