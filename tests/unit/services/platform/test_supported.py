"""What is said of a version below, within and above what is supported."""

from __future__ import annotations

import pytest

from services.platform.errors import ConfigurationError
from services.platform.supported import CLICKHOUSE, Supported, check_clickhouse, minor_release


@pytest.mark.parametrize(
    ("version", "minor"),
    [("25.8.28.1", (25, 8)), ("v3.5.0", (3, 5)), ("4.1", (4, 1)), ("26.10.1.1", (26, 10))],
)
def test_a_minor_release_is_two_numbers(version: str, minor: tuple[int, int]) -> None:
    assert minor_release(version) == minor


@pytest.mark.parametrize("version", ["", "26", "latest"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError, match="is no version"):
        minor_release(version)


def test_a_range_holds_its_ends_and_what_lies_between() -> None:
    some = Supported((25, 8), (26, 9))
    assert str(some) == "25.8 to 26.9"
    assert all(version in some for version in [(25, 8), (25, 12), (26, 1), (26, 9)])
    # As text, 26.10 would lie before 26.9.
    assert not any(version in some for version in [(24, 12), (25, 7), (26, 10), (27, 1)])


def test_an_older_clickhouse_is_refused_and_a_newer_one_told() -> None:
    assert check_clickhouse(".".join(map(str, CLICKHOUSE.oldest)) + ".2.1") is None
    assert check_clickhouse(".".join(map(str, CLICKHOUSE.newest)) + ".2.1") is None
    with pytest.raises(ConfigurationError, match=r"ClickHouse 24\.8\.1\.1 is too old"):
        check_clickhouse("24.8.1.1")
    remark = check_clickhouse("99.1.1.1")
    assert remark is not None and "newer than what was tested" in remark
