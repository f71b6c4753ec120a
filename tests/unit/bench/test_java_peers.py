from __future__ import annotations

from pathlib import Path

import pytest

from bench.java_peers import JAVA_PEERS, PACKAGE, JavaPeer
from services.local_stack.errors import ComponentMissing
from services.local_stack.jar_lock import read_lock


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Maven that takes what lies in a folder for what was fetched; the cache is empty."""
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    program = tmp_path / "bin" / "mvn"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'for word; do case "$word" in -Dbench.build=*) to="${word#*=}";; esac; done\n'
        f'/bin/mkdir "$to/jars" && /bin/cp {fetched}/*.jar "$to/jars"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path / "cache"))
    return fetched


@pytest.mark.parametrize("peer", JAVA_PEERS.values(), ids=lambda peer: peer.name)
def test_a_jar_that_the_lock_has_not_is_never_run(
    maven: Path, peer: JavaPeer, tmp_path: Path
) -> None:
    for jar in read_lock(peer.lock):
        (maven / jar.file_name).write_bytes(b"another")
    (maven / peer.ours).write_bytes(b"built")
    with pytest.raises(ComponentMissing, match="another SHA-256"):
        peer.command(lambda line: None)
    assert not list((tmp_path / "cache").glob("*/jars"))


def test_without_maven_it_is_said_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ComponentMissing, match="install Maven and a JDK >= 17, or leave it out"):
        JAVA_PEERS["flink_sql"].command(lambda line: None)


def test_what_is_built_is_run_by_its_class(maven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.java_peers.check_jars", lambda *_, **__: None)
    (maven / "any.jar").write_bytes(b"built")
    for peer in JAVA_PEERS.values():
        command = peer.command(lambda line: None)
        assert command[0] == "java"
        assert command[-3] == "-cp"
        assert Path(command[-2]).parent.joinpath("any.jar").exists()
        assert command[-1] == f"{PACKAGE}.{peer.main}"


def test_both_have_the_same_memory_in_all() -> None:
    # Flink's own memory outside of the heap is said where it is configured.
    assert "-Xmx4g" in JAVA_PEERS["kafka_streams"].options
    assert "-Xmx3g" in JAVA_PEERS["flink_sql"].options
    source = next(JAVA_PEERS["flink_sql"].folder.rglob("FlinkSql.java")).read_text("utf-8")
    assert "MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(1024)" in source
