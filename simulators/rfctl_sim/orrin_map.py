"""The registers of the simulated Orrin V, written from docs/generators/orrin-v.md and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl_sim.control import ChannelFault, GeneratorFault, Lease, Phase
from rfctl_sim.conventions import Reason
from rfctl_sim.firmware import SAMPLE_NS
from rfctl_sim.map_unit import ChannelView, Map, MapUnit, Row, View, bits
from rfctl_sim.orrin_rules import RATED_POWER_W
from rfctl_sim.requests import READ_HOLDING, WRITE_MULTIPLE, WRITE_SINGLE
from rfctl_sim.thermocouple import NOISE_K, RESOLUTION_K

if TYPE_CHECKING:
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.generator import Generator
    from rfctl_sim.orrin_rules import OrrinChannel

TYPE_CODE, ANOTHER_TYPE_CODE = 0x4F525256, 0x4F525258
SIMULATOR, SIMULATOR_OFF_TIME = 0x0051, 0x0052
INVALID = -99999
U16 = 0xFFFF

# Lowering by the power limit is told from rounding by this much.
LIMITING = 1.001

LAST_ERRORS = {
    0: 0,
    Reason.NO_SUCH_ADDRESS: 1,
    Reason.OUT_OF_RANGE: 2,
    Reason.NOT_THE_OWNER: 3,
    Reason.NO_LEASE: 4,
    Reason.FAULT_PRESENT: 5,
    Reason.OUTPUT_IS_ON: 6,
    Reason.NOT_ARMED: 7,
    Reason.NOT_IN_THIS_MODE: 7,
    Reason.SET_POINTS_INCOMPLETE: 8,
}
FAULTS = (
    ChannelFault.OVER_TEMPERATURE,
    ChannelFault.THERMOCOUPLE_OPEN,
    ChannelFault.IMPEDANCE_LOW | ChannelFault.IMPEDANCE_HIGH,
    ChannelFault.OVERPOWER,
    ChannelFault.LESION_TIMER,
    ChannelFault.UNCOMMANDED_RF,
)
"""By their bits in the manual, from bit 1 on."""


def _orrin(view: ChannelView) -> OrrinChannel:
    return cast("OrrinChannel", view.memory)


def _state(view: ChannelView) -> int:
    stage, memory, control = view.channel.stage, view.memory, view.whole.control
    leased, connected = control.lease is Lease.RUNNING, True
    open_ = view.measured.temperature_c != view.measured.temperature_c
    wanted_w = memory.voltage_set_point_v_rms**2 / stage.load_ohm()
    limiting = stage.rf_on and wanted_w > LIMITING * (memory.power_limit_w or 0.0)
    return bits(
        _orrin(view).enabled,
        memory.phase is Phase.RF_ON,
        stage.rf_on,
        stage.stimulating,
        memory.phase is Phase.ARMED,
        leased,
        leased and control.owner_connection == view.whole.connection,
        limiting,
        connected,
        open_,
    )


def _faults(view: ChannelView) -> int:
    lease_ended = bool(view.whole.control.fault_bits & GeneratorFault.LEASE_EXPIRED)
    return bits(lease_ended, *(bool(view.memory.fault_bits & fault) for fault in FAULTS))


def _lease_left(view: View) -> int:
    return view.control.lease_left_ms(view.now_ns)


def _rf_time_s(view: ChannelView) -> float:
    since_ns = view.channel.stage.on_since_ns
    return 0.0 if since_ns is None else (view.whole.now_ns - since_ns) / NS_PER_S


ROWS = (
    Row(0x0000, "type_code", "u32", "", lambda v: ANOTHER_TYPE_CODE if v.wrong else TYPE_CODE),
    Row(0x0002, "interface", "u16", "", lambda _: 0x0200),
    Row(0x0003, "kind", "u16", "", lambda v: SIMULATOR if v.generator.time_scale == 1.0 else SIMULATOR_OFF_TIME),
    Row(0x0004, "check", "i32", "", lambda _: -123456789),
    Row(0x0006, "model", "text 8", "", lambda _: "ORRIN V"),
    Row(0x000A, "serial", "text 12", "", lambda v: v.generator.serial),
    Row(0x0010, "firmware", "text 8", "", lambda _: "1.7"),
    Row(0x0014, "rated_power", "i32", "0.001 W", lambda _: RATED_POWER_W),
    Row(0x0016, "answer_ms", "u16", "ms", lambda _: 10),
    Row(0x0017, "sample_ms", "u16", "ms", lambda _: SAMPLE_NS // NS_PER_MS),
    Row(0x0018, "temperature_step", "i32", "0.001 K", lambda _: RESOLUTION_K),
    Row(0x001A, "temperature_noise", "i32", "0.001 K", lambda _: NOISE_K),
    Row(0x001C, "last_error", "u16", "", lambda v: LAST_ERRORS[v.control.last_refusal]),
    Row(0x0100, "samples", "u16", "", lambda v: v.sample & U16, status=True),
    Row(0x0101, "uptime", "u16", "ms", lambda v: v.uptime_ns // NS_PER_MS & U16, status=True),
    Row(0x0102, "state", "u16", "", _state, channel=1, status=True),
    Row(0x0103, "faults", "u16", "", _faults, channel=1, status=True),
    Row(
        0x0104,
        "temperature",
        "i32",
        "0.001 degC",
        lambda v: v.measured.temperature_c,
        channel=1,
        open=INVALID,
        status=True,
    ),
    Row(
        0x0106,
        "impedance",
        "i32",
        "0.001 Ohm",
        lambda v: v.measured.impedance_ohm,
        channel=1,
        open=INVALID,
        status=True,
    ),
    Row(0x0108, "voltage", "i32", "0.001 V", lambda v: v.measured.voltage_v_rms, channel=1, status=True),
    Row(0x010A, "current", "i32", "0.001 mA", lambda v: v.measured.current_ma_rms, channel=1, status=True),
    Row(0x010C, "power", "i32", "0.001 W", lambda v: v.measured.power_w, channel=1, status=True),
    Row(
        0x010E,
        "stimulation",
        "i32",
        "0.001 V",
        lambda v: v.channel.stage.stimulation_amplitude,
        channel=1,
        status=True,
    ),
    Row(0x0110, "lease_left", "u16", "ms", _lease_left, status=True),
    Row(0x0111, "rf_time", "u16", "0.1 s", _rf_time_s, channel=1, status=True),
    Row(
        0x0112,
        "voltage_in_force",
        "u16",
        "0.1 V",
        lambda v: v.memory.voltage_set_point_v_rms,
        channel=1,
        status=True,
    ),
    Row(0x0113, "limit_in_force", "i32", "0.001 W", lambda v: v.memory.power_limit_w or 0.0, channel=1, status=True),
    Row(0x0200, "control", "u16", "", lambda v: _orrin(v).word, "control", 1),
    Row(0x0201, "lease", "u16", "", lambda _: 0, "lease"),
    Row(0x0202, "access", "u16", "", lambda _: 0, "access", 1),
    Row(0x0203, "set_voltage", "u16", "0.1 V", lambda v: v.memory.voltage_set_point_v_rms, "set_voltage", 1),
    Row(0x0204, "power_limit", "i32", "0.001 W", lambda v: v.memory.power_limit_w or 0.0, "power_limit", 1),
    Row(0x0206, "time_limit", "u16", "0.1 s", lambda v: v.memory.max_on_s or 0.0, "time_limit", 1),
    Row(0x0207, "stimulation_width", "u16", "us", lambda v: v.memory.stimulation_width_us or 0, "stimulation_width", 1),
    Row(
        0x0208,
        "stimulation_rate",
        "i32",
        "0.001 Hz",
        lambda v: (v.memory.stimulation_rate_dhz or 0) / 10,
        "stimulation_rate",
        1,
    ),
    Row(
        0x020A,
        "stimulation_limit",
        "i32",
        "0.001 V",
        lambda v: v.memory.stimulation_limit or 0.0,
        "stimulation_limit",
        1,
    ),
    Row(
        0x020C,
        "stimulation_amplitude",
        "i32",
        "0.001 V",
        lambda v: v.memory.stimulation_amplitude,
        "stimulation_amplitude",
        1,
    ),
)

MAP = Map(
    functions=frozenset({READ_HOLDING, WRITE_SINGLE, WRITE_MULTIPLE}),
    most_read=64,
    most_written=64,
    low_word_first=False,
    halves=False,
    pad=b" ",
    address=lambda number: number,
    rows=lambda _: {READ_HOLDING: list(ROWS)},
)
WRITABLE = tuple(row.name for row in ROWS if row.rule)


def unit(generator: Generator, effects: WireEffects) -> MapUnit:
    """The Orrin V that a generator is."""
    return MapUnit(generator, effects, MAP)
