"""A sample as it is derived in a state that is made for it."""

from __future__ import annotations

from typing import Any

from rfctl.kernel.interlocks import derive
from rfctl.kernel.state import KernelState, Mean, Sample
from rfctl.kernel.thermal import Thermal
from tests.unit.kernel.turned import NOW, Change, treating, whole

MS = 1_000_000
NO_MEAN = Mean()


def made(*changes: Change) -> KernelState:
    """Both channels at their sites, and what is changed of it."""
    state = treating()
    for change in changes:
        state = change(state)
    return state


def derived(
    *changes: Change, number: int = 1, mean: Mean = NO_MEAN, memory: Thermal | None = None, now_ns: int = NOW
) -> Sample:
    """The sample of one channel in the state so changed; its memory is what it was, where none is given."""
    state = made(*changes)
    assert state.reading is not None
    memory = state.channels[number - 1].thermal if memory is None else memory
    return derive(state, number, mean, memory, state.reading, now_ns)


def before(*samples: tuple[int, dict[str, Any]], number: int = 1) -> Change:
    """The channel's history: so many ms ago, these fields."""

    def change(state: KernelState) -> KernelState:
        plain = treating().channels[0].history[-1]
        history = tuple(plain._replace(now_ns=NOW - ms * MS, **fields) for ms, fields in samples)
        channels = list(state.channels)
        channels[number - 1] = channels[number - 1]._replace(history=history)
        return state._replace(channels=tuple(channels))

    return change


def reading(**fields: Any) -> Change:
    """The generator as a whole reports this."""

    def change(state: KernelState) -> KernelState:
        assert state.reading is not None
        return whole(reading=state.reading._replace(**fields))(state)

    return change
