"""PURE. Why ClickHouse does not answer, in a line that names address, setting and remedy."""

from __future__ import annotations

import re
from typing import Final

#: As urllib3 writes where it wanted to go.
_ADDRESS: Final = re.compile(r"host='(?P<host>[^']+)', port=(?P<port>\d+)")
#: As the driver adds it to what the server said.
_URL: Final = re.compile(r"\((?:for url )?https?://(?P<host>[^\s:/)]+):(?P<port>\d+)")
#: While it is asked, or already on the way there.
_TIMED_OUT: Final = re.compile(
    r"[Tt]imed out(?:\.? \((?:read|connect) timeout=(?P<seconds>[\d.]+)\))?"
)
#: A server that wants TLS closes, or answers in it.
_WANTS_TLS: Final = ("BadStatusLine", "Remote end closed", "RemoteDisconnected", "Connection reset")
_WANTS_NONE: Final = ("WRONG_VERSION_NUMBER", "wrong version number", "record layer failure")


def explain(text: str) -> str:
    """Tell in our settings' names what the driver says about a server that does not answer.

    What it says of other things is given as it is, in one line.
    """
    line = next((part.strip() for part in text.splitlines() if part.strip()), "no reason given")
    found = _ADDRESS.search(text) or _URL.search(text)
    where = f"{found['host']}:{found['port']}" if found else "it"
    if "AUTHENTICATION_FAILED" in text or "Authentication failed" in text:
        return (
            f"{where} refuses the user: see to WATTOKEN_CLICKHOUSE_USER and"
            " WATTOKEN_CLICKHOUSE_PASSWORD_FILE"
        )
    if "certificate verify failed" in text or "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            f"the certificate of {where} is not one to trust: see to WATTOKEN_CLICKHOUSE_CA_FILE,"
            f" and that the certificate has the name in WATTOKEN_CLICKHOUSE_HOST"
        )
    if "Connection refused" in text:
        return (
            f"nothing listens at {where}: see to WATTOKEN_CLICKHOUSE_HOST and"
            " WATTOKEN_CLICKHOUSE_PORT"
        )
    if any(part in text for part in ("Name or service not known", "Failed to resolve")):
        return f"there is no host of the name in {where}: see to WATTOKEN_CLICKHOUSE_HOST"
    if "No route to host" in text or "Network is unreachable" in text:
        return f"no way leads to {where}: see to WATTOKEN_CLICKHOUSE_HOST, and to the network"
    if "DB::Exception" not in text and (late := _TIMED_OUT.search(text)) is not None:
        seconds = f" within {late['seconds']} s" if late["seconds"] else " in time"
        return (
            f"nothing comes from {where}{seconds}: is it up, does a firewall stand between"
            " (WATTOKEN_CLICKHOUSE_HOST and WATTOKEN_CLICKHOUSE_PORT), or does it need longer"
            " (WATTOKEN_CLICKHOUSE_TIMEOUT_SECONDS)?"
        )
    if any(part in text for part in _WANTS_NONE):
        return (
            f"{where} does not speak TLS: set WATTOKEN_CLICKHOUSE_SECURE to false, or see to"
            " WATTOKEN_CLICKHOUSE_PORT"
        )
    if any(part in text for part in _WANTS_TLS):
        return (
            f"{where} ended the connection: is it up, and does it want TLS"
            " (WATTOKEN_CLICKHOUSE_SECURE)?"
        )
    return line[:300]
