"""A headless Chromium that a program drives: pages, what they say, and pictures of them.

Speaks the DevTools protocol over a pair of pipes (``--remote-debugging-pipe``): no port, no
driver program, no library. Messages are JSON, each ended by a zero byte.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from services.local_stack.errors import StackError
from tools.pictures.chromium import Chromium, lend_typefaces

ANSWER_TIMEOUT_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.05
Message = dict[str, Any]
#: Chromium reads commands from file 3 and writes to file 4; then it takes this program's place.
PLUMBING: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One Chromium process; a context manager. Raises `StackError` when it does not answer."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium
        self._stack = ExitStack()
        self._answers: dict[int, queue.Queue[Message]] = {}
        self._listeners: dict[str, Callable[[Message], None]] = {}
        self._number = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            lend_typefaces(Path(profile))
            commands_in, self._commands = _pipe()
            self._events, events_out = _pipe()
            stack.callback(os.close, self._commands)
            stack.callback(os.close, self._events)
            command = [
                *(sys.executable, "-I", "-S", "-c", PLUMBING, str(commands_in), str(events_out)),
                *(str(self._chromium.binary), "--headless"),
                # It opens pages of ours on loopback only, and as root there is no sandbox.
                *("--no-sandbox", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
                *("--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio"),
                *("--hide-scrollbars", "--force-color-profile=srgb", "--proxy-server=direct://"),
            ]
            process = subprocess.Popen(
                command,
                pass_fds=(commands_in, events_out),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **self._chromium.env, "HOME": profile},
                start_new_session=True,
            )
            os.close(commands_in)
            os.close(events_out)
            stack.callback(_end, process)
            threading.Thread(target=self._listen, name="browser", daemon=True).start()
            self.call("Browser.getVersion")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def call(self, method: str, session: str | None = None, /, **parameters: Any) -> Message:
        """Call a method of the protocol and return its result."""
        with self._lock:
            self._number += 1
            number = self._number
            answer = self._answers[number] = queue.Queue(1)
            message: Message = {"id": number, "method": method, "params": parameters}
            if session is not None:
                message["sessionId"] = session
            _write(self._commands, json.dumps(message).encode() + b"\0")
        try:
            answered = answer.get(timeout=ANSWER_TIMEOUT_SECONDS)
        except queue.Empty:
            raise StackError(f"Chromium does not answer {method}") from None
        finally:
            del self._answers[number]
        if "error" in answered:
            raise StackError(f"Chromium refuses {method}: {answered['error']['message']}")
        result: Message = answered["result"]
        return result

    def new_page(self) -> Page:
        """Open an empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, target, attached["sessionId"])
        self._listeners[attached["sessionId"]] = page.hear
        for domain in ("Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        return page

    def _listen(self) -> None:
        with suppress(OSError):
            rest = b""
            while chunk := os.read(self._events, 1 << 16):
                *messages, rest = (rest + chunk).split(b"\0")
                for message in map(json.loads, messages):
                    if "id" in message and (waiting := self._answers.get(message["id"])):
                        waiting.put(message)
                    elif listener := self._listeners.get(message.get("sessionId", "")):
                        listener(message)


class Page:
    """One page; `problems` are the errors its console showed since it was opened."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session
        self.problems: list[str] = []

    def call(self, method: str, /, **parameters: Any) -> Message:
        """Call a method of the protocol for this page."""
        return self._browser.call(method, self._session, **parameters)

    def hear(self, message: Message) -> None:
        """Note what goes wrong on the page; called from the listening thread."""
        parameters = message.get("params", {})
        match message["method"]:
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                thrown = details.get("exception", {}).get("description", "")
                self.problems.append(f"{details['text']} {thrown}")
            case "Runtime.consoleAPICalled" if parameters["type"] in {"error", "warning"}:
                self.problems.append(str([part.get("value") for part in parameters["args"]]))
            case "Log.entryAdded" if parameters["entry"]["level"] in {"error", "warning"}:
                entry = parameters["entry"]
                self.problems.append(f"{entry['text']} {entry.get('url', '')}")

    def look(
        self, width: int, height: int, *, scale: float = 1, dark: bool = False, still: bool = True
    ) -> None:
        """Set the size in CSS pixels, the colour scheme, and whether motion is unwelcome."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale}
        self.call("Emulation.setDeviceMetricsOverride", **size, mobile=width < 600)
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if still else "no-preference",
        }
        named = [{"name": name, "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def open(self, url: str) -> None:
        """Go to an address; raises `StackError` when nothing answers there."""
        error = self.call("Page.navigate", url=url).get("errorText")
        if error:
            raise StackError(f"{url}: {error}")
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """Give the value of a JavaScript expression; a promise is waited for."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            raise StackError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait_for(self, expression: str, timeout_seconds: float = 20.0) -> Any:
        """Wait until the expression is true and give its value; raises `StackError`."""
        deadline = time.monotonic() + timeout_seconds
        while not (value := self.evaluate(expression)):
            if time.monotonic() > deadline:
                raise StackError(f"not true after {timeout_seconds:g} s: {expression}")
            time.sleep(POLL_SECONDS)
        return value

    def press(self, key: str) -> None:
        """Press and release a key, named as in KeyboardEvent.key."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        code = {"Tab": 9, "Enter": 13, " ": 32}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **extra
            )

    def screenshot(self, path: Path | None = None, *, whole: bool = False) -> bytes:
        """Take a PNG of what is seen, or of the whole page, and write it to ``path``."""
        done = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        picture = base64.b64decode(done["data"])
        if path is not None:
            path.write_bytes(picture)
        return picture

    def close(self) -> None:
        """Close the page."""
        self._browser.call("Target.closeTarget", targetId=self._target)


def _pipe() -> tuple[int, int]:
    """Reading and writing end, both clear of the files 3 and 4 that they are moved to later."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the browser with all it started; its profile is thrown away, so nothing is to save."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
