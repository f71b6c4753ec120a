"""Reads from ClickHouse what one tenant was charged for a model in one hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.catalogue import TOKEN_CLASSES
from services.billing.explanation import Place
from services.platform.clickhouse import all_rows
from services.platform.errors import ConfigurationError

COLUMNS: Final = """
    region, provider, service_tier, context_band, entry, token_class, unit, tou_period, tariff_id,
    quantity, currency, price, amount
"""
HOUR: Final = "tenant = {tenant:String} AND window_start = toDateTime({hour:UInt32}, 'UTC')"
LINES: Final = f"SELECT {COLUMNS} FROM charges WHERE {HOUR} AND model = {{model:String}}"
MODELS: Final = f"SELECT DISTINCT model FROM charges WHERE {HOUR}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which usage is to be explained; of what is None, all of it is."""

    tenant: str
    hour: datetime
    model: str
    region: str | None = None
    provider: str | None = None
    service_tier: str | None = None
    context_band: int | None = None
    token_class: str | None = None
    unit: str | None = None

    def is_for(self, charge: Charge) -> bool:
        """Whether a charge of that hour and model is asked for."""
        wanted = (
            (self.region, charge.place.region),
            (self.provider, charge.place.provider),
            (self.service_tier, charge.place.service_tier),
            (self.context_band, charge.place.context_band),
            (self.token_class, charge.token_class),
            (self.unit, charge.unit),
        )
        return all(one is None or one == had for one, had in wanted)


@dataclass(frozen=True, slots=True)
class Charge:
    """A row of `charges`: ``price`` is per million tokens, or per thousand of ``unit``."""

    place: Place
    entry: str
    token_class: str
    unit: str
    tou_period: str
    tariff_id: str
    quantity: int
    currency: str
    price: Decimal | None
    amount: Decimal | None


def read_charges(client: Client, asked: Asked) -> list[Charge]:
    """The charges that are asked for, in the order of their labels.

    Raises `ConfigurationError` if there are none, naming the models that there are some of;
    `UnavailableError` if ClickHouse does not answer.
    """
    names: dict[str, Any] = {"tenant": asked.tenant, "hour": int(asked.hour.timestamp())}
    rows = all_rows(client, LINES, names | {"model": asked.model})
    charges = [
        Charge(Place(asked.hour, region, provider, asked.model, tier, band), *columns)
        for region, provider, tier, band, *columns in sorted(rows, key=_order)
    ]
    found = [one for one in charges if asked.is_for(one)]
    if found:
        return found
    when = f"{asked.hour:%Y-%m-%d %H:%M} UTC"
    if charges:
        raise ConfigurationError(
            f"{asked.tenant!r} used {asked.model} at {when}, but not like that"
        )
    used = sorted(str(model) for (model,) in all_rows(client, MODELS, names))
    models = ", ".join(used) or "no model"
    raise ConfigurationError(
        f"{asked.tenant!r} used nothing of {asked.model!r} at {when}; what was used: {models}"
    )


def _order(row: Sequence[Any]) -> tuple[Any, ...]:
    """By series and class, tokens before units, then entries, then classes as bills list them."""
    *labels, entry, token_class, unit, _ = row[:8]
    classes: Sequence[str] = TOKEN_CLASSES
    return *labels, unit != "", entry, classes.index(token_class) if token_class else 0, unit
