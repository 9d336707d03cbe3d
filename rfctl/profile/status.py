"""From the answers to the status requests to a Reading, with every offset compiled beforehand."""

from __future__ import annotations

import operator
import struct
from math import nan
from typing import TYPE_CHECKING, Any

from rfctl.link.registers import Space, WordOrder, permutation
from rfctl.model.reading import ChannelReading, Mode, PadStatus, Reading
from rfctl.profile.blocks import Image, Read
from rfctl.profile.item import converter
from rfctl.profile.schema import items_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.model.strict_toml import Strict
    from rfctl.profile.blocks import Layout, Place
    from rfctl.profile.schema import Status

HEAD = Reading._fields[1:-1]
CHANNEL = ChannelReading._fields
ABSENT_IN_HEAD: dict[str, object] = {"uptime_ms": None, "pad_status": PadStatus.NOT_MONITORED, "pad_ohm": nan}
ABSENT_IN_CHANNEL: dict[str, object] = {
    "cold_junction_c": nan,
    "voltage_v_rms": nan,
    "rf_band_current_ma_rms": nan,
    "impedance_fresh": True,  # measured in every sample
    "thermocouple_open": None,
    "stimulating": None,
    "electrode_present": None,
    "mode": None,
    "stimulation_width_us": None,
    "stimulation_rate_hz": nan,
    "stimulation_amplitude": nan,
    "electrode_id": 0,
    "fault_bits": 0,  # those of the whole generator stand for it
    "rf_on_ms": None,
    "arm_token": None,
    "set_point": nan,
}
"""What stands in a reading for a quantity that the generator does not have. None of them is a measured value."""

NAMES: dict[str, dict[str, int]] = {
    "mode": {mode.name.lower(): mode for mode in Mode},
    "pad_status": {status.name.lower(): status for status in PadStatus},
}
COUNTERS = {"sample_counter", "uptime_ms"}
_WRAP = 1 << 32


class _Group:
    """The values of one NamedTuple: how to unpack them, and which unpacked number is which field."""

    def __init__(
        self, names: tuple[str, ...], places: list[list[Place]], absent: dict[str, object], image: Image
    ) -> None:
        """Compile.

        Args:
            names: Fields, in order.
            places: Of each field: none, one, or several words of bits.
            absent: What stands for a field without a place.
            image: Where they lie; each is read by one request.
        """
        flat = [each[0] for each in places if each]
        extra = [
            (field, number, place) for field, each in enumerate(places) for number, place in enumerate(each[1:], 1)
        ]
        every = flat + [place for _, _, place in extra]
        spots = {(_at(image, place), place.item.kind): place for place in every}
        distinct = sorted(spots, key=operator.itemgetter(0))
        self._base = distinct[0][0]
        layout, at = ">", self._base
        for offset, kind in distinct:
            layout += f"{offset - at}x{kind.code}"
            at = offset + 2 * kind.registers
        self._struct = struct.Struct(layout)
        constants = [absent[name] for name, each in zip(names, places, strict=True) if not each]
        self._constants = tuple(constants)
        order: list[int] = []
        unused = len(distinct)
        for each in places:
            if each:
                order.append(distinct.index((_at(image, each[0]), each[0].item.kind)))
            else:
                order.append(unused)
                unused += 1
        order += [distinct.index((_at(image, place), place.item.kind)) for _, _, place in extra]
        self._pick: Callable[[tuple[Any, ...]], tuple[Any, ...]] = operator.itemgetter(*order)
        self._fields = len(names)
        self._bits: list[tuple[int, int]] = []
        self._scales: list[tuple[int, float]] = []
        self._others: list[tuple[int, Callable[[Any], Any]]] = []
        for field, (name, each) in enumerate(zip(names, places, strict=True)):
            if each:
                self._compile(field, name, each[0])
        for at, (_, _, place) in enumerate(extra, len(names)):
            self._others.append((at, converter(place.item)))
        self._words = [(field, len(names) + at, 16 * number) for at, (field, number, _) in enumerate(extra)]
        self.swaps = [(offset, 2 * kind.registers, spots[offset, kind].order) for offset, kind in distinct]

    def values(self, data: bytes) -> list[Any]:
        """The fields' values, from an image."""
        unpacked = self._struct.unpack_from(data, self._base)
        values = list(self._pick(unpacked + self._constants if self._constants else unpacked))
        for place, mask in self._bits:
            values[place] = values[place] & mask != 0
        for place, scale in self._scales:
            values[place] *= scale
        if self._others:
            for place, value in self._others:
                values[place] = value(values[place])
            for place, word, shift in self._words:
                values[place] |= values[word] << shift
            del values[self._fields :]
        return values

    def _compile(self, field: int, name: str, place: Place) -> None:
        item = place.item
        if name in COUNTERS and 16 * item.registers < 32:
            self._others.append((field, _unwrapped(16 * item.registers, converter(item))))
        elif name == "uptime_ms" and item.scale != 1.0:
            seconds = converter(item)
            self._others.append((field, lambda raw: int(seconds(raw)) % _WRAP))
        elif item.values is not None:
            self._others.append((field, converter(item, NAMES.get(name))))
        elif item.plain and item.bit is not None:
            self._bits.append((field, 1 << item.bit))
        elif item.plain and item.scale != 1.0:
            self._scales.append((field, int(item.scale) if item.scale.is_integer() else item.scale))
        elif not item.plain:
            self._others.append((field, converter(item)))


