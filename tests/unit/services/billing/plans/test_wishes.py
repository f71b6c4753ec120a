"""One plan of all that is asked for, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from services.billing.plans.plan import Labels, Plan
from services.billing.plans.wishes import Wishes, wished_plan
from services.platform.errors import ConfigurationError
from tests.unit.services.billing.plans.known_world import FLASH, GPT, KNOWN, OWN, known


def plan(*, running: bool = False, **wishes: Any) -> Plan:
    given = Wishes(**wishes)
    assert given.any
    return wished_plan(given, KNOWN, running=running)


def test_nothing_is_asked_for() -> None:
    assert not Wishes().any


def test_another_region_for_all_or_for_one() -> None:
    assert plan(regions=("eu",)).labels == {
        one: one._replace(region="eu") for one in (GPT, FLASH, OWN)
    }
    assert plan(regions=("cn-north=eu",)).labels == {FLASH: FLASH._replace(region="eu")}
    assert plan(regions=("cn-north",)).labels == {
        one: one._replace(region="cn-north") for one in (GPT, OWN)
    }


def test_another_provider_takes_what_it_sells_under_its_names() -> None:
    assert plan(providers=("router",)).labels == {
        GPT: Labels("us-east", "router", "openai/gpt-5"),
        FLASH: Labels("cn-north", "router", "ds/flash"),
    }
    assert set(plan(providers=("openai=router",)).labels) == {GPT}


def test_another_model_at_its_provider_at_another_or_where_all_goes() -> None:
    assert plan(models=("gpt-5=gpt-6",)).labels == {GPT: GPT._replace(model="gpt-6")}
    assert plan(models=("gpt-5=deepseek,flash",)).labels == {
        GPT: Labels("us-east", "deepseek", "flash")
    }
    both = plan(models=("gpt-5=gpt-6",), providers=("router",))
    assert both.labels[GPT] == Labels("us-east", "router", "gpt-6"), "as it was asked for"
    assert both.labels[FLASH].model == "ds/flash"
    assert both.other_models and not plan(providers=("router",)).other_models


def test_all_together_are_one_plan_with_the_tariff_of_what_it_became() -> None:
    found = plan(
        models=("own=small",),
        providers=("openai=azure",),
        regions=("eu",),
        tier="batch",
        shift_hours=-3,
        tariffs=("gpt-5=any",),
    )
    there = Labels("eu", "azure", "gpt-5-eastus")
    assert found.labels[GPT] == there and found.tariffs == {there: "any"}
    assert found.tiers == dict.fromkeys((GPT, FLASH, OWN), "batch")
    assert found.shift_hours == -3
    assert found.name == (
        "model own=small, provider openai=azure, region eu, tier batch, 3 h earlier, tariff"
        " gpt-5=any"
    )
    assert plan(tariffs=("any",)).tariffs == dict.fromkeys((GPT, FLASH, OWN), "any")


@pytest.mark.parametrize(
    ("wishes", "text"),
    [
        ({"regions": ("mars",)}, "no such region: cn-north, eu, us-east$"),
        ({"regions": ("mars=eu",)}, "no region of this name was metered; what was: cn-north, us-e"),
        ({"regions": ("eu=",)}, "--region eu=: it is OTHER, for all, or OLD=OTHER"),
        ({"regions": ("=eu",)}, "--region =eu: it is OTHER"),
        ({"providers": ("mars",)}, "has a price for none of the models.*who has: azure, router$"),
        ({"providers": ("mars=azure",)}, "no provider of this name was metered"),
        ({"models": ("gpt-5",)}, "say which one becomes it: OLD=gpt-5"),
        ({"models": ("gpt-6=gpt-5",)}, "no model of this name was metered; what was: flash, gpt"),
        ({"models": ("gpt-5=p,",)}, "OLD=NAME, or OLD=PROVIDER,NAME"),
        ({"models": ("gpt-5=,m",)}, "OLD=NAME, or OLD=PROVIDER,NAME"),
        ({"tariffs": ("none",)}, "the database has no such tariff: `wattoken tariffs list`"),
        ({"tariffs": ("gpt-6=any",)}, "no model of this name was metered"),
        ({"tariffs": ("gpt-5=none",)}, "--tariff none: the database has no such tariff"),
        ({"tier": "quick"}, "--tier quick: one of standard, batch"),
        ({"shift_hours": 169}, "at most 168 hours, later or earlier"),
        ({"shift_hours": 1, "running": True}, "the month is not over"),
        (
            {"models": ("gpt-5=vllm,own",), "tariffs": ("gpt-5=any",)},
            "own in us-east is also what another model became: give the tariff to both",
        ),
    ],
)
def test_what_cannot_be_is_refused(wishes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        plan(**wishes)


def test_many_names_are_not_all_told() -> None:
    with pytest.raises(ConfigurationError) as error:
        wished_plan(
            Wishes(providers=("mars",)),
            known(sellers={f"p{number:02}": {GPT: "gpt-5"} for number in range(15)}),
            running=False,
        )
    assert str(error.value).endswith("p11 and 3 more")
