"""Coils and registers of the simulated Kestrel-2, written from docs/generators/kestrel-2.md and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl_sim.control import ChannelFault, GeneratorFault, Lease, Mode, Phase
from rfctl_sim.firmware import SAMPLE_NS
from rfctl_sim.kestrel_rules import MODES, RATED_POWER_W, Remote
from rfctl_sim.map_unit import ChannelView, Map, MapUnit, Row, View, bits
from rfctl_sim.requests import READ_COILS, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_MULTIPLE, WRITE_SINGLE

if TYPE_CHECKING:
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.generator import Generator
    from rfctl_sim.kestrel_rules import KestrelChannel, KestrelControl

MODEL_CODE, ANOTHER_MODEL_CODE = 0x4B32, 0x4B33
SIMULATOR, SIMULATOR_OFF_TIME = 2, 3
COLD_JUNCTION_C = 25.0
OPEN_TEMPERATURE = -0x8000
OPEN_IMPEDANCE = 0xFFFF
U16 = 0xFFFF
U32 = 0xFFFFFFFF

FAULTS = (
    ChannelFault.THERMOCOUPLE_OPEN,
    ChannelFault.OVER_TEMPERATURE,
    ChannelFault.IMPEDANCE_LOW,
    ChannelFault.IMPEDANCE_HIGH,
    ChannelFault.LESION_TIMER,
    ChannelFault.OVERPOWER,
    ChannelFault.UNCOMMANDED_RF,
)
"""By their bits in the manual."""


def _control(view: View) -> KestrelControl:
    return cast("KestrelControl", view.control)


def _status(view: View) -> int:
    control = _control(view)
    granted = control.remote is Remote.GRANTED
    return bits(
        granted,
        granted and control.owner_connection == view.connection,
        control.remote is Remote.REQUESTED,
        control.panel_locked,
        control.lease is Lease.RUNNING,
    )


def _watchdog_left(view: View) -> int:
    return view.control.lease_left_ms(view.now_ns)


def _channel_state(view: ChannelView) -> int:
    stage, phase = view.channel.stage, view.memory.phase
    unlocked = cast("KestrelChannel", view.memory).unlocked
    connected, intact = True, view.measured.temperature_c == view.measured.temperature_c
    return bits(stage.rf_on, stage.stimulating, phase is Phase.RF_ON, phase is Phase.ARMED, unlocked, connected, intact)


SYSTEM_FAULTS = (GeneratorFault.LEASE_EXPIRED, GeneratorFault.SELF_TEST, GeneratorFault.EMERGENCY_STOP)


def _faults(view: ChannelView) -> int:
    return U16 & ~bits(*(bool(view.memory.fault_bits & fault) for fault in FAULTS))


def _rf_time_s(view: ChannelView) -> float:
    since_ns = view.channel.stage.on_since_ns
    return 0.0 if since_ns is None else (view.whole.now_ns - since_ns) / NS_PER_S


IDENTITY = (
    Row(30001, "model_code", "u16", "", lambda v: ANOTHER_MODEL_CODE if v.wrong else MODEL_CODE),
    Row(30002, "manual_revision", "u16", "", lambda _: 0x0301),
    Row(30003, "check_value", "u32", "", lambda _: 0x01020304),
    Row(30005, "serial_number", "u32", "", lambda v: v.generator.seed),
    Row(30007, "software", "u16", "0.01", lambda _: 2.14),
    Row(30008, "unit_kind", "u16", "", lambda v: SIMULATOR if v.generator.time_scale == 1.0 else SIMULATOR_OFF_TIME),
    Row(30009, "channel_count", "u16", "", lambda v: len(v.generator.channels)),
    Row(30010, "rated_power", "u16", "0.01 W", lambda _: RATED_POWER_W),
    Row(30011, "answer_time", "u16", "ms", lambda _: 10),
    Row(30012, "sample_period", "u16", "ms", lambda _: SAMPLE_NS // NS_PER_MS),
    Row(30013, "temperature_step", "u16", "0.1 degC", lambda _: 0.1),
    Row(30014, "model_name", "text 6", "", lambda _: "KES-2"),
)
STATUS = (
    Row(30101, "sample_count", "u16", "", lambda v: v.sample & U16, status=True),
    Row(30102, "uptime", "u32", "s", lambda v: v.uptime_ns // NS_PER_S & U32, status=True),
    Row(30104, "status", "u16", "", _status, status=True),
    Row(
        30105,
        "system_faults",
        "u16",
        "",
        lambda v: U16 & ~bits(*(bool(v.control.fault_bits & fault) for fault in SYSTEM_FAULTS)),
        status=True,
    ),
    Row(30106, "watchdog_left", "u16", "ms", _watchdog_left, status=True),
)


def _channel_status(number: int) -> list[Row]:
    first = 30101 + 100 * number
    rows = (
        ("sample_count", "u16", "", lambda v: v.measured.sample & U16),
        ("tip_temperature", "i16", "0.1 degC", lambda v: v.measured.temperature_c),
        ("impedance", "u16", "ohm", lambda v: v.measured.impedance_ohm),
        ("rf_power", "u16", "0.01 W", lambda v: v.measured.power_w),
        ("rf_voltage", "u16", "0.1 V", lambda v: v.measured.voltage_v_rms),
        ("rf_current", "u16", "mA", lambda v: v.measured.current_ma_rms),
        ("monitor_current", "u16", "mA", lambda v: v.measured.current_ma_rms),
        ("channel_state", "u16", "", _channel_state),
        ("channel_faults", "u16", "", _faults),
        ("mode", "u16", "", lambda v: MODES.index(v.memory.mode)),
        ("stimulation_output", "u16", "0.01", lambda v: v.channel.stage.stimulation_amplitude),
        ("stimulation_width", "u16", "10 us", lambda v: v.memory.stimulation_width_us or 0),
        ("stimulation_rate", "u16", "Hz", lambda v: (v.memory.stimulation_rate_dhz or 0) / 10),
        ("rf_time", "u16", "0.1 s", _rf_time_s),
        ("challenge", "u16", "", lambda v: v.memory.arm_token),
        ("cold_junction", "i16", "0.1 degC", lambda _: COLD_JUNCTION_C),
    )
    unreadable = {"tip_temperature": OPEN_TEMPERATURE, "impedance": OPEN_IMPEDANCE}
    return [
        Row(first + offset, name, type_, unit, shows, channel=number, open=unreadable.get(name, 0), status=True)
        for offset, (name, type_, unit, shows) in enumerate(rows)
    ]


def _coils(channels: int) -> list[Row]:
    def commanded(phase: Phase) -> Callable[[ChannelView], bool]:
        return lambda v: v.memory.phase is phase

    return [
        Row(1, "all_off", "coil", "", lambda _: 0, "all_off"),
        Row(2, "remote_request", "coil", "", lambda v: _control(v).remote is not Remote.LOCAL, "remote_request"),
        *(
            Row(2 + n, f"rf_enable_{n}", "coil", "", commanded(Phase.RF_ON), "rf_enable", n)
            for n in range(1, channels + 1)
        ),
        *(
            Row(4 + n, f"stimulation_enable_{n}", "coil", "", commanded(Phase.STIMULATING), "stimulation_enable", n)
            for n in range(1, channels + 1)
        ),
        Row(7, "fault_reset", "coil", "", lambda _: 0, "fault_reset"),
    ]


def _control_rows(number: int) -> list[Row]:
    first = 40001 + 100 * number

    def stimulation(mode: Mode, name: str) -> Callable[[ChannelView], float]:
        return lambda v: (getattr(v.memory, name) or 0.0) if v.memory.mode is mode else 0.0

    volts, milliamps = Mode.STIMULATION_VOLTAGE, Mode.STIMULATION_CURRENT
    rows = (
        ("mode", "", lambda v: MODES.index(v.memory.mode)),
        ("set_temperature", "0.1 degC", lambda v: v.memory.set_temperature_c or 0.0),
        ("ramp", "0.1 degC/s", lambda v: v.memory.ramp_c_per_s or 0.0),
        ("time_limit", "0.1 s", lambda v: v.memory.max_on_s or 0.0),
        ("power_limit", "0.01 W", lambda v: v.memory.power_limit_w or 0.0),
        ("arm", "", lambda v: v.memory.phase is Phase.ARMED),
        ("response", "", lambda _: 0),
        ("stimulation_rate", "Hz", lambda v: (v.memory.stimulation_rate_dhz or 0) / 10),
        ("stimulation_width", "10 us", lambda v: v.memory.stimulation_width_us or 0),
        ("volts_limit", "0.01 V", stimulation(volts, "stimulation_limit")),
        ("volts", "0.01 V", stimulation(volts, "stimulation_amplitude")),
        ("milliamps_limit", "0.01 mA", stimulation(milliamps, "stimulation_limit")),
        ("milliamps", "0.01 mA", stimulation(milliamps, "stimulation_amplitude")),
    )
    return [
        Row(first + offset, name, "u16", unit, shows, name, number) for offset, (name, unit, shows) in enumerate(rows)
    ]


def _rows(channels: int) -> dict[int, list[Row]]:
    numbers = range(1, channels + 1)
    watchdog = Row(40001, "watchdog", "u16", "", lambda v: _control(v).watchdog, "watchdog")
    return {
        READ_COILS: _coils(channels),
        READ_INPUT: [*IDENTITY, *STATUS, *(row for number in numbers for row in _channel_status(number))],
        READ_HOLDING: [watchdog, *(row for number in numbers for row in _control_rows(number))],
    }


MAP = Map(
    functions=frozenset({READ_COILS, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_SINGLE, WRITE_MULTIPLE}),
    most_read=16,
    most_written=16,
    low_word_first=True,
    halves=True,
    pad=b"\0",
    address=lambda number: number % 10000 - 1,
    rows=_rows,
)
WRITABLE = tuple(dict.fromkeys(row.name for rows in _rows(2).values() for row in rows if row.rule))


def unit(generator: Generator, effects: WireEffects) -> MapUnit:
    """The Kestrel-2 that a generator is."""
    return MapUnit(generator, effects, MAP)
