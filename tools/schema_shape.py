"""Writes schemas/clickhouse_tables.json: ``python -m tools.schema_shape``.

It reads the database of the settings, which `wattoken migrate` has just made anew. The file is what
`wattoken doctor` expects of the tables; a test holds it against a fresh database.
"""

from __future__ import annotations

from contextlib import closing

from services.operate.doctor.looking.schema import EXPECTED_TABLES, document, found_tables
from services.operate.doctor.looking.world import World
from services.operate.doctor.settings import DoctorSettings
from services.platform.settings import read_settings


def main() -> None:
    """Write the file."""
    with closing(World(read_settings(DoctorSettings))) as world:
        EXPECTED_TABLES.write_text(document(found_tables(world)), encoding="utf-8")


if __name__ == "__main__":
    main()
