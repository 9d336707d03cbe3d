"""The reference map as tables: address, name and type of every register, and how blocks of them go on the wire.

Written from docs/protocols/modbus.md and from nothing else: the client's copy of the map is another one, so that a
mistake in either shows.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WORDS = {"u16": 1, "u32": 2, "f32": 2, "text 16": 8, "text 8": 4}
CODES = {"u16": "H", "u32": "I", "f32": "f", "text 16": "16s", "text 8": "8s"}

Value = int | float | bytes


@dataclass(frozen=True, slots=True)
class Register:
    """One value of the map.

    Attributes:
        offset: Address on the wire, or offset in its channel's block.
        name: As on the page.
        type: u16, u32, f32 or text.
    """

    offset: int
    name: str
    type: str

    @property
    def words(self) -> int:
        """Registers it takes."""
        return WORDS[self.type]


def _table(start: int, *rows: str) -> tuple[Register, ...]:
    """Rows ``"name: type"`` that follow each other without a gap."""
    registers = []
    for row in rows:
        name, type_ = row.split(": ")
        registers.append(Register(start, name, type_))
        start += WORDS[type_]
    return tuple(registers)


IDENTITY = _table(
    0,
    "map_id: u32",
    "map_version: u16",
    "backend: u16",
    "probe_u32: u32",
    "probe_f32: f32",
    "model: text 16",
    "serial: text 16",
    "firmware: text 8",
    "channels: u16",
    "rated_power_w: f32",
    "reply_ms: u16",
    "sample_period_ms: u16",
    "lease_default_ms: u16",
    "pad_monitor: u16",
    "output_multiplexed: u16",
    "capabilities: u32",
    "last_refusal: u16",
    "time_scale: u16",
)
TRAITS = _table(0, "temperature_resolution_k: f32", "temperature_noise_k: f32", "electrode_id: u32")
TRAITS_ADDRESS, TRAITS_STRIDE = 40, 6

STATUS = _table(
    64,
    "uptime_ms: u32",
    "sample_counter: u32",
    "owner: u16",
    "lease_remaining_ms: u16",
    "fault_bits: u32",
    "rf_actual: u16",
    "rf_commanded: u16",
    "stimulation_actual: u16",
    "pad_status: u16",
    "pad_ohm: f32",
    "armed: u16",
    "inputs: u16",
)
STATUS_ADDRESS = 64
CHANNEL_STATUS = _table(
    0,
    "temperature_c: f32",
    "cold_junction_c: f32",
    "voltage_v_rms: f32",
    "current_ma_rms: f32",
    "rf_band_current_ma_rms: f32",
    "power_w: f32",
    "impedance_ohm: f32",
    "flags: u16",
    "mode: u16",
    "stimulation_width_us: u16",
    "stimulation_rate_dhz: u16",
    "stimulation_amplitude: f32",
    "fault_bits: u16",
    "rf_on_ms: u32",
    "arm_token: u16",
    "electrode_id: u32",
    "set_point: u16",
)
CHANNEL_STATUS_ADDRESS, CHANNEL_STATUS_STRIDE = 80, 27

SERVICE = _table(
    240,
    "self_test: u16",
    "restart_cause: u16",
    "power_ups: u16",
    "boot_ms: u16",
    "calibration_date: u32",
    "calibration_due: u32",
)
SERVICE_ADDRESS = 240
MODE_STATUS = _table(
    0,
    "pulse_count: u32",
    "pulse_voltage_v_peak: f32",
    "pulse_current_ma_peak: f32",
    "pulse_power_w: f32",
    "pulse_temperature_max_c: f32",
    "mean_temperature_c: f32",
    "pulse_width_us: u16",
    "pulse_period_ms: u16",
    "pump_flow_ml_min: f32",
    "coolant_c: f32",
)
MODE_STATUS_ADDRESS, MODE_STATUS_STRIDE = 256, 20

CONTROL = _table(
    0, "all_off: u16", "owner: u16", "lease_ms: u16", "lease_renew: u16", "lease_clear: u16", "fault_clear: u16"
)
ALL_OFF_ADDRESS = 0
CHANNEL_CONTROL = _table(
    0,
    "command: u16",
    "fire: u16",
    "mode: u16",
    "set_temperature_c: f32",
    "ramp_c_per_s: f32",
    "max_on_s: f32",
    "power_limit_w: f32",
    "stimulation_rate_dhz: u16",
    "stimulation_width_us: u16",
    "stimulation_amplitude: f32",
    "stimulation_limit: f32",
    "voltage_set_point_v_rms: f32",
    "power_set_point_w: f32",
)
CHANNEL_CONTROL_ADDRESS, CHANNEL_CONTROL_STRIDE = 16, 24

MODE_CONTROL = _table(
    0, "pulse_width_us: u16", "pulse_rate_dhz: u16", "pulse_voltage_v_peak: f32", "pump_flow_ml_min: f32"
)
MODE_CONTROL_ADDRESS, MODE_CONTROL_STRIDE = 120, 8

CONTROL_NAMES = tuple(register.name for register in (*CONTROL, *CHANNEL_CONTROL, *MODE_CONTROL))


def packer(registers: Iterable[Register]) -> struct.Struct:
    """What turns the values of consecutive registers into bytes, high word first."""
    return struct.Struct(">" + "".join(CODES[register.type] for register in registers))


@dataclass(frozen=True, slots=True)
class Place:
    """A register of a generator with so many channels.

    Attributes:
        address: On the wire.
        register: Its row in the table.
        channel: Number from 1; 0 for the generator's own.
    """

    address: int
    register: Register
    channel: int

    @property
    def end(self) -> int:
        """Address of what follows."""
        return self.address + self.register.words


class Span:
    """Every address of one table of a generator, to say which requests hit whole values only."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = {place.address: place for place in places}
        # Where a run of values without a gap ends, by the address of each of its values.
        self._run_end: dict[int, int] = {}
        for address in sorted(self._places, reverse=True):
            end = self._places[address].end
            self._run_end[address] = self._run_end.get(end, end)

    def whole(self, address: int, count: int) -> bool:
        """The request begins and ends at values' bounds and leaves no gap."""
        end = address + count
        run_end = self._run_end.get(address, -1)
        return end <= run_end and (end == run_end or end in self._places)

    def values(self, address: int, count: int) -> Iterator[Place]:
        """The values of a request that is whole."""
        end = address + count
        while address < end:
            place = self._places[address]
            yield place
            address = place.end


