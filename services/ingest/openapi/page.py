"""PURE: the OpenAPI document as one page without scripts, fonts or anything from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

_STYLE: Final = """\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1b1f24;background:#fff}
h1{margin-bottom:0}h2{border-top:1px solid #8884;padding-top:1.2rem;margin-top:2rem}
h2 b{font:600 .8em ui-monospace,monospace;background:#0b5;color:#fff;padding:.1em .5em;
border-radius:.3em;margin-right:.5em}h2 b.get{background:#06c}
code{font:.9em ui-monospace,monospace;background:#8882;padding:.1em .3em;border-radius:.2em}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8883}
td:first-child{white-space:nowrap}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#111418}}
"""


def page(document: Mapping[str, Any]) -> str:
    """Render the document as HTML."""
    return "\n".join(_page(document))


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{escape(info['title'])}</h1><p>Version {escape(info['version'])} ·"
    yield ' <a href="openapi.json">openapi.json</a></p>'
    yield f"<p>{_text(info['description'])}</p>"
    yield "<p>Send the API key as <code>Authorization: Bearer wtk_…</code>.</p>"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _operation(path, method, operation)
    yield "<h2>Schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield from _schema(name, schema)
    yield "</body></html>"


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    anchor = escape(operation["operationId"])
    yield f'<h2 id="{anchor}"><b class="{method}">{method.upper()}</b>{escape(path)}</h2>'
    key = "" if operation.get("security") == [] else " Needs an API key."
    yield f"<p>{_text(operation['summary'])}. {_text(operation.get('description', ''))}{key}</p>"
    body = operation.get("requestBody")
    if body is not None:
        yield from _table("takes", "as", _content(body["content"]))
    answers = (
        (status, f"{_text(answer['description'])}{_shapes(answer.get('content', {}))}")
        for status, answer in operation["responses"].items()
    )
    yield from _table("answer", "when", answers)


def _content(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for media, described in content.items():
        yield f"<code>{escape(media)}</code>", _type(described["schema"])


def _shapes(content: Mapping[str, Any]) -> str:
    shapes = dict.fromkeys(_type(described["schema"]) for described in content.values())
    return f" ({', '.join(shapes)})" if shapes else ""


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="schema-{escape(name)}">{escape(name)}</h3>'
    if "description" in schema:
        yield f"<p>{_text(schema['description'])}</p>"
    required = schema.get("required", ())
    rows = (
        (
            f"<code>{escape(field)}</code>{'' if field in required else ' (optional)'}",
            f"{_type(value)} {_text(value.get('description', ''))}",
        )
        for field, value in schema.get("properties", {}).items()
    )
    yield from _table("field", "", rows)


def _type(schema: Mapping[str, Any]) -> str:
    """Say in a few words what a schema takes."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#schema-{name}">{name}</a>'
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(_type(option) for option in schema[choice])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}"
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    bounds = ((bound, schema.get(bound)) for bound in ("minimum", "maximum", "maxLength"))
    told = ", ".join(f"{bound} {value}" for bound, value in bounds if value is not None)
    return escape(f"{words} ({told})" if told else words)


def _table(left: str, right: str, rows: Any) -> Iterator[str]:
    yield f"<table><tr><th>{escape(left)}</th><th>{escape(right)}</th></tr>"
    for first, second in rows:
        yield f"<tr><td>{first}</td><td>{second}</td></tr>"
    yield "</table>"


def _text(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
