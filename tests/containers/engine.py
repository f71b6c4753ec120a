"""The container engine of these tests: podman, installed where missing, with a store of its own.

A developer's own containers, images and networks are not touched. The store stays in the cache, so
a second run finds the layers of the first.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.local_stack.cache import Report, cache_folder, cached, run_fetcher
from services.local_stack.debian import apt_is_ours
from services.local_stack.errors import ComponentMissing

#: Programs, and the Debian packages that bring them. runc: crun, which podman would take first,
#: refuses the cgroups of some machines.
PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
}
RELEASE = Path("/etc/os-release")
REQUIREMENTS = Path(__file__).with_name("podman-compose.txt")
COMMAND_TIMEOUT_SECONDS = 600
#: Of what earlier runs built, this much younger stays for its layers.
LAYERS_KEPT_HOURS = 48


class CannotRun(Exception):
    """No engine can run on this machine; the text says why."""


class CommandFailed(Exception):
    """A command of the engine failed; the text ends in what it said."""


def why_not() -> str | None:
    """Why no engine can be had here, or None."""
    if sys.platform != "linux":
        return f"containers need Linux, this is {sys.platform}"
    if os.geteuid() != 0:
        return "podman is run as root here, and the tests are not"
    if not _missing_packages():
        return None
    if not RELEASE.exists() or "ID=debian\n" not in RELEASE.read_text():
        return f"{', '.join(_missing_packages())} not installed, and this is no Debian to do it on"
    if shutil.which("apt-get") is None:
        return f"{', '.join(_missing_packages())} not installed, and there is no apt-get to do it"
    return None


def install(report: Report) -> None:
    """Install what is missing with apt; raises `ComponentMissing` when that fails."""
    packages = _missing_packages()
    if not packages:
        return
    remedy = f"run `apt-get install --no-install-recommends {' '.join(packages)}`"
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    # The size of the folder is reported meanwhile, so it is one that nobody else writes to.
    with apt_is_ours(), tempfile.TemporaryDirectory() as elsewhere:
        for step in (["apt-get", "update", "--quiet"], [*environment, *command]):
            run_fetcher("podman (Debian packages)", step, Path(elsewhere), report, remedy)


def _missing_packages() -> list[str]:
    return [package for program, package in PROGRAMS.items() if shutil.which(program) is None]


def compose_program(report: Report) -> Path:
    """podman-compose, in an environment of its own in the cache; raises `ComponentMissing`."""
    version = REQUIREMENTS.read_text().partition("podman-compose==")[2].split()[0]

    def fetch(folder: Path) -> None:
        remedy = "see that pip reaches its index"
        # Not where it is made but where it will be: scripts name their interpreter.
        command = (
            f"{sys.executable} -m venv . && bin/pip install --quiet --disable-pip-version-check"
            f" --require-hashes --requirement {REQUIREMENTS}"
        )
        run_fetcher(f"podman-compose {version}", ["sh", "-c", command], folder, report, remedy)

    name = f"podman-compose-{version}-python{sys.version_info.major}.{sys.version_info.minor}"
    return cached(name, fetch) / "bin" / "python"


class Engine:
    """podman with a configuration and a store of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state = Path("/run") / f"wattoken-tests-{home.stat().st_ino}"
        self.env = {
            **os.environ,
            "CONTAINERS_CONF": str(home / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
        }
        (home / "containers.conf").write_text(self._containers_conf())
        (home / "storage.conf").write_text(
            '[storage]\ndriver = "overlay"\n'
            f'graphroot = "{home}/store"\nrunroot = "{self.state}/storage"\n'
        )

    def _containers_conf(self) -> str:
        limits = ", ".join(f'"{name}={value}:{value}"' for name, value in process_limits().items())
        (self.home / "networks").mkdir(exist_ok=True)
        return f"""\
[containers]
# podman's own, a million, are refused where the machine's are lower and may not be raised.
default_ulimits = [{limits}]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{self.state}/libpod"
volume_path = "{self.home}/volumes"
[network]
network_backend = "netavark"
network_config_dir = "{self.home}/networks"
"""

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a podman command; raises `CommandFailed` if it fails and ``check`` says so."""
        return self.call(["podman", *arguments], check=check)

    def call(
        self, command: list[str], *, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run any command in the engine's environment."""
        done = subprocess.run(
            command,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
        if check and done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:])
            raise CommandFailed(f"{' '.join(command)}: exit code {done.returncode}\n{said}")
        return done

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """What podman tells of an image or a container."""
        found = json.loads(self.run(kind, "inspect", name).stdout)[0]
        assert isinstance(found, dict)
        return found

    def has_image(self, name: str) -> bool:
        """Whether the store has the image."""
        return self.run("image", "exists", name, check=False).returncode == 0

    def clear(self) -> None:
        """Remove every container, volume and network of this store, and images of days ago."""
        self.run("rm", "--all", "--force", "--time", "0")
        self.run("volume", "rm", "--all", "--force")
        self.run("network", "prune", "--force")
        old = f"until={LAYERS_KEPT_HOURS}h"
        self.run("image", "prune", "--force", "--filter", old, check=False)


def process_limits() -> dict[str, int]:
    """The machine's hard limits, as far as a container may have them."""
    # podman lowers its own limit of processes to the number of ids that there are for them.
    ids = int(Path("/proc/sys/kernel/pid_max").read_text())
    named = {
        "nofile": (resource.RLIMIT_NOFILE, 1_048_576),
        "nproc": (resource.RLIMIT_NPROC, ids),
    }
    limits = {}
    for name, (which, most) in named.items():
        hard = resource.getrlimit(which)[1]
        limits[name] = most if hard == resource.RLIM_INFINITY else min(hard, most)
    return limits


@contextmanager
def engine(report: Callable[[str], None]) -> Iterator[Engine]:
    """An engine that works, for one run of these tests at a time.

    Raises `CannotRun` where none can, `ComponentMissing` where its parts cannot be fetched.
    """
    reason = why_not()
    if reason is not None:
        raise CannotRun(reason)
    install(report)
    home = cache_folder() / "containers"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = Engine(home)
        try:
            # What a run that was killed has left.
            made.clear()
        except CommandFailed as error:
            raise ComponentMissing(f"podman does not work: {error}") from None
        try:
            yield made
        finally:
            made.clear()
