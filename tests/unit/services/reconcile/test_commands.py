"""Files that cannot be read, and options that make no sense."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.platform.errors import ConfigurationError
from services.reconcile.commands import Question, reconcile

QUESTION = Question(None, None, None, None, None, None, Decimal(0))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read .*No such file"), (b"\x1f\x8b\xff", "is no UTF-8 text .*unpack")],
)
def test_a_file_that_is_no_text_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "bill.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        reconcile([path], QUESTION, as_json_text=False)


@pytest.mark.parametrize("text", ["much", "-1", "NaN"])
def test_a_tolerance_is_a_percentage(tmp_path: Path, text: str) -> None:
    ran = CliRunner().invoke(app, ["reconcile", str(tmp_path), f"--tolerance={text}"])
    assert isinstance(ran.exception, ConfigurationError)
    assert f"--tolerance is {text!r}" in str(ran.exception)
