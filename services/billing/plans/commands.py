"""`wattoken compare-plans`: the edge that reads a month under plans, and prints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

from clickhouse_connect.driver.client import Client

from schemas.catalogue.currencies import DECIMALS
from services.billing.periods import Period, parse_period
from services.billing.plans.alternatives import alternatives
from services.billing.plans.comparison import Comparison, compare
from services.billing.plans.comparison_json import document
from services.billing.plans.comparison_table import print_comparison
from services.billing.plans.known import Known
from services.billing.plans.known_queries import read_known, read_used
from services.billing.plans.outcome_queries import read_outcomes, same_usage
from services.billing.plans.plan import ACTUAL, Plan
from services.billing.plans.wishes import Wishes, wished_plan
from services.billing.statement_queries import read_rates, read_tenants
from services.billing.stored_views import read_views
from services.platform.errors import ConfigurationError
from services.platform.progress import ProgressShown
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, read_settings
from services.platform.terminal import console

#: Months of all tenants are billed once for each plan.
ANSWER_SECONDS: Final = 3600.0
#: Numbers are not broken where a file has no width.
WIDTH_OF_A_FILE: Final = 160


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked for; ``currency`` goes before what is usual."""

    period: Period
    now: datetime
    tenant: str | None
    wishes: Wishes
    currency: str | None

    @classmethod
    def of(cls, period: str, tenant: str | None, wishes: Wishes, currency: str | None) -> Asked:
        """Check what was given. Raises `ConfigurationError`."""
        if currency is not None and currency not in DECIMALS:
            raise ConfigurationError(f"{currency!r} is no currency of ISO 4217, such as USD or CNY")
        return cls(parse_period(period), datetime.now(UTC), tenant, wishes, currency)

    @property
    def running(self) -> bool:
        """Whether the month is not over."""
        return self.period.is_running(self.now)


def compare_plans(asked: Asked, *, whole: bool, as_json: bool) -> None:
    """Print what a month would have come to under other plans; nothing is changed by it.

    Raises `ConfigurationError` if the month has no usage or a wish makes no sense,
    `UnavailableError`.
    """
    with migrated_database(
        read_settings(ClickHouseSettings), answer_seconds=ANSWER_SECONDS
    ) as client:
        comparison = read_comparison(client, asked)
    if as_json:
        print(json.dumps(document(comparison), indent=2))
    else:
        print_comparison(comparison, console(width_of_a_file=WIDTH_OF_A_FILE), whole=whole)


def read_comparison(client: Client, asked: Asked) -> Comparison:
    """Read it: of the plan that is asked for, or of all that the catalogue has."""
    period, views = asked.period, read_views(client)
    used = read_used(client, period, asked.tenant)
    if not used:
        _refuse(client, asked)
    labels = [one.labels for one in used]
    (actual,) = read_outcomes(client, views, period, asked.tenant, labels, [ACTUAL])
    known = read_known(client, views, period, used, actual)
    plans = _plans(asked, known)
    with ProgressShown("plans", len(plans)) as progress:
        outcomes = read_outcomes(
            client, views, period, asked.tenant, labels, plans, progress.update
        )
    same_usage(actual, outcomes)
    return compare(
        period,
        asked.tenant,
        used,
        actual,
        outcomes,
        read_rates(client),
        today=asked.now.date(),
        running=asked.running,
        currency=asked.currency,
    )


def _plans(asked: Asked, known: Known) -> list[Plan]:
    if asked.wishes.any:
        return [wished_plan(asked.wishes, known, running=asked.running)]
    return alternatives(known, running=asked.running)


def _refuse(client: Client, asked: Asked) -> NoReturn:
    month = f"{asked.period.start:%Y-%m}"
    tenants = [] if asked.tenant is None else read_tenants(client, asked.period)
    if not tenants:
        raise ConfigurationError(f"nobody was metered in {month}")
    raise ConfigurationError(
        f"{asked.tenant!r} was not metered in {month}; who was: {', '.join(tenants[:10])}"
    )
