"""The broker is asked whatever the database does, once that has said which log is the newest."""

from __future__ import annotations

from typing import cast

import pytest
from clickhouse_connect.driver.client import Client

from services.exporter import sources
from services.exporter.sources import KnownSuccessions
from services.platform.errors import UnavailableError
from services.platform.succession import Stretch, Succession

FOLLOWED = Succession("c/b", "b", 2, "c/a", "a", (Stretch(0, 7),))
CLIENT = cast("Client", None)


def test_before_the_database_has_said_it_nothing_is_known() -> None:
    with pytest.raises(UnavailableError):
        KnownSuccessions().get(0)


def test_what_was_said_last_holds_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = KnownSuccessions()
    monkeypatch.setattr(sources, "read_successions", lambda _: [FOLLOWED])
    assert known.read_with(lambda _: 3)(CLIENT) == 3

    def away(_: Client) -> int:
        raise UnavailableError("away")

    with pytest.raises(UnavailableError):
        known.read_with(away)(CLIENT)
    assert known.get(0) == [FOLLOWED]
