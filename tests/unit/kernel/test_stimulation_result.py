"""The result of the checks permits a lesion only as long as it holds: how it becomes void, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest

from rfctl.kernel.actions import with_channel
from rfctl.kernel.effects import Fire, Outcome
from rfctl.kernel.events import Choice, Question
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import HEATING, Phase
from rfctl.model.plan import FaultPolicy, Medium, Use
from tests.unit.kernel.bench import (
    ANAESTHETIC,
    SERIES_OHM,
    TISSUE_OHM,
    Bench,
    Person,
    batch,
    setup_of,
    site,
)

pytestmark = pytest.mark.slow

TOTAL_OHM = SERIES_OHM + TISSUE_OHM
REASON = "seen on two views, unchanged"
ATTENTIVE = Person(silent=frozenset({Question.ARM, Question.POSITION}))
ROW_CODES = {row.code for row in ROWS}


def unplug(bench: Bench) -> None:
    bench.alter(1, electrode_present=False)


def swap(bench: Bench) -> None:
    bench.alter(1, electrode_id=0x2205)


def move(bench: Bench) -> None:
    bench.alter(1, impedance_ohm=1.2 * TOTAL_OHM)


def shift(bench: Bench) -> None:
    """Behind the path's series resistance less than 15 %."""
    bench.alter(1, impedance_ohm=SERIES_OHM + 1.3 * TISSUE_OHM)


def touch(bench: Bench) -> None:
    bench.alter(1, impedance_ohm=0.8 * TOTAL_OHM)


def wait(bench: Bench) -> None:
    """Nothing happens until the result is too old."""
    channel = bench.state.channels[0]
    stimulation = channel.stimulation._replace(checked_ns=bench.now_ns - 1_200_000_000_000)
    bench.state = with_channel(bench.state, 1, channel._replace(stimulation=stimulation))


def word(bench: Bench) -> None:
    """A stop with reposition."""
    bench.answer(Question.ARM, Choice.REPOSITION)


def lift(bench: Bench) -> None:
    """Out of the tissue, and back."""
    bench.alter(1, impedance_ohm=lambda t, now: float("nan") if t < 0.2 else now)


def dry(bench: Bench) -> None:
    bench.alter(1, impedance_ohm=SERIES_OHM + 1.3 * TISSUE_OHM)


def flood(bench: Bench) -> None:
    bench.alter(1, impedance_ohm=SERIES_OHM + 0.3 * TISSUE_OHM)


class Way(NamedTuple):
    """How a result becomes void.

    Attributes:
        phase: When.
        happens: What.
        code: What is said.
    """

    phase: Phase
    happens: Callable[[Bench], None]
    code: str


WAYS = (
    Way(Phase.ARM_READY, unplug, "electrode_changed"),
    Way(Phase.ARM_READY, swap, "electrode_changed"),
    Way(Phase.ANAESTHETIC_WAIT, swap, "electrode_changed"),
    Way(Phase.ANAESTHETIC_WAIT, lift, "electrode_open"),
    Way(Phase.ANAESTHETIC_WAIT, dry, "impedance_rose_at_injection"),
    Way(Phase.ANAESTHETIC_WAIT, flood, "impedance_fell_at_injection"),
    Way(Phase.ARM_READY, move, "impedance_above_reference"),
    Way(Phase.ARM_READY, shift, "tissue_above_reference"),
    Way(Phase.ARM_READY, touch, "impedance_below_reference"),
    Way(Phase.ARM_READY, wait, "stimulation_result_expired"),
    Way(Phase.ARM_READY, word, "repositioned"),
)


def brought(way: Way) -> Bench:
    bench = Bench(setup_of(), replace(ATTENTIVE)).reach(way.phase)
    way.happens(bench)
    return bench


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.happens.__name__}-{way.code}")
@pytest.mark.requirement("procedure.check-first")
def test_each_way_blocks_the_lesion_and_asks_for_a_check(way: Way) -> None:
    bench = brought(way).reach(Phase.STIM_REQUIRED)
    assert bench.channel.stimulation.void_code == way.code
    bench.person = Person(silent=frozenset({Question.POSITION}))
    bench.samples(60)
    bench.answer(Question.ARM, Choice.ARM)
    bench.answer(Question.START, Choice.START)
    bench.answer(Question.POSITION, Choice.DONE)
    bench.samples(60)
    assert bench.channel.phase is Phase.STIM_REQUIRED, "after the anaesthetic a check cannot be repeated"
    assert not any(isinstance(effect, Fire) for effect in bench.effects)
    assert bench.codes == []


@pytest.mark.parametrize("way", [way for way in WAYS if way.code in ROW_CODES], ids=lambda way: way.happens.__name__)
def test_without_its_row_the_same_event_does_not_block(way: Way) -> None:
    bench = Bench(setup_of(), replace(ATTENTIVE)).reach(way.phase)
    bench = bench.with_rows(tuple(row for row in ROWS if row.code != way.code))
    way.happens(bench)
    bench.samples(20 if way.phase is Phase.ARM_READY else 119)
    assert way.code not in bench.channel.stimulation.void_code


