"""Which stack a command goes by, and what it says of that."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.platform.stack_here import (
    LOCK_FILE,
    followed,
    remove_env_file,
    said_of,
    stack_here,
    write_env_file,
)

ENV = {
    "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:21001",
    "WATTOKEN_KAFKA_TOPIC": "usage.events.v1",
    "WATTOKEN_CLICKHOUSE_HOST": "127.0.0.1",
    "WATTOKEN_CLICKHOUSE_PORT": "21002",
    "WATTOKEN_CLICKHOUSE_DATABASE": "wattoken",
    "WATTOKEN_INGEST_URL": "http://127.0.0.1:21003",
}
USUAL = {
    **ENV,
    "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "WATTOKEN_CLICKHOUSE_PORT": "8123",
}


@contextmanager
def running(state_dir: Path) -> Iterator[Path]:
    """Hold the lock of a state folder, as a running stack does."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield state_dir


def test_a_shell_that_sources_the_file_is_led_to_the_stack(tmp_path: Path) -> None:
    odd = {**ENV, "KEY": "wtk_a_b", "WATTOKEN_CATALOGUE_DIR": "/a folder/it's $HOME"}
    with running(tmp_path / "one") as state_dir:
        file = write_env_file(state_dir, odd, tmp_path)
        said = subprocess.run(
            ["sh", "-c", f". {file} && env"], capture_output=True, text=True, check=True
        ).stdout
    assert "WATTOKEN_CATALOGUE_DIR=/a folder/it's $HOME\n" in said
    assert "KEY=wtk_a_b\n" in said
    assert f"WATTOKEN_STACK={state_dir}\n" in said


def test_the_file_has_an_api_key_and_is_its_owners_alone(tmp_path: Path) -> None:
    with running(tmp_path / "one") as state_dir:
        file = write_env_file(state_dir, ENV, tmp_path)
        assert file.stat().st_mode & 0o777 == 0o600


def test_it_is_read_while_the_stack_runs_and_not_after(tmp_path: Path) -> None:
    with running(tmp_path / "one") as state_dir:
        write_env_file(state_dir, {**ENV, "KEY": "k"}, tmp_path)
        assert stack_here(tmp_path) == {**ENV, "WATTOKEN_STACK": str(state_dir)}
    # Killed: the file is left, and nobody holds the lock.
    assert (tmp_path / "env").exists()
    assert stack_here(tmp_path) == {}


def test_no_stack_is_found_where_none_was_started(tmp_path: Path) -> None:
    assert stack_here(tmp_path / "nowhere") == {}


def test_a_file_that_others_may_write_is_not_followed(tmp_path: Path) -> None:
    with running(tmp_path / "one") as state_dir:
        file = write_env_file(state_dir, ENV, tmp_path)
        file.chmod(0o666)
        assert stack_here(tmp_path) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_not_followed(tmp_path: Path) -> None:
    with running(tmp_path / "one") as state_dir:
        file = write_env_file(state_dir, ENV, tmp_path)
        os.chown(file, 65534, 65534)
        assert stack_here(tmp_path) == {}


def test_at_its_end_it_leads_back_to_a_stack_that_still_runs(tmp_path: Path) -> None:
    with running(tmp_path / "one") as one:
        write_env_file(one, ENV, tmp_path)
        with running(tmp_path / "two") as two:
            write_env_file(two, USUAL, tmp_path)
            assert stack_here(tmp_path)["WATTOKEN_STACK"] == str(two)
            remove_env_file(two, tmp_path)
            assert stack_here(tmp_path)["WATTOKEN_STACK"] == str(one)
        remove_env_file(one, tmp_path)
    assert not (tmp_path / "env").is_symlink()


def test_the_end_of_an_older_stack_leaves_the_newer_ones_file(tmp_path: Path) -> None:
    with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        write_env_file(one, ENV, tmp_path)
        write_env_file(two, USUAL, tmp_path)
        remove_env_file(one, tmp_path)
        assert stack_here(tmp_path)["WATTOKEN_STACK"] == str(two)


def test_a_command_that_is_told_nothing_goes_by_the_stack_here() -> None:
    assert followed({"HOME": "/root"}, ENV) == ENV
    assert followed({"WATTOKEN_CLICKHOUSE_HOST": ""}, ENV) == ENV, "empty is not set"


@pytest.mark.parametrize(
    "name",
    [
        "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS",
        "WATTOKEN_CLICKHOUSE_HOST",
        "WATTOKEN_CLICKHOUSE_PORT",
    ],
)
def test_a_command_that_is_told_an_address_takes_nothing_over(name: str) -> None:
    assert followed({name: "elsewhere"}, ENV) == {}


def test_names_that_are_set_stay_and_the_addresses_are_taken_over() -> None:
    own = {"WATTOKEN_CLICKHOUSE_DATABASE": "token_era"}
    taken = followed(own, ENV)
    assert "WATTOKEN_CLICKHOUSE_DATABASE" not in taken
    line = said_of({**taken, **own}, ENV, taken=True)
    assert line is not None
    assert "21002, database token_era, not to the stack" in line


def test_nothing_is_said_where_there_is_nothing_to_wonder_about() -> None:
    assert said_of({}, {}, taken=False) is None, "no stack here"
    assert said_of({}, USUAL, taken=False) is None, "the usual addresses"
    assert said_of(USUAL, USUAL, taken=True) is None
    assert said_of(ENV, ENV, taken=False) is None, "the file was sourced"


def test_other_addresses_than_the_usual_are_told() -> None:
    line = said_of(ENV, ENV, taken=True)
    assert line is not None
    assert line.startswith("talks to the stack that runs here: Kafka 127.0.0.1:21001")
    line = said_of({"WATTOKEN_CLICKHOUSE_HOST": "db.example"}, ENV, taken=False)
    assert line is not None
    assert "ClickHouse db.example:8123, database wattoken, not to the stack" in line
    assert "127.0.0.1:21002" in line
    assert "`source .wattoken/env`" in line
