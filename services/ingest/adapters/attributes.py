"""PURE: the names under which OpenTelemetry's attributes tell a model's call, new and old.

Beside the GenAI conventions of today and of before: the AI SDK's (`ai.*`), OpenInference's
(`llm.token_count.*`), Traceloop's (`llm.*`), Sentry's (`gen_ai.usage.input_tokens.cached`),
pydantic-ai's (`gen_ai.usage.details.*`), Semantic Kernel's and Microsoft.Extensions.AI's
(`gen_ai.response.*`) and Langfuse's. Of several names that are there the first counts, and counts
must agree. What a price depends on besides is in `price_attributes.py`.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters import price_attributes
from services.ingest.adapters.usage_fields.fields import (
    Quantity,
    inside,
    known,
    other_unit,
    total,
)
from services.ingest.adapters.usage_fields.register import Register

Names = tuple[str, ...]

INPUT: Final[Names] = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.response.input_tokens",
    "gen_ai.response.prompt_tokens",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    "llm.token_count.prompt",
)
OUTPUT: Final[Names] = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.response.output_tokens",
    "gen_ai.response.completion_tokens",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "llm.token_count.completion",
)
CACHE_READ: Final[Names] = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cached_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.details.cached_tokens",
    "llm.usage.cache_read_input_tokens",
    "ai.usage.cachedInputTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "llm.token_count.prompt_details.cache_read",
)
CACHE_WRITE: Final[Names] = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "gen_ai.usage.details.cache_write_tokens",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "llm.usage.cache_creation_input_tokens",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
    "llm.token_count.prompt_details.cache_write",
)
REASONING: Final[Names] = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
    "gen_ai.usage.details.thoughts_tokens",
    "llm.usage.reasoning_tokens",
    "ai.usage.reasoningTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "llm.token_count.completion_details.reasoning",
)
TOTAL: Final[Names] = (
    "gen_ai.usage.total_tokens",
    "llm.usage.total_tokens",
    "ai.usage.totalTokens",
    "llm.token_count.total",
)
#: Langfuse's: all counts in one text of JSON.
USAGE_DETAILS: Final = "langfuse.observation.usage_details"
#: What tells usage. A total alone does not: it cannot be told apart into input and output.
USAGE: Final = frozenset((*INPUT, *OUTPUT, *CACHE_READ, *CACHE_WRITE, *REASONING, USAGE_DETAILS))
#: The caches of these may stand beside the total: their instrumentations differ.
OPENINFERENCE_INPUT: Final = "llm.token_count.prompt"

PROVIDER: Final[Names] = (
    "gen_ai.provider.name",
    "gen_ai.system",
    "gen_ai.model.provider",
    "ai.model.provider",
    "llm.provider",
    "llm.system",
    "llm.vendor",
)
MODEL: Final[Names] = (
    "gen_ai.response.model",
    "ai.response.model",
    "llm.response.model_name",
    "llm.response.model",
    "gen_ai.request.model",
    "ai.model.id",
    "llm.model_name",
    "embedding.model_name",
    "llm.request.model_name",
    "llm.request.model",
    "langfuse.observation.model.name",
)
RESPONSE_ID: Final[Names] = ("gen_ai.response.id", "ai.response.id")

OPERATION: Final = "gen_ai.operation.name"
REQUEST_TYPE: Final = "llm.request.type"
SPAN_KIND: Final = "openinference.span.kind"
AI_OPERATION: Final = "ai.operationId"
OBSERVATION_TYPE: Final = "langfuse.observation.type"
LEVEL: Final = "langfuse.observation.level"
ERROR: Final = "error.type"
#: Ours: a gateway that had to estimate says so.
QUALITY: Final = "wattoken.quality"

#: What is read of a span's or log record's attributes; the rest may hold whole conversations.
ATTRIBUTES: Final = USAGE | {
    *TOTAL,
    *PROVIDER,
    *MODEL,
    *RESPONSE_ID,
    *(OPERATION, REQUEST_TYPE, SPAN_KIND, AI_OPERATION, OBSERVATION_TYPE, LEVEL, ERROR, QUALITY),
    *price_attributes.NAMES,
}
#: Under which numbers tell usage. One that begins so and is not in `REGISTER` is not metered, and
#: is noted: tomorrow's name of a count.
USAGE_PREFIXES: Final = ("gen_ai.usage.", "llm.usage.", "llm.token_count.", "ai.usage.")
#: What each number among the attributes is; `wattoken gateways fields opentelemetry` lists it.
REGISTER: Final = Register(
    "opentelemetry",
    total(Quantity.INPUT, *INPUT),
    total(Quantity.OUTPUT, *OUTPUT),
    total(Quantity.SUM, *TOTAL),
    inside(Quantity.CACHE_READ, *CACHE_READ),
    inside(Quantity.CACHE_WRITE, *CACHE_WRITE),
    inside(Quantity.REASONING, *REASONING),
    *price_attributes.FIELDS,
    # What lies inside the totals, and what the totals less a part are.
    known(
        # Nothing tells whether these are of the input or of the output.
        "gen_ai.usage.details.audio_tokens",
        "gen_ai.usage.details.accepted_prediction_tokens",
        "gen_ai.usage.details.rejected_prediction_tokens",
        # pydantic-ai says again, in details, what Anthropic's usage object has.
        "gen_ai.usage.details.input_tokens",
        "gen_ai.usage.details.output_tokens",
        "ai.usage.inputTokenDetails.noCacheTokens",
        "ai.usage.outputTokenDetails.textTokens",
    ),
    other_unit(
        "gen_ai.usage.cost",
        "gen_ai.usage.total_cost",
        "gen_ai.usage.input_cost",
        "gen_ai.usage.output_cost",
    ),
)
#: Every span or log record that may count has one of these in its bytes.
MARKS: Final = (
    b"gen_ai.",
    b"ai.usage.",
    b"ai.operationId",
    b"llm.",
    b"openinference.",
    b"langfuse.observation.",
)

#: Operations of the conventions that are a call of a model, and those that hold such calls.
CALLS: Final = frozenset(
    {
        *("chat", "text_completion", "completion", "generate_content", "message", "messages"),
        *("response", "responses", "embeddings", "embedding", "rerank"),
        # LiteLLM's: those of its own that are asynchronous begin with an a.
        *(
            "acompletion",
            "atext_completion",
            "aresponses",
            "anthropic_messages",
            "agenerate_content",
        ),
        *("generate_content_stream", "agenerate_content_stream", "aembedding", "arerank"),
    }
)
AROUND_CALLS: Final = frozenset(
    {
        *("invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "agent_step"),
        *("workflow", "agent", "task", "tool", "chain"),
    }
)
INPUT_ONLY: Final = frozenset(
    {"embeddings", "embedding", "embed", "rerank", "reranker", "aembedding", "arerank"}
)
#: The AI SDK's spans around its calls, in lower case, which repeat their usage; those of calls end
#: in `.do…`.
AI_AROUND_CALLS: Final = frozenset(
    {
        *("ai.generatetext", "ai.streamtext", "ai.generateobject", "ai.streamobject"),
        *("ai.embed", "ai.embedmany", "ai.rerank"),
    }
)
KINDS_OF_CALLS: Final = frozenset({"llm", "embedding", "reranker"})
OBSERVATIONS_OF_CALLS: Final = frozenset({"generation", "embedding"})


def is_unknown_usage(name: str) -> bool:
    """Say whether an attribute of this name tells usage, if it is a number, that no rule reads."""
    return name.startswith(USAGE_PREFIXES) and REGISTER.class_of(name) is None
