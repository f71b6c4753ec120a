"""ClickHouse, seen from every service: connecting, and errors that say whether to retry."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from services.platform.certificate_files import CertificateFile, file_options
from services.platform.clickhouse_reasons import explain
from services.platform.errors import ConfigurationError, DatabaseUnavailableError
from services.platform.secret_files import secret
from services.platform.settings import ClickHouseSettings

# What the driver has to say of a failure is in its exception too, which we tell in a line of ours.
# Without a handler Python would print both.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

#: An insert into a table that is spread over servers is answered once they have it, and not once
#: one of them means to send it on (docs/adr/0045-clusters.md). For other tables it says nothing.
INSERT_SETTINGS: Final = {"distributed_foreground_insert": 1}


def connect(
    settings: ClickHouseSettings,
    *,
    database: str | None = None,
    answer_seconds: float | None = None,
) -> Client:
    """Connect to ClickHouse; ``database`` defaults to the one of the settings.

    ``answer_seconds`` is the longest wait for an answer where that of the settings is too short: of
    queries that read a whole month, say. A client is not for use by two threads at once. Raises
    `UnavailableError` when the server does not answer, `ConfigurationError` when it refuses user or
    database.
    """
    with mapped_errors():
        return clickhouse_connect.get_client(
            host=settings.clickhouse_host,
            port=settings.clickhouse_port,
            username=settings.clickhouse_user,
            password=secret(settings.clickhouse_password, settings.clickhouse_password_file),
            secure=settings.clickhouse_secure,
            **_certificates(settings),
            database=settings.clickhouse_database if database is None else database,
            connect_timeout=settings.clickhouse_timeout_seconds,
            send_receive_timeout=answer_seconds or settings.clickhouse_timeout_seconds,
            # Sessions would make two queries of one client exclude each other for no gain.
            autogenerate_session_id=False,
            query_retries=0,
        )


def _certificates(settings: ClickHouseSettings) -> dict[str, Any]:
    """What the driver is to know of certificates."""
    options: dict[str, Any] = {
        **file_options(
            CertificateFile("ca_cert", "WATTOKEN_CLICKHOUSE_CA_FILE", settings.clickhouse_ca_file),
            CertificateFile(
                "client_cert",
                "WATTOKEN_CLICKHOUSE_CERTIFICATE_FILE",
                settings.clickhouse_certificate_file,
            ),
            CertificateFile(
                "client_cert_key", "WATTOKEN_CLICKHOUSE_KEY_FILE", settings.clickhouse_key_file
            ),
            None
            if settings.clickhouse_secure
            else "WATTOKEN_CLICKHOUSE_SECURE is not: set it to true",
        )
    }
    if "client_cert" in options:
        # A password that is given is sent as well.
        given = settings.clickhouse_password_file or settings.clickhouse_password.get_secret_value()
        options["tls_mode"] = "strict" if given else "mutual"
    return options


def all_rows(
    client: Client,
    text: str,
    parameters: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
) -> Sequence[tuple[Any, ...]]:
    """Give the rows of a query, in whatever order; for few, as they are put into one array.

    On a full disk ClickHouse may answer 200 and nothing, as if there were no rows. Put like this,
    every true answer has one row. Raises `DatabaseUnavailableError` where it is missing, and what
    `mapped_errors` raises.
    """
    given = () if settings is None else (dict(settings),)
    with mapped_errors():
        answer = client.query(
            f"SELECT groupArray(tuple(*)) FROM ({text})", dict(parameters), *given
        )
    if len(answer.result_rows) != 1:
        raise nothing_answered()
    rows: Sequence[tuple[Any, ...]] = answer.result_rows[0][0]
    return rows


def changeable(client: Client, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Of settings of a query, those that the user may change; a profile may keep its own."""
    held = client.server_settings
    return {
        name: value for name, value in settings.items() if name in held and not held[name].readonly
    }


def nothing_answered() -> DatabaseUnavailableError:
    """Say that an answer came without what every answer has."""
    return DatabaseUnavailableError(
        "ClickHouse answered with nothing at all, as it does when its disk is full: see to its disk"
    )


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Map the driver's exceptions: what a retry may fix to `DatabaseUnavailableError`.

    Wrong names, types and rights (ClickHouse codes below) are `ConfigurationError`.
    """
    try:
        yield
    except OperationalError as error:
        text = f"ClickHouse does not answer: {explain(str(error))}"
        raise DatabaseUnavailableError(text) from error
    except DatabaseError as error:
        if error.code in PERMANENT_CODES:
            raise ConfigurationError(f"ClickHouse refuses: {explain(str(error))}") from error
        raise DatabaseUnavailableError(f"ClickHouse failed: {explain(str(error))}") from error
    except ClickHouseError as error:
        raise DatabaseUnavailableError(f"ClickHouse failed: {explain(str(error))}") from error


#: ClickHouse error codes that no retry fixes: unknown identifier, unknown table, unknown
#: database, syntax error, authentication failed, access denied, no such column, unknown user.
PERMANENT_CODES = frozenset({47, 60, 81, 62, 516, 497, 16, 192})
