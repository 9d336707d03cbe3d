"""A state of the kernel, and changes of it: what turns the answer of a guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from rfctl.kernel.effects import Ask
from rfctl.kernel.events import Question
from rfctl.kernel.limits import ARM_TOKEN_NS, PERMIT_NS
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import CheckResult, Figures, KernelState, Reference, Sample
from rfctl.model.plan import Medium
from tests.unit.kernel.bench import Bench, setup_of

NOW = 100_000_000_000
Change = Callable[[KernelState], KernelState]
S = 1_000_000_000


@cache
def _sampled() -> KernelState:
    bench = Bench(setup_of())
    bench.sample()
    bench.sample()
    return bench.state


def treating() -> KernelState:
    """Both channels at their sites, nothing on, everything known a moment ago."""
    state = _sampled()
    channels = tuple(
        channel._replace(phase=Phase.IMPEDANCE if at == 0 else Phase.QUEUED, site=at, since_ns=0, off_ns=0)
        for at, channel in enumerate(state.channels)
    )
    return state._replace(channels=channels, received_ns=NOW)


def _nth(number: int, **fields: Any) -> Change:
    def change(state: KernelState) -> KernelState:
        channels = list(state.channels)
        channels[number - 1] = channels[number - 1]._replace(**fields)
        return state._replace(channels=tuple(channels))

    return change


def one(**fields: Any) -> Change:
    """The channel that is asked about."""
    return _nth(1, **fields)


def two(**fields: Any) -> Change:
    """Its neighbour."""
    return _nth(2, **fields)


def third(**fields: Any) -> Change:
    """There is one channel more."""
    return lambda state: state._replace(channels=(*state.channels, state.channels[1]._replace(**fields)))


def whole(**fields: Any) -> Change:
    return lambda state: state._replace(**fields)


def measured(number: int = 1, **fields: Any) -> Change:
    def change(state: KernelState) -> KernelState:
        assert state.reading is not None
        channels = list(state.reading.channels)
        channels[number - 1] = channels[number - 1]._replace(**fields)
        return state._replace(reading=state.reading._replace(channels=tuple(channels)))

    return change


def planned(**fields: Any) -> Change:
    """The first site is planned otherwise: its lesion, a check, or a field of its own."""

    def change(state: KernelState) -> KernelState:
        first, *others = state.setup.plan.sites
        for name, value in fields.items():
            if name == "lesion":
                first = replace(first, lesions=(replace(first.lesions[0], **value), *first.lesions[1:]))
            elif isinstance(value, dict):
                first = replace(first, **{name: replace(getattr(first, name), **value)})
            else:
                first = replace(first, **{name: value})
        plan = replace(state.setup.plan, sites=(first, *others))
        return state._replace(setup=replace(state.setup, plan=plan))

    return change


def medium(medium: Medium) -> Change:
    return lambda state: state._replace(setup=replace(state.setup, medium=medium))


def tip(*temperatures_c: float, impedance_ohm: float = 200.0) -> Change:
    """Samples of the first channel, the newest last, half a second apart."""

    def change(state: KernelState) -> KernelState:
        last: Sample = _sampled().channels[0].history[-1]
        count = len(temperatures_c)
        history = tuple(
            last._replace(temperature_c=each, now_ns=NOW - (count - at) * S // 2, impedance_ohm=impedance_ohm)
            for at, each in enumerate(temperatures_c, 1)
        )
        return one(history=history)(state)

    return change


Row = tuple[Callable[..., bool], tuple[Change, ...], bool, tuple[Change, ...]]


FIGURES = Figures(NOW - 90 * S, 37.0, NOW - 80 * S, 80.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, NOW)
REFERENCE = Reference(200.0, 37.0, 100.0, 200.0, 37.0)
NO_READING, ASKED = whole(reading=None), whole(question=Ask(2, Question.POSITION, (), ""))
TOKEN = (one(token=1, since_ns=NOW - ARM_TOKEN_NS + 1), whole(received_ns=NOW - PERMIT_NS))
TOKEN_GONE = (one(token=0), one(since_ns=NOW - ARM_TOKEN_NS), whole(received_ns=NOW - PERMIT_NS - 1))
OFF_SEEN = one(off_ns=NOW - 1)
OFF_NOT_SEEN = (NO_READING, one(off_ns=NOW), measured(rf_on=True), measured(stimulating=True))


def felt(amplitude: float | None) -> Change:
    return one(sensory=CheckResult(amplitude is not None, amplitude))


def answer(guard: Callable[..., bool], changes: tuple[Change, ...]) -> bool:
    state = treating()
    for change in changes:
        state = change(state)
    return guard(state, 1, NOW)
