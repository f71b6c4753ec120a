"""The file that keeps the counters' heights from one start of the exporter to the next.

Without it a restarted exporter shows what ClickHouse says. That is less than was shown once a
backup was restored, and a counter that falls is, to Prometheus, one that started again: it adds the
whole new value to every rate.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO, Final

from services.exporter.heights import Heights, from_admitted, from_bytes, to_bytes
from services.platform.errors import ConfigurationError
from services.platform.log import get_logger

_log = get_logger(__name__)
NAME: Final = "heights.jsonl"
#: What earlier versions wrote: which label sets have a name, and nothing more.
ADMITTED_NAME: Final = "admitted.jsonl"


class HeightsFile:
    """The heights in a folder that this process has to itself; None keeps nothing.

    A file that cannot be read or written never stops the exporter: it is told in the log, and
    `write` says that nothing was kept. Raises `ConfigurationError` where another process keeps its
    heights in the folder: each would undo what the other wrote.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._failed = False
        self._lock = None if folder is None else self._locked(folder)

    def close(self) -> None:
        """Let others use the folder."""
        if self._lock is not None:
            self._lock.close()

    def read(self) -> Heights:
        """Give the heights that were written last; none where nothing was, or it is unreadable.

        A file that is damaged is put aside as ``heights.jsonl.unreadable``.
        """
        if self._folder is None:
            return Heights()
        for name, parse in ((NAME, from_bytes), (ADMITTED_NAME, from_admitted)):
            path = self._folder / name
            try:
                return parse(path.read_bytes())
            except FileNotFoundError:
                continue
            except OSError as error:
                self._tell_lost(path, str(error))
            except (ValueError, TypeError, KeyError) as error:
                with contextlib.suppress(OSError):
                    path.replace(path.with_name(f"{name}.unreadable"))
                self._tell_lost(path, str(error))
        return Heights()

    def write(self, heights: Heights) -> bool:
        """Keep the heights so that neither a crash nor a power loss undoes it; whether it worked.

        They are on disk, whole, when this returns True; until then the file is as it was.
        """
        if self._folder is None:
            return False
        path = self._folder / NAME
        fresh = path.with_name(f"{NAME}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with fresh.open("wb") as file:
                file.write(to_bytes(heights))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            _sync_folder(self._folder)
        except OSError as error:
            if not self._failed:
                _log.error(
                    "cannot keep the counters' heights: after a restart they may fall",
                    path=str(path),
                    reason=str(error),
                )
            self._failed = True
            return False
        self._failed = False
        return True

    def _locked(self, folder: Path) -> IO[str] | None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / "exporter.lock").open("w")
        except OSError:
            return None  # `write` will say so.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise ConfigurationError(
                f"another exporter keeps its counters' heights in {folder}: stop it, or give this"
                " one a folder of its own (WATTOKEN_EXPORTER_STATE_DIR)"
            ) from error
        return lock

    def _tell_lost(self, path: Path, reason: str) -> None:
        _log.error(
            "cannot read the counters' heights: what was shown before is forgotten",
            path=str(path),
            reason=reason,
        )


def _sync_folder(folder: Path) -> None:
    """Make a rename last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
