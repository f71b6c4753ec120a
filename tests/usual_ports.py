"""The ports that people know: who starts something on them waits for who did before.

Tests use ports that the system gives. Only the local stack that is run as a person would, and
docker-compose.yml, take 8080, 9090 and their like, and not both at once.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from services.local_stack.cache import cache_folder


@contextmanager
def usual_ports_are_ours() -> Iterator[None]:
    """Wait until no other test process has the usual ports."""
    home = cache_folder()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "usual-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
