"""A process that takes a certificate and a key as ingest's server does, and ends.

``python -m services.serving.tls.trial CERTIFICATE KEY`` ends with 0 where both can be served. The
server ends its process, by a signal, where it cannot read them.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path
from typing import Any

from services.serving.granian_server import start_granian
from services.serving.listeners import Listeners
from services.serving.tls.pair import Pair


async def _no_app(_scope: Any, _receive: Any, _send: Any) -> None:
    """Nobody asks."""


async def _take(pair: Pair) -> None:
    await start_granian(_no_app, Listeners("127.0.0.1", 0).add(), 1, pair)
    # At once: granian's threads, which are only starting, do not outlive an interpreter that ends.
    os._exit(0)


def main() -> None:
    """Take them."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    certificate, key = (Path(path).read_bytes() for path in sys.argv[1:])
    asyncio.run(_take(Pair(certificate, key)))


if __name__ == "__main__":
    main()
