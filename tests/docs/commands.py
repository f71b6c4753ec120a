"""Commands that pages show, held to the code: what they call, and every option, must be there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

import typer
from typer.exceptions import TyperException

from services.cli import app
from services.settings_reference import SECTIONS
from tests.docs.blocks import ROOT, Block

#: Read by programs that are no service, so in no settings class.
OTHER_VARIABLES = frozenset(
    {"WATTOKEN_KEY", "WATTOKEN_INGEST_URL", "WATTOKEN_CLICKHOUSE_URL", "WATTOKEN_EXPORTER_URL",
     "WATTOKEN_PROMETHEUS_URL", "WATTOKEN_MAVEN_REPOSITORY", "WATTOKEN_PUBLIC_NAME"}
)  # fmt: skip
_SPLITS = frozenset("();&|\n")
_ASSIGNED = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)=")
_VARIABLE = re.compile(r"\bWATTOKEN_[A-Z0-9_]+")
_COMMENT = re.compile(r"""('[^']*'|"(?:\\.|[^"\\])*")|(?<!\S)#[^\n]*""")
_HERE_DOCUMENT = re.compile(r"<<'?(\w+)'?[^\n]*\n.*?\n\1\n", re.DOTALL)


def wrong_in(block: Block) -> Iterator[str]:
    """Each command of a block that would not work, and what of it."""
    text = block.text
    if block.language == "console":
        lines = [line for line in text.splitlines() if line.startswith("$ ")]
        text = "\n".join(line.removeprefix("$ ") for line in lines)
    for name in sorted({*_VARIABLE.findall(text)} - known_variables()):
        yield f"{name} is no setting: see docs/settings.md"
    try:
        for words in commands(text):
            yield from wrong_with(words)
    except ValueError as error:
        yield f"no shell reads it: {error}"


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command, without what is assigned before it; ValueError for open quotes."""
    words: list[str] = []
    text = _HERE_DOCUMENT.sub("\n", text)
    text = _COMMENT.sub(lambda found: found[1] or "", text).replace("\\\n", " ")
    for word in _words(text):
        if set(word) <= _SPLITS:
            if words:
                yield words
            words = []
        elif words or not _ASSIGNED.match(word):
            words.append(word)
    if words:
        yield words


def _words(text: str) -> Iterator[str]:
    """Words and what parts commands; the end of a line does, but for one within quotes."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();&|\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    lexer.commenters = ""
    yield from lexer


def wrong_with(words: list[str]) -> Iterator[str]:
    """What of a command is not there."""
    name = words[0].removeprefix(".venv/bin/")
    if name == "wattoken":
        yield from _wrong_with_ours(words[1:])
    elif name == "make":
        yield from _wrong_with_make(words[1:])
    elif name.startswith("python") and words[1:2] == ["-m"]:
        module = words[2]
        if module != "pytest" and find_spec(module) is None:
            yield f"there is no module {module}"
        for word in words[3:]:
            if word.startswith("tests/") and not (ROOT / word).exists():
                yield f"there is no {word}"


def _wrong_with_ours(words: list[str]) -> Iterator[str]:
    words = shlex.split(re.sub(r"\d*>>?\s*\S+", "", shlex.join(words).replace("'>'", ">")))
    command, name = typer.main.get_command(app), "wattoken"
    while isinstance(command, typer.core.TyperGroup):
        found = command.commands.get(words[0]) if words else None
        if found is None:
            yield f"`{name}` has no command {' '.join(words[:1])}"
            return
        command, name, words = found, f"{name} {words[0]}", words[1:]
    try:
        command.make_context(name, list(words))
    except TyperException as error:
        yield f"`{name}`: {error}"


def _wrong_with_make(words: list[str]) -> Iterator[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        assigned = _ASSIGNED.match(word)
        if assigned and f"$({assigned[1]})" not in makefile and f"({assigned[1]})," not in makefile:
            yield f"the Makefile reads no {assigned[1]}"
        is_target = not assigned and not word.startswith("-")
        if is_target and not re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE):
            yield f"there is no `make {word}`"


@cache
def known_variables() -> frozenset[str]:
    """Every setting, by the name of its variable."""
    names = {field.upper() for _, kind, _ in SECTIONS for field in kind.model_fields}
    return OTHER_VARIABLES | {f"WATTOKEN_{name}" for name in names}
