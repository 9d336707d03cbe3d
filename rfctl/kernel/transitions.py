"""The procedure on one channel as a table: in which phase, on what, on which condition, where to, doing what."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel import actions, checks, grouping, guards
from rfctl.kernel import stimulation_guards as stimulation
from rfctl.kernel.events import Choice, Command
from rfctl.kernel.phase import Phase

if TYPE_CHECKING:
    from rfctl.kernel.actions import Act
    from rfctl.kernel.guards import Guard
    from rfctl.kernel.state import KernelState

SAMPLE = "sample"
DURABLE = "durable"


def answer(choice: Choice) -> str:
    """Trigger: the operator gave this answer to the open question."""
    return f"answer {choice}"


def done(command: Command) -> str:
    """Trigger: the generator carried this command out."""
    return f"done {command}"


class Transition(NamedTuple):
    """One row. Rows of one phase and trigger are tried in order; the first whose guard holds is taken."""

    phase: Phase
    trigger: str
    guard: Guard
    to: Phase
    act: Act


_P = Phase
_T = Transition
_sure = guards.always

TRANSITIONS: tuple[Transition, ...] = (
    _T(_P.QUEUED, SAMPLE, guards.turn_has_come_and_tip_is_hot, _P.QUEUED, grouping.say_wait),
    _T(_P.QUEUED, SAMPLE, guards.turn_has_come, _P.IMPEDANCE, actions.begin_site),
    _T(_P.IMPEDANCE, SAMPLE, guards.impedance_measured, _P.SENSORY_NEXT, checks.take_impedance),
    # sensory check
    _T(_P.SENSORY_NEXT, SAMPLE, stimulation.sensory_not_used, _P.MOTOR_NEXT, checks.skip_sensory),
    _T(
        _P.SENSORY_NEXT, SAMPLE, stimulation.sensory_optional_and_nobody_asked, _P.SENSORY_CHOICE,
        checks.ask_sensory_choice,
    ),
    _T(
        _P.SENSORY_NEXT, SAMPLE, stimulation.sensory_required_and_every_output_off, _P.SENSORY_INTENT,
        checks.intend_stimulation,
    ),
    _T(
        _P.SENSORY_CHOICE, answer(Choice.PERFORM), stimulation.every_output_off, _P.SENSORY_INTENT,
        checks.intend_stimulation,
    ),
    _T(_P.SENSORY_CHOICE, answer(Choice.LEAVE_OUT), _sure, _P.MOTOR_NEXT, checks.skip_sensory),
    _T(_P.SENSORY_INTENT, DURABLE, _sure, _P.SENSORY_SETUP, checks.configure_stimulation),
    _T(_P.SENSORY_SETUP, done(Command.CONFIGURE), _sure, _P.SENSORY_SET, actions.nothing),
    _T(_P.SENSORY_SET, SAMPLE, stimulation.every_output_off, _P.SENSORY_START, checks.start_stimulation),
    _T(_P.SENSORY_START, done(Command.START_STIMULATION), _sure, _P.SENSORY, checks.ask_sensory),
    _T(_P.SENSORY, answer(Choice.STEP), stimulation.may_step, _P.SENSORY, checks.raise_amplitude),
    _T(_P.SENSORY, answer(Choice.STEP), stimulation.envelope_ends_before_the_check, _P.HIGHER_OFF, actions.off),
    _T(_P.SENSORY, answer(Choice.STEP_DOWN), stimulation.may_step_down, _P.SENSORY, checks.lower_amplitude),
    _T(_P.SENSORY, answer(Choice.FELT), stimulation.something_is_delivered, _P.SENSORY_OFF, checks.take_threshold),
    _T(_P.SENSORY, answer(Choice.OFF), _sure, _P.PAUSE_OFF, actions.off),
    _T(_P.SENSORY, answer(Choice.NOT_FELT), _sure, _P.REPOSITION_OFF, actions.off),
    _T(_P.SENSORY, answer(Choice.REPOSITION), _sure, _P.REPOSITION_OFF, actions.off),
    _T(_P.SENSORY_OFF, SAMPLE, stimulation.off_and_threshold_met, _P.MOTOR_NEXT, actions.nothing),
    _T(_P.SENSORY_OFF, SAMPLE, guards.output_is_off_and_nobody_asked, _P.SENSORY_HIGH, checks.ask_sensory_high),
    _T(
        _P.SENSORY_HIGH, answer(Choice.ACCEPT), stimulation.threshold_may_be_accepted, _P.MOTOR_NEXT,
        checks.accept_threshold,
    ),
    _T(
        _P.SENSORY_HIGH, answer(Choice.OVERRIDE), stimulation.reason_given_and_motor_reaches, _P.MOTOR_NEXT,
        checks.override_sensory,
    ),
    _T(_P.SENSORY_HIGH, answer(Choice.REPOSITION), _sure, _P.REPOSITION, checks.ask_reposition),
    # motor check
    _T(_P.MOTOR_NEXT, SAMPLE, stimulation.motor_not_used, _P.ANAESTHETIC_NEXT, checks.skip_motor),
    _T(_P.MOTOR_NEXT, SAMPLE, stimulation.motor_optional_and_nobody_asked, _P.MOTOR_CHOICE, checks.ask_motor_choice),
    _T(
        _P.MOTOR_NEXT, SAMPLE, stimulation.motor_required_and_every_output_off, _P.MOTOR_INTENT,
        checks.intend_stimulation,
    ),
    _T(
        _P.MOTOR_CHOICE, answer(Choice.PERFORM), stimulation.every_output_off, _P.MOTOR_INTENT,
        checks.intend_stimulation,
    ),
    _T(_P.MOTOR_CHOICE, answer(Choice.LEAVE_OUT), _sure, _P.ANAESTHETIC_NEXT, checks.skip_motor),
    _T(_P.MOTOR_INTENT, DURABLE, _sure, _P.MOTOR_SETUP, checks.configure_stimulation),
    _T(_P.MOTOR_SETUP, done(Command.CONFIGURE), _sure, _P.MOTOR_SET, actions.nothing),
    _T(_P.MOTOR_SET, SAMPLE, stimulation.every_output_off, _P.MOTOR_START, checks.start_stimulation),
    _T(_P.MOTOR_START, done(Command.START_STIMULATION), _sure, _P.MOTOR, checks.ask_motor),
    _T(_P.MOTOR, answer(Choice.STEP), stimulation.may_step, _P.MOTOR, checks.raise_amplitude),
    _T(_P.MOTOR, answer(Choice.STEP), stimulation.envelope_ends_before_the_check, _P.HIGHER_OFF, actions.off),
    _T(_P.MOTOR, answer(Choice.STEP_DOWN), stimulation.may_step_down, _P.MOTOR, checks.lower_amplitude),
    _T(_P.MOTOR, answer(Choice.NONE), stimulation.motor_target_delivered, _P.MOTOR_OFF, checks.take_motor),
    _T(_P.MOTOR, answer(Choice.RESPONSE), _sure, _P.REPOSITION_OFF, checks.take_response),
    _T(_P.MOTOR, answer(Choice.OFF), _sure, _P.PAUSE_OFF, actions.off),
    _T(_P.MOTOR, answer(Choice.REPOSITION), _sure, _P.REPOSITION_OFF, actions.off),
    _T(_P.MOTOR_OFF, SAMPLE, guards.output_is_off, _P.ANAESTHETIC_NEXT, actions.nothing),
    # a check that is paused, or goes beyond its first envelope, begins again from 0
    _T(_P.PAUSE_OFF, SAMPLE, guards.output_is_off_and_nobody_asked, _P.PAUSED, checks.ask_paused),
    _T(_P.PAUSED, answer(Choice.AGAIN), stimulation.sensory_under_work, _P.SENSORY_INTENT, checks.intend_stimulation),
    _T(_P.PAUSED, answer(Choice.AGAIN), stimulation.motor_under_work, _P.MOTOR_INTENT, checks.intend_stimulation),
    _T(_P.PAUSED, answer(Choice.REPOSITION), _sure, _P.REPOSITION, checks.ask_reposition),
    _T(_P.HIGHER_OFF, SAMPLE, guards.output_is_off_and_nobody_asked, _P.HIGHER, checks.ask_higher),
    _T(_P.HIGHER, answer(Choice.CONFIRM), stimulation.sensory_under_work, _P.SENSORY_INTENT, checks.intend_higher),
    _T(_P.HIGHER, answer(Choice.CONFIRM), stimulation.motor_under_work, _P.MOTOR_INTENT, checks.intend_higher),
    _T(_P.HIGHER, answer(Choice.REPOSITION), _sure, _P.REPOSITION, checks.ask_reposition),
    # reposition: impedance and sensory check come first again
    _T(_P.REPOSITION_OFF, SAMPLE, guards.output_is_off_and_nobody_asked, _P.REPOSITION, checks.ask_reposition),
    _T(_P.REPOSITION, answer(Choice.DONE), _sure, _P.IMPEDANCE, checks.forget_checks),
    _T(
        _P.REPOSITION, answer(Choice.OVERRIDE), stimulation.reason_given_for_sensory, _P.MOTOR_NEXT,
        checks.override_sensory,
    ),
    _T(
        _P.REPOSITION, answer(Choice.OVERRIDE), stimulation.reason_given_for_motor, _P.ANAESTHETIC_NEXT,
        checks.override_motor,
    ),
    # anaesthetic
    _T(
        _P.ANAESTHETIC_NEXT, SAMPLE, guards.all_checked_and_no_anaesthetic_used, _P.LESION_READY,
        checks.skip_anaesthetic,
    ),
    _T(_P.ANAESTHETIC_NEXT, SAMPLE, guards.all_checked_and_nobody_asked, _P.ANAESTHETIC, checks.ask_anaesthetic),
    _T(_P.ANAESTHETIC, answer(Choice.GIVEN), _sure, _P.ANAESTHETIC_WAIT, checks.take_anaesthetic),
    _T(_P.ANAESTHETIC, answer(Choice.REPOSITION), _sure, _P.VOID_OFF, checks.void_by_word),
    _T(_P.ANAESTHETIC_WAIT, SAMPLE, guards.impedance_measured, _P.LESION_READY, checks.take_anaesthetised),
    # a result that counts no more: checked anew, or the position taken over by a physician
    _T(_P.ARM_READY, answer(Choice.REPOSITION), _sure, _P.VOID_OFF, checks.void_by_word),
    _T(_P.VOID_OFF, SAMPLE, guards.output_is_off_and_nobody_asked, _P.STIM_REQUIRED, checks.ask_position),
    _T(_P.STIM_REQUIRED, answer(Choice.DONE), stimulation.check_can_be_repeated, _P.QUEUED, checks.forget_checks),
    _T(
        _P.STIM_REQUIRED, answer(Choice.CONFIRM), stimulation.position_confirmed, _P.LESION_READY,
        checks.confirm_position,
    ),
    # lesion: arm and start are two acts, each one word for all channels that heat together
    _T(_P.ARM_READY, SAMPLE, guards.arming_turn_has_come, _P.LESION_INTENT, actions.intend_lesion),
    _T(_P.LESION_INTENT, DURABLE, _sure, _P.CONFIGURING, actions.configure),
    _T(_P.CONFIGURING, done(Command.CONFIGURE), _sure, _P.ARMING, actions.arm),
    _T(_P.ARMING, done(Command.ARM), _sure, _P.ARMED, grouping.ask_start),
    _T(_P.ARMED, answer(Choice.START), guards.group_may_fire, _P.FIRING, actions.fire),
    _T(_P.ARMED, SAMPLE, guards.started, _P.FIRING, actions.fire),
    _T(_P.DISARM_OFF, SAMPLE, guards.output_is_off, _P.LESION_READY, actions.nothing),
    # before joint heating each channel shows, alone and with 1 W, that it heats its own electrode
    _T(_P.FIRING, done(Command.FIRE), guards.probing, _P.PROBE, actions.nothing),
    _T(_P.PROBE, SAMPLE, guards.own_tip_warms, _P.PROBE_OFF, actions.off),
    _T(_P.PROBE_OFF, SAMPLE, guards.output_is_off, _P.LESION_READY, actions.take_probe),
    _T(_P.FIRING, done(Command.FIRE), _sure, _P.RAMP, actions.nothing),
    _T(_P.RAMP, SAMPLE, guards.set_temperature_reached, _P.HOLD, actions.begin_hold),
    _T(_P.RAMP, SAMPLE, guards.planned_power_reached, _P.HOLD, actions.begin_hold),
    _T(_P.HOLD, SAMPLE, guards.hold_is_over, _P.LESION_OFF, actions.end_hold),
    _T(_P.LESION_OFF, SAMPLE, guards.output_is_off, _P.COOLING, actions.nothing),
    _T(_P.COOLING, SAMPLE, guards.cool_enough_and_last_lesion, _P.DONE, actions.finish_site),
    # a further lesion at the site: moved as planned, seen on the image, impedance measured; no new stimulation
    _T(_P.COOLING, SAMPLE, guards.cool_enough_and_another_lesion_planned, _P.MOVE, actions.ask_move),
    _T(_P.MOVE, answer(Choice.DONE), _sure, _P.RECHECK, actions.next_lesion),
    _T(_P.RECHECK, SAMPLE, guards.impedance_measured, _P.LESION_READY, checks.take_reference),
    _T(_P.DROP_OFF, SAMPLE, guards.output_is_off, _P.DROPPED, actions.nothing),
)  # fmt: skip

BY_PHASE_AND_TRIGGER: dict[tuple[Phase, str], tuple[Transition, ...]] = {}
for _row in TRANSITIONS:
    _key = (_row.phase, _row.trigger)
    BY_PHASE_AND_TRIGGER[_key] = (*BY_PHASE_AND_TRIGGER.get(_key, ()), _row)


def find(phase: Phase, trigger: str, state: KernelState, number: int, now_ns: int) -> Transition | None:
    """The transition that channel ``number`` takes now, or None."""
    for row in BY_PHASE_AND_TRIGGER.get((phase, trigger), ()):
        if row.guard(state, number, now_ns):
            return row
    return None


def condition(row: Transition) -> str:
    """The row's guard as words, empty when there is none."""
    return "" if row.guard is _sure else row.guard.__name__.replace("_", " ")


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation; the procedure's own moves of a channel included."""
    lines = ["stateDiagram-v2"]
    lines += [f"    {phase.name}: {phase.value.replace(':', ',')}" for phase in Phase]  # a colon ends a label
    lines += [
        f"    [*] --> {_P.START_OFF.name}",
        f"    {_P.START_OFF.name} --> {_P.IDLE.name}: every output is off",
        f"    {_P.IDLE.name} --> {_P.QUEUED.name}: next site",
        f"    {_P.LESION_READY.name} --> {_P.ARM_READY.name}: every site under work is ready",
        f"    {_P.DONE.name} --> {_P.IDLE.name}: site done",
        f"    {_P.ARMED.name} --> {_P.DISARM_OFF.name}: not started in time",
        f"    {_P.HOLD.name} --> {_P.DROP_OFF.name}: dropped while the others go on",
        f"    {_P.DROPPED.name} --> {_P.IDLE.name}: site over",
        f"    {_P.ARMED.name} --> {_P.VOID_OFF.name}: stimulation result void",
    ]
    for row in TRANSITIONS:
        guard = f" [{condition(row)}]" if condition(row) else ""
        lines.append(f"    {row.phase.name} --> {row.to.name}: {row.trigger}{guard}")
    lines.append(f"    {_P.ENDED.name} --> [*]")
    return "\n".join(lines) + "\n"
