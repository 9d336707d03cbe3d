"""The generator's own safety, independent of any host: what it looks for in each measurement, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl_sim.control import ChannelControl, ChannelFault, Mode, Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl_sim.channel import Channel, Measurement

OVER_TEMPERATURE_C = 100.0
IMPEDANCE_LOW_OHM = 20.0
IMPEDANCE_HIGH_OHM = 2000.0

# Power counts as above its limit beyond what the meter's noise explains.
OVERPOWER_RATIO = 1.1
OVERPOWER_W = 0.5

# Of what is set: a wider pulse, a shorter period, less flow.
NS_PER_US = 1000
PULSE_WIDTH_RATIO = 1.2
PULSE_PERIOD_RATIO = 0.8
FLOW_RATIO = 0.8


@dataclass(frozen=True, slots=True)
class Trip:
    """A condition that turns its channel off and latches a fault bit.

    Attributes:
        fault: The bit.
        samples: Consecutive measurements, 20 ms apart, that must show it.
        present: The condition; comparisons with not-a-number are false.
        rf_only: Looked for only while RF is meant to be on.
    """

    fault: ChannelFault
    samples: int
    present: Callable[[Measurement, Channel, ChannelControl], bool]
    rf_only: bool


def _pulse_wrong(channel: Channel, control: ChannelControl) -> bool:
    """The last pulse was wider, or followed sooner, than is set."""
    pulses = channel.stage.pulses
    if pulses is None or pulses.last is None or not control.pulse_width_us or not control.pulse_rate_dhz:
        return False
    return (
        pulses.last.width_ns > PULSE_WIDTH_RATIO * control.pulse_width_us * NS_PER_US
        or pulses.last.period_ns < PULSE_PERIOD_RATIO * 10 * NS_PER_S / control.pulse_rate_dhz
    )


def _flow_low(channel: Channel, control: ChannelControl) -> bool:
    """Too little coolant flows in the mode that needs it."""
    if control.mode is not Mode.COOLED:
        return False
    flow_ml_min = channel.pump.flow_ml_min if channel.pump is not None else 0.0
    return flow_ml_min < FLOW_RATIO * (control.pump_flow_ml_min or 0.0)


TRIPS = (
    Trip(ChannelFault.OVER_TEMPERATURE, 2, lambda m, _, __: m.control_c > OVER_TEMPERATURE_C, rf_only=False),
    # Where the host sets the output, as into a load, there may be no thermocouple from the start.
    Trip(
        ChannelFault.THERMOCOUPLE_OPEN,
        1,
        lambda m, _, control: m.control_c != m.control_c and not control.without_thermocouple,
        rf_only=True,
    ),
    # Not-a-number is an open output: high.
    Trip(ChannelFault.IMPEDANCE_HIGH, 10, lambda m, _, __: not m.impedance_ohm <= IMPEDANCE_HIGH_OHM, rf_only=True),
    Trip(ChannelFault.IMPEDANCE_LOW, 10, lambda m, _, __: m.impedance_ohm < IMPEDANCE_LOW_OHM, rf_only=True),
    Trip(
        ChannelFault.UNCOMMANDED_RF,
        2,
        lambda _, channel, control: channel.stage.rf_on and control.phase is not Phase.RF_ON,
        rf_only=False,
    ),
    Trip(
        ChannelFault.OVERPOWER,
        3,
        lambda m, _, control: m.power_w > OVERPOWER_RATIO * (control.power_limit_w or 0.0) + OVERPOWER_W,
        rf_only=True,
    ),
    Trip(ChannelFault.PULSE, 1, lambda _, channel, control: _pulse_wrong(channel, control), rf_only=True),
    Trip(ChannelFault.COOLING, 15, lambda _, channel, control: _flow_low(channel, control), rf_only=True),
)

EVERY = tuple(enumerate(TRIPS))
ALWAYS = tuple((index, trip) for index, trip in EVERY if not trip.rf_only)


class OwnSafety:
    """Watches one channel."""

    __slots__ = ("_rf_was_on", "_runs")

    def __init__(self) -> None:
        self._runs = [0] * len(TRIPS)
        self._rf_was_on = False

    def watch(self, measurement: Measurement, channel: Channel, control: ChannelControl) -> int:
        """The fault bits that this measurement completes; 0 for none."""
        rf_on = control.phase is Phase.RF_ON
        watched = EVERY if rf_on or self._rf_was_on else ALWAYS  # the first measurement without RF ends all runs
        self._rf_was_on = rf_on
        runs = self._runs
        bits = 0
        for index, trip in watched:
            if (
                (rf_on or not trip.rf_only)
                and trip.present(measurement, channel, control)
                and not trip.fault & channel.effects.unseen_bits
            ):
                runs[index] += 1
                if runs[index] == trip.samples:
                    bits |= trip.fault
            elif runs[index]:
                runs[index] = 0
        return bits


def causes(measurement: Measurement, channel: Channel, control: ChannelControl) -> int:
    """Fault bits whose cause is present in a measurement, whatever is on."""
    bits = 0
    for trip in TRIPS:
        # With the outputs off there is no power to be too high.
        if trip.fault is not ChannelFault.OVERPOWER and trip.present(measurement, channel, control):
            bits |= trip.fault
    return bits & ~channel.effects.unseen_bits