@pytest.mark.parametrize(("waited_s", "void"), [(0.0, True), (60.0, False)])
def test_what_injected_fluid_gives_back_with_time_is_no_movement(waited_s: float, void: bool) -> None:
    bench = Bench(setup_of(), replace(ATTENTIVE)).reach(Phase.ANAESTHETIC_WAIT)
    wet_ohm = 0.7 * TISSUE_OHM
    bench.alter(1, impedance_ohm=SERIES_OHM + wet_ohm)
    bench.reach(Phase.ARM_READY).samples(round(waited_s * 20))
    bench.alter(1, impedance_ohm=SERIES_OHM + 1.3 * wet_ohm)
    bench.samples(5)
    assert (bench.channel.stimulation.void_code == "tissue_above_reference") is void


@pytest.mark.parametrize(("left", "void"), [(0.45, True), (0.32, False)])
def test_too_little_of_the_tissue_s_share_tells_nothing(left: float, void: bool) -> None:
    """Of 85 ohm 38 and 27: with less than 30 the noise of the whole path would be taken for a movement."""
    rows = tuple(row for row in ROWS if row.code != "impedance_fell_at_injection")
    bench = Bench(setup_of(), replace(ATTENTIVE)).reach(Phase.ANAESTHETIC_WAIT).with_rows(rows)
    bench.alter(1, impedance_ohm=SERIES_OHM + left * TISSUE_OHM)
    bench.reach(Phase.ARM_READY)
    bench.alter(1, impedance_ohm=SERIES_OHM + 1.4 * left * TISSUE_OHM)
    bench.samples(5)
    assert (bench.channel.stimulation.void_code == "tissue_above_reference") is void


@pytest.mark.parametrize("phase", [Phase.LESION_INTENT, Phase.CONFIGURING, Phase.ARMING, Phase.ARMED])
def test_a_result_that_becomes_void_while_arming_turns_off_and_takes_the_permit(phase: Phase) -> None:
    bench = Bench(setup_of()).reach(phase)
    bench.person = None
    bench.pending.clear()
    swap(bench)
    bench.samples(4)
    assert bench.channel.phase is Phase.STIM_REQUIRED
    assert bench.channel.token == 0
    assert not any(isinstance(effect, Fire) for effect in bench.effects)


def test_another_electrode_in_the_hold_turns_rf_off() -> None:
    bench = Bench(setup_of()).reach(Phase.HOLD)
    swap(bench)
    bench.samples(2)
    assert bench.codes == ["electrode_changed_in_lesion"]


# the way back


def required(**fields: object) -> Bench:
    bench = Bench(replace(setup_of(), **fields), replace(ATTENTIVE)).reach(Phase.ARM_READY)
    swap(bench)
    bench.reach(Phase.STIM_REQUIRED)
    bench.samples(25)
    return bench


def test_after_anaesthetic_a_named_physician_takes_the_position_over_with_a_reason() -> None:
    bench = required()
    bench.answer(Question.POSITION, Choice.CONFIRM, REASON, "Dr. Example")
    bench.person = Person()
    bench.finished()
    assert bench.finish.outcome is Outcome.COMPLETE
    (override,) = bench.state.results[0].overrides
    assert (override.by, override.physician, override.reason) == ("tester", "Dr. Example", REASON)
    assert "unplugged or swapped" in override.found


@pytest.mark.parametrize(
    ("reason", "physician"), [("", "Dr. Example"), ("short", "Dr. Example"), (REASON, ""), (REASON, " ")]
)
@pytest.mark.requirement("procedure.check-first")
def test_without_reason_or_physician_it_stays_void(reason: str, physician: str) -> None:
    bench = required()
    bench.answer(Question.POSITION, Choice.CONFIRM, reason, physician)
    assert bench.channel.phase is Phase.STIM_REQUIRED


@pytest.mark.parametrize(
    ("share", "taken"), [(1.149, True), (1.151, False), (0.851, True), (0.849, False), (float("nan"), False)]
)
def test_with_an_impedance_far_from_its_reference_it_stays_void(share: float, *, taken: bool) -> None:
    bench = required()
    bench.alter(1, impedance_ohm=share * TOTAL_OHM)
    bench.samples(25)
    bench.answer(Question.POSITION, Choice.CONFIRM, REASON, "Dr. Example")
    assert (bench.channel.phase is not Phase.STIM_REQUIRED) == taken


