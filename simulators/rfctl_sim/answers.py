"""What the generator answers when it is read: the values of the map's blocks, packed for the wire."""

from __future__ import annotations

from functools import lru_cache
from math import nan
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS
from rfctl_sim import registers
from rfctl_sim.control import LEASE_DEFAULT_MS, Mode, Phase
from rfctl_sim.firmware import SAMPLE_NS
from rfctl_sim.inputs import BOOT_MS
from rfctl_sim.thermocouple import NOISE_K, RESOLUTION_K
from rfctl_sim.writes import RATED_POWER_W

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rfctl_sim.channel import Channel
    from rfctl_sim.control import ChannelControl
    from rfctl_sim.generator import Generator
    from rfctl_sim.pulsed import PulsedControl

MAP_ID = 0x52464354
MAP_VERSION = 0x0102
BACKEND_SIMULATOR = 2
PROBE_U32 = 0x12345678
PROBE_F32 = 1234.5
MODEL = b"rfctl reference"
FIRMWARE = b"sim 0.1"
REPLY_MS = 10
CAPABILITIES = 0b1111111
COLD_JUNCTION_C = 25.0

U16 = 0xFFFF
U32 = 0xFFFFFFFF

IMPEDANCE_FRESH = 1 << 0
THERMOCOUPLE_OPEN = 1 << 1
RF_ON = 1 << 2
STIMULATING = 1 << 3
ELECTRODE_PRESENT = 1 << 4

PANEL_HAS_CONTROL = 1 << 3

# What a lesion of each mode goes by.
SET_POINT_OF = {
    Mode.LESION: "set_temperature_c",
    Mode.LESION_VOLTAGE: "voltage_set_point_v_rms",
    Mode.LESION_POWER: "power_set_point_w",
    Mode.PULSED: "pulse_voltage_v_peak",
    Mode.COOLED: "set_temperature_c",
}

# Holding registers that only act read 0.
ACTIONS = {"all_off", "lease_clear", "fault_clear", "fire"}

IDENTITY = registers.packer(registers.IDENTITY)
TRAITS = registers.packer(registers.TRAITS)
STATUS = registers.packer(registers.STATUS)
SERVICE = registers.packer(registers.SERVICE)
CHANNEL_STATUS = registers.packer(registers.CHANNEL_STATUS)
MODE_STATUS = registers.packer(registers.MODE_STATUS)


def identity(generator: Generator, wrong: Mapping[str, object]) -> bytes:
    """Identity and traits: every input register below the status, with what faults say instead by name."""
    channels = generator.channels
    head = IDENTITY.pack(
        wrong.get("map_id", MAP_ID),
        MAP_VERSION,
        wrong.get("backend", BACKEND_SIMULATOR),
        PROBE_U32,
        PROBE_F32,
        wrong.get("model", MODEL),
        generator.serial.encode("ascii"),
        wrong.get("firmware", FIRMWARE),
        len(channels),
        RATED_POWER_W,
        REPLY_MS,
        SAMPLE_NS // NS_PER_MS,
        LEASE_DEFAULT_MS,
        int(generator.pad.monitored),
        0,  # channels deliver at the same time
        CAPABILITIES,
        generator.firmware.control.last_refusal,
        0 if generator.time_scale == 1.0 else round(100.0 * generator.time_scale),
    )
    traits = [TRAITS.pack(RESOLUTION_K, NOISE_K, electrode_id(channel)) for channel in channels]
    return b"".join((head, *traits))


def electrode_id(channel: Channel) -> int:
    """Identity of an electrode: gauge and tip as decimal digits, and its channel's number."""
    electrode = channel.electrode
    return _electrode_id(electrode.gauge, electrode.tip_mm, channel.number)


@lru_cache
def _electrode_id(gauge: int, tip_mm: float, number: int) -> int:
    return int(str(100 * gauge + round(tip_mm)), 16) << 8 | number


