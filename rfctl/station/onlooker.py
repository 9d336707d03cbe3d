"""The watch that gathers what an onlooker sees of a session; it keeps references, and makes a snapshot when asked."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.kernel.effects import Ask, Level, Note
from rfctl.kernel.interlocks import averaging_ends_ns, limit_of
from rfctl.kernel.limits import ARM_TOKEN_NS, REMOVE_BELOW_C, TEMPERATURE_MAX_C
from rfctl.kernel.phase import LESION, Phase
from rfctl.kernel.state import ChannelState, KernelState, Stage
from rfctl.model.plan import TimerDefinition
from rfctl.station.alarm_panel import AlarmPanel
from rfctl.station.snapshot import (
    ChannelSnapshot,
    CurvePoint,
    LimitsInForce,
    OpenQuestion,
    Progress,
    SeenEvent,
    SeenTrip,
    Snapshot,
)

if TYPE_CHECKING:
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import Setup, SiteResult
    from rfctl.model.plan import Site
    from rfctl.model.reading import ChannelReading

EVENTS_KEPT = 20
CURVE_NS = NS_PER_S // 2
CURVE_POINTS = 320
"""With a point every half second: a whole ramp and hold, and what led to it."""
OVER_SET_ROW = "over_set"


@dataclass(slots=True)
class Onlooker:
    """A watch of the station: keeps references of each decision, and makes a snapshot only when it is asked for one.

    Belongs to the thread of the control loop.

    Attributes:
        station: The station's id.
        title: What people call the station.
        time_scale: Of the station's clock.
        operator: Who decides.
        procedure_id: Set once it is known.
        services: How each service is; asked at each snapshot.
    """

    station: str
    title: str
    time_scale: str
    operator: str
    procedure_id: str = ""
    services: dict[str, Callable[[], str]] = field(default_factory=dict)
    _state: KernelState | None = None
    _alarms: AlarmPanel = field(default_factory=AlarmPanel)
    _events: deque[SeenEvent] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    _curves: tuple[deque[CurvePoint], ...] = ()
    _curve_due_ns: int = 0

    def __call__(self, state: KernelState, effects: tuple[Effect, ...]) -> None:
        """Look at one decision."""
        self._state = state
        for effect in effects:
            if isinstance(effect, Note):
                self._note(state, effect.level, effect.channel, effect.code, effect.text)
                if effect.level is not Level.INFO:
                    self._alarms.heard(effect.channel, effect.code, effect.text)
            elif isinstance(effect, Ask):
                self._note(state, "question", effect.channel, effect.question, effect.text)
        if effects:
            self._alarms.follow(state, state.received_ns)
        if state.received_ns >= self._curve_due_ns and state.reading is not None:
            self._curve_due_ns = state.received_ns + CURVE_NS
            self._add_points(state)

    def acknowledge(self, now_ns: int) -> tuple[str, ...]:
        """Silence the alarms that stand, for a time; codes of those that sounded. It resets nothing."""
        return self._alarms.acknowledge(now_ns)

    @property
    def begun(self) -> bool:
        """There is something to see."""
        return self._state is not None

    @property
    def over(self) -> bool:
        """Nothing more will be decided."""
        return self._state is not None and self._state.stage is Stage.ENDED

    def snapshot(self, now_ns: int) -> Snapshot:
        """What can be seen now, ``now_ns`` of the station's monotonic clock.

        Raises:
            LookupError: Nothing has been decided yet, see ``begun``.
        """
        state = self._state
        if state is None:
            raise LookupError("nothing has been decided yet")
        setup, asked = state.setup, state.question
        ends = state.stage in {Stage.ENDING, Stage.RELEASING, Stage.ENDED}
        return Snapshot(
            station=self.station,
            title=self.title,
            simulated=setup.simulated,
            medium=str(setup.medium),
            time_scale=self.time_scale,
            procedure_id=self.procedure_id,
            operator=self.operator,
            plan=setup.plan.title,
            elapsed_s=_elapsed_s(state, now_ns),
            age_ms=(now_ns - state.received_ns) / NS_PER_MS if state.reading is not None else None,
            stage=str(state.stage),
            question=OpenQuestion(asked.channel, str(asked.question), tuple(map(str, asked.choices)), asked.text)
            if asked is not None
            else None,
            channels=tuple(
                _channel(state, number, tuple(self._curves[number - 1]) if self._curves else ())
                for number in range(1, setup.channels + 1)
            ),
            events=tuple(self._events),
            trips=tuple(
                SeenTrip(
                    _elapsed_s(state, trip.t_ns),
                    trip.code,
                    trip.channel,
                    _known(trip.measured),
                    _known(trip.limit),
                    trip.unit,
                    trip.text,
                )
                for trip in state.trips
            ),
            over=state.stage is Stage.ENDED,
            outcome=str(state.outcome) if ends else None,
            ending=state.ending,
            off_verified=state.off_verified,
            services={name: status() for name, status in self.services.items()},
            alarms=self._alarms.shown(now_ns),
        )

    def _note(self, state: KernelState, level: Level | str, channel: int, code: str, text: str) -> None:
        now_ns = max(state.received_ns, state.since_ns)
        self._events.append(SeenEvent(_elapsed_s(state, now_ns), str(level), channel, str(code), text))

    def _add_points(self, state: KernelState) -> None:
        assert state.reading is not None  # noqa: S101 - the caller has looked
        if not self._curves:
            self._curves = tuple(deque(maxlen=CURVE_POINTS) for _ in state.channels)
        t_s = _elapsed_s(state, state.received_ns)
        for curve, measured in zip(self._curves, state.reading.channels, strict=True):
            curve.append(
                CurvePoint(
                    t_s,
                    _drawn(measured.temperature_c, 2),
                    _drawn(measured.impedance_ohm, 1),
                    _drawn(measured.power_w, 2),
                )
            )


def _elapsed_s(state: KernelState, now_ns: int) -> float:
    return round((now_ns - state.started_ns) / NS_PER_S, 3)


def _known(value: float) -> float | None:
    """None for not-a-number, which has no JSON form."""
    return value if math.isfinite(value) else None


def _drawn(value: float, digits: int) -> float | None:
    """As exact as a curve can show, so that a snapshot stays small on a socket."""
    return round(value, digits) if math.isfinite(value) else None


def _channel(state: KernelState, number: int, curve: tuple[CurvePoint, ...]) -> ChannelSnapshot:
    setup, channel = state.setup, state.channels[number - 1]
    measured = state.reading.channels[number - 1] if state.reading is not None else None
    site, result = _site(state, number)
    figures = channel.figures
    return ChannelSnapshot(
        number=number,
        site=site.name if site is not None else "",
        phase=str(channel.phase),
        end_reason=result.end_reason if result is not None else None,
        temperature_c=_known(measured.temperature_c) if measured is not None else None,
        set_temperature_c=(site.lesions[channel.lesion].set_temperature_c or None) if site is not None else None,
        impedance_ohm=_known(measured.impedance_ohm) if measured is not None else None,
        power_w=_known(measured.power_w) if measured is not None else None,
        rf_on=measured.rf_on if measured is not None else None,
        stimulating=measured.stimulating if measured is not None else None,
        amplitude=_known(measured.stimulation_amplitude) if measured is not None else None,
        sensory_threshold=channel.sensory.amplitude if channel.sensory is not None else None,
        motor_negative_to=channel.motor.amplitude if channel.motor is not None else None,
        stimulation_unit=site.sensory.unit if site is not None else "V",
        progress=_progress(setup, channel, measured, state.received_ns),
        limits=_limits(setup, channel),
        peak_c=_known(figures.peak_c) if figures is not None else None,
        energy_j=_known(figures.energy_j) if figures is not None else None,
        curve=curve,
    )


def _site(state: KernelState, number: int) -> tuple[Site | None, SiteResult | None]:
    """The site under work; else the last one on this channel with its result; else the first one planned on it."""
    sites, channel = state.setup.plan.sites, state.channels[number - 1]
    if channel.site >= 0:
        return sites[channel.site], None
    for result in reversed(state.results):
        if sites[result.site].channel == number:
            return sites[result.site], result
    return next((site for site in sites if site.channel == number), None), None


def _limits(setup: Setup, channel: ChannelState) -> LimitsInForce:
    over_set = next((row for row in setup.rows if row.code == OVER_SET_ROW), None)
    return LimitsInForce(
        maximum_c=TEMPERATURE_MAX_C,
        over_set_c=_known(limit_of(over_set, setup, channel)) if over_set is not None else None,
        power_limit_w=channel.power_limit_w or None,
    )


def _progress(
    setup: Setup, channel: ChannelState, measured: ChannelReading | None, received_ns: int
) -> Progress | None:
    """Progress by the time of the newest reading, so that it stands still when the readings do."""
    phase, figures = channel.phase, channel.figures
    in_phase_s = max(received_ns - channel.since_ns, 0) / NS_PER_S
    averaged_ns = averaging_ends_ns(setup, channel)
    if averaged_ns is not None:
        return _timed(
            "wait" if phase is Phase.ANAESTHETIC_WAIT else "measuring",
            in_phase_s,
            (averaged_ns - channel.since_ns) / NS_PER_S,
        )
    if phase is Phase.ARMED:
        return _timed("start within", in_phase_s, ARM_TOKEN_NS / NS_PER_S)
    if phase is Phase.COOLING:
        return Progress(f"cooling below {REMOVE_BELOW_C:g} degC", in_phase_s, None, None)
    if phase not in LESION or figures is None:
        return None
    lesion = setup.plan.sites[channel.site].lesions[channel.lesion]
    on_s = max(received_ns - figures.rf_on_ns, 0) / NS_PER_S
    if phase is Phase.HOLD:
        from_rf_on = lesion.timer is TimerDefinition.RF_ON
        return _timed("hold", on_s if from_rf_on else in_phase_s, lesion.hold_s)
    now_c = measured.temperature_c if measured is not None else math.nan
    left_s = lesion.ramp_s(now_c) if math.isfinite(now_c) else None
    return Progress("ramp", on_s, _known(lesion.ramp_s(figures.start_c)), left_s)


def _timed(what: str, done_s: float, total_s: float) -> Progress:
    return Progress(what, min(done_s, total_s), total_s, max(total_s - done_s, 0.0))
