"""The site of docs/ as `make site` builds it, in a real browser: desktop and phone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import LOOPBACK
from tests.docs.blocks import ROOT
from tests.integration.conftest import missing
from tools.pictures.browser import Browser, Page

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
PAGES = ("index.html", "tutorial.html", "runbook.html", "settings.html", "adr/index.html")
#: What loads something when the page is looked at, and from where.
LOADED = """
[...document.querySelectorAll('script[src], img[src], iframe[src], link[rel~=stylesheet]')]
    .map(one => one.src || one.href)
    .concat(performance.getEntriesByType('resource').map(one => one.name))
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing."""

    def log_message(self, format: str, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site, built as `make lint` builds it."""
    if find_spec("mkdocs") is None:
        missing(ComponentMissing("mkdocs is not installed: run `make setup`"))
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    subprocess.run(
        [*command, "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    server = ThreadingHTTPServer((LOOPBACK, 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{LOOPBACK}:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.look(*SIZES[request.param])
    yield page
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_asks_nobody_else(site: str, page: Page, name: str) -> None:
    page.open(f"{site}/{name}")
    assert page.evaluate("document.querySelector('h1').innerText")
    loaded = page.evaluate(LOADED)
    assert loaded and all(one.startswith(site) for one in loaded), loaded
    # What is wider than the window, such as a table, is moved by itself and not the page.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.problems == []


def test_search_finds_a_section(site: str, page: Page) -> None:
    page.open(f"{site}/index.html")
    page.evaluate("document.querySelector('[data-md-component=search-query]').focus()")
    page.evaluate(
        """(() => { const field = document.querySelector('[data-md-component=search-query]');
        field.value = 'retention overtook';
        field.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true})) })()"""
    )
    found = page.wait_for(
        "[...document.querySelectorAll('.md-search-result__link')].map(one => one.href).join(' ')"
    )
    assert "runbook.html#retention-overtook-the-meter" in found


def test_links_to_code_lead_to_the_repository(site: str, page: Page) -> None:
    page.open(f"{site}/architecture.html")
    links = page.evaluate("[...document.querySelectorAll('article a')].map(one => one.href)")
    outward = [link for link in links if "/services/" in link]
    beginning = "https://github.com/wattoken/wattoken/"
    assert len(outward) > 50 and all(link.startswith(beginning) for link in outward)
