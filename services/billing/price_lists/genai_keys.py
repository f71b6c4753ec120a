"""PURE. What the prices of genai-prices are of: its keys as token classes and units of ours."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from schemas.catalogue.prices import TokenClass
from services.billing.price_lists.drawn import NotTaken, Prices, rounded

_CLASSES: Final[dict[str, TokenClass]] = {
    "input_mtok": "uncached_input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "audio_input",
    "input_image_mtok": "image_input",
    "cache_audio_read_mtok": "cache_read_audio",
    "cache_image_read_mtok": "cache_read_image",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_audio_mtok": "audio_output",
    "output_image_mtok": "image_output",
}
#: The unit of a key, and by what its price is divided to be that of a thousand: an hour has 3,600
#: times a thousand milliseconds.
_UNITS: Final = {
    "web_searches_kcount": ("web_searches", 1),
    "storage_searches_kcount": ("file_searches", 1),
    "audio_hours": ("audio_milliseconds", 3600),
    "input_mchars": ("characters", 1000),
    "input_document_kpages": ("pages", 1),
}
#: What events cannot tell from the rest, and how it is billed then.
_NOT_TOLD_APART: Final = {
    "input_video_mtok": "video input is billed as other input",
    "output_video_mtok": "video output is billed as other output",
    "output_citation_mtok": "citations are billed as other output",
    "input_annotated_document_kpages": "annotated pages are billed as other pages",
    "input_text_messages_kcount": "messages of text are not billed",
}
#: What would be missing from every bill.
_OF_EVERY_REQUEST: Final = {
    "requests_kcount": "costs something for each request, beside its tokens"
}


def prices_of(values: Mapping[str, Decimal]) -> Prices:
    """Translate the prices that hold for one request. Raises `NotTaken`."""
    tokens: dict[TokenClass, Decimal] = {}
    units: dict[str, Decimal] = {}
    remarks: list[str] = []
    for key, value in sorted(values.items()):
        if key in _CLASSES:
            tokens[_CLASSES[key]], remark = rounded(value, 1, _CLASSES[key])
        elif key in _UNITS:
            unit, per = _UNITS[key]
            units[unit], remark = rounded(value, per, unit)
        elif key in _OF_EVERY_REQUEST:
            raise NotTaken(_OF_EVERY_REQUEST[key])
        elif key == "input_audio_hours":
            # All audio is input where there is a price of input: a part of `audio_hours`.
            same = value == values.get("audio_hours")
            remark = () if same else ("audio input is billed as other audio",)
        elif key in _NOT_TOLD_APART:
            remark = (f"{_NOT_TOLD_APART[key]}, not at {value:f}",)
        else:
            raise NotTaken(f"has a price for what is not known here: {key}")
        remarks += remark
    return Prices(tokens, units, tuple(remarks))
