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
#: What the server said of a query, without what the driver puts around it.
_SAID: Final = re.compile(r"DB::Exception: (?P<what>.*)", re.DOTALL)
#: Its names of errors that a table or a view of another version gives, and what then is to be done.
_OTHER_VERSION: Final = (
    (
        ("(UNKNOWN_TABLE)",),
        "a table or view is missing: run `wattoken migrate`, which makes all of them",
    ),
    (
        ("(UNKNOWN_IDENTIFIER)", "(NO_SUCH_COLUMN_IN_TABLE)"),
        "tables or views are of another version than this program: run `wattoken migrate`, or"
        " update the program",
    ),
    (
        ("(ACCESS_DENIED)",),
        "the user of WATTOKEN_CLICKHOUSE_USER lacks a right: grant what its service has in"
        " deploy/docker/clickhouse/users.xml",
    ),
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
    if "(UNKNOWN_DATABASE)" in text:
        return (
            f"{_said(text)}: run `wattoken migrate`, which makes it, or see to"
            f" WATTOKEN_CLICKHOUSE_DATABASE ({where})"
        )
    for names, remedy in _OTHER_VERSION:
        if any(name in text for name in names):
            return f"{remedy} ({_said(text)})"
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


def _said(text: str) -> str:
    found = _SAID.search(text)
    line = " ".join((found["what"] if found else text).split())
    # What follows is the server's version, or the driver's address.
    return re.split(r"\.? \([A-Z_]{5,}\)", line)[0][:200]
