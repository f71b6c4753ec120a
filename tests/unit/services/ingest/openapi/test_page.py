"""The page shows every operation and schema, and takes nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from services.ingest.openapi import document, page

PAGE = page(document("1.2.3"))


class Balanced(HTMLParser):
    """Fails where a tag is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_is_whole() -> None:
    parser = Balanced()
    parser.feed(PAGE)
    assert parser.open == []


def test_it_shows_every_operation_answer_and_schema() -> None:
    described = document("1.2.3")
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()}</b>{path}</h2>" in PAGE
            assert f'id="{operation["operationId"]}"' in PAGE
    for name in described["components"]["schemas"]:
        assert f'id="schema-{name}"' in PAGE
    for name in re.findall(r'href="#([^"]+)"', PAGE):
        assert f'id="{name}"' in PAGE


def test_it_takes_nothing_from_elsewhere() -> None:
    assert not re.search(r"<script|<link|<img|src=|url\(|https?://", PAGE)


def test_what_the_document_says_is_no_markup() -> None:
    described = document("1.2.3")
    described["info"]["description"] = "<script>alert(1)</script>"
    assert "<script>" not in page(described)
