"""Every lock is read, and whatever it has is known by its registry's name for it."""

from __future__ import annotations

from pathlib import Path

from services.local_stack.clickhouse import CHDB_VERSION
from services.local_stack.kafka import kafka_version
from tests.contract.test_fetches import REQUIREMENTS, UV_LOCKS
from tools.supply_chain.components import ROOT, Component, components, locks, read


def test_what_the_locks_of_this_repository_have() -> None:
    found = components()
    kafka = Component("Maven", "org.apache.kafka:kafka_2.13", kafka_version())
    assert "services/local_stack/broker/jars.lock" in found[kafka]
    assert Component("npm", "@chdb/lib-linux-x64-gnu", CHDB_VERSION) in found
    npm = {each.name for each in found if each.ecosystem == "npm"}
    assert {
        "uplot",
        "axe-core",
        "@cyclonedx/cyclonedx-library",
        "@grafana/schema",
        "typescript",
    } <= npm
    assert any(each.ecosystem == "Go" and each.name.endswith("otlpreceiver") for each in found)
    by_name = {each.name: found[each] for each in found if each.ecosystem == "PyPI"}
    assert by_name["uv"] == {"services/local_stack/wheel_locks/uv.txt"}
    assert "uv.lock" in by_name["aiokafka"]
    assert "tests/gateway-clients/uv.lock" in by_name["litellm"]


def test_no_lock_is_left_out() -> None:
    known = {*UV_LOCKS, *REQUIREMENTS, *ROOT.glob("tests/versions/kafka_jars/*.lock")}
    known |= {path.with_name("jars.lock") for path in ROOT.glob("*/*/pom.xml")}
    assert known <= set(locks(ROOT))
    for lock in locks(ROOT):
        assert list(read(lock)), lock


def test_modules_of_go_are_read_in_both_notations(tmp_path: Path) -> None:
    path = tmp_path / "go.mod"
    path.write_text(
        "module wattoken/otelcol\n\ngo 1.26.0\n\nrequire example.org/a v1.2.3\n"
        "require (\n\texample.org/b/v2 v2.0.0-rc.1 // indirect\n)\n"
    )
    assert list(read(path)) == [
        Component("Go", "example.org/a", "1.2.3"),
        Component("Go", "example.org/b/v2", "2.0.0-rc.1"),
    ]
