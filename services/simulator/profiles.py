"""What traffic looks like: regions, day curves, models, sizes and ratios. Data only.

Shares by maker are public figures of one large router for the week of 2026-08-15 (tokens, not
requests); sizes follow published means and two published production traces. Where models are
SERVED is published nowhere: the regions and their shares are synthetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Region:
    """A serving region: `share` of all requests on an average day, and the zone of its day."""

    name: str
    zone: str
    share: float


#: Synthetic, see the module's docstring.
REGIONS: Final = (
    Region("cn-north", "Asia/Shanghai", 0.27),
    Region("us-east", "America/New_York", 0.22),
    Region("eu-central", "Europe/Berlin", 0.17),
    Region("us-west", "America/Los_Angeles", 0.13),
    Region("ap-southeast", "Asia/Singapore", 0.12),
    Region("ap-south", "Asia/Kolkata", 0.06),
    Region("sa-east", "America/Sao_Paulo", 0.03),
)

#: Demand by local hour against the day's mean: a trough before dawn, peaks in working hours.
HOUR_FACTORS: Final = (
    *(0.62, 0.50, 0.42, 0.38, 0.37, 0.41, 0.52, 0.72),
    *(1.00, 1.26, 1.41, 1.44, 1.30, 1.32, 1.45, 1.48),
    *(1.43, 1.33, 1.22, 1.18, 1.20, 1.16, 1.02, 0.86),
)
#: Demand by weekday, Monday first, against the week's mean.
WEEKDAY_FACTORS: Final = (1.04, 1.07, 1.08, 1.06, 1.03, 0.87, 0.87)


@dataclass(frozen=True, slots=True)
class Size:
    """Lognormal tokens of one request: medians, and the sigmas of their logarithms."""

    input_median: float
    input_sigma: float
    output_median: float
    output_sigma: float

    @property
    def mean_tokens(self) -> float:
        """Mean of input + output: a lognormal's mean is median x exp(sigma^2 / 2)."""
        mean_input_tokens = self.input_median * math.exp(self.input_sigma**2 / 2)
        return mean_input_tokens + self.mean_output_tokens

    @property
    def mean_output_tokens(self) -> float:
        """Mean of output."""
        return self.output_median * math.exp(self.output_sigma**2 / 2)


#: Medians of conversation and code are those of the published traces; agents carry long contexts.
CONVERSATION: Final = Size(1_020, 1.1, 129, 1.0)
CODE: Final = Size(1_469, 0.9, 13, 0.9)
AGENT: Final = Size(14_000, 1.0, 300, 1.1)


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """A model at a provider: its `token_share` of all tokens and how its requests are made up.

    `sizes` are (weight, size); `reasoning_share` is the mean part of output spent on reasoning,
    0 where the model does not report any.
    """

    provider: str
    model: str
    token_share: float
    sizes: tuple[tuple[float, Size], ...]
    reasoning_share: float = 0.0

    @property
    def request_weight(self) -> float:
        """Weight among requests: a share of tokens ÷ the tokens of a mean request."""
        total = sum(weight for weight, _ in self.sizes)
        mean = sum(weight * size.mean_tokens for weight, size in self.sizes) / total
        return self.token_share / mean

    @property
    def output_share(self) -> float:
        """Mean output ÷ mean input and output."""
        made = sum(weight * size.mean_output_tokens for weight, size in self.sizes)
        return made / sum(weight * size.mean_tokens for weight, size in self.sizes)


CHAT_MIX: Final = ((0.80, CONVERSATION), (0.10, CODE), (0.10, AGENT))
WORK_MIX: Final = ((0.40, CONVERSATION), (0.30, CODE), (0.30, AGENT))

#: Versions where the public price lists name one; else the family's name stands for all of it.
MODELS: Final = (
    ModelProfile("deepseek", "deepseek-flash", 24.1, WORK_MIX, 0.35),
    ModelProfile("openai", "gpt-5.6-luna", 7.7, CHAT_MIX, 0.45),
    ModelProfile("azure.ai.openai", "gpt-5.6-luna", 3.3, CHAT_MIX, 0.45),
    ModelProfile("tencent", "hunyuan", 10.6, CHAT_MIX),
    ModelProfile("xiaomi", "mimo", 10.4, CHAT_MIX, 0.20),
    ModelProfile("gcp.gemini", "gemini-3.1-pro", 7.8, CHAT_MIX, 0.40),
    ModelProfile("anthropic", "claude-opus-5.5", 4.6, WORK_MIX),
    ModelProfile("aws.bedrock", "claude-opus-5.5", 2.3, WORK_MIX),
    ModelProfile("nvidia", "nemotron", 6.4, CHAT_MIX, 0.30),
    ModelProfile("z.ai", "glm-5.3", 4.8, WORK_MIX, 0.30),
    ModelProfile("minimax", "minimax-m3", 2.3, WORK_MIX, 0.25),
    ModelProfile("moonshot", "kimi-k3", 1.6, WORK_MIX, 0.30),
    ModelProfile("stepfun", "step", 0.8, CHAT_MIX),
    ModelProfile("qwen", "qwen3.7-max", 0.7, CHAT_MIX, 0.30),
    ModelProfile("x_ai", "grok-4.7", 0.6, CHAT_MIX, 0.40),
    ModelProfile("self-hosted", "others", 12.0, CHAT_MIX),
)

#: Customers, none of them real: one is written in Chinese, one is as long as some are.
TENANTS: Final = (
    *("northwind-bank", "helios-robotics", "blue-harbor-health", "atlas-freight"),
    *("云杉示例科技有限公司", "sakura-learning", "verde-energy", "orbit-games", "kestrel-law"),
    "joint-waterworks-and-power-stations-of-the-northern-valleys-and-their-municipalities",
)

#: Part of the requests that read from a cache, and the mean part of their input it saves.
CACHE_HIT_RATIO: Final = 0.45
CACHE_READ_SHARE: Final = 0.60
CACHE_WRITE_RATIO: Final = 0.10
#: Part of the late events that a gateway kept over days off, while it was cut off.
BACKLOG_RATIO: Final = 0.5
#: Part of the requests that fail, and part whose tokens the gateway estimated.
ERROR_RATIO: Final = 0.012
ESTIMATED_RATIO: Final = 0.02


def demand_factor(weekday: int, hour: int) -> float:
    """Demand of a region at a local weekday (Monday is 0) and hour, against its mean."""
    return WEEKDAY_FACTORS[weekday] * HOUR_FACTORS[hour]
