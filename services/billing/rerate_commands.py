"""`wattoken tariffs rerate`: the edge that reads a catalogue and charges, and prints."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from services.billing.rerate_json import document
from services.billing.rerate_queries import read_rerating
from services.billing.rerate_table import print_rerating
from services.billing.tariff_check import check
from services.platform.catalogue import read_catalogue
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, read_settings
from services.platform.terminal import console

#: Months of all tenants are grouped before the first line comes.
ANSWER_SECONDS: Final = 3600.0


def rerate(folder: Path, *, start: date, end: date, tenant: str | None, as_json: bool) -> None:
    """Print what a folder's prices would change of past charges; nothing is changed by it.

    Raises `ConfigurationError` if the folder is no catalogue or the time is none.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder")
    if start >= end:
        raise ConfigurationError(f"{start} up to, but not, {end} is no time: --to is the later day")
    catalogue = read_catalogue(folder)
    errors = [one for one in check(catalogue, datetime.now(UTC)) if one.level == "error"]
    for one in errors:
        say(f"{one.level}: {one.kind}: {one.entry}: {one.message}", err=True)
    settings = read_settings(ClickHouseSettings)
    with migrated_database(settings, answer_seconds=ANSWER_SECONDS) as client:
        rerating = read_rerating(client, catalogue, start, end, tenant)
    if as_json:
        print(json.dumps(document(rerating), indent=2))
    else:
        print_rerating(rerating, console())