def status(generator: Generator, now_ns: int) -> bytes:
    """The status block: everything that changes."""
    firmware = generator.firmware
    memory = firmware.control
    own_ns = firmware.own_ns(now_ns)
    rf_actual = rf_commanded = stimulating = armed = 0
    blocks = []
    for channel, own in zip(generator.channels, memory.channels, strict=True):
        bit = 1 << (channel.number - 1)
        if channel.stage.rf_on:
            rf_actual |= bit
        if channel.stage.stimulating:
            stimulating |= bit
        if own.phase is Phase.RF_ON:
            rf_commanded |= bit
        elif own.phase is Phase.ARMED:
            armed |= bit
        blocks.append(_channel_status(channel, own, firmware.sample_counter(now_ns), own_ns))
    head = STATUS.pack(
        (own_ns - generator.booted_ns) // NS_PER_MS & U32,
        firmware.sample_counter(own_ns) & U32,
        memory.owner,
        memory.lease_left_ms(now_ns),
        memory.fault_bits,
        rf_actual,
        rf_commanded,
        stimulating,
        generator.pad.status,
        generator.pad.contact_ohm if generator.pad.monitored else nan,
        armed,
        inputs(generator),
    )
    return b"".join((head, *blocks))


def inputs(generator: Generator) -> int:
    """What people and an interlock relay do to it, in bits."""
    return generator.inputs.word | PANEL_HAS_CONTROL * generator.firmware.control.panel_has_control


def service(generator: Generator) -> bytes:
    """What does not change between two power-ups."""
    firmware = generator.firmware
    return SERVICE.pack(
        firmware.self_test,
        firmware.restart_cause,
        generator.power_ups & U16,
        BOOT_MS,
        generator.calibration_date,
        generator.calibration_due,
    )


def _channel_status(channel: Channel, memory: ChannelControl, sample: int, now_ns: int) -> bytes:
    stage = channel.stage
    measured = channel.measured_at(sample)
    flags = IMPEDANCE_FRESH | ELECTRODE_PRESENT
    if measured.temperature_c != measured.temperature_c:
        flags |= THERMOCOUPLE_OPEN
    if stage.rf_on:
        flags |= RF_ON
    if stage.stimulating:
        flags |= STIMULATING
    return CHANNEL_STATUS.pack(
        measured.temperature_c,
        COLD_JUNCTION_C,
        measured.voltage_v_rms,
        measured.current_ma_rms,
        measured.current_ma_rms,
        measured.power_w,
        measured.impedance_ohm,
        flags,
        memory.mode,
        memory.stimulation_width_us or 0,
        memory.stimulation_rate_dhz or 0,
        stage.stimulation_amplitude,
        memory.fault_bits,
        0 if stage.on_since_ns is None else (now_ns - stage.on_since_ns) // NS_PER_MS & U32,
        memory.arm_token,
        electrode_id(channel),
        _set_point(memory),
    )


def modes(generator: Generator) -> bytes:
    """What only pulsed and cooled modes have, of every channel, with the gaps between their blocks."""
    gap = b"\0\0" * (registers.MODE_STATUS_STRIDE - MODE_STATUS.size // 2)
    pairs = zip(generator.channels, generator.firmware.pulsed, strict=True)
    return gap.join(_mode_status(channel, pulsed) for channel, pulsed in pairs)


def _mode_status(channel: Channel, pulsed: PulsedControl) -> bytes:
    pulse, pump = pulsed.last, channel.pump
    return MODE_STATUS.pack(
        0 if pulse is None else pulse.number & U32,
        nan if pulse is None else pulse.voltage_v_peak,
        nan if pulse is None else pulse.current_ma_peak,
        nan if pulse is None else pulse.power_w,
        pulsed.temperature_max_c,
        pulsed.mean_temperature_c,
        0 if pulse is None else min(pulse.width_ns // 1000, U16),
        0 if pulse is None else min(pulse.period_ns // NS_PER_MS, U16),
        nan if pump is None else pump.flow_ml_min,
        nan if pump is None else pump.coolant_c,
    )


def _set_point(memory: ChannelControl) -> int:
    """What is in force, in hundredths; 0 while RF is off."""
    if memory.phase is not Phase.RF_ON:
        return 0
    value: float | None = getattr(memory, SET_POINT_OF[memory.mode])
    return round(100.0 * (value or 0.0))


def control(generator: Generator, places: Iterable[registers.Place]) -> bytes:
    """What holding registers read: the last value accepted, 0 for what has not been set or only acts."""
    places = tuple(places)
    return registers.packer(place.register for place in places).pack(*(_held(generator, place) for place in places))


def _held(generator: Generator, place: registers.Place) -> int | float:
    name = place.register.name
    if name in ACTIONS:
        return 0
    memory = generator.firmware.control
    held: int | float | None = (
        getattr(memory.channels[place.channel - 1], name)
        if place.channel
        else getattr(memory, "lease_counter" if name == "lease_renew" else name)
    )
    return 0 if held is None else held
