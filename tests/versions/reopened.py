"""Opens a database that an older ClickHouse left, migrates it and tells what it shows, as JSON.

``python -m tests.versions.reopened VERSION FOLDER DATABASE``: a process of its own, for it can hold
one ClickHouse.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from services.simulator.audit import view_rows
from services.simulator.expected import VIEWS
from tests.versions.clickhouse import in_process
from tests.versions.database import Database


def shown(database: Database) -> dict[str, Any]:
    """Everything that the audited views show, and the version that shows it."""
    with database.connect() as client:
        views = {shape.view: sorted(map(repr, view_rows(client, shape).items())) for shape in VIEWS}
        return {"version": client.server_version, "views": views}


def main(version: str, folder: str, name: str) -> None:
    """Print the lines of the migration and what is shown after it."""
    with in_process(version, Path(folder)):
        database = Database(name, None)
        lines = database.migrate()
        print(json.dumps({"lines": lines, **shown(database)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
