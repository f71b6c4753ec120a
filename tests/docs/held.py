"""Which test runs which code block. A block that is in no entry fails tests/docs/test_blocks.py.

The language tag of a block says what it is to the reader, and to the tests:

``sh``
    Commands that a test runs as they stand.
``shell``
    Commands that no test can run: they need a cluster, a container engine, a file of the reader's,
    or an hour. They are held to the code all the same: each command of ours, option, make target,
    setting and file in them must be there (tests/docs/commands.py).
``console``
    Commands behind ``$``, and what they print. The commands are held as those of ``shell``.
``text``
    What something prints, or a drawing.
anything else
    A language; all blocks of it are run by a test, or read by what reads such a file.
"""

from __future__ import annotations

from typing import Final

from tests.docs.blocks import Block

#: Held by what they are: nothing is run.
SHOWN: Final = frozenset({"text", "console", "shell"})

#: Languages of which one test takes all blocks, wherever they stand.
BY_LANGUAGE: Final = {
    "sql": "tests/integration/test_utility_views.py",
    "promql": "tests/contract/test_prometheus_rules.py",
    "jsonnet": "tests/contract/test_mixin.py",
    "yaml": "tests/docs/test_files_shown.py",
    "json": "tests/docs/test_files_shown.py",
}

#: All blocks of a page in a language.
BY_PAGE: Final = {
    ("docs/tutorial.md", "sh"): "tests/integration/test_tutorial.py",
    ("README.md", "sh"): "tests/integration/test_tutorial.py",
    ("docs/runbook.md", "sh"): "tests/integration/test_tutorial.py",
    ("docs/gateways.md", "sh"): "tests/integration/test_tutorial.py",
    ("docs/gateways.md", "python"): "tests/gateway-clients/page_blocks.py",
    ("docs/settlement.md", "sh"): "tests/integration/settlement_world.py",
}


def runs(block: Block) -> str | None:
    """The file of the test that runs a block, or None."""
    return BY_LANGUAGE.get(block.language) or BY_PAGE.get((block.page, block.language))
