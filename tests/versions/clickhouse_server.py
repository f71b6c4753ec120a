"""Runs the whole ClickHouse server inside chDB 3.7: ``clickhouse_server.py LIBRARY ARGUMENT…``.

That package's library still holds the server's entry point, listeners, users and all; later ones
were stripped of it. A process of its own; standard library only.
"""

from __future__ import annotations

import ctypes
import sys

#: `int mainEntryClickHouseServer(int, char **)` as C++ names it.
ENTRY = "_Z25mainEntryClickHouseServeriPPc"


def main(library_path: str, arguments: list[str]) -> int:
    """Hand the arguments to ClickHouse's own server; return the exit code."""
    entry = ctypes.CDLL(library_path)[ENTRY]
    entry.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    entry.restype = ctypes.c_int
    argv = [b"clickhouse-server", *(argument.encode() for argument in arguments)]
    return int(entry(len(argv), (ctypes.c_char_p * (len(argv) + 1))(*argv, None)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
