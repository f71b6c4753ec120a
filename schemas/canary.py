"""Which names are the canary's: of tenants, and of regions, providers and models alike.

`wattoken canary` sends events of a tenant that nobody is, through the whole path, to hold the meter
to them. All that begins with `CANARY` is reserved for it: ``wattoken-canary``, and
``wattoken-canary-2`` where there are several. Views of bills, demand and leagues leave it out
(``clickhouse/0021_canary.sql``).
"""

from __future__ import annotations

from typing import Final

#: What a canary's names begin with.
CANARY: Final = "wattoken-canary"


def is_canary(name: str) -> bool:
    """Say whether a tenant's or a region's name is reserved for canaries."""
    return name.startswith(CANARY)


#: The same for SQL, of who is not one: by tenant where rows have one, else by region.
NO_CANARY_TENANT: Final = f"NOT startsWith(tenant, '{CANARY}')"
NO_CANARY_REGION: Final = f"NOT startsWith(region, '{CANARY}')"
