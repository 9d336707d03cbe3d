"""The output stage of one channel: what is really delivered, and an independent meter of the dose."""

from __future__ import annotations

from math import inf, sqrt
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl_sim.pulses import PulseTrain

if TYPE_CHECKING:
    from rfctl_sim.events import EventLog
    from rfctl_sim.fault_effects import ChannelEffects
    from rfctl_sim.tissue import Tissue

# Supply and transistors: 50 W into 50 to 450 ohm.
VOLTAGE_LIMIT_V_RMS = 150.0
CURRENT_LIMIT_A_RMS = 1.0

# The stimulator follows its set amplitude at no more than 0.5 V or 0.5 mA in 200 ms.
STIMULATION_SLEW_PER_S = 2.5

# What drives a stimulation current: 10 mA through 1,500 ohm.
STIMULATION_DRIVE_V = 15.0


class OutputStage:
    """RF and stimulation as delivered. It obeys the firmware's switches, except where a fault has hold of it.

    Attributes:
        rf_on: RF is delivered.
        stimulating: The stimulator is on.
        series_ohm: Body, dispersive electrode and leads, which take voltage and heat nothing near the tip, ohm.
        pulses: The train that RF comes in while it is on; None for RF without a break.
        voltage_v_rms: RF at the terminals, V rms; 0 while off. Of pulses, this and the next three are means over a
            period.
        current_a_rms: RF at the terminals, A rms; 0 while off.
        power_w: RF at the terminals, W; 0 while off.
        tissue_power_w: The part of it that heats the tissue, W.
        stimulation_amplitude: As delivered, V or mA peak.
        on_since_ns: When RF went on, None while off.
        last_off_ns: When RF last went off, None before that.
    """

    __slots__ = (
        "_accounted_ns",
        "_channel",
        "_commanded",
        "_effects",
        "_energy_j",
        "_events",
        "_interrupted",
        "_power_set_w",
        "_pulsed",
        "_stimulates_current",
        "_stimulation_commanded",
        "_stimulation_target",
        "_tissue",
        "_tissue_j",
        "_voltage_set_v",
        "current_a_rms",
        "last_off_ns",
        "on_since_ns",
        "power_w",
        "pulses",
        "rf_on",
        "series_ohm",
        "stimulating",
        "stimulation_amplitude",
        "tissue_power_w",
        "voltage_v_rms",
    )

    def __init__(
        self,
        channel: int,
        tissue: Tissue,
        series_ohm: float,
        effects: ChannelEffects,
        events: EventLog,
        now_ns: int,
    ) -> None:
        self._channel = channel
        self._tissue = tissue
        self.series_ohm = series_ohm
        self.pulses: PulseTrain | None = None
        self._pulsed: tuple[int, int] | None = None
        self._effects = effects
        self._events = events
        self._commanded = False
        self._interrupted = False
        self._power_set_w = 0.0
        self._voltage_set_v = inf
        self._stimulation_commanded = False
        self._stimulation_target = 0.0
        self._stimulates_current = False
        self._accounted_ns = now_ns
        self._energy_j = 0.0
        self._tissue_j = 0.0
        self.rf_on = False
        self.stimulating = False
        self.voltage_v_rms = self.current_a_rms = self.power_w = self.tissue_power_w = 0.0
        self.stimulation_amplitude = 0.0
        self.on_since_ns: int | None = None
        self.last_off_ns: int | None = None

    def switch_rf(self, now_ns: int, *, on: bool) -> None:
        """The firmware's RF switch."""
        self._commanded = on
        if on:
            self._power_set_w = 0.0
        self.settle(now_ns)

    def interrupt(self, now_ns: int, *, on: bool) -> None:
        """Hardware in front of everything: while on, nothing is delivered, whatever switches and faults say."""
        self._interrupted = on
        if on:
            self.switch_stimulation(now_ns, on=False)
        self.settle(now_ns)

    def regulate(self, power_w: float, voltage_v_rms: float = inf) -> None:
        """What the firmware wants at the terminals: this power, W, or this voltage, V rms, whichever gives less.

        In force from the next ``settle`` or tick.
        """
        self._power_set_w = power_w
        self._voltage_set_v = voltage_v_rms

    def shape(self, width_ns: int | None, period_ns: int = 0) -> None:
        """RF comes in pulses from the next time it goes on: of this width and period; None: without a break."""
        self._pulsed = None if width_ns is None else (width_ns, period_ns)

    def place(self, tissue: Tissue, series_ohm: float) -> None:
        """Electrode and path are others from now on. Nothing may be on."""
        self._tissue = tissue
        self.series_ohm = series_ohm

    def switch_stimulation(self, now_ns: int, *, on: bool) -> None:
        """The firmware's stimulator switch. It starts at amplitude 0 and ends at once."""
        self._stimulation_commanded = on
        self._stimulation_target = 0.0
        self.stimulation_amplitude = 0.0
        self._stimulate(now_ns)

    def _stimulate(self, now_ns: int) -> None:
        forced = self._effects.self_stimulation
        on = (self._stimulation_commanded or forced is not None) and not self._interrupted
        if on != self.stimulating:
            self.stimulating = on
            self.stimulation_amplitude = forced or 0.0
            self._events.add(now_ns, "stimulation_on" if on else "stimulation_off", channel=self._channel)

    def set_stimulation(self, amplitude: float, *, as_current: bool) -> None:
        """The amplitude that the stimulator goes to: mA peak as a current, which takes a voltage, else V peak."""
        self._stimulation_target = amplitude
        self._stimulates_current = as_current

    def settle(self, now_ns: int) -> None:
        """Bring the output to what switches, set power and faults make of it at ``now_ns``."""
        self._account(now_ns)
        effects = self._effects
        on = self._commanded
        if effects.active:
            on = (on and not effects.blocked) or effects.self_on_w is not None or (effects.stuck_on and self.rf_on)
        on = on and not self._interrupted
        if on != self.rf_on:
            self.rf_on = on
            if on:
                self.on_since_ns = now_ns
                self.pulses = None if self._pulsed is None else PulseTrain(now_ns, *self._pulsed)
            else:
                self.on_since_ns, self.last_off_ns = None, now_ns
            self._events.add(now_ns, "rf_on" if on else "rf_off", channel=self._channel)
        self._stimulate(now_ns)
        self._solve()

    def tick(self, tick_ns: int, dt_s: float) -> float:
        """End a tick of the grid. Returns the mean power into the tissue since the tick before, W."""
        self._account(tick_ns)
        mean_w = self._tissue_j / dt_s
        self._tissue_j = 0.0
        if self.stimulating:
            step = STIMULATION_SLEW_PER_S * dt_s
            target, effects = self._stimulation_target, self._effects
            if effects.active:
                target *= effects.stimulation_factor
                target = target if effects.self_stimulation is None else effects.self_stimulation
            if self._stimulates_current:
                target = min(target, 1000.0 * STIMULATION_DRIVE_V / self.load_ohm())
            error = target - self.stimulation_amplitude
            self.stimulation_amplitude += min(max(error, -step), step)
        return mean_w

    def energy_j(self, now_ns: int) -> float:
        """RF energy delivered at the terminals since power-up, J. Looking at the meter does not change it."""
        if self.pulses is not None and self.rf_on:
            return self._energy_j + self.pulses.power_w * self.pulses.on_s(self._accounted_ns, now_ns)
        return self._energy_j + self.power_w * (now_ns - self._accounted_ns) / NS_PER_S

    def load_ohm(self) -> float:
        """Magnitude between the terminals, ohm."""
        _, path_ohm = self._path_ohm()
        fault_ohm = self._effects.load_ohm
        return path_ohm if fault_ohm is None else fault_ohm

    def _path_ohm(self) -> tuple[float, float]:
        """Impedance of the tissue, and of all that lies between the terminals, ohm."""
        tissue_ohm, effects = self._tissue.impedance_ohm, self._effects
        if not effects.active:
            return tissue_ohm, tissue_ohm + self.series_ohm
        tissue_ohm, series_ohm = effects.impedances_ohm(self._accounted_ns, tissue_ohm, self.series_ohm)
        return tissue_ohm, tissue_ohm + series_ohm

    def resolve(self) -> None:
        """Follow tissue and set power between two switchings."""
        if self.rf_on:
            self._solve()

    def _account(self, now_ns: int) -> None:
        if self.rf_on:
            if self.pulses is None:
                dt_s = (now_ns - self._accounted_ns) / NS_PER_S
                self._energy_j += self.power_w * dt_s
                self._tissue_j += self.tissue_power_w * dt_s
            else:
                on_s = self.pulses.advance(self._accounted_ns, now_ns)
                self._energy_j += self.pulses.power_w * on_s
                self._tissue_j += self.pulses.tissue_power_w * on_s
        self._accounted_ns = now_ns

    def _solve(self) -> None:
        if not self.rf_on:
            self.voltage_v_rms = self.current_a_rms = self.power_w = self.tissue_power_w = 0.0
            return
        effects = self._effects
        tissue_ohm, path_ohm = self._path_ohm()
        load_ohm = path_ohm if effects.load_ohm is None else effects.load_ohm
        forced_w = effects.overpower_w if effects.overpower_w is not None else effects.self_on_w
        power_w, voltage_v = self._power_set_w, min(self._voltage_set_v, VOLTAGE_LIMIT_V_RMS)
        if effects.power_factor != 1.0:
            power_w *= effects.power_factor
            voltage_v = min(voltage_v * sqrt(effects.power_factor), VOLTAGE_LIMIT_V_RMS)
        if forced_w is not None:
            power_w, voltage_v = forced_w * path_ohm / tissue_ohm, VOLTAGE_LIMIT_V_RMS
        current_a = min(sqrt(power_w / load_ohm), CURRENT_LIMIT_A_RMS, voltage_v / load_ohm)
        voltage_v = current_a * load_ohm
        # A load above the path is an opening in series with it, a load below it a short beside it.
        tissue_a = current_a if load_ohm >= path_ohm else voltage_v / path_ohm
        power_w, tissue_w = voltage_v * current_a, tissue_a * tissue_a * tissue_ohm
        pulses = self.pulses
        if pulses is not None:
            pulses.deliver(voltage_v, current_a, power_w, tissue_w, effects.pulse_width_ratio)
            root = sqrt(pulses.duty)
            voltage_v, current_a = voltage_v * root, current_a * root
            power_w, tissue_w = power_w * pulses.duty, tissue_w * pulses.duty
        self.voltage_v_rms = voltage_v
        self.current_a_rms = current_a
        self.power_w = power_w
        self.tissue_power_w = tissue_w
