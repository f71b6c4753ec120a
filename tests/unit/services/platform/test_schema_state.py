"""What is said of a database that other migrations made."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from services.platform import schema_state
from services.platform.errors import ConfigurationError
from services.platform.schema_state import SchemaState, compare, known_migrations, read_state

KNOWN = {"0001_a.sql": "1", "0002_b.sql": "2", "0003_c.sql": "3"}


def test_the_same_migrations_are_no_news() -> None:
    same = compare(KNOWN, dict(KNOWN))
    assert same == SchemaState()
    assert same.behind is None
    assert same.ahead is None


def test_an_older_database_is_to_be_migrated() -> None:
    state = compare(KNOWN, {"0001_a.sql": "1"})
    assert state.behind == (
        "is older than this program: 2 of its migrations were not applied, from 0002_b.sql on:"
        " run `wattoken migrate`"
    )
    assert state.ahead is None


def test_a_newer_database_says_that_the_program_is_to_be_updated() -> None:
    state = compare(KNOWN, {**KNOWN, "0004_d.sql": "4", "0005_e.sql": "5"})
    assert state.behind is None
    assert state.ahead == (
        "was migrated by a newer version of Wattoken (this one does not know 0005_e.sql): update"
        " this program"
    )


def test_another_text_is_named_unless_a_newer_version_wrote_it() -> None:
    other = {**KNOWN, "0002_b.sql": "changed"}
    assert "another text of 0002_b.sql" in str(compare(KNOWN, other).behind)
    assert compare(KNOWN, {**other, "0004_d.sql": "4"}).behind is None


def test_this_program_knows_its_own_migrations_in_their_order() -> None:
    names = [*known_migrations()]
    assert names[0] == "0001_slices.sql"
    assert names == sorted(names)


@pytest.mark.parametrize("code", [497, 60])
def test_who_may_not_see_which_were_applied_goes_on(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refused(*_: object) -> None:
        raise ConfigurationError("refused") from DatabaseError("no", code=code)

    monkeypatch.setattr(schema_state, "all_rows", refused)
    client: object = None
    if code == 497:
        assert read_state(client) is None
    else:
        with pytest.raises(ConfigurationError):
            read_state(client)
