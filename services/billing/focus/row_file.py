"""A file of rows in the making: it takes its name when it is whole, and is gone when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from services.billing.focus.columns import FocusRow
from services.platform.errors import ConfigurationError


class RowFile(Protocol):
    """Takes rows, a block after the other, and holds no more than one."""

    def write(self, rows: Sequence[FocusRow]) -> None:
        """Write some rows; raises `OSError`, and `ConfigurationError` for what does not fit."""

    def close(self) -> None:
        """Write what is left; the file is whole then. Raises `OSError`."""


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """Give a name to write to; what was written there becomes ``path`` unless an error is raised.

    What lay at ``path`` stays until then. `OSError` becomes `ConfigurationError`.
    """
    making = path.with_name(f".{path.name}.making")
    try:
        yield making
        making.replace(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        making.unlink(missing_ok=True)
