"""From the registers of one status answer to a Reading, with every offset compiled beforehand."""

from __future__ import annotations

import operator
import struct
from math import nan
from typing import TYPE_CHECKING, Any

from rfctl.link.registers import WordOrder, permutation
from rfctl.model.reading import ChannelReading, Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.profile.schema import Measured, Status


class _Block:
    """A run of registers: how to unpack it, and which unpacked number is which field."""

    def __init__(self, fields: list[Measured], registers: int) -> None:
        """Compile.

        Args:
            fields: In the order in which the values are wanted; bits of one register share it.
            registers: Length of the block.

        Raises:
            ValueError: Two numbers overlap, or one lies outside the block; the text names the offset.
        """
        distinct = sorted({(field.offset, field.type) for field in fields})
        layout, at = ">", 0
        for offset, kind in distinct:
            if offset < at:
                raise ValueError(f"the number at offset {offset} overlaps the one before it")
            layout += f"{2 * (offset - at)}x{kind.code}"
            at = offset + kind.registers
        if at > registers:
            raise ValueError(f"a number ends at offset {at}, the block has {registers} registers")
        self._struct = struct.Struct(f"{layout}{2 * (registers - at)}x")
        self._pick: Callable[[tuple[Any, ...]], tuple[Any, ...]] = operator.itemgetter(
            *(distinct.index((field.offset, field.type)) for field in fields)
        )
        self._bits = [(at, 1 << field.bit) for at, field in enumerate(fields) if field.bit is not None]
        self._scales = [(at, field.scale) for at, field in enumerate(fields) if field.scale != 1.0]
        self.swaps = [(offset, kind.registers) for offset, kind in distinct if kind.registers > 1]

    def values(self, data: bytes, at: int) -> list[Any]:
        """The fields' values, from the block that starts at byte ``at``."""
        values = list(self._pick(self._struct.unpack_from(data, at)))
        for place, mask in self._bits:
            values[place] = values[place] & mask != 0
        for place, scale in self._scales:
            values[place] *= scale
        return values


class StatusDecoder:
    """Turns the register bytes of a status answer into a Reading.

    Attributes:
        address: First register to ask for.
        count: Registers to ask for.
    """

    def __init__(self, status: Status, order: WordOrder, channels: int) -> None:
        """Compile for a number of channels.

        Raises:
            ValueError: A field lies outside its block or overlaps another; the text names table and offset.
        """
        self.address = status.address
        self.count = status.head + status.stride * channels
        self._head = _compiled("status", status, Reading._fields[1:-1], status.head)
        names: tuple[str, ...] = ChannelReading._fields
        self._absent: tuple[float, ...] = ()
        if status.channel.set_point is None:
            names, self._absent = names[:-1], (nan,)
        self._channel = _compiled("status.channel", status.channel, names, status.stride)
        self._starts = [2 * (status.head + status.stride * channel) for channel in range(channels)]
        self._order: Callable[[bytes], tuple[int, ...]] | None = None
        if order is not WordOrder.ABCD:
            self._order = operator.itemgetter(*self._permutation(order))

    def decode(self, data: bytes, received_ns: int) -> Reading:
        """One reading.

        Args:
            data: Exactly ``count`` registers.
            received_ns: When they had arrived, on the station's monotonic clock.
        """
        if self._order is not None:
            data = bytes(self._order(data))
        absent = self._absent
        channels = tuple(ChannelReading._make((*self._channel.values(data, at), *absent)) for at in self._starts)
        return Reading._make((received_ns, *self._head.values(data, 0), channels))

    def _permutation(self, order: WordOrder) -> list[int]:
        places = list(range(2 * self.count))
        swaps = [(2 * offset, 2 * registers) for offset, registers in self._head.swaps]
        swaps += [
            (start + 2 * offset, 2 * registers) for start in self._starts for offset, registers in self._channel.swaps
        ]
        for at, size in swaps:
            places[at : at + size] = [at + byte for byte in permutation(size, order)]
        return places


def _compiled(table: str, schema: object, names: tuple[str, ...], registers: int) -> _Block:
    fields: list[Measured] = [getattr(schema, name) for name in names]
    for name, field in zip(names, fields, strict=True):
        width = 0 if field.type.real else 16 * field.type.registers
        if field.bit is not None and field.bit >= width:
            raise ValueError(f"{table}.{name}: a {field.type.value} has no bit {field.bit}")
    try:
        return _Block(fields, registers)
    except ValueError as problem:
        raise ValueError(f"{table}: {problem}") from None
