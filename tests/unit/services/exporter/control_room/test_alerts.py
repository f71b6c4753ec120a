"""Prometheus' alerts: ours, the worst first, and nothing of whom they are about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.exporter.control_room.alerts import ALERTS_MAX, alerts_of, alerts_reader
from services.platform.errors import UnavailableError

RUNBOOK = "https://book.example/runbook.md"


def told(*alerts: dict[str, Any]) -> bytes:
    return json.dumps({"status": "success", "data": {"alerts": list(alerts)}}).encode()


def alert(name: str, severity: str, state: str = "firing", **rest: Any) -> dict[str, Any]:
    labels = {"alertname": name, "severity": severity, "region": "eu", "tenant": "acme"}
    given = {"labels": labels, "annotations": {"summary": f"{name} says"}, "state": state}
    return {**given, "activeAt": "2026-03-15T12:00:00.123456789Z", **rest}


def test_ours_that_fire_worst_first_without_tenants() -> None:
    found = alerts_of(
        told(
            alert("WattokenB", "warning"),
            alert("WattokenA", "critical"),
            alert("WattokenC", "critical", "pending"),
            alert("SomebodyElses", "critical"),
        ),
        "http://p",
        RUNBOOK,
    )
    assert [one.name for one in found.firing] == ["WattokenA", "WattokenB"]
    assert (found.firing_count, found.pending_count) == (2, 1)
    assert found.firing[0].labels == {"region": "eu"}
    assert found.firing[0].summary == "WattokenA says"
    assert found.firing[0].since == pytest.approx(1_773_576_000.1235)


def test_where_an_alert_is_explained() -> None:
    notes: list[tuple[dict[str, str], str]] = [
        ({"runbook": "docs/runbook.md#lag-is-growing"}, f"{RUNBOOK}#lag-is-growing"),
        ({"runbook_url": "https://x.example/y#z"}, "https://x.example/y#z"),
        ({"runbook_url": "javascript:alert(1)"}, ""),
        ({}, ""),
    ]
    for given, expected in notes:
        body = told(alert("WattokenA", "warning", annotations=given))
        assert alerts_of(body, "http://p", RUNBOOK).firing[0].runbook == expected
    body = told(alert("WattokenA", "warning", annotations=notes[0][0]))
    assert alerts_of(body, "http://p", "").firing[0].runbook == ""


def test_no_more_than_a_page_holds() -> None:
    many = [alert(f"Wattoken{number}", "warning") for number in range(ALERTS_MAX + 7)]
    found = alerts_of(told(*many), "http://p", "")
    assert (len(found.firing), found.firing_count) == (ALERTS_MAX, ALERTS_MAX + 7)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"data": {"alerts": [1]}}', b'{"data": null}']
)
def test_what_is_no_prometheus_is_named(body: bytes) -> None:
    with pytest.raises(UnavailableError, match="WATTOKEN_EXPORTER_PROMETHEUS_URL"):
        alerts_of(body, "http://p", "")


def test_nobody_at_the_address() -> None:
    with pytest.raises(UnavailableError, match="does not answer at http://127.0.0.1:1/api"):
        alerts_reader("http://127.0.0.1:1/", "", 1.0)()
