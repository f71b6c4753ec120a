"""PURE: the events that are sent: what each says, and its forms on the wire.

An event is a function of the seed, its sender and its number; only its time is not, which the
ledger keeps. So a resend is the same to the byte without anything being remembered. Nothing here
is shared with the meter: forms and keys are written after docs/gateways.md and docs/adr/0003.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from xxhash import xxh3_128_digest

#: (tenant, region) of the API keys; straight onto the topic the same.
ACCOUNTS: Final = (
    ("acme", "eu-central"),
    ("acme", "us-east"),
    ("globex", "us-east"),
    ("initech", "ap-northeast"),
)
#: (provider, model), the first of which has most of the traffic.
MODELS: Final = (
    ("openai", "gpt-5.6-luna"),
    ("anthropic", "claude-opus-5.5"),
    ("deepseek", "deepseek-v4"),
    ("google", "gemini-3-pro"),
)
TIERS: Final = ("standard", "batch", "flex", "priority", "fast", "scale", "reserved")
#: Sizes of input beyond which a band begins, docs/architecture.md.
THRESHOLDS: Final = (
    *(32_000, 100_000, 128_000, 199_999, 200_000, 252_000),
    *(256_000, 272_000, 512_000, 524_288, 1_000_000),
)
UNITS: Final = (
    *("web_searches", "file_searches", "tool_calls", "images"),
    *("audio_milliseconds", "video_milliseconds", "characters", "pages"),
)
HOT_RATIO: Final = 0.7
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ID: Final = re.compile(r"evt-(\d{2})-(\d{12})")


class Nature(Enum):
    """What must become of an event that reaches the log."""

    METERED = "metered"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class Event:
    """What one event says. ``age_ms`` is how long before its first send it happened."""

    sender: int
    number: int
    nature: Nature
    account: int
    age_ms: int
    fields: dict[str, Any]
    #: How it is written straight onto the topic, and how it is broken if it is poison.
    style: int

    @property
    def tenant(self) -> str:
        """Whom it is metered for."""
        return ACCOUNTS[self.account][0]

    @property
    def region(self) -> str:
        """Where its tokens were served."""
        return ACCOUNTS[self.account][1]


@lru_cache(maxsize=4096)
def event_of(seed: int, sender: int, number: int) -> Event:
    """Draw an event; the same arguments give the same event."""
    draw = random.Random(f"{seed}/{sender}/{number}")
    provider, model = MODELS[0] if draw.random() < HOT_RATIO else draw.choice(MODELS)
    cached, reasoning = draw.randrange(500), draw.randrange(200)
    fields: dict[str, Any] = {
        "id": f"evt-{sender:02d}-{number:012d}",
        "source": f"chaos-{sender}",
        "provider": provider,
        "model": model,
        "input_tokens": cached + draw.randrange(1, 2000),
        "output_tokens": reasoning + draw.randrange(1, 1000),
    }
    if draw.random() < 0.5:
        fields["cache_read_input_tokens"] = cached // 2
        fields["cache_write_input_tokens"] = cached // 3
        fields["reasoning_output_tokens"] = reasoning
    if draw.random() < 0.1:
        fields["status"] = "error"
    if draw.random() < 0.1:
        fields["quality"] = "estimated"
    if draw.random() < 0.02:
        fields["entry"] = draw.choice(("debit", "credit"))
        fields["adjusts"], fields["reason"] = "evt-of-long-ago", "counted wrongly"
    nature, age_ms = draw_time(draw)
    account, style = draw.randrange(len(ACCOUNTS)), draw.randrange(1000)
    if draw.random() < 0.3:
        fields |= price_facts(draw, fields)
    return Event(sender, number, nature, account, age_ms, fields, style)


def price_facts(draw: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    """What prices depend on, where an event tells it; some with a longer input, some with 0."""
    facts: dict[str, Any] = {}
    if draw.random() < 0.3:
        # At a threshold and beyond it, so that a band that is off by one is seen.
        facts["input_tokens"] = draw.choice(THRESHOLDS) + draw.randrange(2)
    if draw.random() < 0.6:
        facts["service_tier"] = draw.choice(TIERS)
    written = fields.get("cache_write_input_tokens")
    if written is not None:
        facts["cache_write_5m_input_tokens"] = written // 2
        facts["cache_write_1h_input_tokens"] = written // 3
        facts["audio_input_tokens"] = 7 + fields["cache_read_input_tokens"] // 3
        facts["cache_read_audio_input_tokens"] = fields["cache_read_input_tokens"] // 3
        facts["image_input_tokens"] = 3 + fields["cache_read_input_tokens"] // 4
        facts["cache_read_image_input_tokens"] = fields["cache_read_input_tokens"] // 4
        facts["input_tokens"] = facts.get("input_tokens", fields["input_tokens"]) + 10
    if draw.random() < 0.3:
        said = fields["output_tokens"] - fields.get("reasoning_output_tokens", 0)
        facts["audio_output_tokens"], facts["image_output_tokens"] = said // 2, said // 3
    if draw.random() < 0.5:
        facts[draw.choice(UNITS)] = draw.randrange(4)
    return facts


def draw_time(draw: random.Random) -> tuple[Nature, int]:
    """Draw what must become of an event and its age; far from every limit, whatever clocks do."""
    chance = draw.random()
    if chance < 0.004:
        return Nature.TOO_OLD, draw.randrange(40 * DAY_MS, 60 * DAY_MS)
    if chance < 0.008:
        return Nature.TOO_NEW, -draw.randrange(5 * DAY_MS, 10 * DAY_MS)
    if chance < 0.014:
        return Nature.POISON, 0
    if chance < 0.03:
        return Nature.METERED, draw.randrange(HOUR_MS, 30 * DAY_MS)
    if chance < 0.06:
        return Nature.METERED, draw.randrange(MINUTE_MS, HOUR_MS)
    return Nature.METERED, draw.randrange(0, 3000)


def identity(text: str) -> tuple[int, int] | None:
    """Sender and number in an event's id, or None if it is not one of ours."""
    found = ID.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def timestamp(time_ms: int) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    at = EPOCH + timedelta(milliseconds=time_ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def log_key(event: Event) -> bytes:
    """The Kafka key: 128 bits of XXH3 over the lengths of tenant and source, both, and the id."""
    tenant, source = event.tenant, event.fields["source"]
    return xxh3_128_digest(f"{len(tenant)}:{len(source)}:{tenant}{source}{event.fields['id']}")


def whole(event: Event, time_ms: int) -> dict[str, Any]:
    """All fields that an event on the log has."""
    return {
        "id": event.fields["id"],
        "source": event.fields["source"],
        "tenant": event.tenant,
        "time": timestamp(time_ms),
        "region": event.region,
        **{name: value for name, value in event.fields.items() if name not in ("id", "source")},
    }


def log_record(event: Event, time_ms: int) -> bytes:
    """An event as some gateway writes it onto the topic: compact, spread out, or in its own order.

    Poison is what a broken gateway writes.
    """
    fields = whole(event, time_ms)
    if event.nature is Nature.POISON:
        return poison(fields, event.style)
    if event.style % 4 == 1:
        return json.dumps(fields, indent=1).encode()
    if event.style % 4 == 2:
        return json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode()
    return json.dumps(fields, separators=(",", ":")).encode()


def poison(fields: dict[str, Any], style: int) -> bytes:
    """A record that is no usage event, each in a way of its own."""
    record = json.dumps(fields, separators=(",", ":")).encode()
    broken: Sequence[bytes] = (
        record[: len(record) // 2],
        json.dumps({**fields, "input_tokens": float("nan")}).encode(),
        json.dumps({**fields, "output_tokens": -1}).encode(),
        json.dumps({**fields, "output_tokens": 2**64}).encode(),
        json.dumps({name: fields[name] for name in fields if name != "output_tokens"}).encode(),
        json.dumps({**fields, "input_tokens": 1, "cache_read_input_tokens": 2}).encode(),
        json.dumps({**fields, "model": "m" * 200_000}).encode(),
        b"",
    )
    return broken[style % len(broken)]


def native(event: Event, time_ms: int) -> bytes:
    """An event for ``POST /v1/events``; tenant and region are left to the API key."""
    fields = whole(event, time_ms)
    del fields["tenant"], fields["region"]
    if event.nature is Nature.POISON:
        # An empty line of NDJSON is no event at all.
        return poison(fields, event.style) or b"{}"
    return json.dumps(fields, separators=(",", ":")).encode()


def cloud_event(event: Event, time_ms: int) -> dict[str, Any]:
    """An event as a CloudEvent in structured mode."""
    envelope = {
        "specversion": "1.0",
        "type": "tokens",
        "id": event.fields["id"],
        "source": event.fields["source"],
        "time": timestamp(time_ms),
        "subject": "somebody",
    }
    data = {name: value for name, value in event.fields.items() if name not in ("id", "source")}
    if event.nature is Nature.POISON:
        data["output_tokens"] = -1
    return {**envelope, "data": data}


def otlp_log(event: Event, time_ms: int) -> dict[str, Any]:
    """An event as a log record of OTLP/JSON, in a resource of its own for its source.

    Adjustments cannot be said so; they are not to be sent this way.
    """
    fields = event.fields
    numbers = {
        "gen_ai.usage.input_tokens": fields["input_tokens"],
        "gen_ai.usage.output_tokens": fields["output_tokens"],
        "gen_ai.usage.cache_read.input_tokens": fields.get("cache_read_input_tokens"),
        "gen_ai.usage.cache_write.input_tokens": fields.get("cache_write_input_tokens"),
        "gen_ai.usage.reasoning.output_tokens": fields.get("reasoning_output_tokens"),
    }
    texts = {
        "gen_ai.response.id": fields["id"],
        "gen_ai.response.model": fields["model"],
        "gen_ai.provider.name": fields["provider"],
        "error.type": "timeout" if fields.get("status") == "error" else None,
        "wattoken.quality": fields.get("quality"),
    }
    values: dict[str, dict[str, Any]] = {
        **{name: {"intValue": str(n)} for name, n in numbers.items() if n is not None},
        **{name: {"stringValue": text} for name, text in texts.items() if text is not None},
    }
    attributes = [{"key": name, "value": value} for name, value in values.items()]
    source = {"key": "service.name", "value": {"stringValue": fields["source"]}}
    record = {"timeUnixNano": str(time_ms * 1_000_000), "attributes": attributes}
    return {"resource": {"attributes": [source]}, "scopeLogs": [{"logRecords": [record]}]}
