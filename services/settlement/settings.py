"""Settings of `wattoken settle`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from services.platform.settings import Settings


class SettlementSettings(Settings):
    """What settled bills are signed with."""

    settlement_key_file: Path | None = Field(
        default=None,
        description="File with the Ed25519 private key (PEM) that `wattoken settle` signs bills"
        " with (docs/settlement.md). Only a run that is made needs it; one that was made is given"
        " out as it is.",
    )
