"""The guard's step at its limits, to the nanosecond: the last moment that is well, and the first that is not."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS
from rfctl.guard import limits
from rfctl.guard import step as guard
from rfctl.guard.sample import Sample, Seen
from rfctl.guard.state import (
    QUIET,
    Begin,
    Decoded,
    Gone,
    Heartbeat,
    Notice,
    Output,
    Send,
    Setup,
    Stage,
    State,
    Stop,
    Wanted,
)
from rfctl.link import relay_hold
from rfctl.link.relay import Contact, check_sum, flash_on, read_contact
from rfctl.link.relay_hold import Hold, HoldPlan
from rfctl.link.relay_proof import Answered, Due, Proved, RelayProof, Second

if TYPE_CHECKING:
    from rfctl.guard.state import Effect, Event

MS = NS_PER_MS
NOW = 10_000 * MS
PLAN = HoldPlan(Contact(), tenths=3, keeps_ns=200 * MS, opens_ns=400 * MS, reply_ns=25 * MS)
SETUP = Setup(Contact(), tenths=3, reply_ns=25 * MS, hold_up_ns=75 * MS, channels=2)
HELD = Hold(
    PLAN, stage=relay_hold.Stage.HELD, seen_ns=NOW - MS, kept_ns=NOW - MS, flashed_ns=NOW - 50 * MS, looked_ns=NOW - MS
)
RF, STIMULATION, NOTHING = Wanted.RF, Wanted.STIMULATION, Wanted.NOTHING
HOLDING = State(
    SETUP,
    stage=Stage.HOLDING,
    plan=PLAN,
    hold=HELD,
    wanted=(RF, NOTHING),
    outputs=(Output(RF), QUIET),
    heard_ns=NOW,
    decided_ns=NOW,
    cycle=5,
    digest=50,
    decoded_ns=NOW,
    counter=7,
    counted_ns=NOW,
)
READY = HOLDING._replace(stage=Stage.READY, hold=None)
REST = Seen(37.0, rf_on=False, band_ma=0.0, power_w=0.0, stimulating=False)
HOT = REST._replace(temperature_c=80.0, rf_on=True)
FLASH = Send(flash_on(Contact(), 3))


def beat(
    at_ns: int = NOW,
    *,
    sent_ns: int | None = None,
    cycle: int = 6,
    digest: int = 51,
    wanted: tuple[Wanted, ...] = (RF, NOTHING),
    enable: bool = True,
) -> Heartbeat:
    return Heartbeat(at_ns, at_ns if sent_ns is None else sent_ns, cycle, digest, wanted, enable)


def sample(at_ns: int, one: Seen = HOT, two: Seen = REST, counter: int = 8) -> Decoded:
    return Decoded(at_ns, Sample(counter, (one, two)))


def codes(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.code for effect in effects if isinstance(effect, Notice)]


def after(state: State, *events: Event) -> tuple[State, list[str]]:
    """The state that these events lead to, and what was said on the way."""
    said: list[str] = []
    for event in events:
        state, effects = guard.step(state, event)
        said += codes(effects)
    return state, said


# when it is to be woken


@pytest.mark.parametrize(("heard_ms", "decided_ms"), [(0, -30), (-30, 0)])
def test_it_wakes_just_after_the_station_has_been_silent_for_too_long(heard_ms: int, decided_ms: int) -> None:
    state = HOLDING._replace(heard_ns=NOW + heard_ms * MS, decided_ns=NOW + decided_ms * MS)
    due_ns = NOW - 30 * MS + limits.STATION_AGE_NS + 1
    assert state.wake_ns == due_ns
    assert after(state._replace(decoded_ns=due_ns, counted_ns=due_ns), Due(due_ns - 1))[1] == []
    assert after(state._replace(decoded_ns=due_ns, counted_ns=due_ns), Due(due_ns))[1] != []


def test_it_wakes_for_the_relay_when_that_is_sooner_and_while_it_opens() -> None:
    soon = HELD._replace(wake_ns=NOW + 20 * MS)
    assert HOLDING._replace(hold=soon).wake_ns == soon.wake_ns
    assert HOLDING._replace(hold=HELD._replace(wake_ns=NOW + 900 * MS)).wake_ns == NOW + limits.STATION_AGE_NS + 1
    for stage in (Stage.OPENING, Stage.LATCHED):
        assert HOLDING._replace(stage=stage, hold=soon).wake_ns == soon.wake_ns
    assert READY.wake_ns == 0


def test_a_proof_says_when_it_is_to_be_woken() -> None:
    state, _ = guard.step(guard.initial(SETUP), Begin(NOW))
    assert state.proof is not None
    assert state._replace(hold=HELD).wake_ns == state.proof.wake_ns


def test_the_contact_counts_as_closed_from_the_first_time_that_it_was_seen_so() -> None:
    assert HOLDING._replace(hold=HELD._replace(seen_ns=1)).closed
    assert not HOLDING._replace(hold=HELD._replace(seen_ns=0)).closed


# heartbeats


@pytest.mark.parametrize(
    ("underway_ns", "counts"),
    [(0, True), (limits.UNDERWAY_NS, True), (limits.UNDERWAY_NS + 1, False), (-1, False)],
)
def test_a_heartbeat_counts_until_it_was_too_long_on_its_way(underway_ns: int, counts: bool) -> None:
    at_ns = NOW + 60 * MS
    state, _ = guard.step(HOLDING, beat(at_ns, sent_ns=at_ns - underway_ns))
    assert (state.heard_ns == at_ns) is counts
    assert (state.cycle == 6) is counts


def test_one_that_does_not_count_still_finds_what_is_overdue() -> None:
    at_ns = NOW + limits.STATION_AGE_NS + 1
    fresh = HOLDING._replace(decoded_ns=at_ns, counted_ns=at_ns)
    assert after(fresh, beat(at_ns, sent_ns=0))[1] == ["station_silent"]
    assert after(fresh, beat(at_ns, wanted=(RF,)))[1] == ["station_silent"]


def test_a_heartbeat_that_comes_when_something_else_is_overdue_ends_the_hold() -> None:
    old = HOLDING._replace(counted_ns=NOW - limits.COUNTER_AGE_NS - 1)
    for enable in (True, False):
        state, effects = guard.step(old, beat(enable=enable))
        assert codes(effects) == ["counter_frozen"]
        assert state.stage is Stage.LATCHED
        assert FLASH not in effects


@pytest.mark.parametrize(
    ("cycle", "digest", "news"), [(6, 51, True), (5, 51, False), (6, 50, False), (5, 50, False), (4, 49, True)]
)
def test_only_a_new_cycle_with_a_new_digest_holds_the_contact(cycle: int, digest: int, news: bool) -> None:
    at_ns = NOW + 50 * MS
    state, effects = guard.step(HOLDING, beat(at_ns, cycle=cycle, digest=digest))
    assert effects == ((FLASH,) if news else ())
    assert state.heard_ns == at_ns
    assert state.decided_ns == (at_ns if news else NOW)
    assert (state.cycle, state.digest) == ((cycle, digest) if news else (5, 50))


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({"decoded_ns": NOW - limits.FRESH_NS}, True),
        ({"decoded_ns": NOW - limits.FRESH_NS - 1}, False),
        ({"counted_ns": NOW - limits.COUNTER_AGE_NS}, True),
        ({"counted_ns": NOW - limits.COUNTER_AGE_NS - 1}, False),
        ({"plan": None}, False),
    ],
)
def test_a_hold_begins_only_by_what_is_fresh(changed: dict[str, object], holds: bool) -> None:
    state, effects = guard.step(READY._replace(**changed), beat())  # type: ignore[arg-type]
    assert state.stage is (Stage.HOLDING if holds else Stage.READY)
    assert effects == ((FLASH,) if holds else ())


@pytest.mark.parametrize(("decoded_ns", "holds"), [(0, False), (1, True)])
def test_a_hold_does_not_begin_before_the_first_sample(decoded_ns: int, holds: bool) -> None:
    state, effects = guard.step(READY._replace(decoded_ns=decoded_ns, counted_ns=0), beat(50 * MS))
    assert (state.stage is Stage.HOLDING) is holds
    assert (FLASH in effects) is holds


def test_a_sample_that_is_not_fresh_keeps_the_contact_no_longer_and_is_no_end_yet() -> None:
    state, effects = guard.step(HOLDING._replace(decoded_ns=NOW - limits.FRESH_NS - 1), beat())
    assert (state.stage, effects) == (Stage.HOLDING, ())


@pytest.mark.parametrize(("since_ms", "flashes"), [(39, False), (40, True)])
def test_good_cycles_closer_than_the_spacing_bring_no_flash_on(since_ms: int, flashes: bool) -> None:
    state = HOLDING._replace(
        setup=SETUP._replace(spacing_ns=40 * MS), hold=HELD._replace(flashed_ns=NOW - since_ms * MS)
    )
    assert guard.step(state, beat())[1] == ((FLASH,) if flashes else ())


def test_what_is_no_longer_wanted_opens_and_without_a_hold_nothing_happens() -> None:
    state, effects = guard.step(HOLDING, beat(enable=False))
    assert state.stage is Stage.OPENING
    assert FLASH not in effects
    state, effects = guard.step(READY, beat(enable=False))
    assert (state.stage, effects) == (Stage.READY, ())
    state, effects = guard.step(READY._replace(stage=Stage.NEW, plan=None), beat())
    assert (state.stage, effects) == (Stage.NEW, ())


def test_a_contact_that_opens_is_not_held_by_a_good_cycle() -> None:
    opening = HELD._replace(stage=relay_hold.Stage.LETTING_GO, let_go_ns=NOW, looked_ns=0)
    for stage in (Stage.OPENING, Stage.LATCHED):
        assert guard.step(HOLDING._replace(stage=stage, hold=opening), beat())[1] == ()
    assert guard.step(HOLDING._replace(hold=None), beat())[1] == ()


# what may be overdue


@pytest.mark.parametrize(
    ("field", "most_ns", "code", "says"),
    [
        ("heard_ns", limits.STATION_AGE_NS, "station_silent", "silent for 200 ms, limit 200 ms"),
        ("decided_ns", limits.STATION_AGE_NS, "station_stands_still", "new for 200 ms"),
        ("decoded_ns", limits.SAMPLE_AGE_NS, "sample_stale", "nothing for 300 ms, limit 300 ms"),
        ("counted_ns", limits.COUNTER_AGE_NS, "counter_frozen", "still for 300 ms, limit 300 ms"),
    ],
)
def test_each_age_is_well_at_its_limit_and_the_end_one_nanosecond_later(
    field: str, most_ns: int, code: str, says: str
) -> None:
    held = HOLDING._replace(hold=HELD._replace(frame=b"read", sent_ns=NOW))
    assert after(held._replace(**{field: NOW - most_ns}), Due(NOW))[1] == []  # type: ignore[arg-type]
    late = held._replace(**{field: NOW - most_ns - 1})  # type: ignore[arg-type]
    state, said = after(late, Due(NOW))
    assert said == [code]
    assert state.cause is not None
    assert says in state.cause.text
    assert after(late._replace(stage=Stage.READY, hold=None), Due(NOW))[1] == []


@pytest.mark.parametrize(("age_ns", "code"), [(limits.FRESH_NS, "lapsed"), (limits.FRESH_NS + 1, "sample_stale")])
def test_a_lapsed_hold_says_what_had_stayed_away(age_ns: int, code: str) -> None:
    lapsed = HOLDING._replace(hold=HELD._replace(kept_ns=NOW - 200 * MS - 1), decoded_ns=NOW - age_ns)
    state, said = after(lapsed, Due(NOW))
    assert said == [code]
    assert state.stage is Stage.LATCHED
    assert state.cause is not None
    assert (" 100 ms, limit 100 ms" in state.cause.text) is (code == "sample_stale")


# samples


def test_a_sample_of_another_number_of_channels_is_none() -> None:
    state, effects = guard.step(HOLDING, Decoded(NOW + MS, Sample(9, (HOT,))))
    assert (state, effects) == (HOLDING, ())


@pytest.mark.parametrize(("counter", "counted_ns"), [(7, NOW), (8, NOW + MS), (0, NOW + MS)])
def test_a_counter_goes_on_when_it_changes(counter: int, counted_ns: int) -> None:
    state, _ = guard.step(HOLDING, sample(NOW + MS, counter=counter))
    assert (state.counter, state.counted_ns, state.decoded_ns) == (counter, counted_ns, NOW + MS)


def test_a_sample_finds_that_the_station_is_silent() -> None:
    assert after(HOLDING, sample(NOW + limits.STATION_AGE_NS))[1] == []
    assert after(HOLDING, sample(NOW + limits.STATION_AGE_NS + 1))[1] == ["station_silent"]


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (REST._replace(rf_on=True), "rf_without_command"),
        (REST._replace(band_ma=20.1, power_w=0.6), "rf_without_command"),
        (REST._replace(band_ma=nan, power_w=nan), "rf_without_command"),
        (REST._replace(stimulating=True), "stimulation_without_command"),
    ],
)
@pytest.mark.parametrize(
    ("marks", "trips"), [("11", True), ("101", True), ("1001", False), ("1", False), ("10010", False), ("10011", True)]
)
@pytest.mark.requirement("guard.own-read")
def test_an_output_that_nobody_wants_counts_in_two_of_three_samples(
    seen: Seen, code: str, marks: str, trips: bool
) -> None:
    events = [sample(NOW + at * MS, two=seen if mark == "1" else REST, counter=at) for at, mark in enumerate(marks)]
    state, said = after(HOLDING, *events)
    assert said == ([code] if trips else [])
    if state.cause is not None:
        assert state.cause.text.startswith("channel 2: ")


@pytest.mark.parametrize(
    ("was", "now", "seen", "code"),
    [
        (RF, NOTHING, HOT, "rf_without_command"),
        (RF, STIMULATION, HOT, "rf_without_command"),
        (STIMULATION, NOTHING, REST._replace(stimulating=True), "stimulation_without_command"),
        (STIMULATION, RF, REST._replace(stimulating=True), "stimulation_without_command"),
    ],
)
@pytest.mark.parametrize(("after_ns", "trips"), [(limits.OFF_NS, False), (limits.OFF_NS + 1, True)])
@pytest.mark.parametrize("between", [False, True])
def test_what_was_wanted_may_go_on_for_as_long_as_off_takes(
    was: Wanted, now: Wanted, seen: Seen, code: str, after_ns: int, trips: bool, between: bool
) -> None:
    at_ns = NOW + after_ns
    begun = HOLDING._replace(wanted=(was, NOTHING), outputs=(Output(was), QUIET))
    events: list[Event] = [beat(NOW, wanted=(now, NOTHING))]
    if between:  # a moment without it takes nothing away
        events += [sample(NOW + MS, REST, counter=8)]
    events += [beat(NOW + 150 * MS, cycle=9, digest=99, wanted=(now, NOTHING))]
    if between and not trips:
        events += [sample(at_ns, REST, counter=9)]
    events += [sample(at_ns, seen, counter=10), sample(at_ns, seen, counter=11)]
    assert after(begun, *events)[1] == ([code] if trips else [])


@pytest.mark.parametrize(("was", "seen"), [(RF, REST._replace(stimulating=True)), (STIMULATION, HOT)])
def test_the_end_of_one_output_excuses_no_other(was: Wanted, seen: Seen) -> None:
    begun = HOLDING._replace(wanted=(was, NOTHING), outputs=(Output(was), QUIET))
    events: list[Event] = [beat(NOW, wanted=(NOTHING, NOTHING)), sample(NOW + MS, seen), sample(NOW + 2 * MS, seen)]
    assert len(after(begun, *events)[1]) == 1


@pytest.mark.parametrize(
    ("wanted", "thermocouple", "seen", "trips"),
    [
        (RF, True, HOT._replace(temperature_c=95.0), False),
        (RF, True, HOT._replace(temperature_c=95.1), True),
        (RF, True, HOT._replace(temperature_c=nan), True),
        (RF, False, HOT._replace(temperature_c=nan), False),
        (RF, False, HOT._replace(temperature_c=95.1), True),
        (NOTHING, True, REST._replace(temperature_c=200.0), False),
        (NOTHING, True, HOT._replace(temperature_c=200.0), True),
        (STIMULATION, True, REST._replace(temperature_c=200.0), True),
    ],
)
def test_a_tip_that_is_used_is_never_above_the_maximum(
    wanted: Wanted, thermocouple: bool, seen: Seen, trips: bool
) -> None:
    state = HOLDING._replace(
        setup=SETUP._replace(thermocouple=thermocouple), wanted=(wanted, NOTHING), outputs=(Output(wanted), QUIET)
    )
    state, said = after(state, sample(NOW + MS, seen))
    assert said == (["temperature_max"] if trips else [])
    if state.cause is not None:
        assert f"channel 1: the guard decodes {seen.temperature_c:.4g} degC, its limit is 95" in state.cause.text


def test_of_two_channels_that_are_beyond_the_first_is_named() -> None:
    hot = HOT._replace(temperature_c=99.0)
    state, said = after(HOLDING._replace(outputs=(Output(RF), Output(RF)), wanted=(RF, RF)), sample(NOW, hot, hot))
    assert said == ["temperature_max"]
    assert state.cause is not None
    assert state.cause.text.startswith("channel 1")


# the end


def test_a_stop_without_a_hold_says_so_and_sends_nothing() -> None:
    state, effects = guard.step(READY, Stop(NOW, "anna"))
    assert effects == (Notice("stop", "HZ-43", "anna"),)
    assert state.stage is Stage.LATCHED
    assert guard.step(state, Stop(NOW, "bert")) == (state, ())


def test_a_station_that_hangs_up_matters_only_while_it_holds() -> None:
    assert after(HOLDING, Gone(NOW))[1] == ["station_gone"]
    assert guard.step(READY, Gone(NOW)) == (READY, ())


def test_a_proof_is_begun_once() -> None:
    assert guard.step(READY, Begin(NOW)) == (READY, ())


def test_a_relay_that_answers_nobody_who_holds_is_heard_by_nobody() -> None:
    assert guard.step(READY, Due(NOW)) == (READY, ())


def test_a_stop_while_it_opens_only_says_so() -> None:
    opening = HELD._replace(stage=relay_hold.Stage.LETTING_GO, let_go_ns=NOW, looked_ns=0)
    effects = guard.step(HOLDING._replace(stage=Stage.OPENING, hold=opening), Stop(NOW, "anna"))[1]
    assert effects == (Notice("stop", "HZ-43", "anna"),)
    assert guard.step(HOLDING._replace(hold=None), Stop(NOW, "anna"))[1] == effects


def test_a_stop_ends_the_proof() -> None:
    state, _ = guard.step(guard.initial(SETUP), Begin(NOW))
    state, _ = guard.step(state, Stop(NOW + MS, "anna"))
    assert state.wake_ns == 0
    rests_open = bytes((1, 2, 1, 0))
    answer = Answered(NOW + 2 * MS, rests_open + check_sum(rests_open).to_bytes(2, "little"))
    assert guard.step(state, answer) == (state, ())  # no flash-on any more


def test_a_fault_is_said_once_and_the_next_one_beside_the_first_cause() -> None:
    state, said = after(HOLDING._replace(hold=HELD._replace(kept_ns=NOW - 200 * MS - 1)), Due(NOW))
    assert said == ["lapsed"]
    assert state.hold is not None
    state = state._replace(hold=state.hold._replace(frame=b"", looked_ns=NOW + MS))
    state, said = after(state, Due(NOW + 2 * MS))
    assert said == []
    state, said = after(state, Due(NOW + 900 * MS))
    assert said == ["welded"]
    assert state.cause is not None
    assert state.cause.code == "lapsed"


def test_once_seen_open_by_wish_nothing_is_held_and_nothing_is_due() -> None:
    opening = HELD._replace(stage=relay_hold.Stage.LETTING_GO, let_go_ns=NOW, looked_ns=0)
    state, effects = guard.step(HOLDING._replace(stage=Stage.OPENING, hold=opening), Due(NOW))
    assert effects == (Send(read_contact(Contact())),)
    body = bytes((1, 2, 1, 0))
    state, effects = guard.step(state, Answered(NOW + MS, body + check_sum(body).to_bytes(2, "little")))
    assert effects == ()
    assert (state.stage, state.hold, state.wake_ns) == (Stage.READY, None, 0)


def test_a_proof_says_what_it_measured() -> None:
    proved = Proved(3, Second.RETRIGGERS, 21 * MS, 291 * MS, 311 * MS)
    proof = RelayProof(Contact(), 3, NOW, verdict=proved, frame=b"")
    state = guard.initial(SETUP)._replace(stage=Stage.PROVING, proof=proof)
    state, effects = guard.step(state, Due(NOW))
    (notice,) = effects
    assert isinstance(notice, Notice)
    assert notice.text.startswith(
        "relay proved: closed within 21 ms, open again 291 to 311 ms after 300 ms were asked for"
    )
    assert state.stage is Stage.READY
