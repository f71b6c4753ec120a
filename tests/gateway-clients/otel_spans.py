"""The OpenTelemetry SDK with its OTLP/HTTP exporter: GenAI spans, with attributes new and old."""

from __future__ import annotations

from known_calls import KEYS, URL, Expected
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

REGION = "otlp"
expected = Expected()
exporter = OTLPSpanExporter(
    endpoint=f"{URL}/v1/traces",
    headers={"Authorization": f"Bearer {KEYS[REGION]}"},
    compression=Compression.Gzip,
)
provider = TracerProvider(resource=Resource.create({"service.name": "my-gateway"}))
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("my-gateway")

with tracer.start_as_current_span("POST /chat", kind=SpanKind.SERVER):
    with tracer.start_as_current_span("chat gpt-5", kind=SpanKind.CLIENT) as span:
        span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-5",
                "gen_ai.response.model": "gpt-5-2025-08-07",
                "gen_ai.response.id": "chatcmpl-otel-0001",
                "gen_ai.usage.input_tokens": 400,
                "gen_ai.usage.cache_read.input_tokens": 256,
                "gen_ai.usage.cache_creation.input_tokens": 64,
                "gen_ai.usage.output_tokens": 80,
                "gen_ai.usage.reasoning.output_tokens": 32,
            }
        )
    with tracer.start_as_current_span("chat claude", kind=SpanKind.CLIENT) as span:
        span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "anthropic",
                "gen_ai.request.model": "claude-haiku-4-5",
                "gen_ai.response.model": "claude-haiku-4-5",
                "gen_ai.usage.prompt_tokens": 55,
                "gen_ai.usage.completion_tokens": 5,
            }
        )
        span.set_status(Status(StatusCode.ERROR, "broken off"))
expected.add(
    *(REGION, "openai", "gpt-5"),
    input_tokens=400,
    cache_read_input_tokens=256,
    cache_write_input_tokens=64,
    output_tokens=80,
    reasoning_output_tokens=32,
)
expected.add(
    *(REGION, "anthropic", "claude-haiku-4-5"),
    input_tokens=55,
    output_tokens=5,
    failed_requests=1,
)
assert provider.force_flush()
provider.shutdown()
expected.report()
