"""What requests tell that their prices depend on, model by model. Data only, all of it synthetic.

No one publishes how often a tier is asked for or a search is made. Which model can have what is
as in the catalogue's tariffs: a tier that has no price is not sent, and searches are sent where
they have one. `others` stands for all that nobody priced, so it has the units that no list has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.simulator.profiles import CHAT_MIX, ModelProfile, Size


@dataclass(frozen=True, slots=True)
class Kind:
    """Audio or images on one side: in `request_share` of the requests, on average `token_share`.

    The second is a part of the input that was not read from a cache, or of the output that is not
    reasoning; at most 0.5, for it is drawn between 0 and twice that.
    """

    request_share: float
    token_share: float


NONE: Final = Kind(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Habits:
    """What a model's requests tell.

    `tiers` are (share of requests, tier); the rest reports none. `units` are (share of requests,
    unit, most of it in one).
    """

    tiers: tuple[tuple[float, str], ...] = ()
    tells_cache_lifetimes: bool = False
    audio_input: Kind = NONE
    image_input: Kind = NONE
    audio_output: Kind = NONE
    image_output: Kind = NONE
    units: tuple[tuple[float, str, int], ...] = ()


#: Models that speak or listen. No router publishes their shares, so they come on top of the 100 %.
LISTENING: Final = (
    ModelProfile("openai", "gpt-realtime-2", 0.1, ((1.0, Size(600, 0.9, 250, 0.8)),)),
    ModelProfile("gcp.gemini", "gemini-3.1-flash-lite", 0.1, CHAT_MIX),
)

#: Of caches that were written to and whose lifetime is told: all for 5 minutes, all for an hour,
#: half and half. Others do not tell it.
LIFETIME_SHARES: Final = (0.70, 0.15, 0.10)

_FILES: Final = ((0.03, "file_searches", 4),)
HABITS: Final[dict[tuple[str, str], Habits]] = {
    ("openai", "gpt-5.6-luna"): Habits(
        tiers=(
            *((0.30, "standard"), (0.15, "batch"), (0.06, "flex"), (0.08, "priority")),
            (0.02, "fast"),
        ),
        image_input=Kind(0.06, 0.30),
        units=((0.04, "web_searches", 3), *_FILES),
    ),
    ("azure.ai.openai", "gpt-5.6-luna"): Habits(
        tiers=((0.40, "standard"),), image_input=Kind(0.06, 0.30)
    ),
    ("gcp.gemini", "gemini-3.1-pro"): Habits(
        tiers=((0.10, "batch"), (0.05, "flex"), (0.05, "priority")),
        audio_input=Kind(0.03, 0.45),
        image_input=Kind(0.08, 0.35),
        units=((0.03, "web_searches", 2),),
    ),
    ("gcp.gemini", "gemini-3.1-flash-lite"): Habits(
        tiers=((0.10, "batch"),), audio_input=Kind(0.60, 0.45), image_input=Kind(0.20, 0.35)
    ),
    ("openai", "gpt-realtime-2"): Habits(
        audio_input=Kind(0.95, 0.45), image_input=Kind(0.05, 0.20), audio_output=Kind(0.95, 0.45)
    ),
    ("anthropic", "claude-opus-5.5"): Habits(
        tiers=((0.60, "standard"), (0.12, "batch")),
        tells_cache_lifetimes=True,
        image_input=Kind(0.05, 0.25),
        units=((0.05, "web_searches", 5),),
    ),
    ("aws.bedrock", "claude-opus-5.5"): Habits(tells_cache_lifetimes=True),
    ("x_ai", "grok-4.7"): Habits(tiers=((0.10, "batch"),)),
    ("self-hosted", "others"): Habits(
        image_output=Kind(0.01, 0.45),
        units=(
            *((0.02, "tool_calls", 6), (0.01, "images", 4), (0.01, "pages", 40)),
            *((0.01, "audio_milliseconds", 600_000), (0.002, "video_milliseconds", 30_000)),
            (0.01, "characters", 5_000),
        ),
    ),
}
