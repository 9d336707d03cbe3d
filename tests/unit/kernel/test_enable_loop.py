"""The enable loop in the kernel: nothing is energised before the guard holds it, and what follows when it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfctl.errors import EXIT_DEVICE, EXIT_STOPPED
from rfctl.kernel.effects import Arm, Configure, ConfigureStimulation, Effect, Fire, Off, Outcome, StartStimulation
from rfctl.kernel.events import Guarded
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import ENABLED, INTENDED, PERMITTED, Phase
from rfctl.kernel.state import Setup, Stage
from tests.unit.kernel.bench import Bench, batch, setup_of

pytestmark = pytest.mark.slow

MS = 1_000_000
ENERGISING = (Arm, Fire, StartStimulation, Configure, ConfigureStimulation)
INTENTS = sorted(INTENDED)


def guarded(setup: Setup | None = None) -> Bench:
    return Bench(replace(setup or setup_of(), guarded=True))


def hear(bench: Bench, *, closed: bool, silent_ns: int = 0, code: str = "", hazard: str = "", text: str = "") -> None:
    bench.feed(Guarded(bench.now_ns, closed, silent_ns, code, hazard, text))


def on(phase: Phase) -> Bench:
    bench = guarded()
    hear(bench, closed=True)
    return bench.reach(phase)


def energising(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, ENERGISING)]


@pytest.mark.parametrize("order", [None, batch()])
def test_with_the_loop_held_a_procedure_runs_as_without_a_guard(order: Setup | None) -> None:
    bench = guarded(order)
    hear(bench, closed=True)
    bench.finished()
    assert bench.finish.outcome is Outcome.COMPLETE
    plain = Bench(order or setup_of()).finished()
    assert energising(bench.effects) == energising(plain.effects)


@pytest.mark.parametrize("phase", INTENTS, ids=lambda phase: phase.name)
@pytest.mark.requirement("guard.watched")
def test_a_durable_intent_waits_until_the_contact_is_read_closed(phase: Phase) -> None:
    bench = guarded()
    hear(bench, closed=True)
    bench.until(lambda b: phase in b.phases)
    hear(bench, closed=False)
    before = len(energising(bench.effects))
    while bench.pending:
        bench.feed(bench.pending.popleft())
    bench.samples(10)
    assert phase in bench.phases
    assert len(energising(bench.effects)) == before
    hear(bench, closed=True)
    assert len(energising(bench.effects)) == before + 1
    bench.finished()
    assert bench.finish.outcome is Outcome.COMPLETE


def test_a_loop_that_stays_open_refuses_after_a_second_and_not_before() -> None:
    bench = guarded()
    bench.reach(Phase.SENSORY_INTENT)
    began_ns = bench.now_ns
    bench.person = None
    while bench.pending:
        bench.feed(bench.pending.popleft())
    while not bench.codes:
        bench.sample()
    assert bench.codes == ["enable_loop_late"]
    assert 1000 * MS < bench.now_ns - began_ns <= 1050 * MS
    assert not energising(bench.effects)
    bench.finished()
    assert bench.finish.outcome is Outcome.REFUSED


@pytest.mark.parametrize("phase", [Phase.SENSORY, Phase.MOTOR, Phase.ARMED, Phase.RAMP, Phase.HOLD])
def test_an_open_loop_is_off_at_once(phase: Phase) -> None:
    bench = on(phase)
    effects = len(bench.effects)
    hear(bench, closed=False)
    assert isinstance(bench.effects[effects], Off)
    assert bench.codes == ["enable_loop_open"]
    bench.finished()
    assert (bench.finish.outcome, bench.finish.exit_code) == (Outcome.FAILED, EXIT_DEVICE)


@pytest.mark.parametrize("phase", [Phase.IMPEDANCE, Phase.ANAESTHETIC_WAIT, Phase.COOLING])
def test_an_open_loop_is_as_it_should_be_where_nothing_is_wanted(phase: Phase) -> None:
    bench = on(phase)
    hear(bench, closed=False)
    bench.samples(40)
    assert not bench.codes


@pytest.mark.parametrize(("age_ms", "acts"), [(300, False), (301, True)])
@pytest.mark.requirement("guard.watched")
def test_a_silent_guard_is_borne_up_to_the_limit(age_ms: int, acts: bool) -> None:
    bench = on(Phase.HOLD)
    heard_ns = bench.now_ns + 5 * 50 * MS - age_ms * MS
    bench.samples(4)
    hear(bench, closed=True, silent_ns=heard_ns)
    assert not bench.codes
    bench.sample()
    assert bench.codes == (["guard_silent"] if acts else [])
    if not acts:
        hear(bench, closed=True)
        bench.samples(20)
        assert not bench.codes


def test_a_guard_that_lets_go_for_good_ends_the_procedure_with_its_own_words() -> None:
    bench = on(Phase.IMPEDANCE)
    hear(bench, closed=False, code="temperature_max", hazard="HZ-01", text="channel 1: the guard decodes 96 degC")
    (trip,) = bench.state.trips
    assert (trip.code, trip.hazard) == ("guard_temperature_max", "HZ-01")
    assert trip.text == "the guard has let go of the enable loop: channel 1: the guard decodes 96 degC"
    assert bench.state.stage is Stage.ENDING
    hear(bench, closed=False, code="temperature_max", hazard="HZ-01", text="again")
    assert len(bench.state.trips) == 1


def test_a_stop_at_the_guard_is_a_stop() -> None:
    bench = on(Phase.HOLD)
    hear(bench, closed=False, code="stop", hazard="HZ-43", text="rfctl stop")
    bench.finished()
    assert (bench.finish.outcome, bench.finish.exit_code) == (Outcome.STOPPED, EXIT_STOPPED)
    assert bench.state.ending == "stopped by rfctl stop"
    assert not bench.codes


def test_what_waited_when_it_ended_never_goes_on() -> None:
    bench = guarded()
    bench.reach(Phase.SENSORY_INTENT)
    while bench.pending:
        bench.feed(bench.pending.popleft())
    bench.stop()
    hear(bench, closed=True)
    bench.finished()
    assert not energising(bench.effects)


@pytest.mark.parametrize(
    ("code", "phase", "spoil"),
    [
        ("enable_loop_open", Phase.HOLD, lambda bench: hear(bench, closed=False)),
        ("guard_silent", Phase.HOLD, lambda bench: hear(bench, closed=True, silent_ns=1)),
        ("enable_loop_late", Phase.SENSORY_INTENT, lambda bench: hear(bench, closed=False)),
    ],
)
def test_without_its_row_nothing_acts(code: str, phase: Phase, spoil: object) -> None:
    bench = on(phase)
    bench.person = None
    for rows, expected in ((ROWS, [code]), (tuple(row for row in ROWS if row.code != code), [])):
        other = bench.with_rows(rows)
        spoil(other)  # type: ignore[operator]
        while other.pending:
            other.feed(other.pending.popleft())
        other.samples(30)
        assert [c for c in other.codes if c == code] == expected


def test_without_a_guard_its_rows_are_not_in_force() -> None:
    bench = Bench(setup_of()).reach(Phase.HOLD)
    bench.samples(40)
    assert not bench.codes
    assert not bench.setup.guarded


def test_the_loop_is_wanted_wherever_energy_is_permitted() -> None:
    assert PERMITTED < ENABLED
    assert ENABLED - PERMITTED == INTENDED
