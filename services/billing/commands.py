"""`wattoken tariffs` and `wattoken statement`: the edges that read, print and write files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from schemas.catalogue import TOKEN_CLASSES, Catalogue
from schemas.catalogue.entries import FOREVER, TariffEntry
from schemas.catalogue.globs import matches
from services.billing.periods import parse_period
from services.billing.statement import Statement, money
from services.billing.statement_html import render_html
from services.billing.statement_json import document
from services.billing.statement_queries import read_statement
from services.billing.statement_table import print_statement
from services.billing.tariff_check import check
from services.platform.catalogue import read_catalogue
from services.platform.clickhouse import connect
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.settings import CatalogueSettings, ClickHouseSettings, read_settings
from services.platform.terminal import cell, console


def check_tariffs(*, as_json: bool) -> bool:
    """Print what is wrong with the catalogue; whether it is free of errors."""
    catalogue = _catalogue()
    findings = check(catalogue, datetime.now(UTC))
    errors = sum(finding.level == "error" for finding in findings)
    if as_json:
        _print_json({"errors": errors, "findings": [asdict(one) for one in findings]})
        return errors == 0
    for one in findings:
        say(f"{one.level}: {one.kind}: {one.entry}: {one.message}")
    counts = (
        f"{len(catalogue.tariffs.tariffs)} tariffs, {len(catalogue.models.models)} models,"
        f" {len(catalogue.regions.regions)} regions"
    )
    say(f"{counts}: {errors} errors, {len(findings) - errors} other findings")
    return errors == 0


def list_tariffs(model: str | None, *, as_json: bool) -> None:
    """Print the tariffs, one line each; only those that fit ``model`` if it is given."""
    chosen = [
        one for one in _catalogue().tariffs.tariffs if model is None or matches(one.model, model)
    ]
    if as_json:
        _print_json([json.loads(one.model_dump_json()) for one in chosen])
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("tariff", "provider", "model", "region", "calendar", "prices since"):
        table.add_column(column, overflow="fold")
    for one in chosen:
        since = max(version.valid_from for version in one.versions)
        table.add_row(
            *map(cell, (one.tariff, one.provider, one.model, one.region, one.calendar or "flat")),
            f"{since:%Y-%m-%d}",
        )
    console().print(table)


def show_tariff(tariff: str, *, as_json: bool) -> None:
    """Print one tariff whole: every price, its span and source."""
    catalogue = _catalogue()
    found = next((one for one in catalogue.tariffs.tariffs if one.tariff == tariff), None)
    if found is None:
        raise ConfigurationError(f"there is no tariff {tariff!r}: see `wattoken tariffs list`")
    if as_json:
        _print_json(json.loads(found.model_dump_json()))
        return
    say(f"{found.tariff}: provider {found.provider}, model {found.model}, region {found.region}")
    if found.calendar is not None:
        say(_calendar_line(catalogue, found.calendar))
    console().print(_price_table(found))


def _calendar_line(catalogue: Catalogue, name: str) -> str:
    calendar = catalogue.calendar(name)
    assert calendar is not None, "the catalogue is consistent"
    periods = "; ".join(
        f"{period} "
        + ", ".join(
            f"{span.start:02}-{span.end:02}"
            + ("" if span.weekdays is None else f" {' '.join(span.weekdays)}")
            for span in spans
        )
        for period, spans in calendar.periods.items()
    )
    holidays = "" if calendar.holidays is None else f", holidays {calendar.holidays}"
    return f"calendar {name}, zone {calendar.zone}{holidays}: {periods}"


def _price_table(tariff: TariffEntry) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("from", "to", "period", "token class", "USD/M", "source"):
        number = column == "USD/M"
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for version in tariff.versions:
        since, until = _moment(version.valid_from), _moment(version.valid_to)
        for period, prices in version.prices.items():
            for name in TOKEN_CLASSES:
                same = "" if prices.billed_as(name) == name else f" (as {prices.billed_as(name)})"
                table.add_row(
                    *(since, until, cell(period), name + same, money(prices.price(name))),
                    cell(f"{version.source}, {version.source_date}"),
                )
    return table


def _moment(moment: datetime) -> str:
    if moment == FOREVER:
        return "open"
    return f"{moment:%Y-%m-%d}" if (moment.hour, moment.minute) == (0, 0) else f"{moment:%F %R}"


def show_statement(
    tenant: str, period: str, *, as_json: bool, html: Path | None, pdf: Path | None
) -> None:
    """Print a statement, or write it to files.

    Raises `ConfigurationError` where there is none, or PDFs cannot be made here.
    """
    start, end = parse_period(period)
    render_pdf = _pdf_renderer() if pdf is not None else None
    client = connect(read_settings(ClickHouseSettings))
    try:
        statement = read_statement(client, tenant, start, end, datetime.now(UTC))
    finally:
        client.close()
    if html is not None:
        _write(html, render_html(statement).encode())
    if pdf is not None and render_pdf is not None:
        _write(pdf, render_pdf(statement))
    if as_json:
        _print_json(document(statement))
    elif html is None and pdf is None:
        print_statement(statement, console())


def _pdf_renderer() -> Callable[[Statement], bytes]:
    try:
        from services.billing.statement_pdf import render_pdf
    except ModuleNotFoundError as error:
        if error.name != "reportlab":
            raise
        raise ConfigurationError(
            "PDF needs reportlab: pip install 'wattoken[bills]', or use --html"
        ) from error
    return render_pdf


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None
    say(f"{path}: {len(content):,} bytes", err=True)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))


def _catalogue() -> Catalogue:
    return read_catalogue(read_settings(CatalogueSettings).catalogue_dir)
