"""The price lists of this program, and the catalogue that the database holds."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.catalogue.rows import table_rows
from services.billing.price_list_check import age, is_old
from services.operate.doctor.judging.prices import PriceList, Prices
from services.operate.doctor.looking.world import World
from services.platform.catalogue import checksum, read_catalogue
from services.platform.settings import CatalogueSettings, read_settings


def look(world: World) -> Prices:
    """Read both. Raises `ConfigurationError` where the catalogue is wrong."""
    now = datetime.now(UTC)
    catalogue = read_catalogue(read_settings(CatalogueSettings).catalogue_dir)
    lists = tuple(
        PriceList(source.source, age(source, now), is_old(source, now))
        for source in catalogue.price_lists.header.sources
    )
    held = dict(
        world.rows("SELECT name, comment FROM system.tables WHERE database = {database:String}")
    )
    others = tuple(
        content.table
        for content in table_rows(catalogue)
        if held.get(content.table) != checksum(content)
    )
    return Prices(lists, others)
