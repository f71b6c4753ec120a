"""A gateway on FastAPI in front of an OpenAI-compatible API, metered by one line.

Run it with ``uvicorn fastapi_gateway:app``, with UPSTREAM_URL, WATTOKEN_URL and WATTOKEN_API_KEY
in the environment, and ``fastapi``, ``httpx`` and ``uvicorn`` installed.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from wattoken.client import Meter
from wattoken.client.asgi import MeterMiddleware


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one client to the upstream API."""
    async with httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"], timeout=600) as client:
        app.state.upstream = client
        yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(MeterMiddleware, meter=Meter.from_env(source="my-gateway"), provider="openai")


@app.post("/v1/chat/completions")
async def chat(request: Request) -> Response:
    """Pass a chat completion on; a stream is asked for its usage, which comes in the last chunk."""
    body = await request.json()
    if not body.get("stream"):
        answer = await app.state.upstream.post("/v1/chat/completions", json=body)
        return Response(answer.content, answer.status_code, media_type="application/json")
    body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}

    async def chunks() -> AsyncIterator[bytes]:
        upstream = app.state.upstream.stream("POST", "/v1/chat/completions", json=body)
        async with upstream as answer:
            async for chunk in answer.aiter_raw():
                yield chunk

    return StreamingResponse(chunks(), media_type="text/event-stream")
