"""The command line, `wattoken`: one thin function per subcommand.

Imports of a command's own service stand inside its function, so that `--help` stays quick and a
service image needs only what its service needs.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from services.cli.root import app
from services.cli.stack_line import follow
from services.platform.errors import WattokenError
from services.platform.output import say

__all__ = ["app", "main"]

# isort: off
# Each adds its commands, and `--help` lists them in this order.
import services.cli.setup
import services.cli.services
import services.cli.operate
import services.cli.local
import services.cli.traffic
import services.cli.bills
import services.cli.rerate
import services.cli.plans
import services.cli.focus
import services.cli.settlement
import services.cli.reconcile
import services.cli.keys
import services.cli.rejected
import services.cli.gateways  # noqa: F401
# isort: on


def main() -> Any:
    """Entry point: our errors become one line on stderr and exit code 1."""
    follow(sys.argv[1:], os.environ)
    try:
        return app()
    except WattokenError as error:
        say(f"wattoken: {error}", err=True)
        sys.exit(1)
