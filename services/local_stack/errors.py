"""Errors of the local stack.

::

    WattokenError
    └── StackError                the local stack cannot do what was asked
        ├── ComponentMissing      a program is not here and cannot be fetched; its text says why
        └── ChildFailed           a process did not start or ended; its text ends in its log's tail
"""

from __future__ import annotations

from services.platform.errors import WattokenError


class StackError(WattokenError):
    """The local stack cannot do what was asked."""


class ComponentMissing(StackError):
    """A program is not on this machine and cannot be fetched; the text names it and the remedy."""


class ChildFailed(StackError):
    """A child process did not become ready, or ended; the text ends in the tail of its log."""
