"""The guard's own way from raw Modbus frames to a sample: a second implementation, from the profile and the page alone.

It is given every byte that crossed the station's line, in both directions, and finds requests and replies by itself.
What it cannot read it drops: a guard without samples lets go.
"""

from __future__ import annotations

import struct
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

from rfctl.errors import ConfigError
from rfctl.guard.items import Place, place_of
from rfctl.guard.sample import Sample, Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REGISTERS_OF = {3: 2, 4: 2}
"""Bytes of one register in a reply, by function; bits come eight in a byte."""
MOST_WAITING = 64
"""Requests whose replies may still come."""
LONGEST = 300
"""Bytes of a Modbus frame, and some."""
NAN = float("nan")


class Block(NamedTuple):
    """What one request asks for."""

    function: int
    address: int
    length: int


class _Plan(NamedTuple):
    """How one block is taken apart.

    Attributes:
        places: Slot, place and offset of each: in bytes, of a bit in bits.
        slots: Of them all.
        at_once: Unpacks every number of the block together; None where that cannot be.
        picked: Of those numbers: slot, which, and what it means.
    """

    places: list[tuple[int, Place, int]]
    slots: frozenset[int]
    at_once: struct.Struct | None
    picked: list[tuple[int, int, Callable[[Any], Any] | None]]


def _at_once(
    places: list[tuple[int, Place, int]], length: int
) -> tuple[struct.Struct | None, list[tuple[int, int, Callable[[Any], Any] | None]]]:
    """One struct for a whole block, where its numbers lie straight and none overlaps another."""
    form, end = ">", 0
    numbers: dict[tuple[int, str], int] = {}
    for _, place, at in sorted(places, key=lambda each: each[2]):
        if not place.form or place.straighten is not None:
            return None, []
        if (at, place.form) in numbers:
            continue
        if at < end:
            return None, []
        form += f"{at - end}x{place.form}"
        numbers[at, place.form] = len(numbers)
        end = at + 2 * place.registers
    picked = [(slot, numbers[at, place.form], place.meaning) for slot, place, at in places]
    return struct.Struct(f"{form}{length - end}x"), picked


class Decoder:
    """Reads one generator's frames.

    Raises:
        ConfigError: A profile that the guard cannot decode.
    """

    def __init__(self, profile: Path, channels: int, *, serial: bool) -> None:
        """Compile a profile.

        Args:
            profile: The file.
            channels: Of the generator.
            serial: The frames are those of a serial line (RTU), not of Modbus TCP.
        """
        self._unit, self._places = _places_of(profile, channels)
        self._serial = serial
        self._plans: dict[Block, _Plan] = {}
        self._values: list[Any] = [None] * len(self._places)
        self._all = frozenset(range(len(self._places)))
        self._missing = set(self._all)
        self._asked: dict[int, Block] = {}  # by transaction; 0 on a serial line
        self._received = b""

    def sent(self, data: bytes) -> None:
        """The station wrote this."""
        if self._serial:
            self._received = b""
            ours = len(data) == 8 and data[0] == self._unit and 1 <= data[1] <= 4
            self._asked = {0: _block(data[1:6])} if ours else {}
            return
        while len(data) >= 12:
            length = 6 + int.from_bytes(data[4:6], "big")
            if data[6] == self._unit and 1 <= data[7] <= 4:
                self._asked[int.from_bytes(data[:2], "big")] = _block(data[7:12])
            data = data[length:]
        while len(self._asked) > MOST_WAITING:
            del self._asked[next(iter(self._asked))]

    def received(self, data: bytes) -> list[Sample]:
        """The generator wrote this. Returns the samples that are whole by it, mostly one or none."""
        self._received += data
        samples: list[Sample] = []
        while self._received and (found := self._cut_serial() if self._serial else self._cut()) is not None:
            block, body = found
            if block is not None and (sample := self._take(block, body)) is not None:
                samples.append(sample)
        return samples

    def _cut(self) -> tuple[Block | None, bytes] | None:
        """The next reply of Modbus TCP: which block, and its bytes."""
        received = self._received
        if len(received) < 9:
            return None
        length = 6 + int.from_bytes(received[4:6], "big")
        if received[2:4] != b"\0\0" or not 9 <= length <= LONGEST:
            self._received = b""  # out of step: what follows a new request is read again
            return None
        if len(received) < length:
            return None
        self._received = received[length:]
        asked = self._asked.pop(int.from_bytes(received[:2], "big"), None)
        if asked is None or received[6] != self._unit:
            return None, b""
        return _answered(asked, received[7:length])

    def _cut_serial(self) -> tuple[Block | None, bytes] | None:
        """The one reply that is waited for, wherever it begins."""
        received = self._received
        if 0 not in self._asked:
            return None
        block = self._asked[0]
        length = 5 + _bytes_of(block)
        for at in range(len(received) - length + 1):
            frame = received[at : at + length]
            if frame[0] == self._unit and frame[1] == block.function and not crc(frame):
                self._asked = {}
                self._received = b""
                return _answered(block, frame[1:-2])
        if len(received) > 2 * LONGEST:
            self._received = received[-LONGEST:]
        return None

    def _take(self, block: Block, body: bytes) -> Sample | None:
        plan = self._plans.get(block)
        if plan is None:
            plan = self._plans[block] = self._plan(block)
        values = self._values
        if plan.at_once is not None:
            numbers = plan.at_once.unpack(body)
            for slot, at, meaning in plan.picked:
                values[slot] = numbers[at] if meaning is None else meaning(numbers[at])
        else:
            for slot, place, at in plan.places:
                data = _one_bit(body, at) if place.function <= 2 else body[at : at + 2 * place.registers]
                values[slot] = place.value(data)
        if plan.slots != self._all:
            self._missing -= plan.slots
            if self._missing:
                return None
        self._missing = set(self._all)
        return Sample(int(values[0]), tuple([_seen(*values[at : at + WIDTH]) for at in range(1, len(values), WIDTH)]))

    def _plan(self, block: Block) -> _Plan:
        """How the places that a reply holds are taken out of it."""
        unit = REGISTERS_OF.get(block.function, 1)
        places = [
            (slot, place, (place.address - block.address) * unit)
            for slot, place in enumerate(self._places)
            if place.function == block.function
            and block.address <= place.address
            and place.address + place.registers <= block.address + block.length
        ]
        slots = frozenset(slot for slot, _, _ in places)
        return _Plan(places, slots, *_at_once(places, 2 * block.length))


