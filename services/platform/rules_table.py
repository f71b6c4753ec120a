"""The metering rules of a log, as `migrate` stored them."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import MeteringRules
from services.platform.clickhouse import all_rows
from services.platform.errors import ConfigurationError


def rules_now(client: Client, log_name: str) -> MeteringRules:
    """Look up the rules last stored for a log; raises `ConfigurationError` if there are none."""
    names = ", ".join(MeteringRules.__slots__)
    rows = all_rows(
        client,
        f"SELECT {names} FROM metering_rules FINAL WHERE log = {{log:String}}"
        " ORDER BY from_offset DESC LIMIT 1",
        {"log": log_name},
    )
    if not rows:
        raise ConfigurationError(f"no rules are stored for log {log_name}: run `wattoken migrate`")
    return MeteringRules(*(int(value) for value in rows[0]))
