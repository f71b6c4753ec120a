"""A compose file brought up as it stands, with podman-compose, on stand-ins.

An override file replaces the images of others, Python's image below ours, and ClickHouse's limit of
processes, nothing else. podman 4.3 does not run health checks by itself, and podman-compose does
not wait for them; so what depends on what, and how, is read from the file and held here.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.containers.engine import Engine, process_limits
from tests.contract.compose_file import PLAIN, document, services

#: A question to the engine costs a tenth of a second of a core, Kafka's own health check two.
POLL_SECONDS: Final = 1.0


class NotHealthy(AssertionError):
    """A container did not become what those that depend on it wait for."""


class Composition:
    """The services of a compose file, each a container of ``engine``.

    ``variables`` are those that the file wants from whoever brings it up.
    """

    def __init__(
        self,
        engine: Engine,
        compose: Path,
        override: Path,
        file: Path = PLAIN,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.engine = engine
        self.services = services(file)
        self.project = str(document(file)["name"])
        self._env = {"COMPOSE_PROJECT_DIR": str(file.parent), **(variables or {})}
        self._compose = [
            *[str(compose), "-m", "podman_compose", "--in-pod=false"],
            *["-f", str(file), "-f", str(override)],
            # A root that cannot be written to is not to have a /run and /var/tmp that can.
            "--podman-run-args=--read-only-tmpfs=false",
        ]

    def compose(self, *arguments: str) -> str:
        """Run a command of podman-compose, every profile switched on; return its output."""
        profiles = ["--profile=demo", "--profile=canary", "--profile=tools"]
        command = [*self._compose, *profiles, *arguments]
        return self.engine.call(command, env=self._env).stdout

    def build(self, options: Iterable[str]) -> None:
        """Build our own image, as the file says; with options of `podman build` besides."""
        quoted = " ".join(options)
        command = [*self._compose, f"--podman-build-args={quoted}", "build", "ingest"]
        self.engine.call(command, env=self._env)

    def up(self, *names: str) -> None:
        """Start services in the order of what they depend on, each when its conditions hold."""
        self.compose("up", "--no-start", "--no-build", "--no-deps", *names)
        for name in in_order(names, self.services):
            self.start(name)
        for name in names:
            if "healthcheck" in self.services[name]:
                self.wait_healthy(name)

    def start(self, name: str) -> None:
        """Start one container when what it depends on is as the file demands."""
        for other, how in self.services[name].get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                self.wait_healthy(other)
            else:
                assert how["condition"] == "service_completed_successfully"
                self.wait_completed(other)
        self.engine.run("start", self.container(name))

    def stop(self, *names: str) -> dict[str, int]:
        """Stop services, those first that depend on others; return their exit codes.

        As `docker compose` does it; podman-compose stops all at once.
        """
        for name in reversed(in_order(names, self.services)):
            grace = seconds(self.services[name].get("stop_grace_period", "10s"))
            self.engine.run("stop", f"--time={grace:.0f}", self.container(name))
        return {name: self.state(name)["ExitCode"] for name in names}

    def down(self) -> None:
        """Remove the containers and their network; volumes stay."""
        self.compose("down")

    def wait_completed(self, name: str) -> None:
        """Wait for the end of a job; raises `NotHealthy` when it failed."""
        code = self.engine.run("wait", self.container(name)).stdout.strip()
        if code != "0":
            raise NotHealthy(f"{name}: exit code {code}\n{self.logs(name)}")

    def wait_healthy(self, name: str) -> None:
        """Run the health check until it passes, for as long as the file allows it to fail."""
        if self.state(name)["Health"]["Status"] == "healthy":
            return
        check = self.services[name]["healthcheck"]
        allowed = seconds(check["start_period"]) + check["retries"] * seconds(check["interval"])
        deadline = time.monotonic() + allowed
        while True:
            done = self.engine.run("healthcheck", "run", self.container(name), check=False)
            if done.returncode == 0:
                return
            if time.monotonic() > deadline:
                said = f"{done.stdout}{done.stderr}\n{self.logs(name)}"
                raise NotHealthy(f"{name}: not healthy after {allowed:g} s\n{said}")
            time.sleep(POLL_SECONDS)

    def kill(self, name: str) -> int:
        """Kill a container's first process as a crash would; return the process id it had.

        Not with `podman kill`: an engine takes that for somebody's wish, and lets it lie.
        """
        while not (pid := self.pid(name)):
            time.sleep(POLL_SECONDS)  # it has just ended by itself, and will be back
        os.kill(pid, signal.SIGKILL)
        return pid

    def volume(self, name: str) -> Path:
        """Where a volume of the compose file lies on the machine."""
        return Path(self.engine.inspect("volume", f"{self.project}_{name}")["Mountpoint"])

    def container(self, name: str) -> str:
        """The name that a service's only container has."""
        return f"{self.project}_{name}_1"

    def pid(self, name: str) -> int:
        """Process id of a container's first process, on the machine; 0 if there is none."""
        return int(self.state(name)["Pid"])

    def restarts(self, name: str) -> int:
        """How often the engine has brought a container back by itself."""
        return int(self.engine.inspect("container", self.container(name))["RestartCount"])

    def state(self, name: str) -> dict[str, Any]:
        """What the engine knows of a container's process."""
        found = self.engine.inspect("container", self.container(name))["State"]
        assert isinstance(found, dict)
        return found

    def logs(self, name: str) -> str:
        """The end of what a container has said."""
        done = self.engine.run("logs", "--tail=25", self.container(name), check=False)
        return done.stdout + done.stderr

    def execute(self, name: str, *command: str) -> str:
        """Run a command in a container, as its user; return what it prints."""
        return self.engine.run("exec", self.container(name), *command).stdout


def in_order(names: Iterable[str], services: Mapping[str, Any]) -> list[str]:
    """Services after all of these that they depend on."""
    wanted, ordered = list(names), []
    while wanted:
        for name in wanted:
            needs = services[name].get("depends_on", {})
            if not set(needs) & set(wanted):
                ordered.append(name)
                wanted.remove(name)
                break
        else:
            raise AssertionError(f"{wanted} depend on each other")
    return ordered


def seconds(text: str) -> float:
    """A duration of the compose file, such as 20s."""
    found = re.fullmatch(r"(\d+)s", text)
    assert found is not None, text
    return float(found[1])


def write_override(path: Path, base: str, others: Mapping[str, str], file: Path = PLAIN) -> None:
    """Write what is replaced so that the file can be brought up here."""
    replaced: dict[str, Any] = {
        name: {"image": image} for name, image in others.items() if name in services(file)
    }
    for name, service in services(file).items():
        if "build" in service:
            replaced[name] = {"build": {"args": {"PYTHON_IMAGE": base}}}
    # Where one limit is named, podman sets the other to a number that this machine may refuse.
    replaced["clickhouse"]["ulimits"] = {"nproc": process_limits()["nproc"]}
    path.write_text(yaml.safe_dump({"services": replaced}))
