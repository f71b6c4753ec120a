"""What `wattoken gateways` does: the numbers that no register knows, and the register itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer
from prometheus_client.parser import text_string_to_metric_families

from services.ingest.adapters import attributes, openmeter
from services.ingest.adapters.provider_usage import FORMATS
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.metrics import UNREAD_FIELDS
from services.platform.errors import ConfigurationError, WattokenError
from services.platform.terminal import cell, console

_TIMEOUT_SECONDS: Final = 5
_BYTES_MAX: Final = 16 * 1024 * 1024
_WIDTH_OF_A_FILE: Final = 200
#: Of usage objects, of what stands in CloudEvents beside them, and of attributes of spans.
_REGISTERS: Final[Mapping[str, Register]] = {
    **{name: chosen.register for name, chosen in FORMATS.items()},
    openmeter.REGISTER.name: openmeter.REGISTER,
    attributes.REGISTER.name: attributes.REGISTER,
}


def show_unread(urls: Sequence[str], *, as_json: bool) -> None:
    """Print the numbers in usage objects that ingest met and did not know, most often met first.

    Each of ``urls`` is an ingest; their counts, since each was started, are added up. Raises
    `WattokenError` where one does not answer.
    """
    met: Counter[tuple[str, str]] = Counter()
    for url in urls:
        met.update(unread_of(_metrics_of(url)))
    rows = [
        {"format": usage_format, "field": field, "times": times}
        for (usage_format, field), times in met.most_common()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        _print_table(("format", "field", "times"), rows)
        typer.echo(
            "not metered: look up what they are, and class them (docs/gateways.md)", err=True
        )
    else:
        typer.echo("every number in every usage object was known", err=True)


def unread_of(metrics: str) -> Counter[tuple[str, str]]:
    """Read the counts out of ingest's metrics, as text."""
    found: Counter[tuple[str, str]] = Counter()
    for family in text_string_to_metric_families(metrics):
        if family.name != UNREAD_FIELDS:
            continue
        for sample in family.samples:
            if sample.name == f"{UNREAD_FIELDS}_total":
                key = (sample.labels["format"], sample.labels["field"])
                found[key] += int(sample.value)
    return found


def show_fields(usage_format: str | None, *, as_json: bool) -> None:
    """Print how every number of a format, or of all, is classed."""
    if usage_format is not None and usage_format not in _REGISTERS:
        raise ConfigurationError(
            f"there is no format {usage_format!r}: give {', '.join(_REGISTERS)}, or none for all"
        )
    rows = [
        {
            "format": name,
            "field": f"{field.path}.*" if field.summed else field.path,
            "class": field.field_class.value,
            "counts": field.quantity.value if field.quantity is not None else "",
        }
        for name, register in _REGISTERS.items()
        if usage_format in (None, name)
        for field in register.fields
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print_table(("format", "field", "class", "counts"), rows)


def _print_table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*(cell(row[column]) for column in columns))
    console(width_of_a_file=_WIDTH_OF_A_FILE).print(table)


def _metrics_of(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{url!r} is no address: give http://host:port of an ingest")
    try:
        with urllib.request.urlopen(
            f"{url.rstrip('/')}/metrics", timeout=_TIMEOUT_SECONDS
        ) as answer:
            return str(answer.read(_BYTES_MAX).decode())
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise WattokenError(
            f"ingest at {url} does not answer: {error}; is it running, and is that its address"
            " (--url, WATTOKEN_INGEST_URL)?"
        ) from None
