"""One reading of a generator: what every channel measured, as one answer on the wire gave it."""

from __future__ import annotations

from enum import IntEnum
from math import nan
from typing import NamedTuple


class Mode(IntEnum):
    """Mode of a channel, as reported by the generator."""

    NONE = 0
    STIMULATION_VOLTAGE = 1
    STIMULATION_CURRENT = 2
    LESION_TEMPERATURE = 3
    LESION_VOLTAGE = 4
    LESION_POWER = 5


class PadStatus(IntEnum):
    """Dispersive electrode, as the generator's monitor reports it."""

    NOT_MONITORED = 0
    OK = 1
    HIGH = 2
    OPEN = 3


class ChannelReading(NamedTuple):
    """What one channel measured.

    A quantity the generator marks as invalid is not-a-number here, never 0.0 and never the last value. One that it does
    not have at all is not-a-number, or None where it is no measurement.

    Attributes:
        temperature_c: Tip thermocouple, degC; not-a-number when open.
        cold_junction_c: Cold junction of the thermocouple input, degC.
        voltage_v_rms: RF voltage, V rms.
        current_ma_rms: RF current, mA rms, by the output stage's own meter.
        rf_band_current_ma_rms: Current in the RF band by a second meter, mA rms; sees RF whatever commanded it.
        power_w: RF power at the generator's terminals, W.
        impedance_ohm: Magnitude, ohm, tip to dispersive electrode; not-a-number when open.
        impedance_fresh: The impedance was measured in this sample.
        thermocouple_open: The generator's own open-thermocouple detection.
        rf_on: The output stage delivers RF now, by measurement.
        stimulating: The stimulator's output is on now, by measurement.
        electrode_present: An electrode is plugged in.
        mode: Mode in force.
        stimulation_width_us: Pulse width in force, us.
        stimulation_rate_hz: Pulse rate in force, Hz.
        stimulation_amplitude: Amplitude as delivered: V in voltage mode, mA in current mode.
        electrode_id: Identity of the electrode, 0 when unknown.
        fault_bits: Channel faults.
        rf_on_ms: Time since RF on by the generator's clock, ms; 0 while off.
        arm_token: Token to fire with; 0 when not armed.
        set_point: Set point in force of a lesion that the station controls: V rms or W, by the mode; 0 in other modes,
            not-a-number where the generator does not report it with its status.
    """

    temperature_c: float
    cold_junction_c: float
    voltage_v_rms: float
    current_ma_rms: float
    rf_band_current_ma_rms: float
    power_w: float
    impedance_ohm: float
    impedance_fresh: bool
    thermocouple_open: bool | None
    rf_on: bool
    stimulating: bool | None
    electrode_present: bool | None
    mode: int | None
    stimulation_width_us: int | None
    stimulation_rate_hz: float
    stimulation_amplitude: float
    electrode_id: int
    fault_bits: int
    rf_on_ms: int | None
    arm_token: int | None
    set_point: float = nan


class Reading(NamedTuple):
    """One sample of the whole generator.

    Attributes:
        received_ns: The station's monotonic clock when the answer had arrived.
        uptime_ms: The generator's own clock, ms since its power-up, modulo 2**32.
        sample_counter: Counts the generator's measurements; a counter that stands still is stale data.
        owner: Session that owns the generator, 0 for none.
        lease_remaining_ms: Time until the generator stops by itself, 0 when no lease runs.
        fault_bits: Faults of the whole generator.
        pad_status: Dispersive electrode, see PadStatus.
        pad_ohm: Resistance seen by the pad monitor, ohm; not-a-number when not monitored.
        channels: One ChannelReading a channel, channel 1 first.
    """

    received_ns: int
    uptime_ms: int | None
    sample_counter: int
    owner: int
    lease_remaining_ms: int
    fault_bits: int
    pad_status: int
    pad_ohm: float
    channels: tuple[ChannelReading, ...]
