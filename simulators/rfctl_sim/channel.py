"""The hardware of one channel: tissue, thermocouple, output stage and the meters that sample them."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, NamedTuple

from rfctl_sim.control import ChannelFault
from rfctl_sim.cooling import Pump
from rfctl_sim.fault_effects import ChannelEffects
from rfctl_sim.output_stage import OutputStage
from rfctl_sim.thermocouple import NOISE_LENGTH, Thermocouple, noise_table, rounded_c

if TYPE_CHECKING:
    from random import Random

    from rfctl_sim.events import EventLog
    from rfctl_sim.setups import Setup
    from rfctl_sim.tissue import Tissue

IMPEDANCE_NOISE = 0.002

# The impedance meter's current is too small to see anything above this: open.
IMPEDANCE_OPEN_OHM = 10_000.0

# While the firmware's own safety does not look for one of these, its control goes by the true temperature as well.
TEMPERATURE_FAULTS = ChannelFault.OVER_TEMPERATURE | ChannelFault.THERMOCOUPLE_OPEN


class Measurement(NamedTuple):
    """One sample of one channel.

    Attributes:
        sample: Number of the sample.
        temperature_c: As shown, in steps of the resolution; not-a-number when open.
        control_c: What the firmware's own safety and control go by, degC: unrounded, and without those injected
            faults that it does not look for.
        voltage_v_rms: RF voltage, V rms.
        current_ma_rms: RF current, mA rms.
        power_w: At the terminals, W.
        impedance_ohm: Not-a-number when open.
    """

    sample: int
    temperature_c: float
    control_c: float
    voltage_v_rms: float
    current_ma_rms: float
    power_w: float
    impedance_ohm: float


class Channel:
    """One channel below its firmware.

    Attributes:
        number: From 1.
        electrode: Its gauge and active tip.
        tissue: Around its electrode.
        stage: Its output.
        thermocouple: In its tip.
        pump: Of its coolant; None where the electrode has none.
        effects: The faults injected into it.
        last: Its newest measurement.
    """

    __slots__ = (
        "_impedance_noise",
        "_random",
        "effects",
        "electrode",
        "last",
        "number",
        "pump",
        "stage",
        "thermocouple",
        "tissue",
    )

    def __init__(self, number: int, setup: Setup, random: Random, events: EventLog, now_ns: int) -> None:
        self.number = number
        self.effects = ChannelEffects()
        self._random = random
        self.tissue = setup.new_tissue(number)
        self.stage = OutputStage(number, self.tissue, setup.series_ohm, self.effects, events, now_ns)
        self._surround(setup)
        self._impedance_noise = noise_table(random, IMPEDANCE_NOISE)
        self.last = self.measure(0)

    def place(self, setup: Setup) -> None:
        """Put its electrode into another set-up. Nothing may be on."""
        self.tissue = setup.new_tissue(self.number)
        self.stage.place(self.tissue, setup.series_ohm)
        self._surround(setup)

    def surround(self, tissue: Tissue) -> None:
        """Another tissue around the same electrode. Nothing may be on."""
        self.tissue = tissue
        self.stage.place(tissue, self.stage.series_ohm)
        self.measure(self.last.sample)

    def _surround(self, setup: Setup) -> None:
        self.electrode = setup.electrode_of(self.number)
        about = setup.thermocouple
        self.thermocouple = Thermocouple(setup.start_c, self._random, lag_s=about.lag_s, start_c=about.start_c)
        self.thermocouple.fitted = about.fitted
        cooling = setup.cooling
        self.pump = None if cooling is None else Pump(cooling.coolant_c, cooling.conductance_w_per_k)

    @property
    def at_rest(self) -> bool:
        """Nothing changes with time but the noise of the measurements, and nothing is on."""
        stage = self.stage
        return (
            self.tissue.at_rest
            and not stage.rf_on
            and not stage.stimulating
            and self.thermocouple.settled_at(self.tissue.tip_temperature_c)
            and (self.pump is None or self.pump.at_rest)
            and not self.effects.active
        )

    def tick(self, tick_ns: int, dt_s: float) -> None:
        """Let one tick of the grid pass."""
        stage, tissue = self.stage, self.tissue
        if self.pump is not None:
            self.pump.advance(dt_s, tissue)
        tissue.advance(dt_s, stage.tick(tick_ns, dt_s))
        self.thermocouple.advance(dt_s, tissue.tip_temperature_c)
        stage.resolve()

    def measure(self, sample: int) -> Measurement:
        """Take sample number ``sample`` now."""
        effects = self.effects
        true_c = self.thermocouple.measured_c(sample, self.stage.voltage_v_rms)
        faulty_c = effects.read_c(sample, true_c) if effects.active else true_c
        shown_c = faulty_c if faulty_c != faulty_c else rounded_c(faulty_c)
        impedance_ohm = self.stage.load_ohm() * (1.0 + self._impedance_noise[sample % NOISE_LENGTH])
        voltage_v = self.stage.voltage_v_rms
        current_a = voltage_v / impedance_ohm
        last = Measurement(
            sample,
            shown_c,
            true_c if effects.unseen_bits & TEMPERATURE_FAULTS else faulty_c,
            voltage_v,
            current_a * 1000.0,
            voltage_v * current_a,
            impedance_ohm if impedance_ohm < IMPEDANCE_OPEN_OHM else nan,
        )
        if effects.active:
            last = effects.show(last)
        self.last = last
        return last

    def measured_at(self, sample: int) -> Measurement:
        """The measurement of ``sample``, taken now if nobody asked for it while the channel was at rest."""
        return self.last if self.last.sample == sample else self.measure(sample)
