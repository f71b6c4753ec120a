"""Where this repository fetches something, and what such a place must say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Made here and not committed, or text that is about fetches.
SKIPPED = {"out", "__pycache__", "node_modules", "adr"}
HIDDEN_BUT_OURS = {".ci", ".github"}
KINDS = {"", ".py", ".sh", ".md", ".xml", ".yml", ".yaml", ".toml", ".cfg"}
#: How far a command's options are looked for in Python, where it takes many lines.
REACH = 400


@dataclass(frozen=True, slots=True)
class Rule:
    """What fetches, what must stand in the same command, and what is meant by it otherwise."""

    fetches: str
    needs: str
    but_not: str = r"(?!)"

    def broken(self, text: str, *, python: bool) -> Iterator[str]:
        """Each command of a text that fetches and does not say what it needs."""
        for found in re.finditer(self.fetches, text):
            command = text[found.start() : found.start() + REACH]
            if not python:
                command = command[: len(found[0])] + command[len(found[0]) :].partition("\n")[0]
            if re.match(self.but_not, command):
                continue
            if not re.search(self.needs, command):
                yield " ".join(command[:80].split())


NEVER = r"(?!)"
WORDS = r"""[\s"',]+"""
RULES = (
    # What a reader does in an environment of their own is theirs: a release of ours, by name.
    Rule(rf"\bpip{WORDS}install\b", r"--require-hashes", r"pip install '?wattoken\b"),
    Rule(rf"\buv{WORDS}sync\b(?!`)", r"--frozen"),
    Rule(rf"\buv{WORDS}pip{WORDS}(install|sync)\b", r"--require-hashes"),
    Rule(rf"\buv{WORDS}pip{WORDS}compile\b", r"--generate-hashes"),
    Rule(r"\b(uvx|pipx|easy_install)\b|\buv (tool|run --with|python install)\b", NEVER),
    Rule(rf"\bnpm{WORDS}(install|i|ci|exec|x)\b|\bnpx\b", NEVER),
    Rule(rf"\bmvn{WORDS}-", r"--strict-checksums"),
    Rule(
        r"""\bgo (install|run|get)\b|["']go["'], ["'](install|run|get)["']""", r"-tool|\bversion\b"
    ),
    # example.com is nobody's (RFC 2606): the reader puts a name of theirs there.
    Rule(
        r"\b(curl|wget)\b[^\n|]*\bhttps?://(?!127\.0\.0\.1|localhost|[\w.]*\bexample\.com/)\S",
        NEVER,
    ),
    Rule(r"""\burl(open|retrieve)\(\s*["']https?://(?!127\.0\.0\.1|localhost)""", NEVER),
    Rule(r"\bgit\+(https?|ssh)\b|\bgit clone (https?:|git@)", NEVER),
    Rule(r"(?m)^ADD\s+(--\S+\s+)*https?:", r"--checksum=sha256:"),
    # Debian's packages are held to the lists that Debian signs, unless apt is told not to.
    Rule(r"--allow-unauthenticated|--force-yes|trusted[=:] ?yes|AllowInsecureRepositories", NEVER),
    Rule(r"--trusted-host|--no-check-certificate|--no-gpg-check|strict-ssl[= ]false", NEVER),
    Rule(r"GOSUMDB=off|GONOSUMCHECK|GONOSUMDB|GOINSECURE|GOFLAGS=-insecure", NEVER),
)


def files() -> Iterator[Path]:
    """Every file that could hold a command, by its kind, but this one and its test."""
    for folder, folders, names in os.walk(ROOT):
        hidden = {name for name in folders if name.startswith(".")} - HIDDEN_BUT_OURS
        folders[:] = sorted(set(folders) - SKIPPED - hidden)
        for name in sorted(names):
            path = Path(folder, name)
            if "fetches" in path.stem or name == "CHANGELOG.md" or name.startswith(".git"):
                continue
            if path.suffix in KINDS or name.startswith(("Dockerfile", "Containerfile")):
                yield path


def joined(text: str) -> str:
    """The text with each command that goes on over a backslash in one line."""
    return re.sub(r"\s*\\\n\s*", " ", text)


def broken(text: str, *, python: bool = False) -> list[str]:
    """The commands of a text that fetch what no committed checksum holds."""
    whole = joined(text)
    return [command for rule in RULES for command in rule.broken(whole, python=python)]
