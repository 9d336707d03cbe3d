"""Faults of the station, its people, its disk and its guard: what no catalogue of a generator can have.

Each is a function of the bench, the parameters and a patch that is undone when the session has ended.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rfctl.clock import NS_PER_S
from rfctl.kernel.events import Question
from rfctl.record.disk import Disk
from rfctl.station import plan_check, procedure
from rfctl.station.answers import ScriptedOperator
from rfctl.station.guarding import InLoop
from rfctl.virtual import HOLD_LIMIT_NS, VirtualClock
from rfctl_sim.pad import Pad, PadStatus

if TYPE_CHECKING:
    import pytest

    from rfctl.guard.state import Wanted
    from rfctl.kernel.events import Answered, Stopped
    from rfctl.kernel.state import KernelState
    from tests.station_bench import Bench

    Begin = Callable[[Bench, Mapping[str, Any], pytest.MonkeyPatch], None]


def panel(bench: Bench, parameters: Mapping[str, Any], _patch: pytest.MonkeyPatch) -> None:
    """A person does something at the generator."""
    bench.simulator.at_the_machine(parameters)


def station_hangs(_bench: Bench, parameters: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    """The loop is elsewhere, once."""
    left = [float(parameters["s"])]

    async def elsewhere(_self: procedure.Procedure, _due_ns: int) -> None:
        if left:
            await asyncio.sleep(left.pop())

    patch.setattr(procedure.Procedure, "_leave_line", elsewhere)


def station_sleeps(_bench: Bench, parameters: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    """The machine's other clock has gone on."""
    boottime_ns, slept_ns = VirtualClock.boottime_ns, round(parameters["s"] * NS_PER_S)
    patch.setattr(VirtualClock, "boottime_ns", lambda self: boottime_ns(self) + slept_ns)


def pad_not_told(_bench: Bench, _parameters: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    """The generator says nothing of the pad any more."""
    patch.setattr(Pad, "status", PadStatus.NOT_MONITORED)


def pad_plan_not_checked(_bench: Bench, parameters: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    """The plan check takes any number of electrodes on a pad."""
    patch.setattr(plan_check, "PAD_HEATING_PLANNED_A2S", parameters["a2s"])


def disk_hangs(_bench: Bench, _parameters: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    """A sync returns late, once: later than virtual time waits for a disk, which then goes on."""
    sync, left = Disk.sync, [HOLD_LIMIT_NS / NS_PER_S + 0.2]

    def late(disk: Disk, descriptor: int) -> None:
        if left:
            threading.Event().wait(left.pop())
        sync(disk, descriptor)

    patch.setattr(Disk, "sync", late)


def word_comes_late(_bench: Bench, parameters: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    """Whoever answers lets one question wait, the first time that it is asked."""
    decide, question, until_ns = ScriptedOperator.decide, Question(parameters["to"]), [0]

    def late(self: ScriptedOperator, state: KernelState, now_ns: int) -> Answered | Stopped | None:
        if state.question is not None and state.question.question is question:
            until_ns[0] = until_ns[0] or now_ns + round(parameters["s"] * NS_PER_S)
            if now_ns < until_ns[0]:
                return None
        return decide(self, state, now_ns)

    patch.setattr(ScriptedOperator, "decide", late)


def guard_hangs(_bench: Bench, _parameters: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    """It says nothing any more and hears nothing."""
    patch.setattr(InLoop, "beat", lambda *_args, **_members: None)
    patch.setattr(InLoop, "listen", lambda _self: None)


def guard_sees_open(_bench: Bench, _parameters: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    """It goes on, and reads the contact open."""
    listen = InLoop.listen

    def told_open(self: InLoop) -> None:
        listen(self)
        self.word = self.word._replace(closed=False)

    patch.setattr(InLoop, "listen", told_open)


def guard_does_not_close(_bench: Bench, _parameters: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    """It is not reached by the station's wish for a closed loop."""
    beat = InLoop.beat

    def never(self: InLoop, cycle: int, digest: int, now_ns: int, wanted: tuple[Wanted, ...], *, enable: bool) -> None:
        beat(self, cycle, digest, now_ns, wanted, enable=False)

    patch.setattr(InLoop, "beat", never)


OF_THE_STATION: dict[str, Begin] = {
    each.__name__: each
    for each in (
        panel,
        station_hangs,
        station_sleeps,
        pad_not_told,
        pad_plan_not_checked,
        disk_hangs,
        word_comes_late,
        guard_hangs,
        guard_sees_open,
        guard_does_not_close,
    )
}
"""By the names that entries of tests/faults/proofs.py use."""
