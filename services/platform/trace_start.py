"""Starts traces where the setting asks for them; what sends them is imported only then."""

from __future__ import annotations

from prometheus_client import Counter

from services.platform.errors import ConfigurationError
from services.platform.settings import TraceSettings
from services.platform.tracing import NO_TRACES, Traces


def start_traces(settings: TraceSettings, service: str, spans: Counter) -> Traces:
    """What makes spans of a service, as the settings have it.

    ``spans`` counts them by their outcome, one of `OUTCOMES`. Raises `ConfigurationError` where
    traces are asked for and what they need is missing or set to what cannot be.
    """
    if not settings.traces:
        return NO_TRACES
    try:
        from services.platform.trace_export import OtlpTraces
    except ImportError as error:
        raise ConfigurationError(
            "WATTOKEN_TRACES is true, but the packages that make traces are not installed"
            f" ({error}): pip install 'wattoken[traces]' (in a clone `make setup`), or unset"
            " WATTOKEN_TRACES"
        ) from None
    return OtlpTraces(f"wattoken-{service}", spans)
