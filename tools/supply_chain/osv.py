"""A client of OSV's API, bounded in time: which advisories there are of components.

API: https://google.github.io/osv.dev/api/.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any, Final

from tools.supply_chain.advisories import Advisory, Document, of
from tools.supply_chain.components import Component

URL: Final = "https://api.osv.dev"
#: As many as the API takes in one request.
BATCH_MAX: Final = 1000
ANSWER_BYTES_MAX: Final = 50_000_000
#: For what a read that began in time still takes.
GRACE_SECONDS: Final = 2.0


class Unreachable(Exception):
    """The index did not answer, or not as OSV does; the text says why."""


def within(timeout_seconds: float, url: str, components: Sequence[Component]) -> list[Advisory]:
    """What an index has on components; raises `Unreachable` once the time is up.

    In a thread that is left behind then: nothing else bounds how long the system looks for a name.
    """
    answers: list[list[Advisory] | Unreachable] = []

    def ask() -> None:
        try:
            answers.append(Client(url, timeout_seconds).advisories(components))
        except Unreachable as error:
            answers.append(error)
        except (AttributeError, KeyError, TypeError):
            answers.append(Unreachable(f"{url}: answers otherwise than OSV does"))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout_seconds + GRACE_SECONDS)
    answer = answers[0] if answers else Unreachable(f"{url}: no answer")
    if isinstance(answer, Unreachable):
        raise answer
    return answer


class Client:
    """Asks one index, for so many seconds in all."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self.url = url.rstrip("/")
        self.timeout_seconds = timeout_seconds
        self._ends = time.monotonic() + timeout_seconds

    def advisories(self, components: Sequence[Component]) -> list[Advisory]:
        """Every advisory of every component.

        The ids come first, with two requests or so; what only one id has cannot be got within the
        time is named without a summary.
        """
        found = self.ids(components)
        documents: dict[str, Document] = {}
        try:
            for name in sorted({name for names in found.values() for name in names}):
                documents[name] = self._ask(f"/v1/vulns/{name}")
        except Unreachable:
            pass
        return [
            of(component, documents[name]) if name in documents else Advisory(component, name)
            for component, names in found.items()
            for name in names
        ]

    def ids(self, components: Sequence[Component]) -> dict[Component, list[str]]:
        """The ids of advisories by component, of those that have any."""
        found: dict[Component, list[str]] = {}
        asked: list[tuple[Component, str | None]] = [(each, None) for each in components]
        while asked:
            now, asked = asked[:BATCH_MAX], asked[BATCH_MAX:]
            queries = [_query(component, page) for component, page in now]
            results = self._ask("/v1/querybatch", {"queries": queries}).get("results")
            if not isinstance(results, list) or len(results) != len(now):
                raise Unreachable(f"{self.url}: answers otherwise than OSV does")
            for (component, _), result in zip(now, results, strict=True):
                names = [str(each["id"]) for each in (result or {}).get("vulns") or []]
                if names:
                    found.setdefault(component, []).extend(names)
                page = (result or {}).get("next_page_token")
                if page:
                    asked.append((component, page))
        return found

    def _ask(self, path: str, body: Any = None) -> Document:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise Unreachable(f"{self.url}: no answer within {self.timeout_seconds:g} s")
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=left) as answer:
                document = json.loads(self._read(answer))
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(f"{self.url}: {error}") from None
        if not isinstance(document, dict):
            raise Unreachable(f"{self.url}: answers otherwise than OSV does")
        return document

    def _read(self, answer: Any) -> bytes:
        """A body, as long as it comes in time and is not absurdly long."""
        read = b""
        while chunk := answer.read1(1 << 16):
            read += chunk
            if time.monotonic() > self._ends or len(read) > ANSWER_BYTES_MAX:
                raise OSError(f"no whole answer within {self.timeout_seconds:g} s")
        return read


def _query(component: Component, page: str | None) -> dict[str, Any]:
    package = {"ecosystem": component.ecosystem, "name": component.name}
    query: dict[str, Any] = {"package": package, "version": component.version}
    return query if page is None else {**query, "page_token": page}
