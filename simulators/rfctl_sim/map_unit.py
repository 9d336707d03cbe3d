"""A Modbus unit that is served from tables: what each register of a manual shows, and what a write of it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from rfctl_sim.conventions import Reason, Refusal, Write
from rfctl_sim.requests import READ_COILS, READ_HOLDING

if TYPE_CHECKING:
    from rfctl_sim.channel import Channel, Measurement
    from rfctl_sim.control import ChannelControl, Control
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.generator import Generator

BITS = {"coil": 1, "u16": 16, "i16": 16, "u32": 32, "i32": 32}

Value = float | str


class View(NamedTuple):
    """What a row can show, at one instant.

    Attributes:
        generator: The machine.
        now_ns: The instant.
        connection: Who asks.
        wrong: It is to give itself out for another machine.
        channels: The views of channels that a row of this request has asked for.
    """

    generator: Generator
    now_ns: int
    connection: int
    wrong: bool
    channels: dict[int, ChannelView]

    @property
    def control(self) -> Control:
        """What the firmware remembers."""
        return self.generator.firmware.control

    @property
    def sample(self) -> int:
        """Number of the newest measurement."""
        return self.generator.firmware.sample_counter(self.now_ns)

    @property
    def uptime_ns(self) -> int:
        """Since power-up."""
        return self.generator.firmware.own_ns(self.now_ns) - self.generator.booted_ns


class ChannelView(NamedTuple):
    """What a row of a channel can show.

    Attributes:
        whole: Of the generator.
        channel: Its hardware.
        memory: What the firmware remembers of it.
        measured: Its newest measurement.
    """

    whole: View
    channel: Channel
    memory: ChannelControl
    measured: Measurement


Shown = Callable[[View], Value] | Callable[[ChannelView], Value]


@dataclass(frozen=True)
class Row:
    """One coil, register or pair of registers.

    Attributes:
        number: As in the manual.
        name: As in the manual.
        type: coil, u16, i16, u32, i32, or ``text N`` with N characters.
        unit: As in the manual: ``0.1 degC``, ``mA``; a number in front is what one count is worth.
        shows: Its value in that unit without the number, of the generator or, where ``channel`` says so, of a channel.
        rule: What writing does, by the rules of the make; empty where it cannot be written.
        channel: Number from 1; 0 for the whole generator.
        open: What stands for not-a-number.
        status: It changes by itself.
    """

    number: int
    name: str
    type: str
    unit: str
    shows: Shown
    rule: str = ""
    channel: int = 0
    open: int = 0
    status: bool = False

    @cached_property
    def words(self) -> int:
        """Registers (or coils) that it takes."""
        return (int(self.type.removeprefix("text ")) + 1) // 2 if self.type.startswith("text") else self._words

    @property
    def _words(self) -> int:
        return max(1, BITS[self.type] // 16)

    @cached_property
    def _ratio(self) -> tuple[int, int]:
        """What one count is worth, as a fraction, so that no binary rounding creeps in."""
        number = self.unit.partition(" ")[0]
        return Fraction(number).as_integer_ratio() if number[:1].isdigit() else (1, 1)

    def packed(self, value: Value, *, low_word_first: bool, pad: bytes) -> bytes:
        """The value as it is on the wire."""
        if isinstance(value, str):
            return value.encode("ascii").ljust(2 * self.words, pad)[: 2 * self.words]
        if value != value:
            raw = self.open
        else:
            numerator, denominator = self._ratio
            raw = round(value * denominator / numerator)
        data = (raw & (1 << 16 * self.words) - 1).to_bytes(2 * self.words, "big")
        return data[2:] + data[:2] if low_word_first and self.words == 2 else data

    def value(self, words: Sequence[int], *, low_word_first: bool) -> float:
        """The value that written registers stand for."""
        raw = 0
        for word in reversed(words) if low_word_first else words:
            raw = raw << 16 | word
        bits = BITS[self.type]
        if self.type.startswith("i") and raw >> (bits - 1):
            raw -= 1 << bits
        numerator, denominator = self._ratio
        return raw * numerator / denominator


@dataclass(frozen=True)
class Map:
    """What a manual says of its registers as a whole.

    Attributes:
        functions: Those it knows.
        most_read: Registers or coils in one request.
        most_written: The same of a write.
        low_word_first: Order of two registers that hold one number.
        halves: Half of a value may be read.
        pad: What fills up a text.
        address: The address on the wire of a number in the manual.
        rows: Every row of a machine with so many channels, by the function that reads it.
    """

    functions: frozenset[int]
    most_read: int
    most_written: int
    low_word_first: bool
    halves: bool
    pad: bytes
    address: Callable[[int], int]
    rows: Callable[[int], dict[int, list[Row]]]


class _Table:
    """The rows of one kind of register, by address."""

    def __init__(self, rows: Iterable[Row], address: Callable[[int], int]) -> None:
        self.start = {address(row.number): row for row in rows}
        self.at = {start + word: (row, word) for start, row in self.start.items() for word in range(row.words)}

    def whole(self, address: int, count: int) -> list[Row] | None:
        """The rows of a request that hits whole rows without a gap."""
        rows, end = [], address + count
        while address < end:
            row = self.start.get(address)
            if row is None:
                return None
            rows.append(row)
            address += row.words
        return rows if address == end else None


class MapUnit:
    """Implements rfctl_sim.requests.Unit."""

    def __init__(self, generator: Generator, effects: WireEffects, map_: Map) -> None:
        self.effects = effects
        self.functions = map_.functions
        self.most_read, self.most_written = map_.most_read, map_.most_written
        self._generator = generator
        self._map = map_
        self._tables = {
            function: _Table(rows, map_.address) for function, rows in map_.rows(len(generator.channels)).items()
        }
        self._frozen: tuple[int, dict[Row, bytes]] = (-1, {})

    def read(self, now_ns: int, function: int, address: int, count: int, connection: int) -> bytes:
        self._generator.advance_to(now_ns)
        table = self._tables[function]
        end = address + count
        if not all(at in table.at for at in range(address, end)):
            self.refuse(Reason.NO_SUCH_ADDRESS)
        if not self._map.halves and table.whole(address, count) is None:
            self.refuse(Reason.NO_SUCH_ADDRESS)
        view = View(self._generator, now_ns, connection, self.effects.wrong_map_id, {})
        if function == READ_COILS:
            bits = sum(bool(_shown(table.start[at], view)) << (at - address) for at in range(address, end))
            return bits.to_bytes((count + 7) // 8, "little")
        _, skipped = table.at[address]
        data = b""
        at = address - skipped
        while at < end:
            row = table.start[at]
            data += self._bytes(row, view)
            at += row.words
        return data[2 * skipped : 2 * (skipped + count)]

    def write(self, now_ns: int, address: int, words: Sequence[int], connection: int) -> None:
        self._generator.advance_to(now_ns)
        firmware = self._generator.firmware
        table = self._tables[READ_HOLDING]
        first = table.start.get(address)
        if first is not None and first.rule and first.words < len(words):
            write = self._write_of(first, words[: first.words])
            if firmware.conventions.is_off(write.name, write.value):
                self._carry_out([first], [write], now_ns, connection)
        rows = table.whole(address, len(words))
        if rows is None or not all(row.rule for row in rows):
            self.refuse(Reason.NO_SUCH_ADDRESS)
        writes, at = [], 0
        for row in rows:
            writes.append(self._write_of(row, words[at : at + row.words]))
            at += row.words
        self._carry_out(rows, writes, now_ns, connection)

    def write_coil(self, now_ns: int, address: int, *, on: bool, connection: int) -> None:
        self._generator.advance_to(now_ns)
        row = self._tables[READ_COILS].start.get(address)
        if row is None:
            self.refuse(Reason.NO_SUCH_ADDRESS)
        self._carry_out([row], [Write(row.rule, row.channel, float(on))], now_ns, connection)

    def refuse(self, reason: Reason) -> NoReturn:
        self._generator.firmware.control.last_refusal = int(reason)
        raise Refusal(reason)

    def connection_lost(self, now_ns: int, connection: int) -> None:
        self._generator.advance_to(now_ns)
        self._generator.firmware.connection_lost(connection, now_ns)

    def _write_of(self, row: Row, words: Sequence[int]) -> Write:
        return Write(row.rule, row.channel, row.value(words, low_word_first=self._map.low_word_first))

    def _carry_out(self, rows: Iterable[Row], writes: Sequence[Write], now_ns: int, connection: int) -> None:
        if any(row.name == self.effects.refused_register for row in rows):
            self.refuse(Reason.FAULT_PRESENT)
        try:
            self._generator.firmware.write(writes, now_ns, connection)
        except Refusal as refusal:
            self.refuse(refusal.reason)

    def _bytes(self, row: Row, view: View) -> bytes:
        frozen_ns = self.effects.frozen_ns
        if frozen_ns is None or not row.status:
            return self._packed(row, view)
        if self._frozen[0] != frozen_ns:
            rows = [each for table in self._tables.values() for each in table.start.values() if each.status]
            self._frozen = (frozen_ns, {each: self._packed(each, view) for each in rows})
        return self._frozen[1][row]

    def _packed(self, row: Row, view: View) -> bytes:
        return row.packed(_shown(row, view), low_word_first=self._map.low_word_first, pad=self._map.pad)


def _shown(row: Row, view: View) -> Value:
    if not row.channel:
        return row.shows(view)  # type: ignore[arg-type]  # a row of the whole generator
    known = view.channels.get(row.channel)
    if known is None:
        channel = view.generator.channels[row.channel - 1]
        memory = view.control.channels[row.channel - 1]
        known = ChannelView(view, channel, memory, channel.measured_at(view.sample))
        view.channels[row.channel] = known
    return row.shows(known)  # type: ignore[arg-type]


def bits(*flags: bool) -> int:
    """A word of flags, the first one lowest."""
    return sum(flag << bit for bit, flag in enumerate(flags))
