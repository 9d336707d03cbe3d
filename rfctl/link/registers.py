"""Numbers in 16-bit registers and in coils: types, word orders, and the bytes they are on the wire."""

from __future__ import annotations

import struct
from enum import StrEnum


class Space(StrEnum):
    """One of the four address spaces of Modbus."""

    INPUT = "input"
    HOLDING = "holding"
    COIL = "coil"
    DISCRETE = "discrete"

    @property
    def of_bits(self) -> bool:
        """One address is one bit, not one register."""
        return self in {Space.COIL, Space.DISCRETE}


class RegisterType(StrEnum):
    """How one number lies in registers. A bit of a coil or discrete input counts as a register that holds 0 or 1."""

    BIT = "bit"
    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    F32 = "f32"
    F64 = "f64"

    @property
    def registers(self) -> int:
        """Registers that one value takes."""
        return _STRUCTS[self].size // 2

    @property
    def code(self) -> str:
        """The letter of the struct module, to be read big-endian."""
        return _CODES[self]

    @property
    def real(self) -> bool:
        """It holds a fraction; the others hold whole numbers."""
        return self in _REAL

    @property
    def range(self) -> tuple[int, int]:
        """Lowest and highest number that a whole type holds."""
        bits = 1 if self is RegisterType.BIT else 16 * self.registers
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self in _SIGNED else (0, (1 << bits) - 1)


class WordOrder(StrEnum):
    """Order of the bytes A (highest) to D of a 32-bit value; of a longer one likewise. One register is big-endian."""

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"


_CODES = {
    RegisterType.BIT: "H",
    RegisterType.U16: "H",
    RegisterType.I16: "h",
    RegisterType.U32: "I",
    RegisterType.I32: "i",
    RegisterType.F32: "f",
    RegisterType.F64: "d",
}
_STRUCTS = {kind: struct.Struct(f">{code}") for kind, code in _CODES.items()}
_REAL = frozenset({RegisterType.F32, RegisterType.F64})
_SIGNED = frozenset({RegisterType.I16, RegisterType.I32})


def permutation(size: int, order: WordOrder) -> tuple[int, ...]:
    """Where each byte of a value of ``size`` bytes, highest first, lies on the wire."""
    places = list(range(size))
    if order in {WordOrder.CDAB, WordOrder.DCBA}:
        places = [at + byte for at in range(size - 2, -2, -2) for byte in (0, 1)]
    if order in {WordOrder.BADC, WordOrder.DCBA}:
        places = [at ^ 1 for at in places]
    return tuple(places)


def decode(data: bytes, kind: RegisterType, order: WordOrder) -> float:
    """The raw number in ``data``, which holds exactly the registers of one value; not-a-number stays what it is."""
    (value,) = _STRUCTS[kind].unpack(_ordered(data, order))
    return float(value) if kind in _REAL else int(value)


def encode(value: float, kind: RegisterType, order: WordOrder) -> bytes:
    """The registers of a raw number; a real type rounds to the nearest it can hold, a whole one to the nearest integer.

    Raises:
        ValueError: The type cannot hold the value.
    """
    try:
        number = value if kind in _REAL else round(value)
        if kind is RegisterType.BIT and number not in {0, 1}:
            raise OverflowError("a bit is 0 or 1")
        data = _STRUCTS[kind].pack(number)
    except (ValueError, struct.error, OverflowError) as problem:
        raise ValueError(f"{value!r} does not fit {kind}: {problem}") from None
    return _ordered(data, order)


def _ordered(data: bytes, order: WordOrder) -> bytes:
    if order is WordOrder.ABCD or len(data) < 4:
        return data
    return bytes(data[at] for at in permutation(len(data), order))
