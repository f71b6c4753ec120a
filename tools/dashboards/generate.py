"""Writes the dashboards' JSON: ``make dashboards``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tools.dashboards.layout import Page, as_document, build, text_of
from tools.dashboards.pages.grid import GRID
from tools.dashboards.pages.league import LEAGUE
from tools.dashboards.pages.meter_room import METER_ROOM
from tools.dashboards.pages.pipeline import PIPELINE
from tools.dashboards.pages.sql_bills import SQL_BILLS
from tools.dashboards.pages.sql_electricity import SQL_ELECTRICITY
from tools.dashboards.pages.sql_league import SQL_LEAGUE
from tools.dashboards.pages.sql_load import SQL_LOAD
from tools.dashboards.pages.sql_quality import SQL_QUALITY
from tools.dashboards.shared import shared

GRAFANA: Final = Path(__file__).parents[2] / "deploy" / "grafana"
#: As they are provisioned, and as they are imported by hand or shared on grafana.com.
DASHBOARDS: Final = GRAFANA / "dashboards"
SHARED: Final = GRAFANA / "shared"
#: Folder -> pages; each folder of files is one of Grafana's (provisioning/dashboards).
FOLDERS: Final[dict[str, tuple[Page, ...]]] = {
    "metrics": (GRID, LEAGUE, METER_ROOM, PIPELINE),
    "sql": (SQL_BILLS, SQL_ELECTRICITY, SQL_LEAGUE, SQL_LOAD, SQL_QUALITY),
}


def render() -> dict[Path, str]:
    """Give the text of each file, by its path below `GRAFANA`."""
    made: dict[Path, str] = {}
    for folder, pages in FOLDERS.items():
        for page in pages:
            stem = page.uid.removeprefix("wattoken-").removeprefix("sql-")
            file = Path(folder) / f"{stem}.json"
            document = as_document(build(page))
            made[DASHBOARDS.relative_to(GRAFANA) / file] = text_of(document)
            made[SHARED.relative_to(GRAFANA) / file] = text_of(shared(document, page.kind))
    return made


def write() -> None:
    """Write all files, and remove those of pages that are no more."""
    rendered = render()
    for path in (*DASHBOARDS.rglob("*.json"), *SHARED.rglob("*.json")):
        if path.relative_to(GRAFANA) not in rendered:
            path.unlink()
    for name, text in rendered.items():
        path = GRAFANA / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
