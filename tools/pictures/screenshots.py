"""`python -m tools.pictures.screenshots`: takes the control room's pictures for the documents.

Starts a stack of its own, fills its database with synthetic history, and looks at the exporter's
page with headless Chromium: light, dark, on a phone, on a wall, and with a week of one region.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings
from tools.pictures.browser import Browser
from tools.pictures.chromium import fetch_chromium
from tools.pictures.synthetic_history import fill

PATIENCE_SECONDS: Final = 120.0
FOLDER: Final = Path(__file__).parents[2] / "docs" / "img"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its size in CSS pixels, pixels to each of them, and the colour scheme."""

    name: str
    width: int
    height: int
    scale: float = 1
    dark: bool = False
    #: What the address asks for, and an expression that is true once it is drawn.
    query: str = ""
    drawn: str = "true"


PICTURES: Final = (
    Picture("control-room-light", 1440, 1400),
    Picture("control-room-dark", 1440, 1400, dark=True),
    Picture("control-room-phone", 375, 812, scale=2),
    Picture("control-room-kiosk", 1920, 1080, dark=True, query="?view=kiosk"),
    Picture(
        *("control-room-history", 1440, 520),
        query="?range=7d&by=model&region=eu-central",
        drawn="document.getElementById('load-title').textContent === 'Tokens by model'",
    ),
    Picture("control-room-chinese", 1440, 1400, query="?lang=zh"),
)


def run(folder: Path = FOLDER) -> None:
    """Take all pictures. Raises `StackError` when a component is missing or does not start."""
    chromium = fetch_chromium(print)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        Infrastructure(Path(state), broker="auto", prometheus="none", report=print) as stack,
        Pipeline(stack, services=("exporter",), report=print) as pipeline,
        Browser(chromium) as browser,
    ):
        settings = ClickHouseSettings(
            clickhouse_port=stack.ports.clickhouse_http, clickhouse_database=pipeline.database
        )
        with closing(connect(settings)) as client:
            fill(client, time.time())
        for picture in PICTURES:
            _take(browser, pipeline.addresses["exporter"] + "/", picture, folder)


def _take(browser: Browser, url: str, picture: Picture, folder: Path) -> None:
    page = browser.new_page()
    page.look(picture.width, picture.height, scale=picture.scale, dark=picture.dark)
    page.open(url + picture.query)
    page.wait_for("document.documentElement.dataset.state === 'live'", PATIENCE_SECONDS)
    page.wait_for(picture.drawn, PATIENCE_SECONDS)
    # Every group of figures is there, and the curves have their final size.
    page.wait_for(
        "[...document.querySelectorAll('.trouble')].every(line => line.hidden)", PATIENCE_SECONDS
    )
    time.sleep(0.5)
    path = folder / f"{picture.name}.png"
    page.screenshot(path)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    page.close()


if __name__ == "__main__":
    run()