class StatusDecoder:
    """Turns the answers to the status requests into a Reading. One decoder serves one connection, for it counts on.

    Attributes:
        reads: The requests, in order.
        spread: By how many samples the blocks of one reading may differ.
    """

    def __init__(self, status: Status, layout: Layout, channels: int) -> None:
        """Compile for a number of channels.

        Raises:
            ConfigError: A field that no one request reads, that overlaps another, or that is neither there nor said to
                be absent.
        """
        _require_decided("status", status, status.absent, HEAD, ABSENT_IN_HEAD, layout)
        _require_decided("status.channel", status.channel, status.channel.absent, CHANNEL, ABSENT_IN_CHANNEL, layout)
        head = _places("status", status, HEAD, status, layout, 0)
        groups = [
            _places("status.channel", status.channel, CHANNEL, status, layout, number)
            for number in range(1, channels + 1)
        ]
        places = [place for group in (head, *groups) for each in group for place in each]
        self.reads = _reads(status, layout, channels, places)
        self.spread = status.spread
        self._image = image = Image(self.reads)
        layout.require_readable(places, image)
        try:
            self._head = _Group(HEAD, head, ABSENT_IN_HEAD, image)
            self._channels = [_Group(CHANNEL, group, ABSENT_IN_CHANNEL, image) for group in groups]
        except ValueError as problem:
            raise layout.refuse("status", str(problem), "Correct it.") from None
        self._counters = [
            start + 2 * (read.counter - read.address)
            for read, start in zip(self.reads, image.starts, strict=True)
            if read.counter is not None
        ]
        self._order: Callable[[bytes], tuple[int, ...]] | None = None
        if any(order is not WordOrder.ABCD and size > 2 for *_, size, order in self._swaps()):
            self._order = operator.itemgetter(*self._permutation())

    def decode(self, data: bytes, received_ns: int) -> Reading:
        """One reading.

        Args:
            data: The image: the answers to all requests.
            received_ns: When they had arrived, on the station's monotonic clock.
        """
        if self._order is not None:
            data = bytes(self._order(data))
        channels = tuple([ChannelReading._make(group.values(data)) for group in self._channels])
        return Reading._make((received_ns, *self._head.values(data), channels))

    def torn(self, data: bytes) -> int:
        """By how many samples the blocks of an image differ beyond what they may; 0 where they belong together."""
        counts = [int.from_bytes(data[at : at + 2], "big") for at in self._counters]
        if len(counts) < 2:
            return 0
        # The blocks are read in this order, so that each shows the first one's sample or a later one.
        most = max(count - counts[0] & 0xFFFF for count in counts)
        return most if most > self.spread else 0

    def _swaps(self) -> list[tuple[int, int, WordOrder]]:
        return [swap for group in (self._head, *self._channels) for swap in group.swaps]

    def _permutation(self) -> list[int]:
        places = list(range(self._image.size))
        for at, size, order in self._swaps():
            if size > 2:  # one register is big-endian in every order
                places[at : at + size] = [at + byte for byte in permutation(size, order)]
        return places


