"""Looks for secrets in the files of this repository: ``python -m tools.supply_chain.secret_scan``.

What is known to be none is in ``known_text.toml`` beside this, by its SHA-256, with the reason.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
KNOWN: Final = Path(__file__).with_name("known_text.toml")
#: Checksums of others' files: long, random, and in nobody's interest to hide.
LOCKS: Final = ("uv.lock", "go.sum", ".lock")
#: How much of a secret is shown: enough to find it, not enough to use it.
SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of secret looks like.

    ``hints`` are texts in lower case, one of which each such secret holds: most files hold none,
    and looking for them is much faster than the pattern.
    """

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


#: The last word of the names that secrets are given.
_NAMES: Final[tuple[str, ...]] = (
    *("password", "passwd", "pepper", "secret"),
    *("api_key", "apikey", "access_key", "auth_token", "private_key"),
)
_NAMED = "(?i:" + "|".join(_NAMES) + ")"

#: The formats of tokens are those that their issuers document.
KINDS: Final = tuple(
    Kind(name, hints, re.compile(pattern))
    for name, hints, pattern in (
        ("API key of Wattoken", ("wtk_",), r"\bwtk_[0-9a-f]{16}_[\w-]{43}"),
        # With its first line: code that reads keys names the head alone.
        (
            "private key",
            ("-----begin",),
            r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|[\s\"'+])+"
            r"(?:[\w-]+: [^\n]{0,80}\n)*\s{0,4}[A-Za-z0-9+/]{40}",
        ),
        ("AWS key", ("akia", "asia"), r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
        (
            "AWS secret",
            ("aws",),
            r"(?i:aws[\w.-]{0,20}(?:secret|key)[\w.-]{0,20})[\"']?\s{0,4}[:=]\s{0,4}[\"']?"
            r"[A-Za-z0-9/+]{40}\b",
        ),
        (
            "GitHub token",
            ("gh", "github_pat_"),
            r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})",
        ),
        ("GitLab token", ("glpat-",), r"\bglpat-[\w-]{20,}"),
        ("Google key", ("aiza",), r"\bAIza[\w-]{35}"),
        ("Hugging Face token", ("hf_",), r"\bhf_[A-Za-z0-9]{30,}"),
        ("key of a model provider", ("sk-",), r"\bsk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{24,}"),
        ("npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
        ("PyPI token", ("pypi-age",), r"\bpypi-AgE[\w-]{50,}"),
        ("Slack token", ("xox",), r"\bxox[abeprs]-[\w-]{10,}"),
        ("Stripe key", ("k_live_",), r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
        ("JSON Web Token", ("eyj",), r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
        (
            "password in an address",
            ("://",),
            r"://[^\s/:@\"'<>{}$]{1,64}:[^\s/:@\"'<>{}$%]{6,64}@[\w.-]+",
        ),
        # A literal without spaces, without what stands for a value elsewhere, and that does not say
        # of itself that it is made up.
        (
            "assignment",
            _NAMES,
            rf"{_NAMED}[\"']?\s{{0,4}}(?::\s{{0,4}}str\s{{0,4}})?[:=]{{1,2}}\s{{0,4}}"
            r"(?P<quote>[\"'])(?![^\"']*made-up)[^\s\"'<>{}$()…]{8,200}(?P=quote)",
        ),
        ("assignment in XML", _NAMES, rf"<{_NAMED}>(?![^<]*made-up)[^\s<>{{}}$…]{{8,200}}(?=</)"),
        (
            "assignment in an environment",
            _NAMES,
            r"\b[A-Z0-9_]*(?:PASSWORD|SECRET|PEPPER|API_?KEY|AUTH_?TOKEN)(?:=|: )"
            r"(?!\S*made-up)[^\s\"'<>{}$()…/,`]{8,200}(?m:$)",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A text that looks like a secret, and where."""

    path: str
    line: int
    kind: str
    text: str

    @property
    def digest(self) -> str:
        """Names the text without telling it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __str__(self) -> str:
        shown = f"{self.text[:SHOWN]}…"
        return f"{self.path}:{self.line}: {self.kind}: {shown} (sha256 {self.digest})"


def scan(path: str, text: str) -> Iterator[Finding]:
    """Everything in a text that looks like a secret."""
    lower = text.lower()
    for kind in KINDS:
        if any(hint in lower for hint in kind.hints):
            for found in kind.pattern.finditer(text):
                line = text.count("\n", 0, found.start()) + 1
                yield Finding(path, line, kind.name, found[0])


def tracked(root: Path) -> list[Path]:
    """The files that git has or would take; raises `subprocess.CalledProcessError` without git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name and not name.endswith(LOCKS)]
    return [root / name for name in names if (root / name).is_file()]


def scan_files(root: Path, paths: Iterable[Path]) -> list[Finding]:
    """The findings in files that are text."""
    findings: list[Finding] = []
    for path in paths:
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            text = content.decode("utf-8", "replace")
            findings += scan(path.relative_to(root).as_posix(), text)
    return findings


def judge(findings: Iterable[Finding], known: Mapping[str, str]) -> list[str]:
    """A line for each finding that is not known, and for each known text that is not there."""
    seen = list(findings)
    lines = [str(finding) for finding in seen if finding.digest not in known]
    gone = known.keys() - {finding.digest for finding in seen}
    return lines + [f"{KNOWN.name}: {digest} is nowhere any more: remove it" for digest in gone]


def read_known(path: Path) -> dict[str, str]:
    """Reasons by the SHA-256 of the text; each must be given."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {entry["sha256"]: str(entry["reason"]) for entry in table.get("known", [])}
    assert all(known.values()), f"{path}: a reason is missing"
    return known


def main() -> int:
    """Print what is found; 1 if there is anything."""
    try:
        paths = tracked(ROOT)
    except (OSError, subprocess.CalledProcessError):
        print("secrets: not looked for, for this is no clone of a repository, or git is missing")
        return 0
    lines = judge(scan_files(ROOT, paths), read_known(KNOWN))
    for line in lines:
        print(line, file=sys.stderr)
    if lines:
        print(
            "secrets: revoke what is one; a test's password says that it is made-up;"
            f" {KNOWN.relative_to(ROOT)} names what else is none",
            file=sys.stderr,
        )
        return 1
    print(f"secrets: none in {len(paths)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
