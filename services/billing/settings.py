"""Settings of `wattoken statement`, and the file of terms that they name."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from schemas.catalogue.files import CatalogueError
from schemas.catalogue.loading import read_file
from services.billing.terms import StatementSettings
from services.platform.errors import ConfigurationError
from services.platform.settings import Settings


class BillingSettings(Settings):
    """What statements are made with."""

    statement_settings_file: Path | None = Field(
        default=None,
        description="YAML file with the terms of statements: currency, parties, taxes, numbers"
        " (docs/statements.md). Without it they are in USD, without taxes.",
    )
    statement_font_dir: Path | None = Field(
        default=None,
        description="Folder with fonts (ttf, otf, ttc) for PDFs, taken before those of the extra"
        " `bills`.",
    )


def read_terms(path: Path | None) -> StatementSettings:
    """Read the file of terms; plain ones where there is none.

    Raises `ConfigurationError`, naming file and place.
    """
    if path is None:
        return StatementSettings(version="none")
    try:
        return read_file(path, StatementSettings)
    except CatalogueError as error:
        raise ConfigurationError(str(error)) from None
