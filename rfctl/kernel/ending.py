"""The end: off is commanded again until the measured output says so, ownership given back, and the last word said."""

from __future__ import annotations

from rfctl.errors import EXIT_DEVICE
from rfctl.kernel.effects import Effect, Finish, Off, Outcome, Release
from rfctl.kernel.interlocks import has_output
from rfctl.kernel.row import Origin
from rfctl.kernel.state import KernelState, Stage
from rfctl.kernel.verdicts import Step, event_trip, trip

OFF_UNVERIFIED_NS = 250_000_000
OFF_AGAIN_NS = 200_000_000
GIVE_UP_NS = 5_000_000_000
"""How long off is commanded and looked for before a procedure ends with OFF NOT CONFIRMED."""


def verify_off(state: KernelState, now_ns: int) -> Step:
    """Off is done when the measured output says so; until then it is commanded again, and said."""
    reading = state.reading
    output = reading is not None and any(has_output(channel) for channel in reading.channels)
    if state.stage is Stage.RELEASING:
        if not output:
            return state, ()
        state = state._replace(stage=Stage.ENDING, since_ns=now_ns, off_ns=now_ns, off_verified=False)
        return state, (Off("an output came on again after off had been verified"),)
    if reading is not None and state.received_ns > state.since_ns and not output:
        if not state.setup.plan.sites:  # never owned
            return finish(state._replace(since_ns=now_ns, off_verified=True))
        return state._replace(stage=Stage.RELEASING, since_ns=now_ns, off_verified=True), (Release(),)
    effects: tuple[Effect, ...] = ()
    if now_ns - max(state.since_ns, state.received_ns) > OFF_UNVERIFIED_NS:
        text = "OFF NOT CONFIRMED: no answer from the generator since off was sent; treat its outputs as on"
        if state.received_ns > state.since_ns:
            text = "OFF NOT CONFIRMED: an output was on after off was sent, and the generator has not answered since"
        state, effects = trip(state, [event_trip("off_uncertain", "HZ-16", text, now_ns, Origin.DEVICE)])
    if now_ns - state.since_ns > GIVE_UP_NS:
        state, more = finish(state)
        return state, (*effects, *more)
    if now_ns - state.off_ns >= OFF_AGAIN_NS:
        state = state._replace(off_ns=now_ns)
        effects = (Off("off not verified yet"), *effects)
    return state, effects


def finish(state: KernelState) -> Step:
    """The last word: how the procedure ended, and whether off was measured."""
    if not state.off_verified:
        text = f"{state.ending}. OFF NOT CONFIRMED: switch the generator off at its mains and check it"
        state = state._replace(outcome=Outcome.FAILED, exit_code=EXIT_DEVICE, ending=text)
    finish = Finish(state.outcome, state.exit_code, state.off_verified, state.ending)
    return state._replace(stage=Stage.ENDED), (finish,)
