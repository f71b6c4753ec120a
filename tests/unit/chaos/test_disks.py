"""Small disks: full to the last block, free again, and seen by nobody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing

#: In a process of its own: it takes mounts that nobody else sees, for good.
SCRIPT = """
import sys
from pathlib import Path
from services.local_stack.errors import ComponentMissing
from tests.chaos.disks import Disk, own_mounts

folder = Path(sys.argv[1])
try:
    own_mounts()
    disk = Disk(folder / "disk")
    disk.mount(folder / "image")
except ComponentMissing as error:
    sys.exit(f"missing: {error}")
assert disk.free_bytes > 10**9, disk.free_bytes
(disk.place / "before").write_text("kept")
for _ in range(2):
    disk.fill()
    assert disk.free_bytes == 0, disk.free_bytes
    try:
        (disk.place / "during").write_bytes(bytes(5000))
    except OSError as error:
        assert error.errno == 28, error
    else:
        raise AssertionError("a full disk took something")
    (disk.place / "during").unlink()
    disk.free()
    (disk.place / "after").write_bytes(bytes(5000))
assert (disk.place / "before").read_text() == "kept"
"""


def test_a_disk_is_full_and_free_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False
    )
    if done.stderr.startswith("missing: "):
        pytest.skip(str(ComponentMissing(done.stderr.strip())))
    assert done.returncode == 0, done.stderr
    mounts = Path("/proc/self/mounts").read_text()
    assert str(tmp_path) not in mounts