FIELDS = ("temperature_c", "rf_on", "rf_band_current_ma_rms", "power_w", "stimulating")
"""Of a channel, in the order of Seen."""
WIDTH = len(FIELDS)
MAY_BE_ABSENT = frozenset({"rf_band_current_ma_rms", "stimulating"})


def require_decodable(path: Path) -> None:
    """A guard can follow a generator of this profile.

    Raises:
        ConfigError: It cannot.
    """
    _places_of(path, 1)


def _places_of(path: Path, channels: int) -> tuple[int, list[Place]]:
    """The unit; the sample counter, then the fields of each channel."""
    try:
        profile = tomllib.loads(path.read_text("utf-8"))
        status, head = profile["status"], profile["profile"]
        most, unit, counter = head["channels"], head["unit"], status["sample_counter"]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(
            f"the guard finds no register map of a status there: {problem}",
            where=str(path),
            remedy="It decodes Modbus by the profile. A generator whose driver knows the map itself has no guard yet.",
        ) from None
    if not 1 <= channels <= most:
        raise ConfigError(f"{channels} channels, of 1 to {most}", where=str(path))
    common = {"numbering": head.get("addresses", "wire"), "word_order": head["word_order"]}
    table, base = status.get("table"), status.get("address")
    places = [place_of(counter, **common, table=table, base=base, shift=0, where=f"{path}: status.sample_counter")]
    for number in range(channels):
        for name in FIELDS:
            where = f"{path}: status.channel.{name}"
            item = status["channel"].get(name)
            if item is None and name in MAY_BE_ABSENT:
                places.append(places[0]._replace(meaning=_absent(name)))
                continue
            if item is None:
                raise ConfigError("missing", where=where, remedy="The guard cannot do without it.")
            stride = item.get("stride", status.get("stride"))
            if number and stride is None:
                raise ConfigError("no stride from channel to channel", where=where, remedy="Give status.stride.")
            start = None if base is None else base + status.get("head", 0)
            places.append(place_of(item, **common, table=table, base=start, shift=number * (stride or 0), where=where))
    return unit, places


def _seen(temperature_c: float, rf_on: Any, band_ma: float, power_w: float, stimulating: Any) -> Seen:
    return Seen(temperature_c, bool(rf_on), band_ma, power_w, bool(stimulating))


def _absent(name: str) -> Any:
    value = NAN if name == "rf_band_current_ma_rms" else False
    return lambda _: value


def _block(pdu: bytes) -> Block:
    return Block(pdu[0], int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big"))


def _bytes_of(block: Block) -> int:
    return 2 * block.length if block.function in REGISTERS_OF else (block.length + 7) // 8


def _answered(block: Block, pdu: bytes) -> tuple[Block | None, bytes]:
    """A reply that is not the answer to its request holds nothing."""
    length = _bytes_of(block)
    if len(pdu) != 2 + length or pdu[0] != block.function or pdu[1] != length:
        return None, b""
    return block, pdu[2:]


def _one_bit(body: bytes, at: int) -> bytes:
    return bytes((body[at // 8] >> at % 8 & 1,))


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_CRC = _crc_table()


def crc(frame: bytes) -> int:
    """CRC-16 of Modbus; 0 of a frame with its own behind it."""
    total = 0xFFFF
    for octet in frame:
        total = total >> 8 ^ _CRC[(total ^ octet) & 0xFF]
    return total
