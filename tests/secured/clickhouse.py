"""A ClickHouse server that speaks HTTPS only, with the users of docker-compose.yml.

It is 25.8, the only version whose whole server can be had as a process (`tests.versions`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import ChildPlan
from services.local_stack.readiness import http_answers
from services.operate.first_secrets import make_first_secrets
from tests.contract.compose_file import ROOT
from tests.secured.certificates import Authority
from tests.versions.clickhouse import USERS, server_plan

VERSION = "25.8"

TLS = """<https_port>{port}</https_port>
<openSSL><server>
<certificateFile>{pair.certificate}</certificateFile><privateKeyFile>{pair.key}</privateKeyFile>
<verificationMode>none</verificationMode>
</server></openSSL>
</clickhouse>"""


class SecuredClickHouse:
    """The server, its port and its users' passwords."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._folder = folder
        self._authority = authority
        self.port = pick_port()

    def env(self, user: str) -> dict[str, str]:
        """Settings of a service that comes as one of the users."""
        return {
            "WATTOKEN_CLICKHOUSE_HOST": LOOPBACK,
            "WATTOKEN_CLICKHOUSE_PORT": str(self.port),
            "WATTOKEN_CLICKHOUSE_SECURE": "true",
            "WATTOKEN_CLICKHOUSE_CA_FILE": str(self._authority.certificate),
            "WATTOKEN_CLICKHOUSE_USER": f"wattoken_{user}",
            "WATTOKEN_CLICKHOUSE_PASSWORD_FILE": str(
                self._folder / "secrets" / user / "clickhouse_password"
            ),
        }

    def plan(self) -> ChildPlan:
        """The process, with secrets made at first. Raises `ComponentMissing`."""
        make_first_secrets(self._folder / "secrets", print)
        data = self._folder / "clickhouse"
        (data / "users.d").mkdir(parents=True)
        (data / "users.xml").write_text(USERS)
        ours = (ROOT / "deploy/docker/clickhouse/users.xml").read_text(encoding="utf-8")
        (data / "users.d/wattoken.xml").write_text(
            ours.replace("/run/secrets/wattoken/", f"{self._folder}/secrets/clickhouse/")
        )
        plain = server_plan(VERSION, data, 0, 0, self._folder / "clickhouse.log")
        config = data / "config.xml"
        text = config.read_text().replace("<http_port>0</http_port>", "")
        text = text.replace("<tcp_port>0</tcp_port>", "")
        pair = self._authority.server()
        config.write_text(text.replace("</clickhouse>", TLS.format(port=self.port, pair=pair)))
        answers = http_answers(f"https://{LOOPBACK}:{self.port}/ping", self._authority.certificate)
        return replace(plain, ready=answers)

    def give_back(self) -> None:
        """Give the port back."""
        give_back(self.port)
