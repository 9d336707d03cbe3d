"""How a number lies in registers, written a second time from docs/profiles.md: nothing here is the station's code."""

from __future__ import annotations

import math
import operator
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
"""The function that reads a table."""
_DIGITS = {0: "coil", 1: "discrete", 3: "input", 4: "holding"}
_FORMATS = {"u16": "H", "i16": "h", "u32": "I", "i32": "i", "f32": "f", "f64": "d"}
_REAL = frozenset({"f32", "f64"})


class Place(NamedTuple):
    """One number.

    Attributes:
        function: Of the request that reads it.
        address: On the wire, of its first register or bit.
        registers: How many.
        form: How struct names it; empty of a bit.
        straighten: Puts its bytes into struct's order; None where they are.
        meaning: Of the number; None where it means itself.
    """

    function: int
    address: int
    registers: int
    form: str
    straighten: Callable[[bytes], bytes] | None
    meaning: Callable[[Any], Any] | None

    def value(self, data: bytes) -> Any:
        """From its bytes, in the order of the wire; of a bit, one byte."""
        if not self.form:
            raw = data[-1]
        else:
            (raw,) = struct.unpack(">" + self.form, self.straighten(data) if self.straighten else data)
        return raw if self.meaning is None else self.meaning(raw)


def place_of(
    item: Mapping[str, Any],
    *,
    numbering: str,
    word_order: str,
    table: str | None,
    base: int | None,
    shift: int,
    where: str,
) -> Place:
    """Where one item of a profile lies and what it means.

    Args:
        item: As it is in the file.
        numbering: Of the document: ``wire``, ``document`` or ``numbered``.
        word_order: Of the profile.
        table: That the tables around the item name.
        base: Wire address that an offset counts from.
        shift: Registers to the present channel.
        where: Its dotted path, for messages.

    Raises:
        ConfigError: What the guard cannot read; it then guards nothing.
    """
    kind = item.get("type")
    if kind != "bit" and kind not in _FORMATS:
        raise ConfigError(
            f"the guard reads no {kind!r}", where=where, remedy=f"It reads bit, {', '.join(_FORMATS)}, at an address."
        )
    table, address = _addressed(item, numbering, item.get("table", table), base, where)
    function, address = FUNCTIONS[table], address + shift
    if kind == "bit":
        return Place(function, address, 1, "", None, operator.not_ if item.get("invert") else None)
    form = _FORMATS[kind]
    registers = struct.calcsize(">" + form) // 2
    straighten = _ORDERS[item.get("order", word_order)] if registers > 1 else None
    return Place(function, address, registers, form, straighten, _meaning(item, kind))


def _addressed(
    item: Mapping[str, Any], numbering: str, table: str | None, base: int | None, where: str
) -> tuple[str, int]:
    address = item.get("address")
    if address is None:
        if base is None or "offset" not in item:
            raise ConfigError("no address", where=where, remedy="The guard decodes only what stands in a register.")
        address = base + item["offset"]
    elif numbering == "numbered":
        digit, address = divmod(address, 100_000 if address >= 100_000 else 10_000)
        table = _DIGITS.get(digit)
        address -= 1
    elif numbering == "document":
        address -= 1
    if table not in FUNCTIONS or address < 0:
        raise ConfigError("no table, or no such number", where=where, remedy="Correct address or table.")
    return table, address


def _words_swapped(data: bytes) -> bytes:
    return b"".join(data[at : at + 2] for at in range(len(data) - 2, -1, -2))


def _bytes_swapped(data: bytes) -> bytes:
    return b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))


_ORDERS: dict[str, Callable[[bytes], bytes] | None] = {
    "ABCD": None,
    "CDAB": _words_swapped,
    "BADC": _bytes_swapped,
    "DCBA": lambda data: data[::-1],
}


def _meaning(item: Mapping[str, Any], kind: str) -> Callable[[Any], Any] | None:
    ones = (1 << 8 * struct.calcsize(_FORMATS[kind])) - 1
    invalid = frozenset(item.get("invalid", ()))
    bit, span, mask = item.get("bit"), item.get("span"), item.get("mask", ones)
    scale, add = item.get("scale", 1), item.get("add", 0)
    bits = kind not in _REAL

    def meaning(raw: Any) -> Any:
        if invalid and (raw in invalid or (bits and raw & ones in invalid)):
            return math.nan
        if item.get("bcd"):
            digits = format(raw, "x")
            if not digits.isdecimal():
                return math.nan
            raw = int(digits)
        if item.get("invert"):
            raw = ~raw & ones
        if bits and mask != ones:
            raw &= mask
        if bit is not None:
            return raw >> bit & 1
        if span is not None:
            raw = raw >> span[0] & (1 << span[1] - span[0] + 1) - 1
        return raw * scale + add

    plain = not (invalid or item.get("bcd") or item.get("invert") or span is not None or mask != ones)
    if plain and bit is not None:
        return lambda raw: raw >> bit & 1
    return None if plain and scale == 1 and not add else meaning
