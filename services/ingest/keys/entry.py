"""PURE: one API key as the keys file holds it, and what it lets its bearer do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.canary import CANARY, is_canary
from schemas.usage_event import Name

Scope = Literal["ingest", "read", "adjust"]
#: What a key may do: send events; ask what it stands for (`GET /v1/whoami`); debit and credit what
#: was metered, which changes bills, so no key may unless somebody said so.
SCOPES: Final[tuple[Scope, ...]] = ("ingest", "read", "adjust")
DEFAULT_SCOPES: Final[tuple[Scope, ...]] = ("ingest", "read")

Rate = Annotated[float, Field(gt=0, le=1e12)]
Count = Annotated[int, Field(gt=0, le=1_000_000)]


class KeyLimits(BaseModel):
    """How much one key may send; what is not given here falls back to ingest's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events_per_second: Rate | None = None
    bytes_per_second: Rate | None = None
    #: Distinct values in a day.
    models_max: Count | None = None
    regions_max: Count | None = None
    providers_max: Count | None = None
    #: Distinct combinations of region, provider and model in a day: each becomes a series.
    series_max: Count | None = None


class KeyEntry(BaseModel):
    """One key: what it stands for, and what its secret hashes to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{4,64}$")]
    hmac_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    #: The tenant of events that name none, and the only one unless `tenants` lists more.
    tenant: Name
    tenants: tuple[Name, ...] = ()
    #: The region of events that name none.
    region: Name
    #: The regions that an event may name; None lets it name any, as keys of old did.
    regions: tuple[Name, ...] | None = None
    #: The provider of events that name none.
    provider: Name | None = None
    scopes: tuple[Scope, ...] = ("ingest",)
    limits: KeyLimits = KeyLimits()
    #: Who has the key, in the operator's words.
    note: Annotated[str, Field(max_length=200)] | None = None
    created_at: datetime | None = None
    #: A disabled or expired key is refused with 403, so that its owner learns why.
    disabled: bool = False
    expires_at: datetime | None = None

    @model_validator(mode="after")
    def _keep_canaries_apart(self) -> Self:
        """What a canary sends is on no bill and in no region's totals: nobody else may be one."""
        tenants = {self.tenant, *self.tenants}
        regions = {self.region, *(self.regions or ())}
        if len({is_canary(name) for name in tenants | regions}) > 1:
            raise ValueError(
                f"names that begin with {CANARY!r} are reserved for canaries: of a canary's key"
                " each tenant and region begins so, of any other none"
            )
        return self

    def allows_tenant(self, tenant: str) -> bool:
        """Say whether an event may be of this tenant."""
        return tenant == self.tenant or tenant in self.tenants

    def allows_region(self, region: str) -> bool:
        """Say whether an event may be of this region."""
        if self.regions is None:
            return is_canary(region) == is_canary(self.tenant)
        return region == self.region or region in self.regions

    def expired(self, now: datetime) -> bool:
        """Say whether the key's time is over at ``now``."""
        return self.expires_at is not None and now >= in_utc(self.expires_at)

    def state(self, now: datetime) -> str:
        """Say in a word what the key is at ``now``: revoked, expired, expiring or active."""
        if self.disabled:
            return "revoked"
        if self.expired(now):
            return "expired"
        return "expiring" if self.expires_at is not None else "active"


def in_utc(moment: datetime) -> datetime:
    """Read a YAML time: one without a zone is UTC by YAML's own definition."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
