"""What is added up over events: the measures of a slice, in the order of its totals and columns."""

from __future__ import annotations

from typing import Final

#: Numbers of requests and tokens; ClickHouse's tables have a column for each, by these names.
MEASURES: Final = (
    "requests",
    "failed_requests",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "estimated_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "cache_read_audio_input_tokens",
    "cache_read_image_input_tokens",
    "audio_output_tokens",
    "image_output_tokens",
)
#: So many of them, the first, are what most events have something of; others are 0 with most.
USUAL: Final = 8
INPUT: Final = MEASURES.index("input_tokens")
OUTPUT: Final = MEASURES.index("output_tokens")
