"""Channels that heat together: one word for all that are ready; until then it is said what they wait for."""

from __future__ import annotations

from rfctl.kernel.actions import Result, ask, with_channel
from rfctl.kernel.baseline import too_hot_to_begin, waits_for
from rfctl.kernel.effects import Effect, Level, Note
from rfctl.kernel.events import Choice, Question
from rfctl.kernel.guards import lesion_of, under_work
from rfctl.kernel.limits import PROBE_POWER_W, PROBE_RISE_K
from rfctl.kernel.phase import ARMING, LESION, Phase
from rfctl.kernel.state import KernelState, Mean
from rfctl.model.plan import Lesion

BASELINE = "baseline"
"""Code of the note that a channel waits."""
GATHERED = ARMING | LESION | {Phase.ARM_READY, Phase.DISARM_OFF, Phase.PROBE_OFF, Phase.LESION_OFF}
"""A channel of the group that was armed together is still at it."""


def gather(state: KernelState, now_ns: int) -> Result:
    """When every channel under work is ready for its lesion: ask for the word to arm them, those together that heat
    together. Several channels are probed first.
    """
    if state.group:
        if any(state.channels[n - 1].phase in GATHERED for n in state.group):
            return state, ()
        state = state._replace(group=(), armed_by="", started=False)
    ready = under_work(state)
    if not ready or state.question or any(state.channels[n - 1].phase is not Phase.LESION_READY for n in ready):
        return state, ()
    waits = [(n, text) for n in ready if (text := waits_for(state, n, now_ns))]
    if waits:
        return _waiting(state, waits)
    unproven = [n for n in ready if not state.channels[n - 1].probed] if len(ready) > 1 else []
    group = tuple(unproven or ready)
    effects: tuple[Effect, ...] = ()
    for number in group:
        channel = state.channels[number - 1]._replace(
            phase=Phase.ARM_READY, since_ns=now_ns, probing=bool(unproven), warned=frozenset(), mean=Mean()
        )
        state = with_channel(state, number, channel)
        effects = (*effects, Note(Level.INFO, number, "phase", str(Phase.ARM_READY)))
    asked: tuple[Effect, ...]
    # No word lives on: a group that its last channel left, its result void, had been given its own.
    state = state._replace(group=group, armed_by="", started=False)
    state, asked = _ask_arm(state, group, probe=bool(unproven))
    return state, (*effects, *asked)


def say_wait(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    """Before the impedance check: the tissue is still hot from before."""
    return _waiting(state, [(number, too_hot_to_begin(state, number, now_ns))])


def _waiting(state: KernelState, waits: list[tuple[int, str]]) -> Result:
    """Said once; nothing is armed until no channel waits any more."""
    effects: tuple[Effect, ...] = ()
    for number, text in waits:
        channel = state.channels[number - 1]
        if BASELINE not in channel.warned:
            effects = (*effects, Note(Level.INFO, number, BASELINE, f"channel {number} waits: {text}"))
            state = with_channel(state, number, channel._replace(warned=channel.warned | {BASELINE}))
    return state, effects


def _ask_arm(state: KernelState, group: tuple[int, ...], *, probe: bool) -> Result:
    if probe:
        text = (
            f"Arm the probe of {_shown(group)}: each alone, {PROBE_POWER_W:g} W in the tissue until its own tip is "
            f"{PROBE_RISE_K:g} K warmer"
        )
    else:
        what = {n: _planned(lesion_of(state, n)) for n in group}
        same = len(set(what.values())) == 1
        text = (
            f"Arm {_shown(group)} for {what[group[0]]}"
            if same
            else "Arm " + "; ".join(f"channel {n} for {each}" for n, each in what.items())
        )
    paused = tuple(n for n in group if state.channels[n - 1].thermal.pauses)
    if paused:
        text = f"The ramp of {_shown(paused)} was paused: is the electrode seated in its cannula? {text}"
    return ask(state, group[0], Question.ARM, (Choice.ARM, Choice.REPOSITION), text)


def _planned(lesion: Lesion) -> str:
    return f"{lesion.aim}, {lesion.hold_s:g} s"


def _shown(group: tuple[int, ...]) -> str:
    if len(group) == 1:
        return f"channel {group[0]}"
    return f"channels {', '.join(map(str, group[:-1]))} and {group[-1]}"


def ask_start(state: KernelState, number: int, _now_ns: int, value: int) -> Result:
    """Keep the token that ARM gave; ask for the word to start when all are armed that start together."""
    state = with_channel(state, number, state.channels[number - 1]._replace(token=value))
    to_come = {Phase.ARM_READY, *ARMING} - {Phase.ARMED}
    together = [n for n in state.group if not state.channels[n - 1].probing]
    if state.started or any(state.channels[n - 1].phase in to_come for n in together):
        return state, ()
    text = f"Start the probe, channel {number} first" if not together else f"Start RF on {_shown(tuple(together))}"
    return ask(state, state.group[0], Question.START, (Choice.START,), f"{text} (within 4.5 s)")
