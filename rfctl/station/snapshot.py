"""What an onlooker sees of a session, as frozen values that go over a socket as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from rfctl.station.alarm_panel import ShownAlarm


class CurvePoint(NamedTuple):
    """One point of a channel's curves; ``t_s`` since the procedure began, None where nothing is known."""

    t_s: float
    temperature_c: float | None
    impedance_ohm: float | None
    power_w: float | None


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What the operator is asked. ``channel`` 0 is the whole procedure."""

    channel: int
    question: str
    choices: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the present phase is.

    Attributes:
        what: What takes this time.
        done_s: Time so far, s.
        total_s: Time that it takes, s; None where that depends on the tissue.
        left_s: Time left, s; None where it cannot be said.
    """

    what: str
    done_s: float
    total_s: float | None
    left_s: float | None


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """Limits that matter to an onlooker now.

    Attributes:
        maximum_c: Hard maximum, degC.
        over_set_c: Above this for its window, the lesion trips, degC; None without a site.
        power_limit_w: At the generator's terminals, W; None before it is fixed.
    """

    maximum_c: float
    over_set_c: float | None
    power_limit_w: float | None


@dataclass(frozen=True, slots=True)
class ChannelSnapshot:
    """One channel. None stands for what is unknown or not there.

    Attributes:
        number: From 1.
        site: Name of the site under work, else of the last or the next one on this channel; empty without any.
        phase: In words.
        end_reason: How the last site on this channel ended, while no other is under work.
        temperature_c: Tip, degC.
        set_temperature_c: Of the site's lesion, degC.
        impedance_ohm: Tip to dispersive electrode, ohm.
        power_w: At the generator's terminals, W.
        rf_on: By measurement.
        stimulating: By measurement.
        amplitude: Stimulation as delivered.
        sensory_threshold: Felt at.
        motor_negative_to: No response up to.
        stimulation_unit: Of these, V or mA.
        progress: Of the present phase.
        limits: In force now.
        peak_c: Highest temperature of the lesion, degC.
        energy_j: In the tissue, J.
        curve: Recent points, oldest first.
    """

    number: int
    site: str
    phase: str
    end_reason: str | None
    temperature_c: float | None
    set_temperature_c: float | None
    impedance_ohm: float | None
    power_w: float | None
    rf_on: bool | None
    stimulating: bool | None
    amplitude: float | None
    sensory_threshold: float | None
    motor_negative_to: float | None
    stimulation_unit: str
    progress: Progress | None
    limits: LimitsInForce
    peak_c: float | None
    energy_j: float | None
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """A line of the log. ``channel`` 0 is the whole generator; ``level`` is info, warning, trip or question."""

    t_s: float
    level: str
    channel: int
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class SeenTrip:
    """A verdict of an interlock, with its numbers where it has some."""

    t_s: float
    code: str
    channel: int
    measured: float | None
    limit: float | None
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What can be seen of a session at one moment.

    Attributes:
        station: The station's id.
        title: What people call the station.
        simulated: No device, no patient.
        medium: What the electrodes stand in.
        time_scale: ``real``, ``virtual`` or ``paced:X``.
        procedure_id: The procedure, empty before it has one.
        operator: Who decides.
        plan: Title of the plan.
        elapsed_s: Time of the procedure, s.
        age_ms: Age of the newest reading when this was taken, ms; None before the first.
        stage: Where the procedure is, in words.
        question: What is open.
        channels: Channel 1 first.
        events: The last ones, oldest first.
        trips: The cause first.
        over: Everything has ended.
        outcome: How it ends, once that is known.
        ending: Why it ends, in words; empty until then.
        off_verified: Off has been verified at the end.
        services: What serves beside control, and how that is: ``{"mqtt": "connected"}``.
        alarms: That stand, the most urgent first.
    """

    station: str
    title: str
    simulated: bool
    medium: str
    time_scale: str
    procedure_id: str
    operator: str
    plan: str
    elapsed_s: float
    age_ms: float | None
    stage: str
    question: OpenQuestion | None
    channels: tuple[ChannelSnapshot, ...]
    events: tuple[SeenEvent, ...]
    trips: tuple[SeenTrip, ...]
    over: bool
    outcome: str | None
    ending: str
    off_verified: bool
    services: dict[str, str]
    alarms: tuple[ShownAlarm, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values for ``json.dumps``; what is unknown is null."""
        members: dict[str, Any] = _CODEC.dump_python(self, mode="json")
        return members

    @classmethod
    def from_json(cls, members: object) -> Snapshot:
        """The inverse of ``to_json``.

        Raises:
            ValueError: Not a snapshot.
        """
        return _CODEC.validate_python(members)


_CODEC = TypeAdapter(Snapshot)
