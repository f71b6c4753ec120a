"""Secrets from files: the file wins, its edges do not count, and no error tells what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from services.platform.errors import ConfigurationError
from services.platform.secret_files import read_secret, require_readable, secret


def test_the_file_wins_over_the_value(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("of the file")
    assert secret(SecretStr("of the variable"), file) == "of the file"
    assert secret(SecretStr(" of the variable "), None) == " of the variable "


def test_line_ends_of_a_file_are_no_part_of_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes("  pâss word \r\n\n".encode())
    assert read_secret(file) == "pâss word"


def test_a_file_that_is_gone_is_told_whatever_the_value(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(ConfigurationError) as caught:
        secret(SecretStr("of the variable"), gone)
    assert str(caught.value) == f"cannot read the secret file {gone}: No such file or directory"
    # The error of the system would bring its traceback along.
    assert caught.value.__suppress_context__


def test_a_folder_is_no_secret_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Is a directory"):
        read_secret(tmp_path)


def test_readable_is_whatever_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "store"
    file.write_bytes(b"\xff\xfe\x00")
    require_readable("WATTOKEN_X_FILE", file)
    for path, why in ((tmp_path / "gone", "No such file or directory"), (tmp_path, "Is a dir")):
        with pytest.raises(ConfigurationError) as caught:
            require_readable("WATTOKEN_X_FILE", path)
        assert str(caught.value).startswith(f"WATTOKEN_X_FILE: cannot read {path}: {why}")


def test_a_file_that_is_no_text_is_told_without_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes("pässword".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="no text in UTF-8") as raised:
        read_secret(file)
    assert raised.value.__cause__ is None and "ssword" not in str(raised.value)
