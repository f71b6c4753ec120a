"""`make release VERSION=X.Y.Z`: a commit, its annotated tag, and the bills of materials.

In this order: look whether all is as it should be, change the files, commit, tag, and write the
bills to out/release. Nothing is pushed. What is not as it should be is said before anything is
changed. ``--dry-run`` ends there; ``--bills-only`` writes the bills of what is checked out.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from tools.release import changelog, upgrade_notes
from tools.release.errors import ReleaseError
from tools.release.materials import write_bills
from tools.release.repository import Repository
from tools.release.versions import DECIDES, PLACES, Version, said, version_of, with_version

ROOT: Final = Path(__file__).parents[2]
CHANGELOG: Final = "CHANGELOG.md"


def plan(repository: Repository, version: Version, day: date) -> dict[str, str]:
    """What the files become, by path. Raises `ReleaseError` where it should not be released."""
    repository.require_clean()
    repository.require_no_tag(version.tag)
    texts = {path: repository.read(path) for path in {place.path for place in PLACES}}
    (now,) = map(version_of, said(DECIDES, texts[DECIDES.path]))
    if version < now:
        raise ReleaseError(f"{DECIDES.path} has version {now} already: {version} is older")
    project = tomllib.loads(texts[DECIDES.path])["project"]
    log = changelog.cut(
        repository.read(CHANGELOG), version, day, project["urls"]["Repository"].rstrip("/")
    )
    notes = upgrade_notes.cut(repository.read(upgrade_notes.PAGE), version)
    return {**with_version(texts, version), CHANGELOG: log, upgrade_notes.PAGE: notes}


def release(repository: Repository, version: Version, day: date) -> list[str]:
    """Make the release, and say what was made. Raises `ReleaseError`."""
    changed = plan(repository, version, day)
    for path, text in changed.items():
        repository.write(path, text)
    repository.git("add", "--", *sorted(changed))
    repository.git("commit", "--quiet", "--message", f"chore(release): {version}")
    # git would take the changelog's headings for comments.
    message = f"Wattoken {version}\n\n{changelog.section(changed[CHANGELOG], str(version))}\n"
    repository.git(
        *("tag", "--annotate", "--cleanup=verbatim", "--file=-", version.tag), given=message
    )
    written = [path.relative_to(repository.root) for path in write_bills(repository, str(version))]
    commit = repository.git("rev-parse", "--short", "HEAD")
    return [
        f"commit {commit} and tag {version.tag} are made, and not pushed yet",
        *(f"{path} is written" for path in written),
    ]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Do it; 1 where it is not to be released."""
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    parser.add_argument("version", nargs="?", help="X.Y.Z")
    parser.add_argument("--date", type=date.fromisoformat, help="YYYY-MM-DD, today if not said")
    parser.add_argument("--dry-run", action="store_true", help="only look whether it can be done")
    parser.add_argument("--bills-only", action="store_true", help="only the bills of materials")
    options = parser.parse_args(arguments)
    repository = Repository(root)
    try:
        if options.bills_only:
            (now,) = said(DECIDES, repository.read(DECIDES.path))
            lines = [
                f"{path.relative_to(root)} is written" for path in write_bills(repository, now)
            ]
        elif options.version is None:
            raise ReleaseError("say which version: `make release VERSION=X.Y.Z`")
        else:
            version, day = version_of(options.version), options.date or datetime.now(UTC).date()
            if options.dry_run:
                changed = plan(repository, version, day)
                lines = [f"{version} can be released; it would change {', '.join(sorted(changed))}"]
            else:
                lines = release(repository, version, day)
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
