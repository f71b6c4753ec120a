"""PURE. What is found of the price lists: sources that are old, and sources that disagree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from schemas.catalogue.catalogue import Catalogue
from schemas.catalogue.listed_tariffs import ListSource
from services.billing.findings import Finding

#: Providers change prices every few weeks: a list that is older is not trusted unseen.
OLD_AFTER: Final = timedelta(days=30)


def is_old(source: ListSource, now: datetime) -> bool:
    """Whether a source's version has been known for so long that there should be a newer one."""
    return now.date() - source.first_seen > OLD_AFTER


def age(source: ListSource, now: datetime) -> str:
    """How long a source's version has been known, for people."""
    days = (now.date() - source.first_seen).days
    return f"version {source.version} has been in use for {days} days"


def list_findings(catalogue: Catalogue, now: datetime) -> Iterator[Finding]:
    """What is old, and that there are disputes; they are listed by a command of their own."""
    lists = catalogue.price_lists
    for source in lists.header.sources:
        if is_old(source, now):
            message = (
                f"{age(source, now)}: install a newer one, then `wattoken tariffs sync` shows"
                " what changes"
            )
            yield Finding("warning", "price_list_old", source.source, message)
    disputed = sum(bool(one.disputes) for one in lists.tariffs)
    if disputed:
        message = (
            f"they disagree about {disputed} tariffs: `wattoken tariffs disputes` lists the prices;"
            " the first one's is used"
        )
        sources = ", ".join(one.source for one in lists.header.sources)
        yield Finding("note", "sources_disagree", sources, message)
