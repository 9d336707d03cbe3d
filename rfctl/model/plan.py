"""The plan of a procedure: sites in order, and at each site the checks and the lesion, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rfctl.model.electrode import Electrode


class Use(StrEnum):
    """What a plan says of a check."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    """A person decides at the site."""
    NOT_USED = "not used"


class Medium(StrEnum):
    """What the electrode stands in."""

    TISSUE = "tissue"
    PHANTOM = "phantom"
    LOAD = "load"


class OrderOfWork(StrEnum):
    """In which order the sites are worked on."""

    SITE_BY_SITE = "site by site"
    BATCH = "batch"
    """All checked, one after the other; all anaesthetised; all heated together."""


class FaultPolicy(StrEnum):
    """What a fault of one channel does to the others. Faults of pad and generator always stop all."""

    STOP_ALL = "stop all"
    DROP = "drop the channel"


class Move(StrEnum):
    """What is done with the electrode before a further lesion at the same site."""

    ROTATION = "rotation"
    WITHDRAWAL = "withdrawal"


class TimerDefinition(StrEnum):
    """What the hold time counts from."""

    SET_TEMPERATURE = "set temperature reached"
    RF_ON = "RF on"


@dataclass(frozen=True, slots=True)
class StimulationCheck:
    """One stimulation check, sensory or motor.

    Attributes:
        use: Required, optional, or not used.
        reason: Why it is not used, or optional; empty when it is required.
        rate_hz: Pulse rate, Hz.
        width_us: Pulse width, us.
        target: Sensory: at or below this, felt is met. Motor: at least this amplitude is reached. In ``unit``.
        maximum: Highest amplitude, in ``unit``.
        unit: Of the amplitude, peak: ``"V"`` or ``"mA"``.
    """

    use: Use
    reason: str
    rate_hz: float
    width_us: int
    target: float
    maximum: float
    unit: str = "V"


@dataclass(frozen=True, slots=True)
class Anaesthetic:
    """Local anaesthetic before the lesion.

    Attributes:
        use: Required, or not used.
        reason: Why it is not used; empty when it is.
        agent: What is injected.
        volume_ml: How much, mL.
        wait_s: Time between injection and lesion, s.
    """

    use: Use
    reason: str
    agent: str
    volume_ml: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class Lesion:
    """One thermal lesion, or what a test load takes in its place.

    Attributes:
        set_temperature_c: Set temperature, degC; 0 in a load.
        hold_s: Hold time, s.
        ramp_c_per_s: Ramp rate, degC/s; 0 in a load.
        timer: What the hold time counts from.
        after: What is done with the electrode before it, and confirmed by imaging; None for the first of a site.
        power_w: In a load: power at the generator's terminals, W; else None.
    """

    set_temperature_c: float
    hold_s: float
    ramp_c_per_s: float
    timer: TimerDefinition
    after: Move | None = None
    power_w: float | None = None

    def ramp_s(self, start_c: float) -> float:
        """Time from a temperature to the set one at the planned rate, s; 0 in a load."""
        return 0.0 if self.power_w is not None else max(self.set_temperature_c - start_c, 0.0) / self.ramp_c_per_s

    @property
    def aim(self) -> str:
        """What is held, as people read it."""
        return f"{self.set_temperature_c:g} degC" if self.power_w is None else f"{self.power_w:g} W"


@dataclass(frozen=True, slots=True)
class Site:
    """One site of the plan.

    Attributes:
        name: Level and side, as people say it.
        channel: Generator channel, from 1.
        electrode: Row of the electrode table.
        sensory: Sensory check.
        motor: Motor check.
        anaesthetic: Local anaesthetic.
        lesions: The lesions, at least one, in order.
        pad: Number of the dispersive electrode that returns its current, from 1.
        result_valid_s: How long after the stimulation check its result permits a lesion, s.
    """

    name: str
    channel: int
    electrode: Electrode
    sensory: StimulationCheck
    motor: StimulationCheck
    anaesthetic: Anaesthetic
    lesions: tuple[Lesion, ...]
    pad: int = 1
    result_valid_s: float = 1200.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole procedure.

    Attributes:
        title: What the plan is called.
        checklist: Items that a person confirms before anything.
        sites: Sites in order.
        sha256: Hash of the file it was read from.
        order: In which order they are worked on.
        on_fault: What a fault of one channel does to the others.
        medium: What the electrodes are to stand in; a patient is tissue.
    """

    title: str
    checklist: tuple[str, ...]
    sites: tuple[Site, ...]
    sha256: str
    order: OrderOfWork = OrderOfWork.SITE_BY_SITE
    on_fault: FaultPolicy = FaultPolicy.STOP_ALL
    medium: Medium = Medium.TISSUE

    @property
    def heated_together(self) -> int:
        """Most channels that heat at the same time."""
        return len(self.sites) if self.order is OrderOfWork.BATCH else min(len(self.sites), 1)
