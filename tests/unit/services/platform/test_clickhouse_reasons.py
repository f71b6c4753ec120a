"""What the driver says about a ClickHouse that does not answer, told in our settings' names."""

from __future__ import annotations

import pytest

from services.platform.clickhouse_reasons import explain

POOL = (
    "Error HTTP{s}ConnectionPool(host='db', port=8443): Max retries exceeded with url: /?"
    " (Caused by {why}) executing HTTP request"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            POOL.format(s="", why="NewConnectionError('[Errno 111] Connection refused')"),
            ["nothing listens at db:8443", "WATTOKEN_CLICKHOUSE_PORT"],
        ),
        (
            POOL.format(s="S", why="SSLError('certificate verify failed: unable to get issuer')"),
            ["the certificate of db:8443", "WATTOKEN_CLICKHOUSE_CA_FILE"],
        ),
        (
            POOL.format(s="S", why="SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version')"),
            ["db:8443 does not speak TLS", "WATTOKEN_CLICKHOUSE_SECURE"],
        ),
        (
            POOL.format(s="", why="NameResolutionError('Failed to resolve db')"),
            ["no host of the name in db:8443", "WATTOKEN_CLICKHOUSE_HOST"],
        ),
        (
            "Error ('Connection aborted.', BadStatusLine('\\x15\\x03')) executing HTTP request"
            " (for url http://db:8443)",
            ["db:8443 ended the connection", "WATTOKEN_CLICKHOUSE_SECURE"],
        ),
        (
            "Error ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))"
            " executing HTTP request attempt 2 (http://db:8443)",
            ["db:8443 ended the connection", "WATTOKEN_CLICKHOUSE_SECURE"],
        ),
        (
            "Received ClickHouse exception, code: 516, server response: Code: 516. DB::Exception:"
            " x: Authentication failed: password is incorrect (AUTHENTICATION_FAILED)"
            " (for url https://db:8443)",
            ["db:8443 refuses the user", "WATTOKEN_CLICKHOUSE_PASSWORD_FILE"],
        ),
        (
            "Error HTTPConnectionPool(host='db', port=8443): Read timed out. (read timeout=10)"
            " executing HTTP request attempt 1 (http://db:8443)",
            ["nothing comes from db:8443 within 10 s", "WATTOKEN_CLICKHOUSE_TIMEOUT_SECONDS"],
        ),
        (
            POOL.format(
                s="",
                why="ConnectTimeoutError('Connection to db timed out. (connect timeout=2.5)')",
            ),
            ["nothing comes from db:8443 within 2.5 s", "WATTOKEN_CLICKHOUSE_HOST"],
        ),
        (
            "Received ClickHouse exception, code: 81, server response: Code: 81. DB::Exception:"
            " Database token_era does not exist. (UNKNOWN_DATABASE) (for url http://db:8123)",
            [
                "Database token_era does not exist: run `wattoken migrate`",
                "WATTOKEN_CLICKHOUSE_DATABASE (db:8123)",
            ],
        ),
        (
            "Received ClickHouse exception, code: 60, server response: Code: 60. DB::Exception:"
            " Unknown table expression identifier 'registers' in scope SELECT 1."
            " (UNKNOWN_TABLE) (for url http://db:8123)",
            ["is missing: run `wattoken migrate`", "(Unknown table expression identifier 'reg"],
        ),
        (
            "Code: 47. DB::Exception: Unknown expression identifier `band` in scope SELECT band."
            " (UNKNOWN_IDENTIFIER)",
            ["of another version than this program: run `wattoken migrate`", "`band`"],
        ),
        (
            "Code: 497. DB::Exception: reader: Not enough privileges. To execute this query, it's"
            " necessary to have the grant SELECT ON w.x. (ACCESS_DENIED)",
            ["WATTOKEN_CLICKHOUSE_USER lacks a right", "the grant SELECT ON w.x)"],
        ),
        ("The read operation timed out", ["nothing comes from it in time"]),
        (
            POOL.format(s="", why="NewConnectionError('[Errno 113] No route to host')"),
            ["no way leads to db:8443", "WATTOKEN_CLICKHOUSE_HOST"],
        ),
        (
            "Code: 209. DB::NetException: DB::Exception: Timeout: connect timed out: other:9000",
            ["connect timed out: other:9000"],
        ),
        ("\n\nCode: 241. Memory limit\nand more", ["Code: 241. Memory limit"]),
        ("", ["no reason given"]),
    ],
)
def test_it_names_address_setting_and_remedy(text: str, told: list[str]) -> None:
    said = explain(text)
    for part in told:
        assert part in said, said
    assert "\n" not in said
