"""`wattoken tariffs sync`, `disputes`: reads the packages, shows what differs, writes the file."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from schemas.catalogue import Catalogue
from schemas.catalogue.files import SHIPPED, path_of
from schemas.catalogue.names import Names
from schemas.catalogue.price_list_file import FILE, price_list_text
from schemas.catalogue.price_lists import PriceLists
from services.billing.price_lists.carried_on import carried_on
from services.billing.price_lists.changes import Change, changes, differs
from services.billing.price_lists.combine import SECOND, combined
from services.billing.price_lists.drawn import Skipped
from services.billing.price_lists.genai_package import read_genai_prices
from services.billing.price_lists.litellm_package import read_litellm
from services.billing.price_lists.overrides import Override, overrides
from services.platform.catalogue import read_catalogue
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.settings import CatalogueSettings, read_settings

#: Of a kind of change, more than this are counted and not named.
NAMED_MOST = 40
#: In this order; what is new in a first sync is thousands of lines that nobody reads.
HEADINGS = {
    "price": "prices that change",
    "dispute": "the sources disagree (the list's own price is used; tariffs.yaml goes before it)",
    "settled": "the sources agree again",
    "new": "new",
    "not_taken": "not taken over",
    "gone": "gone",
    "names": "other names",
    "remark": "remarks",
}


@dataclass(frozen=True, slots=True)
class Sync:
    """What the packages say now, put together with what the file says."""

    before: PriceLists
    after: PriceLists
    changes: tuple[Change, ...]
    skipped: tuple[Skipped, ...]
    overrides: tuple[Override, ...]


def sync(*, write: bool, whole: bool, as_json: bool) -> None:
    """Show what the installed price packages would change; write it only if ``write``.

    Raises `ConfigurationError` where a package is missing or the file cannot be read or written.
    """
    folder = read_settings(CatalogueSettings).catalogue_dir
    catalogue = read_catalogue(folder)
    found = compare(catalogue, datetime.now(UTC).date())
    if as_json:
        print(json.dumps(_document(found), indent=2))
    else:
        _print(found, whole=whole)
    path = path_of(FILE, folder) if folder is None else folder / FILE
    if found.before == found.after:
        say(f"{path}: nothing to change", err=True)
    elif write:
        _write(path, price_list_text(found.after))
        say(
            f"{path}: {len(found.after.tariffs):,} tariffs; `wattoken migrate` loads them", err=True
        )
    else:
        say(f"nothing is written: `wattoken tariffs sync --write` writes {path}", err=True)


def compare(catalogue: Catalogue, seen: date) -> Sync:
    """Read both packages, and put them together with the lists of the catalogue."""
    names = Names(catalogue)
    first = read_genai_prices(seen)
    second = read_litellm(seen, lambda provider: SECOND + names.provider(provider).lower())
    before = catalogue.price_lists
    after = carried_on(before, combined(first, second, names.provider, seen), seen)
    moment = datetime(seen.year, seen.month, seen.day, tzinfo=UTC)
    with_them = catalogue.model_copy(update={"price_lists": after})
    return Sync(
        before,
        after,
        tuple(changes(before, after, moment)),
        (*first.skipped, *second.skipped),
        tuple(overrides(with_them, moment)),
    )


def list_disputes(*, as_json: bool) -> None:
    """Print each price about which the sources disagree, as the file in force has it."""
    lists = read_catalogue(read_settings(CatalogueSettings).catalogue_dir).price_lists
    disputed = [(one, dispute) for one in lists.tariffs for dispute in one.disputes]
    if as_json:
        rows = [{"tariff": one.tariff, **d.model_dump(mode="json")} for one, d in disputed]
        print(json.dumps(rows, indent=2))
        return
    for one, dispute in disputed:
        say(f"{one.tariff}: {dispute.source} says of {differs(dispute.name, dispute.differs)}")
    say(f"{len(disputed)} disputes about {len({one.tariff for one, _ in disputed})} tariffs")


def _print(found: Sync, *, whole: bool) -> None:
    by_kind: dict[str, list[Change]] = {}
    for change in found.changes:
        by_kind.setdefault(change.kind, []).append(change)
    for kind, heading in HEADINGS.items():
        of_kind = by_kind.get(kind, [])
        if of_kind:
            say(f"{heading}: {len(of_kind):,}")
            _print_changes(of_kind, whole=whole or kind == "price")
    if found.overrides:
        say(f"tariffs.yaml goes before a list: {len(found.overrides)}")
    for override in found.overrides:
        say(f"  {override.by_hand} before {override.listed}{_remark(override)}")
    reasons = Counter(one.reason for one in found.skipped)
    if reasons:
        say(f"in no list: {sum(reasons.values()):,}")
    for reason, count in reasons.most_common():
        say(f"  {count:,} x {reason}")
        if whole:
            for one in (one for one in found.skipped if one.reason == reason):
                say(f"    {one.source}: {one.model}")
    for source in found.after.header.sources:
        say(f"{source.source} {source.version}, first seen {source.first_seen}")


def _print_changes(changes: Sequence[Change], *, whole: bool) -> None:
    named = changes if whole else changes[:NAMED_MOST]
    for change in named:
        said = f" ({change.source})" if change.kind in ("price", "dispute") else ""
        say(f"  {change.tariff}: {change.what}{said}")
    left = len(changes) - len(named)
    if left:
        say(f"  and {left:,} more: --all names them")


def _remark(override: Override) -> str:
    parts = [*override.differs]
    if override.tiers_missing:
        parts.append(f"it has no price for {', '.join(override.tiers_missing)}")
    return f": {'; '.join(parts)}" if parts else ": the same prices"


def _document(found: Sync) -> dict[str, object]:
    return {
        "sources": [one.model_dump(mode="json") for one in found.after.header.sources],
        "tariffs": len(found.after.tariffs),
        "priced": sum(bool(one.versions) for one in found.after.tariffs),
        "changes": [asdict(one) for one in found.changes],
        "skipped": [asdict(one) for one in found.skipped],
        "overrides": [asdict(one) for one in found.overrides],
    }


def _write(path: Path, text: str) -> None:
    """Replace the file whole: a reader sees the old one or the new."""
    staging = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        staging.write_text(text, encoding="utf-8")
        staging.replace(path)
    except OSError as error:
        staging.unlink(missing_ok=True)
        hint = (
            " (set WATTOKEN_CATALOGUE_DIR to a folder of yours)" if path.parent == SHIPPED else ""
        )
        raise ConfigurationError(f"cannot write {path}: {error.strerror}{hint}") from None
