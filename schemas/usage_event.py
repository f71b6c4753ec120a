"""The usage event: what a gateway reports for one LLM request. The source of truth for its shape.

`usage_event.v1.json` is generated from `UsageEvent` (``python -m schemas.json_schema``), and
`wire.py` is the same contract for the hot path; tests hold all three equal.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.event_rules import (
    DURATION_MS_MAX,
    MODEL_LENGTH_MAX,
    NAME_LENGTH_MAX,
    REASON_LENGTH_MAX,
    TIME_MAX,
    TIME_MIN,
    TOKENS_MAX,
    UNITS_MAX,
    floored,
    inconsistency,
)


def parse_time(value: Any) -> datetime:
    """Parse an RFC 3339 time with zone, as the hot path does, into UTC.

    What is finer than a microsecond is cut off. Both decoders call msgspec's parser: two parsers
    of one grammar would differ in a corner.
    A time whose UTC lies beyond the calendar keeps its zone; `UsageEvent` finds it out of range.
    """
    if not isinstance(value, str):
        raise PydanticCustomError("time_type", "time must be an RFC 3339 string with a zone")
    try:
        parsed: datetime = msgspec.convert(
            floored(value), Annotated[datetime, msgspec.Meta(tz=True)]
        )
    except msgspec.ValidationError:
        raise PydanticCustomError(
            "time_parsing",
            "time must be RFC 3339 with a zone, such as 2026-03-15T12:00:00.250Z",
        ) from None
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        return parsed


Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Model = Annotated[str, Field(min_length=1, max_length=MODEL_LENGTH_MAX)]
Tokens = Annotated[int, Field(ge=0, le=TOKENS_MAX)]
Quantity = Annotated[int, Field(ge=0, le=UNITS_MAX)]
#: `SERVICE_TIERS`, which a test holds.
Tier = Literal["standard", "batch", "flex", "priority", "fast", "scale", "reserved"]
Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class UsageEvent(BaseModel):
    """Tokens of one LLM request, or a later adjustment of one.

    Meanings follow the OpenTelemetry GenAI conventions: `input_tokens` includes what was read
    from or written to a cache, `output_tokens` includes reasoning. A missing total is an error,
    never 0; a missing subset says that the source does not report it, which is not 0 either.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    id: Name = Field(description="Unique per tenant and source; a resend carries the same id.")
    source: Name = Field(description="The gateway that reports, as it names itself.")
    tenant: Name = Field(description="The customer metered. At ingest it comes from the API key.")
    time: Time = Field(description="Event time: when the request ended. RFC 3339 with zone.")
    region: Name = Field(description="Where the tokens were served.")
    provider: Name = Field(description="Who served them, such as openai or aws.bedrock.")
    model: Model = Field(description="The model that answered.")
    input_tokens: Tokens = Field(description="All input tokens, cached ones included.")
    output_tokens: Tokens = Field(description="All output tokens, reasoning included.")
    cache_read_input_tokens: Tokens | None = Field(
        default=None, description="Part of input_tokens read from a cache; absent: not reported."
    )
    cache_write_input_tokens: Tokens | None = Field(
        default=None, description="Part of input_tokens written to a cache; absent: not reported."
    )
    reasoning_output_tokens: Tokens | None = Field(
        default=None, description="Part of output_tokens spent on reasoning; absent: not reported."
    )
    status: Literal["ok", "error"] = Field(
        default="ok", description="Whether the request succeeded; failed ones may use tokens too."
    )
    quality: Literal["measured", "estimated"] = Field(
        default="measured", description="An estimated reading stays marked as one."
    )
    duration_ms: Annotated[int, Field(ge=0, le=DURATION_MS_MAX)] | None = Field(
        default=None, description="How long the request took, in milliseconds."
    )
    entry: Literal["usage", "debit", "credit"] = Field(
        default="usage", description="usage, or an adjustment posted later as its own entry."
    )
    adjusts: Name | None = Field(
        default=None, description="For debit and credit: the id of the event it corrects."
    )
    reason: Annotated[str, Field(min_length=1, max_length=REASON_LENGTH_MAX)] | None = Field(
        default=None, description="For debit and credit: why."
    )
    service_tier: Tier | None = Field(
        default=None,
        description="How it was served, where prices go by that; absent: not reported, which is"
        " billed as standard.",
    )
    cache_write_5m_input_tokens: Tokens | None = Field(
        default=None,
        description="Part of cache_write_input_tokens that is kept for 5 minutes; absent: not"
        " reported.",
    )
    cache_write_1h_input_tokens: Tokens | None = Field(
        default=None,
        description="Part of cache_write_input_tokens that is kept for 1 hour; absent: not"
        " reported.",
    )
    audio_input_tokens: Tokens | None = Field(
        default=None, description="Part of input_tokens that is audio; absent: not reported."
    )
    image_input_tokens: Tokens | None = Field(
        default=None,
        description="Part of input_tokens that is images, and none of the audio; absent: not"
        " reported.",
    )
    cache_read_audio_input_tokens: Tokens | None = Field(
        default=None,
        description="Part of both audio_input_tokens and cache_read_input_tokens; absent: not"
        " reported.",
    )
    cache_read_image_input_tokens: Tokens | None = Field(
        default=None,
        description="Part of both image_input_tokens and cache_read_input_tokens; absent: not"
        " reported.",
    )
    audio_output_tokens: Tokens | None = Field(
        default=None,
        description="Part of output_tokens that is audio, and none of the reasoning; absent: not"
        " reported.",
    )
    image_output_tokens: Tokens | None = Field(
        default=None,
        description="Part of output_tokens that is images, and none of the audio or reasoning;"
        " absent: not reported.",
    )
    web_searches: Quantity | None = Field(
        default=None,
        description="Searches of the web, where they are billed; absent: not reported.",
    )
    file_searches: Quantity | None = Field(
        default=None,
        description="Searches of files or vector stores, where they are billed; absent: not"
        " reported.",
    )
    tool_calls: Quantity | None = Field(
        default=None,
        description="Calls of other tools that the provider runs and bills; absent: not reported.",
    )
    images: Quantity | None = Field(
        default=None, description="Images, where they are billed by number; absent: not reported."
    )
    audio_milliseconds: Quantity | None = Field(
        default=None, description="Length of audio, where that is billed; absent: not reported."
    )
    video_milliseconds: Quantity | None = Field(
        default=None, description="Length of video, where that is billed; absent: not reported."
    )
    characters: Quantity | None = Field(
        default=None, description="Characters, where they are billed; absent: not reported."
    )
    pages: Quantity | None = Field(
        default=None, description="Pages, where they are billed; absent: not reported."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not TIME_MIN <= self.time < TIME_MAX:
            raise PydanticCustomError("time_range", "time must lie between the years 2000 and 2100")
        problem = inconsistency(self)
        if problem is not None:
            raise PydanticCustomError(problem[0], problem[1])
        return self

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Decode one event from JSON; of a key given twice the last value counts.

        Each of its values must be valid by itself, though: the hot path meets them one by one,
        while pydantic sees only the last and would let the others pass.
        """
        event = super().model_validate_json(json_data, **options)
        pairs: list[tuple[str, Any]] = json.loads(json_data, object_pairs_hook=list)
        fields = dict(pairs)
        if len(fields) < len(pairs):
            for name, value in pairs:
                try:
                    cls.model_validate(fields | {name: value})
                except ValidationError as error:
                    # Without a field it is about the whole event, which only the last values make.
                    if error.errors()[0]["loc"]:
                        raise
        return event
