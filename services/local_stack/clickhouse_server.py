"""Runs ClickHouse inside chDB's library: ``clickhouse_server.py LIBRARY ARGUMENT…``.

A process of its own, for the library takes over signals, threads and memory of the one that loads
it. Standard library only.
"""

from __future__ import annotations

import ctypes
import sys


def main(library_path: str, arguments: list[str]) -> int:
    """Hand the arguments to ClickHouse's own command line; return the exit code."""
    library = ctypes.CDLL(library_path)
    query_cmdline = library.chdb_query_cmdline
    query_cmdline.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    query_cmdline.restype = ctypes.c_void_p
    result_error = library.chdb_result_error
    result_error.argtypes = [ctypes.c_void_p]
    result_error.restype = ctypes.c_char_p
    argv = [b"clickhouse", *(argument.encode() for argument in arguments)]
    result = query_cmdline(len(argv), (ctypes.c_char_p * len(argv))(*argv))
    error = result_error(result) if result else b"chDB gave no result"
    if error:
        print(error.decode("utf-8", "replace"), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
