"""What the machine's kernel says of containers; no word of the engine's or their own is taken."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
#: Files that the engine makes for a container, such as the names of the others in its network.
ENGINES_OWN = {"/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/run/.containerenv"}
#: Where every container has the kernel's own file systems.
KERNEL_FOLDERS = ("/proc", "/sys", "/dev")


def processes(first_pid: int) -> list[int]:
    """All processes of the container whose first process is ``first_pid``."""
    space = os.readlink(PROC / str(first_pid) / "ns/pid")
    found = []
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                if os.readlink(folder / "ns/pid") == space:
                    found.append(int(folder.name))
            except (FileNotFoundError, PermissionError):
                continue  # it has ended, or is the machine's own first process
    return found


def status(pid: int) -> dict[str, str]:
    """The fields of a process's status."""
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def writable_places(pid: int) -> set[str]:
    """Where something is mounted that can be written to, but for devices and the kernel's own."""
    found = set()
    for line in (PROC / str(pid) / "mountinfo").read_text().splitlines():
        _, _, _, _, target, options, *_ = line.split()
        if "rw" in options.split(",") and not target.startswith(KERNEL_FOLDERS):
            found.add(target)
    return found


def files_below(pid: int, folder: str) -> dict[str, Path]:
    """The files that a container sees below a folder, by their path in there."""
    root = PROC / str(pid) / "root"
    top = root / folder.lstrip("/")
    return {f"/{path.relative_to(root)}": path for path in top.rglob("*") if path.is_file()}


def words_of(pid: int) -> bytes:
    """Environment and command line of a process."""
    folder = PROC / str(pid)
    return (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()


def listening_addresses(port: int) -> set[str]:
    """Addresses, in the kernel's notation, that something on the machine listens on at a port."""
    listening = "0A"
    found = set()
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            if state == listening and int(number, 16) == port:
                found.add(address)
    return found


def limits(pid: int) -> tuple[int, int]:
    """Bytes of memory and number of processes that a container's group may have."""
    places = {}
    for line in (PROC / str(pid) / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            places[controller] = path.lstrip("/")
    if "memory" in places:  # Version 1: a tree for each controller.
        memory = CGROUPS / "memory" / places["memory"] / "memory.limit_in_bytes"
        return int(memory.read_text()), int(
            (CGROUPS / "pids" / places["pids"] / "pids.max").read_text()
        )
    group = CGROUPS / places[""]
    return int((group / "memory.max").read_text()), int((group / "pids.max").read_text())


def has_way_out(pid: int) -> bool:
    """Whether anything leads from a container to addresses that are not its networks' own."""
    routes = (PROC / str(pid) / "net/route").read_text().splitlines()[1:]
    return any(route.split()[1] == "00000000" for route in routes)
