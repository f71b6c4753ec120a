"""LiteLLM's proxy as a process, with all its callbacks, each with an API key of its own.

The generic callback is the file that docs/gateways.md says, behind a door that can be shut.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from known_calls import KEYS, URL

ROOT = Path(__file__).parents[2]
#: The callbacks, each by the region of its key.
GENERIC, OPENMETER, OURS, OTEL = (
    "proxy-generic",
    "proxy-openmeter",
    "proxy-wattoken",
    "proxy-otel",
)
MASTER_KEY = f"sk-{secrets.token_hex(16)}"
READY_WITHIN_SECONDS = 180.0


class Door(BaseHTTPRequestHandler):
    """Before ingest, for the generic callback: while it is shut ingest is away."""

    protocol_version = "HTTP/1.1"
    shut = False
    knocks = 0

    def do_POST(self) -> None:
        """Pass a request on, or hang up."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Door.shut:
            Door.knocks += 1
            self.close_connection = True
            return
        # As slow as a far one: more is logged while a batch is under way.
        time.sleep(0.5)
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type")}
        answer = httpx.post(URL + self.path, content=body, headers=headers, trust_env=False)
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def serve_door() -> str:
    """Serve in the background; return the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def page_callback(address: str) -> str:
    """Take the callback's file out of docs/gateways.md, with another address."""
    page = (ROOT / "docs" / "gateways.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if "GenericAPILogger" in block]
    assert found.count("http://127.0.0.1:8080") == 1
    return found.replace("http://127.0.0.1:8080", address)


def configuration(providers: str) -> dict[str, Any]:
    """The proxy's config.yaml, as JSON, which is YAML."""
    openai = {"api_base": f"{providers}/v1", "api_key": "none"}
    models = {
        name: {"model": f"openai/{name}", **openai} for name in ("gpt-4o", "text-embedding-3-small")
    }
    anthropic = {"api_base": providers, "api_key": "none"}
    models["claude-haiku-4-5"] = {"model": "anthropic/claude-haiku-4-5", **anthropic}
    callbacks = ["wattoken_callback.handler", "litellm_gateway.wattoken_logger"]
    return {
        "model_list": [
            {"model_name": name, "litellm_params": params} for name, params in models.items()
        ],
        "litellm_settings": {"callbacks": [*callbacks, "openmeter", "otel"], "num_retries": 1},
        "router_settings": {"retry_after": 0, "disable_cooldowns": True},
    }


def start(folder: Path, providers: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start the proxy in a folder with its configuration; return it and its address."""
    (folder / "config.yaml").write_text(json.dumps(configuration(providers)))
    (folder / "wattoken_callback.py").write_text(page_callback(serve_door()))
    shutil.copy(ROOT / "clients" / "python" / "examples" / "litellm_gateway.py", folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {
        **os.environ,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_MASTER_KEY": MASTER_KEY,
        "DISABLE_ADMIN_UI": "True",
        "DEFAULT_FLUSH_INTERVAL_SECONDS": "1",
        "KEY": KEYS[GENERIC],
        "WATTOKEN_URL": URL,
        "WATTOKEN_API_KEY": KEYS[OURS],
        "OPENMETER_API_ENDPOINT": URL,
        "OPENMETER_API_KEY": KEYS[OPENMETER],
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{URL}/v1/traces",
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {KEYS[OTEL]}",
        "OTEL_SERVICE_NAME": "litellm",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }
    command = [str(Path(sys.executable).with_name("litellm")), "--config", "config.yaml"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    return process, f"http://127.0.0.1:{port}"


def wait_ready(process: subprocess.Popen[bytes], proxy: httpx.Client) -> None:
    """Wait until the proxy answers."""
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if proxy.get("/health/liveliness").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the proxy did not start")
