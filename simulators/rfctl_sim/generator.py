"""A simulated generator without its wire: channels and firmware on one fixed grid of time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import ConfigError
from rfctl_sim.bipolar import BipolarTissue, mutual_ohm
from rfctl_sim.channel import Channel
from rfctl_sim.control import NEVER_NS
from rfctl_sim.events import EventLog
from rfctl_sim.fault_effects import FirmwareEffects
from rfctl_sim.firmware import SAMPLE_NS, Firmware
from rfctl_sim.inputs import Inputs
from rfctl_sim.neighbours import Neighbours
from rfctl_sim.pad import Pad
from rfctl_sim.writes import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import ScaledClock
    from rfctl_sim.conventions import Conventions
    from rfctl_sim.firmware import RestartCause
    from rfctl_sim.setups import Setup

TICK_NS = 10 * NS_PER_MS
TICK_S = 0.01

# Heat from a neighbour takes seconds to arrive: every 0.1 s is often enough to look for it.
NEIGHBOUR_TICKS = 10
# As a simulator knows no calendar, neither follows one: the due date is far.
CALIBRATION_DATE, CALIBRATION_DUE = 2026_01_05, 2036_01_05


class Generator:
    """Channels and firmware, brought forward tick by tick, so that nothing depends on who looks and when.

    Physics advance on every tick, measurements and control on every second one. Timers of the firmware and whatever a
    client or a fault does act at their own instant between two ticks.

    Attributes:
        power_up_ns: When it was switched on for the first time; its grid of time begins there.
        booted_ns: When its firmware began to run, on that grid.
        setup: What stands around it.
        channels: Channel 1 first.
        pad: Its dispersive electrode.
        firmware: Its firmware.
        events: Its log.
        inputs: What people and an interlock relay do to it.
        seed: Tells it from others.
        pace: What its time runs by, where that is not the time of its clients, too.
        power_ups: Counted by the hardware.
        broken: Parts that fail a self-test, by the bits of its result.
        calibration_date: Year x 10000 + month x 100 + day.
        calibration_due: The same.
        effects: The faults injected into its firmware.
        run_faults: Begins and ends faults whose time has come.
        next_fault_ns: When that is due next.
    """

    def __init__(
        self, channels: int, seed: int, power_up_ns: int, setup: Setup, conventions: Conventions = REFERENCE
    ) -> None:
        self.setup = setup
        self.power_up_ns = self.booted_ns = power_up_ns
        self.effects = FirmwareEffects()
        self.run_faults: Callable[[int], None] = lambda _: None
        self.next_fault_ns = NEVER_NS
        self.events = EventLog(power_up_ns)
        self.channels = [
            Channel(number, setup, _random(seed, f"channel {number}"), self.events, power_up_ns)
            for number in range(1, channels + 1)
        ]
        self.pad = Pad(setup.pad.monitored, setup.pad.contact_ohm)
        self._pair()
        self._neighbours = Neighbours.of(setup, self.channels)
        self.inputs = Inputs()
        self.seed = seed
        self.serial = f"SIM-{seed:08d}"[:16]
        self.pace: ScaledClock | None = None
        self.power_ups = 1
        self.broken = 0
        self.calibration_date, self.calibration_due = CALIBRATION_DATE, CALIBRATION_DUE
        self._tick = self._boot_tick = 0
        self.firmware = self._booted(conventions)

    def place(self, setup: Setup, now_ns: int) -> None:
        """Put it into another set-up. Time has been brought up to ``now_ns``.

        Raises:
            ConfigError: An output is on.
        """
        on = [str(channel.number) for channel in self.channels if channel.stage.rf_on or channel.stage.stimulating]
        if on:
            raise ConfigError(
                f"the output of channel {', '.join(on)} is on", remedy="Turn it off before the set-up is changed."
            )
        self.setup = setup
        self.pad = Pad(setup.pad.monitored, setup.pad.contact_ohm)
        for channel in self.channels:
            channel.place(setup)
            channel.measure(self.firmware.sample_counter(now_ns))
        self._pair()
        self.firmware.notice_electrodes()
        self._neighbours = Neighbours.of(setup, self.channels)
        self.events.add(now_ns, "setup", title=setup.title)

    def _pair(self) -> None:
        """In a bipolar set-up the current of channel 1 returns through the electrode of channel 2."""
        setup = self.setup
        if not setup.bipolar:
            return
        if len(self.channels) < 2 or setup.spacing_mm is None:
            raise ConfigError("a bipolar set-up on one channel", remedy="A pair needs two: --channels 2.")
        first, second = self.channels[0], self.channels[1]
        pair = BipolarTissue(first.tissue, second.tissue, mutual_ohm(setup, first.tissue))
        first.surround(pair)
        second.surround(pair.back)

    @property
    def time_scale(self) -> float:
        """How many times faster than a clock its time runs, as it tells its clients."""
        return 1.0 if self.pace is None else self.pace.speed

    def advance_to(self, now_ns: int) -> None:
        """Catch up with ``now_ns``: every tick, every timer and every fault in order."""
        while True:
            # A fault on the way may have restarted it.
            firmware = self.firmware
            deadline_ns = min(firmware.next_deadline_ns, self.next_fault_ns)
            self._tick_to(min(now_ns, deadline_ns))
            # A trip on the way may have moved the deadline.
            if min(firmware.next_deadline_ns, self.next_fault_ns) == deadline_ns:
                if deadline_ns > now_ns:
                    return
                if self.next_fault_ns == deadline_ns:
                    self.run_faults(deadline_ns)
                else:
                    firmware.run_timers(deadline_ns)

    def _tick_to(self, until_ns: int) -> None:
        last = (until_ns - self.power_up_ns) // TICK_NS
        if last <= self._tick:
            return
        active = [channel for channel in self.channels if not channel.at_rest]
        if not active:
            self._tick = last
            return
        firmware, neighbours = self.firmware, self._neighbours
        if neighbours is not None:
            active = self.channels
        while self._tick < last:
            self._tick += 1
            tick_ns = self.power_up_ns + self._tick * TICK_NS
            if neighbours is not None and self._tick % NEIGHBOUR_TICKS == 0:
                neighbours.warm()
            for channel in active:
                channel.tick(tick_ns, TICK_S)
            if not self._tick & 1:
                for channel in active:
                    firmware.sample(channel, (self._tick - self._boot_tick) >> 1, tick_ns)

    def interrupt(self, now_ns: int) -> None:
        """Let the inputs act: on the output stages by themselves, and on the firmware, which sees them, too."""
        interrupted = self.inputs.interrupted
        for channel in self.channels:
            channel.stage.interrupt(now_ns, on=interrupted)
        if not self.effects.hung:
            self.firmware.read_inputs(now_ns)

    def restart(self, now_ns: int, cause: RestartCause) -> None:
        """Begin anew at ``now_ns`` with a firmware that remembers nothing, outputs off and a self-test.

        What it is switched off for does to hardware and tissue is not its affair.
        """
        self.firmware.by_hand(lambda control: control.disown(), now_ns)
        self.power_ups += 1
        self._boot_tick = (now_ns - self.power_up_ns) // SAMPLE_NS * (SAMPLE_NS // TICK_NS)
        self.booted_ns = self.power_up_ns + self._boot_tick * TICK_NS
        self.events.add(now_ns, "restart", cause=cause.name.lower())
        self.firmware = self._booted(self.firmware.conventions)
        self.firmware.test_itself(now_ns, cause)

    def _booted(self, conventions: Conventions) -> Firmware:
        random = _random(self.seed, "firmware" if self.power_ups == 1 else f"firmware {self.power_ups}")
        return Firmware(self, random, conventions)

    def truth(self, now_ns: int) -> dict[str, object]:
        """The output stages themselves at ``now_ns``, whatever any firmware or client believes.

        Power, voltage and energy are those at the terminals; the energy is that of all RF since power-up. Of pulses
        power and voltage are mean and rms over a period, and ``pulse`` is the one that ended last.
        """
        channels = []
        for channel in self.channels:
            stage = channel.stage
            channels.append(
                {
                    "channel": channel.number,
                    "rf_on": stage.rf_on,
                    "stimulating": stage.stimulating,
                    "power_w": stage.power_w,
                    "voltage_v_rms": stage.voltage_v_rms,
                    "tip_temperature_c": channel.tissue.tip_temperature_c,
                    "tissue_max_c": channel.tissue.tissue_max_c,
                    "energy_j": stage.energy_j(now_ns),
                    "on_since_s": self._since_power_up_s(stage.on_since_ns),
                    "last_off_s": self._since_power_up_s(stage.last_off_ns),
                    "pulse": None if stage.pulses is None else stage.pulses.as_json(),
                    "pump_flow_ml_min": None if channel.pump is None else channel.pump.flow_ml_min,
                }
            )
        return {
            "now_s": self._since_power_up_s(now_ns),
            "monotonic_ns": now_ns,
            "enable_loop_open": self.inputs.enable_open,
            "channels": channels,
        }

    def _since_power_up_s(self, at_ns: int | None) -> float | None:
        return None if at_ns is None else (at_ns - self.power_up_ns) / NS_PER_S


def _random(seed: int, use: str) -> Random:
    """Repeatable on purpose; one stream for each use, so that none disturbs another."""
    return Random(f"{seed} {use}")  # noqa: S311
