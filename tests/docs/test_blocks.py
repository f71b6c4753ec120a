"""Every code block of README and docs/ is run by a test, or its tag says that it is only shown."""

from __future__ import annotations

import pytest

from tests.docs.blocks import ROOT, Block, blocks_of, pages, read_blocks
from tests.docs.commands import wrong_in
from tests.docs.held import BY_LANGUAGE, BY_PAGE, SHOWN, runs

BLOCKS = [block for page in pages() for block in blocks_of(page)]


def fault(block: Block) -> str | None:
    """What is wrong with how a block is held, and what to do about it."""
    if not block.language:
        return f"{block.at}: say what the block is: ```text for output or a drawing"
    if block.language in SHOWN or runs(block):
        return None
    return (
        f"{block.at}: no test runs this block of {block.language}. Have one take it from the page"
        " (tests.docs.blocks.block) and name that in tests/docs/held.py; or tag it ```shell, if it"
        " is commands that no test can run, or ```text, if it is output"
    )


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.at)
def test_it_is_run_or_says_that_it_is_shown(block: Block) -> None:
    found = fault(block)
    assert found is None, found


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language in ("sh", "shell", "console")],
    ids=lambda block: block.at,
)
def test_its_commands_are_there(block: Block) -> None:
    wrong = [f"{block.at}: {found}" for found in wrong_in(block)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", sorted({*BY_LANGUAGE.values(), *BY_PAGE.values()}))
def test_who_is_said_to_run_blocks_takes_them_from_their_pages(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = [page for (page, _), test in BY_PAGE.items() if test == name]
    assert all(page in text for page in named), f"{name} does not name each of {named}"
    languages = [language for language, test in BY_LANGUAGE.items() if test == name]
    assert all(f'"{language}"' in text or f"```{language}" in text for language in languages)


def test_no_entry_is_left_over() -> None:
    there = {(block.page, block.language) for block in BLOCKS}
    assert BY_PAGE.keys() <= there
    assert BY_LANGUAGE.keys() <= {language for _, language in there}


@pytest.mark.parametrize(
    ("fence", "said"),
    [("```", "say what the block is"), ("```sh", "no test runs this"), ("```rust", "no test runs")],
)
def test_a_new_block_that_nothing_holds_is_seen(fence: str, said: str) -> None:
    (block,) = read_blocks("docs/new.md", f"# Title\n\n{fence}\nmake up\n```\n")
    found = fault(block)
    assert found is not None and said in found and "docs/new.md:3" in found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("wattoken statment acme 2026-10", "statment"),
        ("wattoken statement acme 2026-10 --pfd out.pdf", "--pfd"),
        ("wattoken tariffs explain --tenat acme", "--tenat"),
        (".venv/bin/wattoken succeed --topic v2", "partitions"),
        ("make demoo", "demoo"),
        ("make chaos CHOAS_ARGS=1", "CHOAS_ARGS"),
        (".venv/bin/python -m pytest tests/unit/test_dox.py", "tests/unit/test_dox.py"),
        (".venv/bin/python -m tools.energy.modles", "tools.energy.modles"),
        ("export WATTOKEN_INGEST_PROT=1", "WATTOKEN_INGEST_PROT"),
        ("curl 'http://127.0.0.1", "closing quotation"),
    ],
)
def test_a_command_that_is_not_there_is_seen(line: str, said: str) -> None:
    (block,) = read_blocks("docs/new.md", f"```shell\n{line}\n```\n")
    (found,) = wrong_in(block)
    assert said in found


def test_blocks_in_lists_lose_their_indentation() -> None:
    (block,) = read_blocks("p", "- x\n\n   ```sql\n   SELECT\n     1;\n   ```\n")
    assert (block.text, block.line) == ("SELECT\n  1;\n", 3)
