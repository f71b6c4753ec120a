"""Reports LLM token usage to Wattoken from a Python gateway: `Meter` is all there is to it.

::

    meter = Meter("https://ingest.example", "wtk_…", source="my-gateway")
    meter.record(provider="openai", model="gpt-5", input_tokens=1200, output_tokens=340)
"""

from wattoken.client.counts import Counts
from wattoken.client.errors import ConfigurationError, MeterError
from wattoken.client.events import UsageFields
from wattoken.client.meter import Meter
from wattoken.client.served import PriceFields, beside_usage

__all__ = [
    "ConfigurationError",
    "Counts",
    "Meter",
    "MeterError",
    "PriceFields",
    "UsageFields",
    "beside_usage",
]
