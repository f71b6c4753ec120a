"""Whatever is fetched is held to a checksum that is committed, or to a signature."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from bench.java_peers import JAVA_PEERS, JavaPeer
from services.local_stack.jar_lock import locked_pom, read_lock, sha256_of
from tests.contract.fetches import ROOT, broken, files
from tests.otel_collector.build import LOCKED_ENV
from tests.versions import kafka

SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
#: An image of somebody else: a version for people, and the digest that is pulled.
DIGEST = re.compile(r"\S+:\S+@sha256:[0-9a-f]{64}")
UV_LOCKS = [*ROOT.glob("uv.lock"), *ROOT.glob("*/*/uv.lock")]
REQUIREMENTS = [
    *sorted((ROOT / "services/local_stack/wheel_locks").glob("*.txt")),
    ROOT / "tests/containers/podman-compose.txt",
]
PROJECTS = [path for path in files() if path.name == "pyproject.toml"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_command_fetches_what_nothing_holds() -> None:
    looked_at = list(files())
    found = {
        name(path): broken(path.read_text(encoding="utf-8"), python=path.suffix == ".py")
        for path in looked_at
    }
    assert {path: commands for path, commands in found.items() if commands} == {}
    # Where some are known to be, so nothing was left out by mistake.
    for known in (
        "Makefile",
        "deploy/docker/Dockerfile",
        "services/local_stack/wheels.py",
        "README.md",
    ):
        assert ROOT / known in looked_at


@pytest.mark.parametrize(
    "planted",
    [
        "\t.bootstrap/bin/pip install --quiet uv==0.13.9",
        "RUN apt-get update \\\n    && pip install --no-cache-dir \\\n       uv==0.13.9",
        'command = ["-m", "pip", "install", "--quiet", "thing==1"]',
        # What stands in the next command does not hold for this one.
        "\tpip install thing\n\tpip install --require-hashes --requirement lock.txt",
        "uv sync --all-extras",
        "uv pip install thing",
        "uvx ruff",
        "npm ci",
        "npx cowsay",
        'command = ["mvn", "--batch-mode", "package"]',
        'subprocess.run(["go", "install", "example.org/thing@latest"])',
        "curl -sSL https://example.org/install.sh | sh",
        "RUN wget https://example.org/thing.tar.gz",
        'urlopen("https://example.org/thing")',
        "thing @ git+https://example.org/thing",
        "ADD https://example.org/thing /usr/bin/thing",
        "apt-get install --allow-unauthenticated thing",
        "deb [trusted=yes] http://example.org/debian sid main",
        "GOSUMDB=off go build",
    ],
)
def test_such_a_command_would_be_found(planted: str) -> None:
    assert broken(planted)


@pytest.mark.parametrize("lock", UV_LOCKS, ids=name)
def test_each_file_of_an_environment_has_a_checksum_and_a_public_address(lock: Path) -> None:
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    fetched = [package for package in packages if "registry" in package["source"]]
    for package in packages:
        # Anything else is ours, from this repository.
        assert set(package["source"]) <= {"registry", "editable", "virtual"}, package["name"]
    for package in fetched:
        assert package["source"] == {"registry": "https://pypi.org/simple"}, package["name"]
        # Without a wheel it would be built, with tools that no lock has.
        assert package["wheels"], package["name"]
        for file in [*package["wheels"], *filter(None, [package.get("sdist")])]:
            assert SHA256.fullmatch(file["hash"]), file
            assert file["url"].startswith("https://files.pythonhosted.org/"), file
    assert len(fetched) > 5


def test_each_environment_has_its_lock() -> None:
    for project in PROJECTS:
        # The client is installed into environments of others.
        assert project.with_name("uv.lock") in UV_LOCKS or name(project).startswith("clients/")


@pytest.mark.parametrize("lock", REQUIREMENTS, ids=name)
def test_each_wheel_that_pip_takes_has_a_checksum(lock: Path) -> None:
    lines = lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    locked = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    assert locked
    for line in locked:
        assert re.match(r"[\w.-]+==\S+ ", line), line
        assert SHA256.search(line), line


def test_nothing_is_fetched_to_build_with() -> None:
    built = [tomllib.loads(path.read_text(encoding="utf-8")) for path in PROJECTS]
    backends = [project["build-system"] for project in built if "build-system" in project]
    lock = (ROOT / "services/local_stack/wheel_locks/uv.txt").read_text(encoding="utf-8")
    found = re.search(r"^uv==(\d+)\.(\d+)\.", lock, re.MULTILINE)
    assert found is not None
    major, minor = map(int, found.groups())
    # Of another minor release, uv would fetch the backend in place of using its own.
    needs = [f"uv_build>={major}.{minor},<{major}.{minor + 1}"]
    assert backends == [{"requires": needs, "build-backend": "uv_build"}] * 2
    for path in ("Makefile", "deploy/docker/Dockerfile"):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(r"\bUV_REQUIRE_BUILD_HASHES ?:?= ?true\b", text), path


@pytest.mark.parametrize("version", [kafka.OLDEST, kafka.NEWEST])
def test_the_locks_of_other_kafkas_are_of_their_poms(version: str) -> None:
    lock = kafka.lock_of(version)
    pom = kafka.pom_of(version).encode()
    assert locked_pom(lock) == hashlib.sha256(pom).hexdigest(), "run `make locks`"
    assert f"kafka_2.13:{version}" in lock.read_text(encoding="utf-8")
    assert len(read_lock(lock)) > 20


@pytest.mark.parametrize("peer", JAVA_PEERS.values(), ids=lambda peer: peer.name)
def test_the_locks_of_peers_are_of_their_poms(peer: JavaPeer) -> None:
    assert locked_pom(peer.lock) == sha256_of(peer.pom), "run `make locks`"
    assert len(read_lock(peer.lock)) > 5


def test_each_pom_has_a_lock() -> None:
    poms = [path for path in files() if path.name == "pom.xml"]
    assert len(poms) == 4
    for pom in poms:
        assert pom.with_name("jars.lock").exists(), name(pom)


def test_go_takes_no_module_and_no_toolchain_that_the_lock_has_not() -> None:
    assert "-mod=readonly" in LOCKED_ENV["GOFLAGS"]
    assert LOCKED_ENV["GOTOOLCHAIN"] == "local"


def test_each_image_is_named_by_its_digest() -> None:
    ours = re.compile(r"wattoken:\S+")
    found = 0
    for path in files():
        if path.suffix in (".yml", ".yaml") and "compose" in path.name:
            for service in yaml.safe_load(path.read_text(encoding="utf-8"))["services"].values():
                image = service["image"]
                assert DIGEST.fullmatch(image) or ("build" in service and ours.fullmatch(image))
                found += 1
        elif path.name.startswith(("Dockerfile", "Containerfile")):
            text = path.read_text(encoding="utf-8")
            stages = set(re.findall(r"^FROM .+ AS (\S+)$", text, re.MULTILINE))
            arguments = dict(re.findall(r"^ARG (\w+)(?:=(\S+))?$", text, re.MULTILINE))
            for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
                variable = re.fullmatch(r"\$\{(\w+)\}", image)
                named = arguments[variable[1]] if variable else image
                # An argument without a value is an image that the tests have just built.
                assert not named or named in stages or DIGEST.fullmatch(named), f"{path}: {image}"
                found += 1
    assert found > 10
