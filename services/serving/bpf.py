"""Programs of classic BPF (linux/filter.h) that answer with a constant."""

from __future__ import annotations

import ctypes
from typing import Final

_RETURN_CONSTANT: Final = 0x06


class _Instruction(ctypes.Structure):
    """``struct sock_filter``."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


#: The kernel reads an instruction by its address, so it has to stay.
_kept: dict[int, ctypes.Array[_Instruction]] = {}


def program(constant: int) -> bytes:
    """Give the value of a socket option that attaches the program."""
    if constant not in _kept:
        _kept[constant] = (_Instruction * 1)(_Instruction(_RETURN_CONSTANT, 0, 0, constant))
    return bytes(_Program(1, _kept[constant]))
