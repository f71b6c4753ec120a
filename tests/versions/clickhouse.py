"""ClickHouse of other versions than the local stack's: where each lies and how it is run.

chDB's packages hold them (tests/clickhouse-versions, made by `make clickhouse-versions`). Of 25.8
it is the whole server; later ones run only inside the process that loads them, and the driver has
a backend for that, which takes the place of the one over HTTP. A process can hold one of them.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.external import ExternalData

from services.local_stack.clickhouse import CHDB_VERSION
from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import LOOPBACK
from services.local_stack.processes import ChildPlan
from services.local_stack.readiness import clickhouse_answers

PROJECT = Path(__file__).parents[1] / "clickhouse-versions"
LAUNCHER = Path(__file__).with_name("clickhouse_server.py")
GROUP = "clickhouse-"
#: The versions that can be run as a server.
SERVERS = frozenset({"25.8"})

# Without a user's password, as the local stack is: loopback only. Caches of a server's usual size
# are not for a machine that runs several.
CONFIG = """<clickhouse>
<logger><level>information</level><console>1</console></logger>
<path>{data}/</path>
<tmp_path>{data}/tmp/</tmp_path>
<user_files_path>{data}/user_files/</user_files_path>
<format_schema_path>{data}/format_schemas/</format_schema_path>
<listen_host>{host}</listen_host>
<http_port>{http_port}</http_port>
<tcp_port>{tcp_port}</tcp_port>
<mark_cache_size>268435456</mark_cache_size>
<users_config>{users}</users_config>
</clickhouse>"""
USERS = """<clickhouse>
<profiles><default/></profiles><quotas><default/></quotas>
<users><default><password/><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users>
</clickhouse>"""


def other_versions() -> list[str]:
    """The versions that tests/clickhouse-versions has, oldest first."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    names = [group.removeprefix(GROUP).replace("-", ".") for group in project["dependency-groups"]]
    return sorted(names, key=numbers)


def stack_version() -> str:
    """The version of the local stack."""
    return ".".join(CHDB_VERSION.split(".")[:2])


def tested_versions() -> list[str]:
    """All versions that `make test` runs, oldest first."""
    return sorted([*other_versions(), stack_version()], key=numbers)


def numbers(version: str) -> tuple[int, ...]:
    """What versions are ordered by."""
    return tuple(int(part) for part in version.split("."))


def packages(version: str) -> Path:
    """The folder of a version's packages; raises `ComponentMissing`."""
    environment = PROJECT / f".venv-{version.replace('.', '-')}"
    found = next(environment.glob("lib/python*/site-packages"), None)
    if found is None:
        raise ComponentMissing(f"{environment} does not exist; run `make clickhouse-versions`")
    return found


def server_plan(
    version: str, data: Path, http_port: int, tcp_port: int, log_path: Path
) -> ChildPlan:
    """A server of this version on loopback, with its data and configuration in ``data``.

    Its users are in ``data/users.xml``, which is written unless it is there. Raises
    `ComponentMissing`.
    """
    if version not in SERVERS:
        raise ComponentMissing(f"ClickHouse {version}: can only be had inside a process")
    data.mkdir(parents=True, exist_ok=True)
    users, config = data / "users.xml", data / "config.xml"
    if not users.exists():
        users.write_text(USERS)
    ports = {"http_port": http_port, "tcp_port": tcp_port}
    config.write_text(CONFIG.format(data=data, users=users, host=LOOPBACK, **ports))
    library = packages(version) / "chdb" / "_chdb.abi3.so"
    return ChildPlan(
        name="clickhouse",
        command=[
            *[sys.executable, "-I", "-S", str(LAUNCHER), str(library)],
            f"--config-file={config}",
        ],
        log_path=log_path,
        ready=clickhouse_answers(http_port),
        ready_timeout_seconds=60,
        directory=data,
    )


@contextmanager
def in_process(version: str, data: Path) -> Iterator[None]:
    """Let every client that is made inside talk to this version, in this process, on ``data``.

    Settings, host and user that a client is made with are for a server and mean nothing here.
    Raises `ComponentMissing`.
    """
    # Behind the project's own packages: only what they lack is taken from there.
    sys.path.append(str(packages(version)))
    over_http = clickhouse_connect.get_client

    def get_client(*, database: str | None = None, **_: Any) -> Any:
        client = over_http(interface="chdb", path=str(data), database=database)
        client.query_column_block_stream = with_tables_beside(client)
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clickhouse_connect, "get_client", get_client)
        yield


def with_tables_beside(client: Any) -> Callable[..., Any]:
    """The client's questions in blocks, with tables beside them.

    A server takes these with the question; the driver's backend for a process refuses them, so
    they are made as temporary tables of the same names, structures and bytes before.
    """
    ask = client.query_column_block_stream

    def ask_beside(
        text: str, parameters: dict[str, Any], external_data: ExternalData | None = None
    ) -> Any:
        for table in external_data.files if external_data else ():
            client.command(f"CREATE OR REPLACE TEMPORARY TABLE {table.name} ({table.structure})")
            client.raw_insert(table.name, insert_block=table.data, fmt=table.fmt)
        return ask(text, parameters)

    return ask_beside