@pytest.mark.parametrize(("share", "heated"), [(0.9, False), (1.1, False), (0.9, True)])
def test_what_the_anaesthetic_took_is_measured_anew_until_there_was_heat(share: float, *, heated: bool) -> None:
    bench = required()
    if heated:
        channel = bench.channel
        bench.state = with_channel(
            bench.state, 1, channel._replace(thermal=channel.thermal._replace(heated_ns=bench.now_ns))
        )
    bench.alter(1, impedance_ohm=share * TOTAL_OHM)
    bench.samples(25)
    assert bench.channel.reference is not None
    before = bench.channel.reference
    bench.answer(Question.POSITION, Choice.CONFIRM, REASON, "Dr. Example")
    assert bench.channel.reference is not None
    found = (before.impedance_ohm - share * TOTAL_OHM) / (before.impedance_ohm - before.series_ohm)
    assert bench.channel.reference.fluid == pytest.approx(before.fluid if heated else max(found, 0.0))


@pytest.mark.parametrize("phase", [Phase.LESION_INTENT, Phase.ARMED])
@pytest.mark.requirement("procedure.check-first")
def test_a_word_to_arm_that_was_given_before_the_result_became_void_arms_nothing_after_it(phase: Phase) -> None:
    bench = Bench(setup_of()).reach(phase)
    swap(bench)
    bench.person = Person(silent=frozenset(Question))
    bench.until(lambda b: b.channel.phase is Phase.STIM_REQUIRED)
    bench.samples(25)
    bench.answer(Question.POSITION, Choice.CONFIRM, REASON, "Dr. Example")
    bench.reach(Phase.ARM_READY)
    bench.samples(40)
    assert bench.channel.phase is Phase.ARM_READY
    assert (bench.state.armed_by, bench.state.started) == ("", False)
    bench.answer(Question.ARM, Choice.ARM)
    assert bench.reach(Phase.ARMED).state.armed_by == "tester"


def test_in_a_phantom_no_physician_is_asked_for() -> None:
    bench = required(medium=Medium.PHANTOM)
    bench.answer(Question.POSITION, Choice.CONFIRM, REASON)
    assert bench.channel.phase is not Phase.STIM_REQUIRED


def test_before_anaesthetic_and_heat_the_checks_are_made_again() -> None:
    bench = Bench(
        setup_of(site("L4, left", 1, anaesthetic=replace(ANAESTHETIC, use=Use.NOT_USED, reason="none"))),
        replace(ATTENTIVE),
    )
    bench.reach(Phase.ARM_READY)
    swap(bench)
    bench.reach(Phase.STIM_REQUIRED)
    bench.answer(Question.POSITION, Choice.CONFIRM, REASON, "Dr. Example")
    assert bench.channel.phase is Phase.STIM_REQUIRED, "what can be checked is checked"
    bench.answer(Question.POSITION, Choice.DONE)
    bench.person = Person()
    bench.finished()
    assert bench.finish.outcome is Outcome.COMPLETE
    assert [note.text for note in bench.notes("phase")].count(Phase.SENSORY) == 2


def test_a_site_that_is_given_up_is_dropped_and_the_other_delivered_where_the_plan_says_so() -> None:
    setup = batch(site("L3", 1), site("L4", 2), on_fault=FaultPolicy.DROP)
    bench = Bench(setup, replace(ATTENTIVE)).reach(Phase.ARM_READY)
    swap(bench)
    bench.until(lambda b: Phase.STIM_REQUIRED in b.phases)
    bench.answer(Question.POSITION, Choice.LEAVE_OUT)
    bench.person = Person()
    bench.finished()
    ends = {result.site: result.end_reason for result in bench.state.results}
    assert ends[1] == "delivered as planned"
    assert "left out by tester" in ends[0]
    assert bench.finish.exit_code == 3


def test_a_void_result_of_one_channel_disarms_the_others_that_wait_with_it() -> None:
    bench = Bench(batch(site("L3", 1), site("L4", 2)), Person(silent=frozenset({Question.START, Question.POSITION})))
    bench.reach(Phase.ARMED)
    swap(bench)
    bench.until(lambda b: Phase.STIM_REQUIRED in b.phases)
    bench.samples(10)
    assert bench.phases[1] is Phase.LESION_READY
    assert not any(phase in HEATING for phase in bench.phases)


def test_the_validity_is_the_sites() -> None:
    short = replace(site("L4, left", 1), result_valid_s=300.0)
    bench = Bench(setup_of(short), replace(ATTENTIVE)).reach(Phase.ARM_READY)
    left_s = 300.0 - (bench.now_ns - bench.channel.stimulation.checked_ns) / 1e9
    bench.samples(round(left_s / 0.05))
    assert bench.channel.phase is Phase.ARM_READY
    bench.samples(2)
    assert bench.channel.stimulation.void_code == "stimulation_result_expired"


@pytest.mark.parametrize("fall", [0.2, 0.55])
def test_fluid_that_lowers_the_impedance_is_accepted_and_recorded(fall: float) -> None:
    bench = Bench(setup_of(), replace(ATTENTIVE)).reach(Phase.ANAESTHETIC_WAIT)
    bench.alter(1, impedance_ohm=SERIES_OHM + (1.0 - fall) * TISSUE_OHM)
    bench.reach(Phase.ARM_READY)
    assert f"changed by {-100 * fall:+.0f} %" in bench.notes("reference")[0].text
