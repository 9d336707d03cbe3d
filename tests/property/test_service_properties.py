"""The whole service, whatever people, faults, disk and clocks do, in any order: what must never happen does not."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rfctl.accounts.resets import Demand
from rfctl.clock import NS_PER_S
from rfctl.record.writer import RecordWriter
from rfctl.station import latches
from rfctl.virtual import VirtualLoop
from rfctl_sim.catalogue.kinds import Scope
from rfctl_sim.catalogue.table import CATALOGUE
from tests.assurance.worlds import DEEDS
from tests.property.service_world import ServiceWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

pytestmark = pytest.mark.slow

OF_GENERATOR = sorted(kind.name for kind in CATALOGUE.values() if kind.scope is not Scope.RELAY)
"""With one of the relay beside one of these there are two at once, which nothing is built against."""
WHERE = ("arming", "ramp", "hold", "cooling", "sensory")
REASON = "lead was plugged in again"
CHOICES = ("confirm", "decline", "arm", "start", "override", "done", "felt", "no such choice")


class ServiceMachine(RuleBasedStateMachine):
    """A service that anything happens to."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="rfctl-service-")
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.world = ServiceWorld(Path(self._folder.name))
        self.run(self.world.open())

    def run(self, happens: Coroutine[Any, Any, Any]) -> Any:
        """In virtual time, which stands still between two rules."""
        return self._runner.run(happens)

    def teardown(self) -> None:
        try:
            self.run(self.world.close())
        finally:
            self._runner.close()
            self._folder.cleanup()

    def served(self) -> bool:
        return self.world.service is not None

    # people

    @initialize(phase=st.sampled_from(("", *WHERE)), checked=st.booleans())
    def begin(self, phase: str, *, checked: bool) -> None:
        """At rest, or anywhere in a procedure."""
        if phase:
            assert self.run(self.world.asks("anna", "take"))["ok"]
            assert self.run(self.world.starts("anna", checked=checked or phase == "sensory"))["ok"]
            self.run(self.world.goes_to("anna", phase))

    @precondition(served)
    @rule(name=st.sampled_from(("anna", "vera", "")), checked=st.booleans())
    def take_and_start(self, name: str, *, checked: bool) -> None:
        taken = self.run(self.world.asks(name, "take"))
        if self.served():
            started = self.run(self.world.starts(name, checked=checked))
            assert name == "anna" or not (taken["ok"] or started["ok"]), "control takes a role"

    @precondition(served)
    @rule(phase=st.sampled_from(WHERE))
    def go_to(self, phase: str) -> None:
        self.run(self.world.goes_to("anna", phase))

    @precondition(served)
    @rule(name=st.sampled_from(("anna", "vera", "")), choice=st.sampled_from(("", *CHOICES)))
    def answer(self, name: str, choice: str) -> None:
        reply = self.run(self.world.answers(name, choice))
        assert reply is None or name == "anna" or not reply["ok"], "an answer takes the control right"

    @precondition(served)
    @rule(name=st.sampled_from(("anna", "vera", "")))
    def stop(self, name: str) -> None:
        assert self.run(self.world.asks(name, "stop"))["ok"], "a stop takes no role"

    @rule(name=st.sampled_from(("anna", "vera")), reason=st.sampled_from((REASON, "ok")))
    def reset(self, name: str, reason: str) -> None:
        before = self.run(self.world.standing())
        refused, standing = self.run(self.world.resets(name, reason))
        assert standing >= len(refused)
        if name != "anna":
            assert standing >= before
            assert all(Demand.ACKNOWLEDGED in lacks for lacks in refused)
        self.run(self.world.begin())

    @precondition(served)
    @rule()
    def restart(self) -> None:
        self.run(self.world.end())
        self.run(self.world.begin())

    @precondition(lambda machine: not machine.served())
    @rule()
    def start_the_service(self) -> None:
        self.run(self.world.begin())

    @rule(deed=st.sampled_from(DEEDS))
    def at_the_panel(self, deed: dict[str, Any]) -> None:
        self.run(self.world.touches(deed))

    # the generator and the machine

    @rule(fault=st.sampled_from(OF_GENERATOR), lasts_s=st.sampled_from((None, 0.06, 0.3, 2.0)))
    def strike(self, fault: str, lasts_s: float | None) -> None:
        self.run(self.world.strikes(fault, lasts_s))

    @rule()
    def mend(self) -> None:
        self.run(self.world.mends())

    @rule(seconds=st.sampled_from((0.02, 0.3, 1.0, 5.0)))
    def go_on(self, seconds: float) -> None:
        self.run(self.world.go_on(seconds))

    @rule(seconds=st.sampled_from((0.5, 5.0)), full=st.booleans())
    def disk(self, seconds: float, *, full: bool) -> None:
        until_ns = self.world.now_ns + round(seconds * NS_PER_S)
        if full:
            self.world.around.full_until_ns = until_ns
        else:
            self.world.around.slow_until_ns = until_ns

    @rule(seconds=st.sampled_from((-3600.0, 86400.0)))
    def set_clock(self, seconds: float) -> None:
        self.run(self.world.sets_clock(seconds))

    # what must hold

    @invariant()
    def nothing_happens_that_must_not(self) -> None:
        assert self.run(self.world.violations()) == []


@contextmanager
def heated(folder: Path) -> Iterator[tuple[ServiceWorld, Callable[[Coroutine[Any, Any, Any]], Any]]]:
    """A world in hold, and what runs it."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        world = ServiceWorld(folder)
        runner.run(world.open())
        runner.run(world.asks("anna", "take"))
        runner.run(world.starts("anna", checked=False))
        runner.run(world.goes_to("anna", "hold"))
        try:
            yield world, runner.run
        finally:
            runner.run(world.close())


def test_an_output_that_nobody_turns_off_is_seen(tmp_path: Path) -> None:
    with heated(tmp_path) as (world, run):
        assert run(world.violations()) == []
        for fault in ("welded", "lease_endless", "off_ignored"):
            run(world.strikes(fault, None))
        run(world.asks("", "stop"))
        run(world.go_on(1.0))
        assert any("while nobody wanted it" in violation for violation in run(world.violations()))
        run(world.mends())


def test_an_energy_without_an_intent_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = RecordWriter.append

    def forgets(record: RecordWriter, kind: str, *rest: Any, **more: Any) -> None:
        if kind != "intent":
            append(record, kind, *rest, **more)

    monkeypatch.setattr(RecordWriter, "append", forgets)
    with pytest.raises(AssertionError, match="intent"), heated(tmp_path):
        pass


def test_a_start_while_a_latch_stands_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latches, "require_none", lambda *_: None)
    with heated(tmp_path) as (world, run):
        run(world.strikes("thermocouple_open", 0.5))
        run(world.go_on(5.0))
        assert run(world.violations()) == []
        run(world.starts("anna", checked=False))
        run(world.goes_to("anna", "ramp"))
        assert any("while a latch stands" in violation for violation in run(world.violations()))


TestService = ServiceMachine.TestCase
TestService.settings = settings(
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
