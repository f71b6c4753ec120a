"""A month to make plans of: three models of three providers in two regions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from services.billing.plans.known import Known
from services.billing.plans.plan import Labels, Used

GPT: Final = Labels("us-east", "openai", "gpt-5")
FLASH: Final = Labels("cn-north", "deepseek", "flash")
OWN: Final = Labels("us-east", "vllm", "own")
KNOWN: Final = Known(
    used=(Used(GPT, 700), Used(FLASH, 200), Used(OWN, 100)),
    billed={GPT: frozenset({"gpt"}), FLASH: frozenset({"flash"})},
    by_time_of_use=False,
    fitting={"gpt": frozenset({GPT}), "flash": frozenset({FLASH}), "any": frozenset({GPT, FLASH})},
    sellers={"azure": {GPT: "gpt-5-eastus"}, "router": {GPT: "openai/gpt-5", FLASH: "ds/flash"}},
    regions=frozenset({"us-east", "cn-north", "eu"}),
    tiers={
        "gpt": frozenset({"standard", "batch"}),
        "flash": frozenset({"standard"}),
        "any": frozenset(),
    },
)


def known(**other: Any) -> Known:
    return replace(KNOWN, **other)
