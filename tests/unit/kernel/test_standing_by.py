"""Watching between procedures: a plan without sites owns nothing, starts nothing, and judges everything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfctl.errors import EXIT_DEVICE, EXIT_STOPPED
from rfctl.kernel.effects import Ask, Claim, Grant, Level, Note, Off, Outcome, Release
from rfctl.kernel.events import Cause, Missed, Notice, Noticed
from rfctl.kernel.state import Stage
from tests.unit.kernel.bench import Bench, setup_of


@pytest.fixture
def watching() -> Bench:
    setup = setup_of()
    return Bench(replace(setup, plan=replace(setup.plan, sites=()))).reach_stage(Stage.STANDING_BY)


def test_it_turns_off_first_and_then_asks_for_nothing(watching: Bench) -> None:
    watching.samples(200)
    assert watching.state.stage is Stage.STANDING_BY
    assert watching.effects[0] == Off("start: everything is unknown")
    assert not [effect for effect in watching.effects[1:] if not isinstance(effect, Note)]


def test_rf_without_command_is_turned_off_within_two_samples(watching: Bench) -> None:
    watching.alter(2, rf_on=True)
    watching.samples(2)
    assert watching.codes == ["uncommanded_rf"]
    assert any(isinstance(effect, Off) for effect in watching.decisions[-1].effects)
    watching.alter(2, rf_on=False)
    watching.finished()
    assert (watching.finish.outcome, watching.finish.exit_code) == (Outcome.FAILED, EXIT_DEVICE)
    assert watching.finish.off_verified


@pytest.mark.parametrize(
    ("notice", "code"), [(Notice.RECORD_BACKLOG, "record_backlog"), (Notice.SUSPENDED, "suspended")]
)
def test_what_ends_a_procedure_before_energy_is_only_said_where_there_will_be_none(
    watching: Bench, notice: Notice, code: str
) -> None:
    effects = watching.feed(Noticed(watching.now_ns, notice, 5.0))
    assert [(effect.code, effect.level) for effect in effects if isinstance(effect, Note)] == [(code, Level.WARNING)]
    assert (watching.codes, watching.state.stage) == ([], Stage.STANDING_BY)
    planned = Bench(setup_of()).reach_stage(Stage.CHECKLIST)
    planned.feed(Noticed(planned.now_ns, notice, 5.0))
    assert planned.codes == [code]


def test_a_silent_link_ends_it(watching: Bench) -> None:
    watching.silence(2.1)
    watching.feed(Missed(watching.now_ns, Cause.TIMEOUT, "no reply"))
    assert watching.codes == ["link_silent"]


def test_a_stop_ends_it_measured_off_without_giving_back_what_it_never_owned(watching: Bench) -> None:
    watching.stop("the service")
    watching.finished()
    assert (watching.finish.outcome, watching.finish.exit_code) == (Outcome.STOPPED, EXIT_STOPPED)
    assert watching.finish.off_verified
    assert not [effect for effect in watching.effects if isinstance(effect, Claim | Release | Grant | Ask)]
