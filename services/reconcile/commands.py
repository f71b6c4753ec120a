"""`wattoken reconcile`: the edge that reads files and the database, and prints."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from schemas.catalogue.names import Names
from services.platform.catalogue import read_catalogue
from services.platform.errors import ConfigurationError
from services.platform.schema_state import migrated_database
from services.platform.settings import CatalogueSettings, ClickHouseSettings, read_settings
from services.platform.terminal import console
from services.reconcile.comparison import Sides, compare, sides_of
from services.reconcile.findings import Reconciliation
from services.reconcile.formats.detecting import Reader
from services.reconcile.meter_queries import Selection, read_meter, read_providers
from services.reconcile.metered import Meter
from services.reconcile.naming import Naming
from services.reconcile.report import as_json, print_reconciliation

#: Longest field of a CSV: spend logs may have prompts in them.
CSV_FIELD_CHARS_MAX: Final = 64 * 1024 * 1024
#: A month's charges of all tenants take longer than what services are to wait for.
ANSWER_SECONDS: Final = 600
#: Usage of the last so many minutes before an export was made may not be on it yet.
SETTLING: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be held against what: the meter's part, the days, and how much may differ."""

    provider: str | None
    tenant: str | None
    region: str | None
    first: date | None
    end: date | None
    made_at: datetime | None
    tolerance_percent: Decimal


def reconcile(files: Sequence[Path], question: Question, *, as_json_text: bool) -> bool:
    """Hold the bill in these files against the meter; whether they agree within the tolerance.

    Raises `ConfigurationError` for what is no bill, and `UnavailableError` if ClickHouse does not
    answer.
    """
    folder = read_settings(CatalogueSettings).catalogue_dir
    names = Names(read_catalogue(folder, with_price_lists=False))
    naming = Naming(names, question.provider or "")
    bills = [naming.named(bill) for bill in _reader(files).bills()]
    sides = sides_of(bills, question.first, question.end)
    now = datetime.now(UTC)
    meter = _metered(sides, naming, question, now)
    found = compare(sides, meter, now, question.tolerance_percent)
    if as_json_text:
        print(json.dumps(_document(found, meter), indent=2))
    else:
        print_reconciliation(found, console())
    return found.within_tolerance


def _reader(files: Sequence[Path]) -> Reader:
    csv.field_size_limit(CSV_FIELD_CHARS_MAX)
    reader = Reader()
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{path} is no UTF-8 text (byte {error.start}): unpack or convert it"
            ) from None
        reader.read(str(path), text)
    return reader


def _metered(sides: Sides, naming: Naming, question: Question, now: datetime) -> Meter:
    settings = read_settings(ClickHouseSettings)
    with migrated_database(settings, answer_seconds=ANSWER_SECONDS) as client:
        billed = set().union(*(bill.providers for bill in sides.bills))
        providers = [
            name
            for name in read_providers(client)
            if "" in billed or naming.provider(name) in billed
        ]
        chosen = Selection(
            span=sides.span,
            made_at=min(question.made_at or now, now) - SETTLING,
            tenant=question.tenant,
            region=question.region,
            charges=sides.amounts is not None,
        )

        def named(provider: str, model: str) -> tuple[str, str]:
            return naming.provider(provider), naming.model(model)

        return read_meter(client, chosen, providers, named)


def _document(found: Reconciliation, meter: Meter) -> dict[str, object]:
    return {
        **as_json(found),
        "meter": {
            "newest_event": None if meter.newest_event is None else meter.newest_event.isoformat(),
            "duplicates_dropped": meter.duplicates,
            "rejected": dict(meter.rejected),
        },
    }