def input_span(channels: int) -> Span:
    """The input registers of a generator with so many channels."""
    return Span(
        [
            *(Place(row.offset, row, 0) for row in (*IDENTITY, *STATUS, *SERVICE)),
            *_repeated(TRAITS, TRAITS_ADDRESS, TRAITS_STRIDE, channels),
            *_repeated(CHANNEL_STATUS, CHANNEL_STATUS_ADDRESS, CHANNEL_STATUS_STRIDE, channels),
            *_repeated(MODE_STATUS, MODE_STATUS_ADDRESS, MODE_STATUS_STRIDE, channels),
        ]
    )


def holding_span(channels: int) -> Span:
    """The holding registers of a generator with so many channels."""
    return Span(
        [
            *(Place(row.offset, row, 0) for row in CONTROL),
            *_repeated(CHANNEL_CONTROL, CHANNEL_CONTROL_ADDRESS, CHANNEL_CONTROL_STRIDE, channels),
            *_repeated(MODE_CONTROL, MODE_CONTROL_ADDRESS, MODE_CONTROL_STRIDE, channels),
        ]
    )


def _repeated(rows: tuple[Register, ...], address: int, stride: int, channels: int) -> Iterator[Place]:
    for index in range(channels):
        for row in rows:
            yield Place(address + index * stride + row.offset, row, index + 1)


def decode(register: Register, words: Sequence[int]) -> int | float:
    """The number in the registers of one written value."""
    if register.type == "f32":
        number: float = struct.unpack(">f", struct.pack(">HH", *words))[0]
        return number
    return words[0]
