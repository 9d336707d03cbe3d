"""Which channels are armed and started by one word, and what is said while one of them still waits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.kernel.effects import Ask, Effect, Level, Note
from rfctl.kernel.events import Choice, Question
from rfctl.kernel.grouping import ask_start, gather, say_wait
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import ChannelState, Mean
from rfctl.kernel.thermal import Thermal
from rfctl.model.plan import Medium
from tests.unit.kernel.acts import NOW_NS, history_of, together
from tests.unit.kernel.bench import LESION

if TYPE_CHECKING:
    from rfctl.kernel.state import KernelState

REST = history_of((NOW_NS, 37.0, 185.0))
HOT = history_of((NOW_NS, 52.34, 185.0))
READY = ChannelState(
    phase=Phase.LESION_READY, history=REST, probed=True, mean=Mean(1, 2.0, 3.0), warned=frozenset({"x"}), since_ns=3
)
FIRST, SECOND, THIRD = (READY._replace(site=index) for index in range(3))
IDLE = ChannelState(phase=Phase.IDLE, history=REST)
STILL_AT_IT = {
    Phase.LESION_INTENT, Phase.CONFIGURING, Phase.ARMING, Phase.ARMED, Phase.FIRING, Phase.PROBE, Phase.RAMP,
    Phase.HOLD, Phase.ARM_READY, Phase.DISARM_OFF, Phase.PROBE_OFF, Phase.LESION_OFF,
}  # fmt: skip
WAITS = "waits: the tip reads 52.3 degC; RF begins from 30 to 40 degC"


def asked_of(effects: tuple[Effect, ...]) -> Ask:
    (asked,) = [effect for effect in effects if isinstance(effect, Ask)]
    return asked


def planned(state: KernelState, *holds_s: float, pauses: tuple[int, ...] = ()) -> KernelState:
    """With these hold times, and a ramp paused so often on each channel."""
    plan = state.setup.plan
    sites = tuple(
        replace(site, lesions=(replace(LESION, hold_s=hold_s),))
        for site, hold_s in zip(plan.sites, holds_s, strict=True)
    )
    channels = tuple(
        channel._replace(thermal=Thermal(pauses=count)) if count else channel
        for channel, count in zip(state.channels, pauses or (0,) * len(holds_s), strict=True)
    )
    return state._replace(setup=replace(state.setup, plan=replace(plan, sites=sites)), channels=channels)


# the word to arm


def test_all_that_are_ready_and_probed_are_armed_by_one_word() -> None:
    state = together(FIRST, SECOND, IDLE)
    after, effects = gather(state, NOW_NS)
    armed = {"phase": Phase.ARM_READY, "since_ns": NOW_NS, "warned": frozenset(), "mean": Mean()}
    assert after.channels == (FIRST._replace(**armed), SECOND._replace(**armed), IDLE)
    assert after.group == (1, 2)
    asked = Ask(1, Question.ARM, (Choice.ARM, Choice.REPOSITION), "Arm channels 1 and 2 for 80 degC, 5 s")
    assert after.question == asked
    notes = tuple(Note(Level.INFO, number, "phase", "ready to arm") for number in (1, 2))
    assert effects == (*notes, asked)


def test_before_joint_heating_those_that_have_not_been_are_probed() -> None:
    state = together(FIRST._replace(probed=False), SECOND, THIRD._replace(probed=False))
    after, effects = gather(state, NOW_NS)
    assert after.group == (1, 3)
    assert [channel.probing for channel in after.channels] == [True, False, True]
    assert after.channels[1] == SECOND
    text = "Arm the probe of channels 1 and 3: each alone, 1 W in the tissue until its own tip is 2 K warmer"
    assert asked_of(effects) == Ask(1, Question.ARM, (Choice.ARM, Choice.REPOSITION), text)


def test_two_that_heat_together_are_probed_each() -> None:
    unproven = (FIRST._replace(probed=False), SECOND._replace(probed=False))
    after, _ = gather(together(*unproven), NOW_NS)
    assert [channel.probing for channel in after.channels] == [True, True]


def test_one_channel_alone_is_not_probed() -> None:
    after, effects = gather(together(IDLE, SECOND._replace(probed=False, probing=True)), NOW_NS)
    assert after.group == (2,)
    assert not after.channels[1].probing
    assert asked_of(effects)[:1] == (2,)
    assert asked_of(effects).text == "Arm channel 2 for 80 degC, 5 s"


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (planned(together(FIRST, SECOND, THIRD), 5.0, 5.0, 5.0), "Arm channels 1, 2 and 3 for 80 degC, 5 s"),
        (
            planned(together(FIRST, SECOND), 5.0, 9.0),
            "Arm channel 1 for 80 degC, 5 s; channel 2 for 80 degC, 9 s",
        ),
        (
            planned(together(FIRST, SECOND, THIRD), 5.0, 5.0, 5.0, pauses=(1, 0, 1)),
            "The ramp of channels 1 and 3 was paused: is the electrode seated in its cannula? "
            "Arm channels 1, 2 and 3 for 80 degC, 5 s",
        ),
        (
            planned(together(FIRST, SECOND), 5.0, 5.0, pauses=(0, 1)),
            "The ramp of channel 2 was paused: is the electrode seated in its cannula? "
            "Arm channels 1 and 2 for 80 degC, 5 s",
        ),
    ],
)
def test_the_word_to_arm_is_asked_for_with_what_will_be_done(state: KernelState, text: str) -> None:
    assert asked_of(gather(state, NOW_NS)[1]).text == text


def test_nothing_is_asked_before_every_channel_under_work_is_ready() -> None:
    for phase in set(Phase) - {Phase.LESION_READY, Phase.DONE, Phase.DROPPED}:
        for state in (together(FIRST, SECOND._replace(phase=phase)), together(FIRST._replace(phase=phase), SECOND)):
            assert gather(state, NOW_NS) == (state, ()), phase


def test_nothing_is_asked_while_another_question_is_open_or_nobody_is_under_work() -> None:
    question = Ask(1, Question.MOVE, (Choice.DONE,), "?")
    for state in (together(FIRST, SECOND, question=question), together(IDLE, IDLE)):
        assert gather(state, NOW_NS) == (state, ())


# the group


def test_a_group_holds_as_long_as_one_of_it_is_still_at_it() -> None:
    for phase in Phase:
        state = together(
            FIRST._replace(phase=Phase.COOLING), SECOND._replace(phase=phase), group=(1, 2), armed_by="A", started=True
        )
        after, effects = gather(state, NOW_NS)
        assert effects == ()
        if phase in STILL_AT_IT:
            assert after == state
        else:
            assert after == state._replace(group=(), armed_by="", started=False)


def test_the_next_group_is_asked_for_with_the_end_of_the_one_before() -> None:
    state = together(FIRST, SECOND, group=(1,), armed_by="A", started=True)
    after, effects = gather(state, NOW_NS)
    assert (after.group, after.armed_by, after.started) == ((1, 2), "", False)
    assert asked_of(effects) == after.question


def test_words_given_to_a_group_that_its_last_channel_left_are_not_the_next_one_s() -> None:
    after, effects = gather(together(FIRST, armed_by="A", started=True), NOW_NS)
    assert (after.group, after.armed_by, after.started) == ((1,), "", False)
    assert asked_of(effects) == after.question


def test_a_channel_that_is_not_of_the_group_does_not_hold_it() -> None:
    state = together(FIRST, SECOND._replace(phase=Phase.HOLD), group=(1,), armed_by="A")
    after, effects = gather(state, NOW_NS)
    assert (after.group, after.armed_by, effects) == ((), "", ())


# waiting


def test_what_a_channel_waits_for_is_said_once() -> None:
    hot = SECOND._replace(history=HOT)
    state = together(FIRST, hot, hot._replace(site=2))
    after, effects = gather(state, NOW_NS)
    assert effects == tuple(Note(Level.INFO, number, "baseline", f"channel {number} {WAITS}") for number in (2, 3))
    said = frozenset({"x", "baseline"})
    assert after.channels == (FIRST, hot._replace(warned=said), hot._replace(site=2, warned=said))
    assert gather(after, NOW_NS) == (after, ())


def test_hot_tissue_is_said_before_the_impedance_check_too() -> None:
    state = together(FIRST._replace(history=HOT, phase=Phase.QUEUED))
    after, effects = say_wait(state, 1, NOW_NS, 0)
    assert effects == (Note(Level.INFO, 1, "baseline", f"channel 1 {WAITS}"),)
    assert after.channels[0].warned == {"x", "baseline"}
    assert say_wait(after, 1, NOW_NS, 0) == (after, ())


def test_a_load_waits_for_nothing() -> None:
    state = together(FIRST._replace(history=HOT))
    load = state._replace(setup=replace(state.setup, medium=Medium.LOAD))
    assert gather(state, NOW_NS)[0].group == ()
    assert gather(load, NOW_NS)[0].group == (1,)


# the word to start


def armed(*phases: Phase, probing: tuple[int, ...] = (), **fields: object) -> KernelState:
    channels = tuple(
        READY._replace(site=index, phase=phase, probing=index + 1 in probing) for index, phase in enumerate(phases)
    )
    return together(*channels, group=tuple(range(1, len(phases) + 1)), **fields)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (armed(Phase.ARMED), "Start RF on channel 1 (within 4.5 s)"),
        (armed(Phase.ARMED, Phase.ARMED), "Start RF on channels 1 and 2 (within 4.5 s)"),
        (armed(Phase.ARMED, Phase.RAMP, Phase.ARMED), "Start RF on channels 1, 2 and 3 (within 4.5 s)"),
        (armed(Phase.ARMED, Phase.ARM_READY, probing=(1, 2)), "Start the probe, channel 1 first (within 4.5 s)"),
        (armed(Phase.ARMED, Phase.ARMED, probing=(2,)), "Start RF on channel 1 (within 4.5 s)"),
    ],
)
def test_the_word_to_start_is_asked_for_when_all_are_armed(state: KernelState, text: str) -> None:
    after, effects = ask_start(state, 1, NOW_NS, 77)
    asked = Ask(1, Question.START, (Choice.START,), text)
    assert effects == (asked,)
    assert after == state._replace(channels=(state.channels[0]._replace(token=77), *state.channels[1:]), question=asked)


@pytest.mark.parametrize(
    "state",
    [
        armed(Phase.ARMED, Phase.ARM_READY),
        armed(Phase.ARMED, Phase.LESION_INTENT),
        armed(Phase.ARMED, Phase.CONFIGURING),
        armed(Phase.ARMED, Phase.ARMING),
        armed(Phase.ARMED, Phase.ARMED, started=True),
        armed(Phase.ARMED, probing=(1,), started=True),
    ],
)
def test_before_all_are_armed_or_once_it_was_given_only_the_token_is_kept(state: KernelState) -> None:
    after, effects = ask_start(state, 1, NOW_NS, 77)
    assert effects == ()
    assert after == state._replace(channels=(state.channels[0]._replace(token=77), *state.channels[1:]))


def test_the_word_to_start_waits_for_the_channels_of_the_group_and_no_other() -> None:
    idle, armed_one, arming = IDLE, SECOND._replace(phase=Phase.ARMED), THIRD._replace(phase=Phase.ARMING)
    assert ask_start(together(idle, armed_one, arming, group=(2, 3)), 2, NOW_NS, 77)[1] == ()
    other = together(FIRST._replace(phase=Phase.ARM_READY), armed_one, arming, group=(2,))
    assert asked_of(ask_start(other, 2, NOW_NS, 77)[1]).text == "Start RF on channel 2 (within 4.5 s)"


def test_the_token_is_kept_on_the_channel_that_got_it() -> None:
    after, _ = ask_start(armed(Phase.ARMING, Phase.ARMED), 2, NOW_NS, 77)
    assert [channel.token for channel in after.channels] == [0, 77]
