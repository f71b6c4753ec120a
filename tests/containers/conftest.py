"""An engine, the images, and the compose files brought up on them, each once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import is_free
from tests.containers import machine
from tests.containers.composition import Composition, write_override
from tests.containers.engine import CannotRun, Engine, compose_program, engine
from tests.containers.images import base_image, stand_in_images
from tests.contract import compose_file
from tests.integration.conftest import missing
from tests.usual_ports import usual_ports_are_ours

PORTS_FREE_WITHIN_SECONDS = 60
#: All that `docker compose up` starts: what is in no profile.
PLAIN = tuple(
    name for name, service in compose_file.services().items() if "profiles" not in service
)


@pytest.fixture(scope="session")
def podman() -> Iterator[Engine]:
    """The engine. Where none can run, a skip that says why; where one can, CI must have it."""
    with ExitStack() as held:
        try:
            made = held.enter_context(engine(print))
        except CannotRun as error:
            pytest.skip(f"no container engine: {error}")
        except ComponentMissing as error:
            missing(error)
        yield made


@pytest.fixture(scope="session")
def base(podman: Engine) -> str:
    """The image that our own is built on here, in place of Docker Hub's."""
    try:
        return base_image(podman, print)
    except ComponentMissing as error:
        missing(error)


@pytest.fixture(scope="session")
def others(podman: Engine, base: str) -> dict[str, str]:
    """The stand-ins for images of others."""
    try:
        return stand_in_images(podman, base, print)
    except ComponentMissing as error:
        missing(error)


@pytest.fixture(scope="session")
def composition(
    podman: Engine, base: str, others: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Composition:
    """docker-compose.yml with our image built and the stand-ins there; nothing runs yet."""
    folder = tmp_path_factory.mktemp("containers")
    override = folder / "override.yml"
    write_override(override, base, others)
    try:
        made = Composition(podman, compose_program(print), override)
    except ComponentMissing as error:
        missing(error)
    made.build(machine.build_mounts(folder))
    return made


@pytest.fixture(scope="module")
def up(composition: Composition) -> Iterator[Composition]:
    """`docker compose up`, and at last `down`."""
    with usual_ports_are_ours():
        wait_for_ports()
        composition.up(*PLAIN)
    yield composition
    composition.down()


def wait_for_ports() -> None:
    """Wait for the ports that the file publishes; fails naming those that stay taken."""
    ports = {
        port
        for service in compose_file.services().values()
        for _, port, _ in compose_file.published(service)
    }
    deadline = time.monotonic() + PORTS_FREE_WITHIN_SECONDS
    while taken := sorted(port for port in ports if not is_free(port)):
        if time.monotonic() > deadline:
            pytest.fail(
                f"docker-compose.yml publishes ports that others have on 127.0.0.1: {taken};"
                " end what listens there",
                pytrace=False,
            )
        time.sleep(0.5)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Images are made first, once; that may take minutes."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(1_200))
