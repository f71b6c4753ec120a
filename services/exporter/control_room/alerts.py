"""Which alerts fire, as Prometheus says: read by the exporter, so that the page asks only us."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any, Final

from services.platform.direct_http import direct_opener
from services.platform.errors import UnavailableError

#: Names of our alerts begin so; a Prometheus of a whole company has others.
NAME_PREFIX: Final = "Wattoken"
ALERTS_MAX: Final = 50
ANSWER_BYTES_MAX: Final = 8 * 1024**2
TEXT_LENGTH_MAX: Final = 500
#: What says where; other labels may name whom the page must not name.
LABELS: Final = ("region", "provider", "model", "topic", "partition", "job", "instance")
SEVERITIES: Final = ("critical", "warning")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert that fires."""

    name: str
    severity: str
    summary: str
    since: float | None
    labels: dict[str, str]
    #: Address of its section in the runbook, or empty.
    runbook: str


@dataclass(frozen=True, slots=True)
class Alerts:
    """Alerts that fire, worst and then newest first: the first `ALERTS_MAX` of so many."""

    firing: list[Alert]
    firing_count: int
    pending_count: int


def alerts_reader(prometheus: str, runbook: str, timeout_seconds: float) -> Callable[[], Alerts]:
    """Give what asks Prometheus once; it raises `UnavailableError`."""
    opener = direct_opener()
    address = f"{prometheus.rstrip('/')}/api/v1/alerts"

    def read() -> Alerts:
        try:
            with opener.open(address, timeout=timeout_seconds) as answer:
                body = answer.read(ANSWER_BYTES_MAX + 1)
        except urllib.error.HTTPError as error:
            raise UnavailableError(f"Prometheus answers {error.code} to {address}") from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise UnavailableError(f"Prometheus does not answer at {address}: {reason}") from error
        return alerts_of(body, address, runbook)

    return read


def alerts_of(body: bytes, address: str, runbook: str) -> Alerts:
    """Read Prometheus' answer. Raises `UnavailableError` where it is none."""
    wrong = UnavailableError(
        f"{address} does not answer as Prometheus does: see WATTOKEN_EXPORTER_PROMETHEUS_URL"
    )
    if len(body) > ANSWER_BYTES_MAX:
        raise UnavailableError(f"{address} answers with more than {ANSWER_BYTES_MAX} bytes")
    try:
        told = json.loads(body)["data"]["alerts"]
        ours = [one for one in told if str(one["labels"]["alertname"]).startswith(NAME_PREFIX)]
        firing = [_alert(one, runbook) for one in ours if one["state"] == "firing"]
        pending = sum(one["state"] == "pending" for one in ours)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise wrong from None
    firing.sort(key=lambda one: (_rank(one.severity), -(one.since or 0), one.name))
    return Alerts(firing[:ALERTS_MAX], len(firing), pending)


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _alert(told: Mapping[str, Any], runbook: str) -> Alert:
    labels, notes = told["labels"], told.get("annotations") or {}
    return Alert(
        name=str(labels["alertname"])[:TEXT_LENGTH_MAX],
        severity=str(labels.get("severity", ""))[:TEXT_LENGTH_MAX],
        summary=str(notes.get("summary", ""))[:TEXT_LENGTH_MAX],
        since=_seconds(told.get("activeAt")),
        labels={name: str(labels[name])[:TEXT_LENGTH_MAX] for name in LABELS if name in labels},
        runbook=_section(notes, runbook),
    )


def _section(notes: Mapping[str, Any], runbook: str) -> str:
    """Where the alert says it is explained: an address, or a section of our runbook."""
    address = str(notes.get("runbook_url", ""))
    if address.startswith(("https://", "http://")):
        return address[:TEXT_LENGTH_MAX]
    _, found, anchor = str(notes.get("runbook", address)).partition("runbook.md#")
    return f"{runbook}#{anchor}"[:TEXT_LENGTH_MAX] if found and runbook else ""


def _seconds(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
