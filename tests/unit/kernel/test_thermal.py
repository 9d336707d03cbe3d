"""What a channel remembers of heat, and what follows: pause, lowered limit, wait, hold check, quality figures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rfctl.kernel.actions import with_channel
from rfctl.kernel.effects import ChannelOff, LowerLimit, Note, Off, Outcome
from rfctl.kernel.events import Cause, Command, Failed
from rfctl.kernel.interlocks import limit_of
from rfctl.kernel.phase import Phase
from rfctl.kernel.signals_thermal import fluid_of
from rfctl.kernel.state import Figures, Setup
from rfctl.model.electrode import find_electrode
from rfctl.model.plan import Move
from tests.unit.kernel.bench import LESION, Bench, Person, at, setup_of, site
from tests.unit.kernel.thermal_cases import rise_share, stays_warm

MODEL_CHECK = "limits: model check"
PICK_UP = "limits: RF pick-up"
PAUSE = "model_check_pause"
LONG = replace(LESION, hold_s=30.0)


def limits(bench: Bench) -> list[LowerLimit]:
    return [effect for effect in bench.effects if isinstance(effect, LowerLimit)]


def without(setting: str, setup: Setup) -> Bench:
    """A procedure in which these rows are not judged."""
    return Bench(replace(setup, rows=tuple(row for row in setup.rows if row.setting != setting)), Person())


def thin() -> Bench:
    """22 G, 10 mm: the time budget allows less near the set temperature than the cap. The tissue is that of 18 G."""
    return without(MODEL_CHECK, setup_of(replace(site("L4, left", 1), electrode=find_electrode(22, 10))))


def test_a_ramp_that_does_not_fit_is_paused_once_and_asks_about_the_seat() -> None:
    bench = without(PICK_UP, at(Phase.RAMP).setup).reach(Phase.RAMP)  # an altered temperature jumps as RF goes off
    rise_share(bench, 55.0)
    bench.until(lambda b: bool(b.notes(PAUSE)))
    assert bench.codes == []
    assert bench.channel.phase is Phase.DISARM_OFF
    assert any(isinstance(effect, Off | ChannelOff) for effect in bench.decisions[-1].effects)
    bench.restore_signals_of(at(Phase.RAMP))
    bench.reach(Phase.ARM_READY)
    asked = next(e for e in reversed(bench.effects) if type(e).__name__ == "Ask")
    assert "seated in its cannula" in getattr(asked, "text", "")
    bench.reach(Phase.RAMP)
    assert bench.channel.paused_s > 0.0
    figures = bench.channel.figures
    assert figures is not None
    ramp_s = LESION.ramp_s(figures.start_c)  # begun anew: what went before counts for the hard maximum only
    assert bench.channel.duration_s == pytest.approx(1.02 * (ramp_s + 40.0 + LESION.hold_s) + 1.0, abs=0.5)
    rise_share(bench, 55.0)
    bench.samples(40)
    assert len(bench.notes(PAUSE)) == 1
    assert bench.channel.figures is not None
    assert bench.channel.figures.pauses == 1


def test_the_limit_is_lowered_once_near_the_set_temperature_and_permits_narrow_with_it() -> None:
    bench = thin().reach(Phase.RAMP)
    before_w = bench.channel.power_limit_w
    bench.until(lambda b: bool(limits(b)))
    assert bench.newest(1).temperature_c == pytest.approx(70.0, abs=0.3)
    (lowered,) = limits(bench)
    assert lowered.power_limit_w < before_w
    assert bench.channel.intended.envelope.power_w == bench.channel.power_limit_w == lowered.power_limit_w
    bench.reach(Phase.COOLING)
    assert len(limits(bench)) == 1


def test_a_lowered_limit_that_was_not_answered_is_written_again_and_one_that_was_refused_ends_it() -> None:
    bench = thin()
    bench.until(lambda b: bool(limits(b)))
    refused = bench.copy()
    bench.feed(Failed(bench.now_ns, Command.LOWER_LIMIT, 1, Cause.TIMEOUT, "no reply"))
    bench.samples(2)
    assert len(limits(bench)) == 2
    refused.feed(Failed(refused.now_ns, Command.LOWER_LIMIT, 1, Cause.REFUSED, "read back 7.0"))
    assert refused.codes == ["command_failed"]


def test_a_channel_waits_for_a_tip_at_rest_and_that_is_no_trip() -> None:
    bench = at(Phase.ANAESTHETIC_WAIT)
    bench.alter(1, temperature_c=41.0)
    bench.samples(200)
    assert bench.channel.phase is Phase.LESION_READY
    (note,) = bench.notes("baseline")
    assert "41.0 degC" in note.text
    bench.alter(1, temperature_c=40.0)
    assert bench.reach(Phase.RAMP).codes == []


def test_a_hold_whose_power_grows_ends_by_its_own_mean() -> None:
    bench = Bench(setup_of(site("L4, left", 1, lesion=LONG)), Person()).reach(Phase.HOLD)
    bench.until(lambda b: b.channel.thermal.own_w > 0.0)
    assert bench.channel.thermal.own_w == pytest.approx(2.0, rel=0.01)
    for meter in ("current_ma_rms", "rf_band_current_ma_rms", "voltage_v_rms"):
        bench.alter(1, **{meter: lambda _t, now: float(str(now)) * 1.3})
    bench.alter(1, power_w=lambda _t, now: float(str(now)) * 1.69)
    bench.finished()
    assert bench.codes == ["hold_power_growing"]
    assert bench.finish.outcome is Outcome.STOPPED


def test_an_ordinary_long_hold_is_silent_and_its_figures_stand_beside_the_prediction() -> None:
    bench = Bench(setup_of(site("L4, left", 1, lesion=LONG)), Person()).reach(Phase.COOLING)
    assert bench.codes == []
    assert not [e for e in bench.effects if isinstance(e, Note) and e.code == PAUSE]
    figures = bench.channel.figures
    assert figures is not None
    assert not figures.ended_early
    assert figures.above_45_k_s > 30.0 * 34.0
    assert figures.predicted_hold_w == pytest.approx(2.5, abs=0.3)


def test_no_word_to_arm_is_too_quick_for_the_rows_that_refuse_it() -> None:
    hot = replace(LESION, set_temperature_c=90.0)
    bench = Bench(setup_of(replace(site("L4, left", 1, lesion=hot), electrode=find_electrode(22, 5))), Person())
    bench.until(lambda b: bool(b.codes))  # the person answers in the instant of the question
    assert bench.codes == ["time_budget"]
    assert bench.state.outcome is Outcome.REFUSED


@pytest.mark.parametrize("code", ["not_cooling", "cooling_stands_still"])
def test_a_tip_may_stay_warm_for_as_long_as_a_neighbour_heats(code: str) -> None:
    setup = setup_of()
    bench = Bench(replace(setup, rows=tuple(row for row in setup.rows if row.code == code)))
    bench.reach(Phase.COOLING)
    stays_warm(bench, math.nan)
    beside = bench.state.channels[1]
    since_ns = bench.now_ns - 10_000_000_000
    figures = Figures(since_ns, 37.0, bench.now_ns, 80.0, 0, 0, 0, 0, 0, 0, 0, since_ns)
    bench.state = with_channel(bench.state, 2, beside._replace(phase=Phase.RAMP, figures=figures, site=1))
    bench.samples(110)
    assert not bench.notes(code)
    bench.state = with_channel(bench.state, 2, beside)
    bench.samples(2)
    assert bench.notes(code)


def test_tissue_that_is_still_warm_is_not_taken_for_fluid() -> None:
    again = replace(LESION, after=Move.ROTATION)
    bench = Bench(setup_of(site("L4, left", 1, further=(again,))), Person()).reach(Phase.RECHECK)
    before = fluid_of(bench.channel)
    bench.alter(1, impedance_ohm=bench.newest(1).impedance_ohm * 0.93)
    bench.reach(Phase.ARM_READY)
    assert bench.channel.reference is not None
    assert bench.channel.reference.after_ohm < 0.95 * bench.channel.reference.impedance_ohm
    assert fluid_of(bench.channel) == before


def test_what_flowed_before_a_pause_is_not_the_energy_of_what_comes_after_it() -> None:
    row = next(row for row in at(Phase.RAMP).setup.rows if row.code == "energy")
    bench = at(Phase.RAMP)
    figures = bench.channel.figures
    assert figures is not None
    for before_j, limit_j in ((0.0, 2.4 * figures.predicted_energy_j), (7.0, 2.4 * figures.predicted_energy_j + 7.0)):
        channel = bench.channel._replace(figures=figures._replace(before_j=before_j))
        assert limit_of(row, bench.setup, channel) == pytest.approx(limit_j)
    channel = bench.channel._replace(figures=figures._replace(before_j=3990.0))
    assert limit_of(row, bench.setup, channel) == 4000.0
