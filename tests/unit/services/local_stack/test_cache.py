"""A component is fetched once, whole or not at all."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from services.local_stack.cache import cache_folder, cached, run_fetcher
from services.local_stack.errors import ComponentMissing


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def slow_fetch(folder: Path) -> None:
    (folder / "half").touch()
    time.sleep(0.3)
    (folder.parent / f"fetched-{time.monotonic_ns()}").touch()


def fetch_in_process(cache: str) -> None:
    os.environ["WATTOKEN_CACHE"] = cache
    assert (cached("thing", slow_fetch) / "half").exists()


def test_two_processes_at_once_fetch_once(own_cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=fetch_in_process, args=(str(own_cache),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(own_cache.glob("fetched-*"))) == 1


def test_a_fetch_that_fails_leaves_nothing_and_is_tried_again(own_cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ComponentMissing("the line broke")

    with pytest.raises(ComponentMissing):
        cached("thing", fail)
    assert [path.name for path in own_cache.iterdir()] == ["thing.lock"]
    assert (cached("thing", lambda folder: (folder / "whole").touch()) / "whole").exists()


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WATTOKEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "wattoken"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "wattoken"


def test_a_tool_that_is_not_installed_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ComponentMissing, match="no-such-tool is not installed; install it"):
        run_fetcher("Thing", ["no-such-tool"], tmp_path, print, "install it")


def test_a_tool_that_fails_shows_what_it_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('registry unreachable')"]
    with pytest.raises(ComponentMissing, match="(?s)exit code 1.*registry unreachable"):
        run_fetcher("Thing", command, tmp_path, print, "check the network")
