"""Events whose numbers the tests know."""

from __future__ import annotations

from datetime import UTC, datetime


def event(number: int) -> dict[str, object]:
    """An event of now, as a gateway sends it."""
    return {
        "id": f"known-{number}",
        "source": "test-gateway",
        "time": datetime.now(UTC).isoformat(),
        "provider": "openai",
        "model": "gpt-5",
        "input_tokens": 1200,
        "cache_read_input_tokens": 800,
        "output_tokens": 340,
    }
