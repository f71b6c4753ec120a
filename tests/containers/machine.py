"""What this machine has set up for reaching the package registries, for builds of images.

It is read when the tests run and mounted into build steps: nothing of it is in an image or in this
repository.
"""

from __future__ import annotations

import os
import re
from configparser import ConfigParser, Error
from pathlib import Path

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
IN_IMAGE_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def codename() -> str:
    """Debian's name for the release that runs here."""
    found = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)
    assert found is not None
    return found[1]


def apt_sources(release: str) -> list[Path]:
    """The files that say where this machine gets Debian itself, and nothing else, from."""
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]
    suites = {release, f"{release}-updates", f"{release}-security"}
    return [
        path
        for path in files
        if path.suffix in (".list", ".sources")
        and path.is_file()
        and (named := suites_of(path.read_text()))
        and named <= suites
    ]


def suites_of(text: str) -> set[str]:
    """The suites that an apt sources file names, in either of its notations."""
    found = {suite for line in re.findall(r"^Suites:(.*)$", text, re.M) for suite in line.split()}
    return found | set(re.findall(r"^deb(?:-src)?\s+(?:\[[^]]*\]\s+)?\S+\s+(\S+)", text, re.M))


def ca_bundle() -> Path | None:
    """The certificates that this machine trusts, in one file."""
    named = os.environ.get("SSL_CERT_FILE")
    for path in (*([named] if named else []), *BUNDLES):
        if Path(path).is_file():
            return Path(path)
    return None


def pip_config() -> str:
    """A pip.conf with this machine's index; for Debian's Python, which is asked not to mind."""
    read = ConfigParser(interpolation=None)
    for name in PIP_FILES:
        try:
            read.read(Path(name).expanduser())
        except Error:
            continue  # pip will say what is wrong with it
    lines = ["[global]", "break-system-packages = true", f"cert = {IN_IMAGE_BUNDLE}"]
    for setting in PIP_SETTINGS:
        value = os.environ.get(f"PIP_{setting.upper().replace('-', '_')}") or read.get(
            "global", setting, fallback=""
        )
        if value:
            lines.append(f"{setting} = {' '.join(value.split())}")
    return "\n".join([*lines, ""])


def build_mounts(folder: Path) -> list[str]:
    """Options of `podman build` that lend its steps this machine's set-up; files go to ``folder``.

    uv takes its files from the addresses that uv.lock names, so it needs the certificates only.
    """
    (folder / "pip.conf").write_text(pip_config())
    (folder / "uv.toml").write_text("system-certs = true\n")
    mounts = {folder / "pip.conf": "/etc/pip.conf", folder / "uv.toml": "/etc/uv/uv.toml"}
    bundle = ca_bundle()
    if bundle is not None:
        mounts[bundle] = IN_IMAGE_BUNDLE
    options = ["--network=host"]
    for source, target in mounts.items():
        options.append(f"--volume={source}:{target}:ro")
    return options
