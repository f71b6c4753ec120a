"""Headless Chromium: the installed one, or Debian's packages unpacked into the cache."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from services.local_stack.cache import Report, cache_folder, cached
from services.local_stack.debian import fetch_packages

#: The folder's name in the cache; Debian decides the version.
UNPACKED = "chromium-debian"
#: The shell without a window system, and a typeface that looks the same on every machine.
PACKAGES = ("chromium-headless-shell", "fonts-inter")
INSTALLED_NAMES = (
    *("chromium-headless-shell", "chromium", "chromium-browser"),
    *("google-chrome-stable", "google-chrome"),
)
REMEDY = "install Chromium and put it on the PATH"


@dataclass(frozen=True, slots=True)
class Chromium:
    """A program, and the environment that lets it find what was unpacked beside it."""

    binary: Path
    env: dict[str, str] = field(default_factory=dict)


def find_chromium() -> Chromium | None:
    """The Chromium on the PATH, else the one fetched before, else None."""
    for name in INSTALLED_NAMES:
        found = shutil.which(name)
        if found is not None:
            return Chromium(Path(found))
    folder = cache_folder() / UNPACKED
    return _unpacked(folder) if folder.is_dir() else None


def fetch_chromium(report: Report) -> Chromium:
    """`find_chromium`, or fetch Debian's packages; raises `ComponentMissing`.

    apt-get works out which libraries this machine lacks; all are unpacked and none is installed.
    Reading the package lists again needs root.
    """
    return find_chromium() or _unpacked(cached(UNPACKED, lambda folder: _fetch(folder, report)))


def lend_typefaces(home: Path) -> None:
    """Let a browser with this home write Chinese, where the typeface of bills is installed."""
    found = importlib.util.find_spec("manimgx_fonts_cjk")
    if found is not None and found.origin is not None:
        (home / ".fonts").symlink_to(Path(found.origin).parent)


def _fetch(folder: Path, report: Report) -> None:
    (folder / "partial").mkdir()
    download = [
        *("apt-get", "install", "--yes", "--quiet", "--download-only", "--no-install-recommends"),
        # Nothing is installed: neither the lock nor the folder of the system's own is needed.
        *("-o", "Debug::NoLocking=true", "-o", f"Dir::Cache::archives={folder}/", *PACKAGES),
    ]
    fetch_packages("Chromium", download, folder, report, REMEDY)
    shutil.rmtree(folder / "partial", ignore_errors=True)


def _unpacked(folder: Path) -> Chromium:
    libraries = {library.parent for library in folder.glob("usr/lib/*/**/*.so*")}
    path = [str(parent) for parent in sorted(libraries) if parent.name != "chromium"]
    path += filter(None, [os.environ.get("LD_LIBRARY_PATH")])
    return Chromium(
        # Not Debian's starting script, which knows only the usual place.
        folder / "usr/lib/chromium/chromium-headless-shell",
        # The second is where fontconfig looks for the user's own typefaces.
        {"LD_LIBRARY_PATH": ":".join(path), "XDG_DATA_HOME": str(folder / "usr/share")},
    )
