"""`wattoken tariffs`: the edges that read the catalogue and print it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.table import Table

from schemas.catalogue import Catalogue
from schemas.catalogue.globs import matches
from schemas.catalogue.listed_tariffs import ListedTariff
from services.billing.price_lists.changes import differs
from services.billing.tariff_check import check
from services.billing.tariff_prices import Tariff
from services.billing.tariff_table import print_tariff
from services.platform.catalogue import read_catalogue
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.settings import CatalogueSettings, read_settings
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
        f" {len(catalogue.regions.regions)} regions, {len(catalogue.price_lists.tariffs)} listed"
    )
    say(f"{counts}: {errors} errors, {len(findings) - errors} other findings")
    return errors == 0


def list_tariffs(model: str | None, *, as_json: bool) -> None:
    """Print the tariffs, one line each; only those that fit ``model`` if it is given."""
    catalogue = _catalogue()
    chosen: list[Tariff] = [
        one for one in catalogue.tariffs.tariffs if model is None or matches(one.model, model)
    ]
    if model is not None:
        chosen += _listed(catalogue, model)
    if as_json:
        _print_json([json.loads(one.model_dump_json()) for one in chosen])
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("tariff", "provider", "model", "region", "calendar", "prices since", "variants"):
        table.add_column(column, overflow="fold")
    for one in chosen:
        last = max(one.versions, key=lambda version: version.valid_from, default=None)
        table.add_row(
            *map(cell, (one.tariff, one.provider, one.model, one.region, one.calendar or "flat")),
            "none" if last is None else f"{last.valid_from:%Y-%m-%d}",
            "" if last is None else f"{len(last.variants)}",
        )
    console().print(table)
    if model is None:
        count = len(catalogue.price_lists.tariffs)
        say(f"and {count:,} of price lists: --model NAME finds those of a model")


def _listed(catalogue: Catalogue, model: str) -> list[ListedTariff]:
    """The listed tariffs of a model at any provider."""
    lists = catalogue.price_lists
    found = (lists.find(provider, model) for provider in lists.header.providers)
    return list({one.tariff: one for one in found if one is not None}.values())


def show_tariff(tariff: str, *, as_json: bool) -> None:
    """Print one tariff whole: every price, its span and source."""
    catalogue = _catalogue()
    every: tuple[Tariff, ...] = (*catalogue.tariffs.tariffs, *catalogue.price_lists.tariffs)
    found = next((one for one in every if one.tariff == tariff), None)
    if found is None:
        raise ConfigurationError(f"there is no tariff {tariff!r}: see `wattoken tariffs list`")
    if as_json:
        _print_json(json.loads(found.model_dump_json()))
        return
    say(f"{found.tariff}: provider {found.provider}, model {found.model}, region {found.region}")
    if found.calendar is not None:
        say(_calendar_line(catalogue, found.calendar))
    print_tariff(found, console())
    if isinstance(found, ListedTariff):
        _say_of_list(found)


def _say_of_list(tariff: ListedTariff) -> None:
    """Print for which names of models a listed tariff is, and what is to be known of it."""
    say(f"names: {', '.join(tariff.names) or 'none'}")
    for pattern in tariff.patterns:
        unlike = f", not like {' '.join(pattern.unlike)}" if pattern.unlike else ""
        say(f"names like {' and '.join(pattern.like) or 'any'}{unlike}")
    for remark in (*tariff.remarks, *(() if tariff.not_taken is None else (tariff.not_taken,))):
        say(f"remark: {remark}")
    for one in tariff.disputes:
        say(f"disputed: {one.source} says of {differs(one.name, one.differs)}")


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


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))


def _catalogue() -> Catalogue:
    return read_catalogue(read_settings(CatalogueSettings).catalogue_dir)
