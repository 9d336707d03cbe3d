"""Numbers in 16-bit registers: types, word orders, and the bytes they are on the wire."""

from __future__ import annotations

import struct
from enum import StrEnum


class RegisterType(StrEnum):
    """How one number lies in registers."""

    U16 = "u16"
    U32 = "u32"
    F32 = "f32"

    @property
    def registers(self) -> int:
        """Registers that one value takes."""
        return 1 if self is RegisterType.U16 else 2

    @property
    def code(self) -> str:
        """The letter of the struct module, to be read big-endian."""
        return _CODES[self]


class WordOrder(StrEnum):
    """Order of the four bytes A (highest) to D of a 32-bit value; bytes within a register are always big-endian."""

    ABCD = "ABCD"
    CDAB = "CDAB"


_CODES = {RegisterType.U16: "H", RegisterType.U32: "I", RegisterType.F32: "f"}
_STRUCTS = {kind: struct.Struct(f">{kind.code}") for kind in RegisterType}


def decode(data: bytes, kind: RegisterType, order: WordOrder) -> float:
    """The raw number in ``data``, which holds exactly the registers of one value; not-a-number stays what it is."""
    (value,) = _STRUCTS[kind].unpack(_ordered(data, order))
    return float(value) if kind is RegisterType.F32 else int(value)


def encode(value: float, kind: RegisterType, order: WordOrder) -> bytes:
    """The registers of a raw number; an f32 is rounded to the nearest one, an integer type to the nearest integer.

    Raises:
        ValueError: The type cannot hold the value.
    """
    try:
        data = _STRUCTS[kind].pack(value if kind is RegisterType.F32 else round(value))
    except (struct.error, OverflowError) as problem:
        raise ValueError(f"{value!r} does not fit {kind}: {problem}") from None
    return _ordered(data, order)


def _ordered(data: bytes, order: WordOrder) -> bytes:
    return data[2:4] + data[0:2] if order is WordOrder.CDAB and len(data) == 4 else data
