"""Jars come by Maven where it runs, else by a client; whoever brought them, they are checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.jar_lock import Jar, lock_text, sha256_of
from services.local_stack.maven import CENTRAL, fetch_jars, maven_installed, repository
from tests.unit.services.local_stack.conftest import LockWheel, PutProgram

JAVA_17 = "echo 'openjdk version \"17.0.15\"' >&2"
#: Takes the place of the client's three modules: writes a jar that says where it was asked for.
CLIENT = {
    "maven_artifact/__init__.py": "",
    "maven_artifact/artifact.py": """
class Artifact:
    extension = "jar"
    def __init__(self, group, artifact, version):
        self.group, self.artifact_id, self.version = group, artifact, version
    @classmethod
    def parse(cls, coordinates):
        return cls(*coordinates.split(":"))
""",
    "maven_artifact/requestor.py": """
class RequestException(Exception):
    def __init__(self, msg):
        self.msg = msg
""",
    "maven_artifact/downloader.py": """
from .requestor import RequestException
class Downloader:
    asked = 0
    def __init__(self, base):
        self.base = base
    def download(self, artifact, filename):
        print(f"Downloading {filename}")
        Downloader.asked += 1
        if "flaky" in self.base and Downloader.asked < 3:
            raise OSError("the answer broke off")
        if "nowhere" in self.base:
            raise RequestException(f"no answer from {self.base}")
        with open(filename, "w") as file:
            file.write(f"{artifact.group} from {self.base}")
""",
}


def write_lock(tmp_path: Path, content: str) -> tuple[Path, Path]:
    """A pom, and a lock of one jar with this content."""
    pom = tmp_path / "pom.xml"
    pom.touch()
    jar = tmp_path / "a-1.0.jar"
    jar.write_text(content)
    lock = tmp_path / "jars.lock"
    lock.write_text(lock_text(pom, [Jar("org.example", "a", "1.0", sha256_of(jar))]))
    return pom, lock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    (tmp_path / "jars").mkdir()
    return tmp_path / "jars"


def test_maven_is_preferred_and_what_it_brings_is_checked(
    put_program: PutProgram, folder: Path, tmp_path: Path
) -> None:
    put_program("java", JAVA_17)
    put_program("mvn", f"printf from-maven > {folder}/a-1.0.jar")
    fetch_jars("Jars", *write_lock(tmp_path, "from-maven"), folder, print)
    with pytest.raises(ComponentMissing, match="another SHA-256"):
        fetch_jars("Jars", *write_lock(tmp_path, "something else"), folder, print)


def test_without_maven_a_client_asks_the_repository_that_is_named(
    put_program: PutProgram,
    lock_wheel: LockWheel,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock_wheel("maven", "maven-artifact", CLIENT)
    mirror = "https://flaky.mirror.example/maven"
    monkeypatch.setenv("WATTOKEN_MAVEN_REPOSITORY", mirror)
    content = f"org.example from {mirror}"
    fetch_jars("Jars", *write_lock(tmp_path, content), folder, print)
    assert [path.name for path in folder.iterdir()] == ["a-1.0.jar"]
    assert list((tmp_path / "cache").iterdir()) == [], "the client is not kept"
    with pytest.raises(ComponentMissing, match="another SHA-256"):
        fetch_jars("Jars", *write_lock(tmp_path, "something else"), folder, print)


def test_a_repository_that_is_not_reached_is_named_with_the_way_out(
    put_program: PutProgram,
    lock_wheel: LockWheel,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock_wheel("maven", "maven-artifact", CLIENT)
    monkeypatch.setenv("WATTOKEN_MAVEN_REPOSITORY", "https://nowhere.example")
    with pytest.raises(ComponentMissing) as failed:
        fetch_jars("Jars", *write_lock(tmp_path, ""), folder, print)
    text = str(failed.value)
    assert "see that https://nowhere.example is reached" in text
    assert "WATTOKEN_MAVEN_REPOSITORY" in text
    # And not the client's chatter.
    assert text.splitlines()[1:] == ["no answer from https://nowhere.example"]


def test_maven_without_a_java_to_run_on_is_no_maven(put_program: PutProgram) -> None:
    put_program("mvn", "")
    assert not maven_installed()
    put_program("java", JAVA_17)
    assert maven_installed()


def test_the_repository_is_maven_central_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WATTOKEN_MAVEN_REPOSITORY", raising=False)
    assert repository() == CENTRAL == "https://repo1.maven.org/maven2"
    monkeypatch.setenv("WATTOKEN_MAVEN_REPOSITORY", "")
    assert repository() == CENTRAL
