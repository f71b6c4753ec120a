"""The framework's limit: the same server with a handler that reads the body and answers 202."""

from __future__ import annotations

import sys
from typing import Any

from services.ingest.tuning import tune_interpreter
from services.platform.connections import ConnectionLimits
from services.serving.server import serve

ANSWER = b'{"accepted":1}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request alike; of the lifespan, say that all is well."""
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    tune_interpreter()
    serve(app, "127.0.0.1", int(sys.argv[1]), "PORT", 2.0, ConnectionLimits(4096, 256, 75))
