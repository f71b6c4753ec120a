"""`wattoken verify`: what it prints, what it exits with, and that it needs nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from services.cli import app
from tests.unit.services.verify.made_bills import KEY, OTHER_KEY, Maker, made, public

ROOT = Path(__file__).parents[4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bills = made()
    maker = Maker(KEY)
    maker.run("2026-09", "SF", None, 1)
    maker.key = OTHER_KEY
    (tmp_path / "rotated.json").write_bytes(maker.run("2026-09", "R1", ("2026-09", "SF"), 99)[0])
    files = {
        "sf": bills.sf[0],
        "r1": bills.r1[0],
        "r1-other": bills.r1[1],
        "next": bills.next_sf[0],
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_bytes(content)
    for name, key in (("key", KEY), ("other", OTHER_KEY)):
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.pem").write_bytes(pem)
    (tmp_path / "key.hex").write_text(public(KEY) + "\n")
    (tmp_path / "torn.json").write_bytes(bills.sf[0].replace(b'"acme"', b'"acne"', 1))
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(
        app, ["verify", *(str(folder / one) if "." in one else one for one in arguments)]
    )
    return done.exit_code, done.stdout, done.stderr


def test_a_bill_with_its_key_and_the_one_before(folder: Path) -> None:
    code, out, _ = run(folder, "r1.json", "--key", "key.pem", "--earlier", "sf.json")
    assert code == 0
    assert out.startswith("proven: acme, 2026-09, run R1\n")
    assert "signed with the key that was given" in out
    assert "it only grew since run SF of 2026-09 (3 statements)" in out
    assert run(folder, "r1.json", "--key", "key.hex")[0] == 0


def test_without_a_key_it_says_whose_it_would_have_to_be(folder: Path) -> None:
    code, out, _ = run(folder, "sf.json")
    assert code == 0 and f"signed with {public(KEY)}: give --key" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("torn.json",), "NOT PROVEN: lines[0].signature:"),
        (("sf.json", "--key", "other.pem"), "signed with another key than the one"),
        (("r1.json", "--earlier", "r1-other.json"), "is of another tenant"),
        (("r1.json", "--earlier", "next.json"), "not proven to begin with that of"),
        (("next.json", "--earlier", "r1.json"), "not proven to begin with that of"),
        (("r1.json", "--earlier", "torn.json"), "NOT PROVEN: lines[0].signature:"),
    ],
)
def test_what_is_not_proven_exits_with_1(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = run(folder, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("NOT PROVEN: ") and said in err, err
    code, out, _ = run(folder, *arguments, "--json")
    assert code == 1 and json.loads(out)["proven"] is False


def test_a_new_key_goes_on_from_what_the_old_one_signed(folder: Path) -> None:
    new = ("rotated.json", "--key", "other.pem", "--earlier", "sf.json")
    assert run(folder, *new, "--earlier-key", "key.pem")[0] == 0
    assert "another key" in run(folder, *new)[2]
    assert "another key" in run(folder, *new, "--earlier-key", "other.pem")[2]


def test_json(folder: Path) -> None:
    found = json.loads(run(folder, "r1.json", "--json", "--key", "key.pem")[1])
    assert (found["proven"], found["key"], found["key_was_given"]) == (True, public(KEY), True)
    assert found["earlier"] | {"root": ""} == {
        "period": "2026-09",
        "run": "SF",
        "size": 3,
        "root": "",
    }


#: The whole verifier, in a process that may open no socket and has no module of what makes bills.
ALONE = """
import sys
def audit(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"it wants the network: {event}")
sys.addaudithook(audit)
from services.verify.commands import verify_bill
from pathlib import Path
bill, key = map(Path, sys.argv[1:])
proven = verify_bill(bill, key=key, earlier=None, earlier_key=None, as_json=False)
ours = sorted(name for name in sys.modules if name.startswith(("services.", "schemas")))
print([name for name in ours if not name.startswith("services.verify")])
sys.exit(not proven)
"""


def test_it_needs_no_network_and_none_of_what_makes_bills(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, folder / "r1.json", folder / "key.pem"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    known = "['services.platform', 'services.platform.errors', 'services.platform.output',"
    assert done.stdout.splitlines()[-1] == f"{known} 'services.platform.printable']"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("nothing.pem", "cannot read the key"),
        ("sf.json", "holds no Ed25519 public key"),
        ("key.hex", ""),
    ],
)
def test_a_key_that_is_none_says_what_to_give(folder: Path, file: str, said: str) -> None:
    done = CliRunner().invoke(app, ["verify", str(folder / "sf.json"), "--key", str(folder / file)])
    assert said in str(done.exception or "") and (done.exit_code == 0) is (not said)
