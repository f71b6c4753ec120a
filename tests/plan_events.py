"""Events of a month, and what a plan makes of each of them: the outside of plan comparison.

A plan is applied here to events as gateways send them, one by one, and never to a sum of them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st

from schemas.price_class import SERVICE_TIERS
from services.billing.periods import Period, parse_period
from services.billing.plans.plan import Labels, Plan

MONTH: Final = "2026-09"
PERIOD: Final = parse_period(MONTH)
START: Final = datetime(2026, 9, 1, tzinfo=UTC)
HOURS: Final = 30 * 24
Event = dict[str, Any]
#: Of the shipped catalogue: a price by the time of day in Beijing that begins in mid-month, tiers
#: and longer inputs, a family, of lists alone, and of nobody.
USED: Final = [
    Labels("cn-north", "deepseek", "deepseek-flash"),
    Labels("us-east", "openai", "gpt-5"),
    Labels("eu-central", "openai", "gpt-5.6-luna"),
    Labels("us-east", "anthropic", "claude-opus-5.5"),
    Labels("eu-central", "azure.ai.openai", "gpt-5"),
    Labels("atlantis", "nobody", "unheard-of"),
]
OTHERS: Final = [
    *USED,
    Labels("us-east", "deepseek", "deepseek-flash"),
    Labels("ap-south", "openai", "GPT-5"),
    Labels("sa-east", "somebody", "gpt-5.6-luna"),
]
ADJUSTS: Final = {"adjusts": "id-0", "reason": "stream broke off"}


def events(tenants: Sequence[str] = ("a", "b")) -> st.SearchStrategy[Event]:
    """An event of the month, with whatever a price may depend on."""
    return st.builds(
        _event,
        st.sampled_from(tenants),
        st.sampled_from(USED),
        st.integers(0, HOURS * 3_600_000 - 1),
        st.one_of(st.integers(0, 50), st.sampled_from([199_999, 200_000, 272_001, 10**11])),
        st.one_of(st.integers(0, 50), st.integers(0, 10**11)),
        st.sampled_from(
            [{}, {}, {}, {"entry": "debit", **ADJUSTS}, {"entry": "credit", **ADJUSTS}]
        ),
        st.sampled_from([None, None, *SERVICE_TIERS]),
        st.dictionaries(st.sampled_from(["web_searches", "pages"]), st.integers(0, 9), max_size=1),
    )


def _event(
    tenant: str,
    labels: Labels,
    after_ms: int,
    input_tokens: int,
    output_tokens: int,
    entry: Event,
    tier: str | None,
    units: dict[str, int],
) -> Event:
    return {
        "tenant": tenant,
        "time": (START.timestamp() * 1000 + after_ms) / 1000,
        **labels._asdict(),
        "input_tokens": input_tokens,
        "cache_read_input_tokens": input_tokens // 3,
        "output_tokens": output_tokens,
        "reasoning_output_tokens": output_tokens // 4,
        **({} if tier is None else {"service_tier": tier}),
        **units,
        **entry,
    }


def month(count: int, seed: int = 1, tenants: Sequence[str] = ("a",)) -> list[Event]:
    """A month of usage, the same each time: of everything, at every hour."""
    drawn = random.Random(seed)
    more = [{}, {}, {}, {"entry": "debit", **ADJUSTS}, {"entry": "credit", **ADJUSTS}]
    return [
        _event(
            tenants[number % len(tenants)],
            USED[number % len(USED)],
            drawn.randrange(HOURS * 3_600_000),
            drawn.choice([drawn.randrange(5000), drawn.randrange(500_000)]),
            drawn.randrange(3000),
            drawn.choice(more),
            drawn.choice([None, None, *SERVICE_TIERS]),
            drawn.choice([{}, {"web_searches": drawn.randrange(5)}, {"pages": 2}]),
        )
        for number in range(count)
    ]


def plans() -> st.SearchStrategy[Plan]:
    """A plan that changes whatever a plan can, but what names of tariffs say."""
    return st.builds(
        lambda labels, tiers, hours: Plan(
            "yours", "drawn", labels=labels, tiers=tiers, shift_hours=hours
        ),
        st.dictionaries(st.sampled_from(USED), st.sampled_from(OTHERS)),
        st.dictionaries(st.sampled_from(USED), st.sampled_from(SERVICE_TIERS)),
        st.one_of(st.just(0), st.integers(-168, 168)),
    )


def labels_of(event: Event) -> Labels:
    """What an event is metered under."""
    return Labels(event["region"], event["provider"], event["model"])


def replayed(event: Event, plan: Plan, tenant: str, period: Period = PERIOD) -> Event:
    """The event as it would have been sent under a plan, of another tenant."""
    labels = labels_of(event)
    time = datetime.fromtimestamp(event["time"], UTC)
    tier = plan.tier(labels, event.get("service_tier", ""))
    return {
        **event,
        "tenant": tenant,
        "time": plan.moment(time, period).timestamp(),
        **plan.relabelled(labels)._asdict(),
        **({"service_tier": tier} if tier else {}),
    }


def records(given: Iterable[Event], first: int = 0) -> list[bytes]:
    """The events as records of a log, with ids from a number on."""
    return [
        json.dumps(
            {
                **one,
                "id": f"id-{number}",
                "source": "gateway",
                "time": datetime.fromtimestamp(one["time"], UTC).isoformat(timespec="milliseconds"),
            }
        ).encode()
        for number, one in enumerate(given, first)
    ]
