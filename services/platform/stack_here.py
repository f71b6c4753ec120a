"""The local stack that runs in this folder: where it is said, and whether a command talks to it.

`wattoken up` writes a file for shells, `.wattoken/env`. Each run has one of its own in its state
folder, beside the lock that it holds while it lives; `.wattoken/env` leads to the newest. So a
file that a killed run left is known by its lock, which nobody holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

#: From the folder in which the stack was started.
FOLDER: Final = Path(".wattoken")
ENV_FILE: Final = "env"
LOCK_FILE: Final = "lock"
#: Which stack the file is of: its state folder.
STACK: Final = "WATTOKEN_STACK"
#: Settings that say where something is. A command that is told one of them goes by what it is told.
ADDRESSES: Final = (
    "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS",
    "WATTOKEN_CLICKHOUSE_HOST",
    "WATTOKEN_CLICKHOUSE_PORT",
)
#: What tells two stacks apart, with what holds where nothing is set.
TOLD_APART: Final[Mapping[str, str]] = {
    "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "WATTOKEN_KAFKA_TOPIC": "usage.events.v1",
    "WATTOKEN_CLICKHOUSE_HOST": "127.0.0.1",
    "WATTOKEN_CLICKHOUSE_PORT": "8123",
    "WATTOKEN_CLICKHOUSE_DATABASE": "wattoken",
}


def write_env_file(state_dir: Path, env: Mapping[str, str], folder: Path = FOLDER) -> Path:
    """Write what leads a shell to the stack, for its owner alone, and have `FOLDER` lead there.

    Returns the file to source.
    """
    file = state_dir.resolve() / ENV_FILE
    said = {**env, STACK: str(state_dir.resolve())}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(said.items())]
    # API keys are in it.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write("\n".join(["# Leads to the stack of `wattoken up`: source it.", *lines, ""]))
    folder.mkdir(parents=True, exist_ok=True)
    _lead(folder, file)
    return folder / ENV_FILE


def remove_env_file(state_dir: Path, folder: Path = FOLDER) -> None:
    """Take the file away; `FOLDER` leads to another stack that was started there and still runs."""
    file = state_dir.resolve() / ENV_FILE
    link = folder / ENV_FILE
    leads_here = link.is_symlink() and link.resolve() == file
    file.unlink(missing_ok=True)
    if not leads_here:
        return
    link.unlink(missing_ok=True)
    others = [other for other in folder.glob(f"*/{ENV_FILE}") if _runs(other.parent)]
    if others:
        _lead(folder, max(others, key=lambda other: other.stat().st_mtime).resolve())


def _lead(folder: Path, file: Path) -> None:
    """Have the link lead to a file, in one step."""
    new = folder / f"{ENV_FILE}.{os.getpid()}"
    new.unlink(missing_ok=True)
    new.symlink_to(file)
    new.replace(folder / ENV_FILE)


def stack_here(folder: Path = FOLDER) -> dict[str, str]:
    """Read what leads to the stack that runs in this folder; nothing where none does.

    A file that belongs to somebody else, or that others may write, is not read.
    """
    file = folder / ENV_FILE
    try:
        about = file.stat()
        if (
            about.st_uid != os.geteuid()
            or about.st_mode & 0o022
            or not _runs(file.resolve().parent)
        ):
            return {}
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return dict(_exports(text))


def _runs(state_dir: Path) -> bool:
    """Whether the lock of a state folder is held."""
    try:
        with (state_dir / LOCK_FILE).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _exports(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            words = shlex.split(line, comments=True)
            if len(words) == 2 and words[0] == "export":
                name, equals, value = words[1].partition("=")
                if equals and name.startswith("WATTOKEN_"):
                    yield name, value


def followed(environ: Mapping[str, str], stack: Mapping[str, str]) -> dict[str, str]:
    """Say which settings of the stack a command takes over: those that nobody set.

    None at all where the environment says of Kafka or ClickHouse where it is: half a stack and half
    of something else would be worse than either.
    """
    if any(environ.get(name) for name in ADDRESSES):
        return {}
    return {name: value for name, value in stack.items() if not environ.get(name)}


def said_of(environ: Mapping[str, str], stack: Mapping[str, str], taken: bool) -> str | None:
    """Say in a line where a command goes; None where that is what everybody expects.

    ``environ`` is what the command goes by, ``taken`` whether that was taken over from the stack.
    """
    if not stack:
        return None
    here = {name: stack.get(name) or usual for name, usual in TOLD_APART.items()}
    there = {name: environ.get(name) or usual for name, usual in TOLD_APART.items()}
    if there != here:
        return (
            f"talks to {_place(there)}, not to the stack that runs here ({_place(here)});"
            f" `source {FOLDER / ENV_FILE}` leads there"
        )
    moved = {name for name in ADDRESSES if here[name] != TOLD_APART[name]}
    return f"talks to the stack that runs here: {_place(here)}" if taken and moved else None


def _place(env: Mapping[str, str]) -> str:
    return (
        f"Kafka {env['WATTOKEN_KAFKA_BOOTSTRAP_SERVERS']}, topic {env['WATTOKEN_KAFKA_TOPIC']};"
        f" ClickHouse {env['WATTOKEN_CLICKHOUSE_HOST']}:{env['WATTOKEN_CLICKHOUSE_PORT']},"
        f" database {env['WATTOKEN_CLICKHOUSE_DATABASE']}"
    )
