"""Settings of the canary."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from schemas.canary import CANARY, is_canary
from services.platform.settings import Settings


class CanarySettings(Settings):
    """As whom the canary sends, where it sends and reads, and how often."""

    canary_tenant: str = Field(
        default=CANARY,
        description=f"Name that the canary's events bear, as tenant, region, provider and model."
        f" It begins with `{CANARY}`, which is reserved: it is on no bill. One canary at a time may"
        " have it.",
    )
    canary_api_key_file: Path | None = Field(
        default=None, description="File with the API key of that tenant and region."
    )
    canary_api_key: SecretStr = Field(
        default=SecretStr(""), description="The API key; better given as a file."
    )
    canary_ingest_url: str = Field(
        default="http://127.0.0.1:8080", description="Where ingest is, as gateways reach it."
    )
    canary_exporter_url: str = Field(
        default="http://127.0.0.1:9700", description="Where the exporter is."
    )
    canary_ca_file: Path | None = Field(
        default=None,
        description="CA certificates (PEM) that sign theirs, over https; the system's where none"
        " are named.",
    )
    canary_round_seconds: float = Field(
        default=15.0,
        ge=1,
        description="Time from one round of eight events to the next. A round begins only once the"
        " one before it is in the registers.",
    )
    canary_missing_seconds: float = Field(
        default=300.0,
        ge=10,
        description="How long after its acknowledgement an event that is not in the registers"
        " counts as missing.",
    )
    canary_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Longest wait for an answer of ingest or the exporter."
    )
    canary_host: str = Field(
        default="127.0.0.1", description="Address to listen on, for health and metrics."
    )
    canary_port: int = Field(default=9701, ge=1, le=65535, description="Port of the same.")

    @field_validator("canary_tenant")
    @classmethod
    def _is_reserved(cls, name: str) -> str:
        if not is_canary(name):
            raise ValueError(
                f"{name!r} does not begin with {CANARY!r}: as another tenant its events would be"
                " billed"
            )
        return name
