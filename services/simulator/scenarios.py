"""What `wattoken simulate --scenario` does: look at the log's rules, then backfill."""

from __future__ import annotations

import math
import time
from datetime import date

from schemas.metering_rules import DAY_MS, MeteringRules
from services.platform.catalogue import read_catalogue
from services.platform.errors import ConfigurationError
from services.platform.kafka import admin_client, describe_log, require_kafka
from services.platform.progress import ProgressShown, stopped_by_signals
from services.platform.rules_table import rules_now
from services.platform.schema_state import migrated_database
from services.platform.settings import (
    CatalogueSettings,
    ClickHouseSettings,
    KafkaSettings,
    read_settings,
)
from services.platform.succession_topic import topic_of_events
from services.simulator import profiles, token_era
from services.simulator.delivery import Journal, now_ms
from services.simulator.ledger import Run
from services.simulator.token_era import TokenEraPlan
from services.simulator.traffic import Delivered, Route, deliver


def token_era_plan(seed: int, until: date | None, way: Route) -> TokenEraPlan:
    """Plan the weeks to ``until``; whose a model is, the catalogue says."""
    catalogue = read_catalogue(
        read_settings(CatalogueSettings).catalogue_dir, with_price_lists=False
    )
    entries = {profile.model: catalogue.model_of(profile.model) for profile in profiles.MODELS}
    return TokenEraPlan(
        origins={model: entry.origin for model, entry in entries.items() if entry is not None},
        seed=seed,
        until=until or token_era.REPORTED_UNTIL,
        tenants=tuple(way.keys) or profiles.TENANTS,
    )


def backfill(plan: TokenEraPlan, way: Route) -> tuple[Delivered, float]:
    """Send the scenario as fast as it goes; gives what was sent and the seconds it took.

    Raises `ConfigurationError`, before anything is sent, when the log's rules would refuse it.
    """
    kafka = read_settings(KafkaSettings)
    require_kafka(kafka)
    log = describe_log(admin_client(kafka), topic_of_events(kafka))
    with migrated_database(read_settings(ClickHouseSettings)) as client:
        check_rules(plan, rules_now(client, log.name), now_ms())
    run = Run(0, plan.run_id, plan.end_ms)
    with ProgressShown("new events", plan.events) as bar, stopped_by_signals() as stop:
        started = time.monotonic()
        journal = Journal(None, run, lambda tally: bar.update(tally.acknowledged))
        deliver(token_era.emissions(plan), way, journal, paced=False, stop=stop)
        return Delivered(run, journal.tally), time.monotonic() - started


def check_rules(plan: TokenEraPlan, rules: MeteringRules, now_ms: int) -> None:
    """Raise `ConfigurationError` unless events of the whole stretch are metered by the hour."""
    age_ms = now_ms - plan.start_ms
    # A day more: the log reads its own clock, and later.
    age_days = math.ceil(age_ms / DAY_MS) + 1
    if plan.end_ms > now_ms:
        raise ConfigurationError(f"the scenario's last week, to {plan.until}, has not ended yet")
    if age_days * DAY_MS > rules.hour_retention_ms:
        raise ConfigurationError(
            f"the scenario begins {age_days} days ago and hours are kept for"
            f" {rules.hour_retention_ms // DAY_MS} days: choose a later Sunday with --until"
        )
    if age_ms > rules.too_old_ms:
        raise ConfigurationError(
            f"the log's rules reject events older than {rules.too_old_ms / DAY_MS:g} days, and the"
            f" scenario begins {age_days} days ago: set WATTOKEN_KAFKA_TOPIC to a new topic and"
            f" make it with `wattoken migrate --max-event-age-days {age_days}`"
        )