def _require_decided(
    path: str,
    table: Strict,
    said: frozenset[str],
    names: tuple[str, ...],
    absent: dict[str, object],
    layout: Layout,
) -> None:
    """Every quantity is either there, or said to be absent and of those that may be."""
    for name in sorted(said - set(absent)):
        raise layout.refuse(f"{path}.absent", f"{name!r} cannot be absent", f"It may hold: {', '.join(absent)}.")
    for name, items in zip(names, items_of(table, names), strict=True):
        if items and name in said:
            raise layout.refuse(f"{path}.{name}", "is there and said to be absent", "Decide.")
        if not items and name not in said:
            remedy = f"Add it, or name it in {path}.absent." if name in absent else "Add it."
            raise layout.refuse(f"{path}.{name}", "missing", remedy)


def _places(
    path: str, table: Strict, names: tuple[str, ...], status: Status, layout: Layout, number: int
) -> list[list[Place]]:
    """The places of one group, of a channel where ``number`` is not 0."""
    return [
        [_place(f"{path}.{name}", item, status, layout, number) for item in items]
        for name, items in zip(names, items_of(table, names), strict=True)
    ]


def _place(path: str, item: Any, status: Status, layout: Layout, number: int) -> Place:
    stride = item.stride or status.stride
    if number and stride is None:
        raise layout.refuse(path, "no stride from channel to channel", "Give status.stride.")
    shift = (number - 1) * (stride or 0) if number else 0
    if item.offset is not None and (status.address is None or status.head is None):
        raise layout.refuse(path, "an offset without a block", "Give status.address and status.head, or an address.")
    base = (status.address or 0) + ((status.head or 0) if number else 0)
    return layout.place(path, item, base=base, table=status.table, shift=shift)


def _reads(status: Status, layout: Layout, channels: int, places: list[Place]) -> tuple[Read, ...]:
    if status.address is not None and status.head is not None and status.stride is not None and status.table:
        if status.blocks:
            raise layout.refuse("status.blocks", "both a block with offsets and a list of blocks", "Give one.")
        count = status.head + status.stride * channels
        reads = (Read(Space(status.table), status.address, count),)
        if count > layout.longest(reads[0].space):
            longest = layout.longest(reads[0].space)
            raise layout.refuse(
                "status", f"{count} registers for {channels} channels; one request reads {longest}", "Shorten it."
            )
        layout.check(reads, "status")
        return reads
    if not status.blocks:
        return _bracketed(layout.planned(places), places)
    listed: list[Read] = []
    for index, block in enumerate(status.blocks):
        table = block.table or status.table
        if table is None:
            raise layout.refuse(f"status.blocks[{index}]", "no table", "Say input, holding, coil or discrete.")
        counter = block.counter
        if counter is not None and layout.head.addresses != "wire":
            counter = counter - int(layout.number(Space(table), block.address)) + block.address
        if counter is not None and not block.address <= counter < block.address + block.count:
            raise layout.refuse(f"status.blocks[{index}].counter", "lies outside its block", "Correct it.")
        for number in range(channels if block.stride else 1):
            shift = number * (block.stride or 0)
            moved = None if counter is None else counter + shift
            listed.append(Read(Space(table), block.address + shift, block.count, moved))
    layout.check(tuple(listed), "status.blocks")
    return _bracketed(tuple(listed), places)


def _bracketed(reads: tuple[Read, ...], places: list[Place]) -> tuple[Read, ...]:
    """Where not every block has its own copy of the sample counter, the block that has it is read first and last."""
    if len(reads) == 1 or all(read.counter is not None for read in reads):
        return reads
    counter = next(place for place in places if place.path == "status.sample_counter")
    holds = next(
        read
        for read in reads
        if read.space is counter.space and read.address <= counter.address < read.address + read.length
    )
    low = counter.end - 1 if counter.order in {WordOrder.ABCD, WordOrder.BADC} else counter.address
    first = holds._replace(counter=low)
    return (
        first,
        *(read._replace(counter=None) for read in reads if read is not holds),
        Read(holds.space, low, 1, low),
    )


def _at(image: Image, place: Place) -> int:
    at = image.offset(place.space, place.address, place.end)
    if at is None:
        raise ValueError(f"{place.path}: in no block")
    return at


def _unwrapped(bits: int, value: Callable[[Any], Any]) -> Callable[[Any], int]:
    """A counter that wraps early goes on counting: each number is the nearest one not below the one before it."""
    last: list[int] = []

    def count(raw: int) -> int:
        going = last[0] + (raw - last[0] & (1 << bits) - 1) if last else raw
        last[:] = [going]
        return int(value(going)) % _WRAP

    return count
