"""What goes wrong with a scenario."""

from __future__ import annotations


class ScenarioError(Exception):
    """A scenario did not come as far as it should."""
