"""The guard's decisions, millisecond by millisecond: what it holds the contact by, and everything it lets go for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rfctl.errors import LinkTimeout
from rfctl.guard import limits
from rfctl.guard.sample import Seen
from rfctl.guard.state import Begin, Gone, Stage, Stop, Wanted
from rfctl.link import relay_hold
from rfctl.link.relay_proof import Unanswered
from tests.unit.guard.guard_bench import HEATING, MS, NOT_A_NUMBER, NOTHING, REST, RF_ON_1, SETUP, STIMULATING, Bench

WINDOW_MS = {
    "rf_without_command": limits.OFF_NS // MS + 100,
    "stimulation_without_command": limits.OFF_NS // MS + 100,
    "counter_frozen": limits.COUNTER_AGE_NS // MS,
}
"""How long something must be wrong before it counts; the time to the open loop comes on top."""


def test_before_the_proof_nothing_closes_the_contact() -> None:
    bench = Bench(enable=True, wanted=RF_ON_1)
    bench.run(2000)
    assert bench.state.stage is Stage.NEW
    assert not bench.closed
    assert bench.open_ms == 0


def test_a_proved_relay_is_closed_only_while_the_station_wants_it_and_may_be_closed_again() -> None:
    bench = Bench()
    bench.prove()
    assert bench.codes == ["proved"]
    assert bench.state.stage is Stage.READY
    assert not bench.closed
    for _ in range(3):
        bench.enable = True
        bench.run(250)
        assert bench.state.closed
        assert bench.closed
        bench.run(5000)
        assert bench.closed
        bench.enable = False
        bench.run(450)
        assert not bench.closed
        assert bench.state.stage is Stage.READY
    assert bench.codes == ["proved"]


def test_a_normal_lesion_is_held_throughout() -> None:
    bench = Bench()
    bench.hold()
    bench.run(60_000)
    bench.wanted = NOTHING
    bench.run(200)  # off takes as long as off takes
    bench.seen = (REST, REST)
    bench.run(2000)
    assert bench.closed
    assert bench.codes == ["proved"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda bench: setattr(bench, "beats", False), "station_silent"),
        (lambda bench: setattr(bench, "decides", False), "station_stands_still"),
        (lambda bench: setattr(bench, "forwards", False), "sample_stale"),
        (lambda bench: setattr(bench, "counts", False), "counter_frozen"),
        (lambda bench: setattr(bench, "seen", (HEATING._replace(temperature_c=95.01), REST)), "temperature_max"),
        (lambda bench: setattr(bench, "seen", (HEATING._replace(temperature_c=NOT_A_NUMBER), REST)), "temperature_max"),
        (lambda bench: setattr(bench, "seen", (HEATING, HEATING)), "rf_without_command"),
        (
            lambda bench: setattr(bench, "seen", (HEATING, REST._replace(band_ma=21.0, power_w=0.6))),
            "rf_without_command",
        ),
        (lambda bench: setattr(bench, "seen", (HEATING, STIMULATING)), "stimulation_without_command"),
        (
            lambda bench: setattr(bench, "seen", (HEATING._replace(stimulating=True), REST)),
            "stimulation_without_command",
        ),
        (lambda bench: setattr(bench, "wanted", NOTHING), "rf_without_command"),
        (lambda bench: setattr(bench, "mute", True), "lapsed"),
    ],
)
@pytest.mark.requirement("guard.own-read", "guard.station")
def test_it_lets_go_for_good_and_the_contact_opens_within_500_ms(spoil: Callable[[Bench], None], code: str) -> None:
    bench = Bench()
    bench.hold()
    began_ms = bench.now_ms
    spoil(bench)
    bench.run(1000)
    if bench.mute:
        bench.mute = False
    assert bench.state.cause is not None
    assert bench.state.cause.code == code
    assert not bench.closed
    most_ms = 500 + WINDOW_MS.get(code, 0)
    assert bench.opened_ms[-1] - began_ms <= most_ms
    # Neither the station nor a return to what is well closes it again.
    bench.seen, bench.wanted, bench.enable = (REST, REST), NOTHING, True
    bench.beats = bench.decides = bench.forwards = bench.counts = True
    opened = len(bench.opened_ms)
    bench.run(5000)
    bench.tell(Begin(bench.now_ms * MS))
    bench.run(2000)
    assert not bench.closed
    assert len(bench.opened_ms) == opened
    assert bench.state.stage is Stage.LATCHED


@pytest.mark.parametrize(
    "seen",
    [
        (HEATING._replace(temperature_c=95.0), REST),
        (HEATING, REST._replace(band_ma=20.0, power_w=3.0)),
        (HEATING, REST._replace(band_ma=300.0, power_w=0.5)),
        (HEATING, REST._replace(temperature_c=NOT_A_NUMBER)),  # nothing is wanted there, and no electrode either
    ],
)
@pytest.mark.requirement("guard.own-read")
def test_just_within_its_limits_it_holds(seen: tuple[object, ...]) -> None:
    bench = Bench()
    bench.hold()
    bench.seen = seen  # type: ignore[assignment]
    bench.run(2000)
    assert bench.closed
    assert bench.codes == ["proved"]


def test_one_odd_sample_of_three_is_none() -> None:
    bench = Bench()
    bench.hold()
    for _ in range(5):
        bench.seen = (HEATING, HEATING)
        bench.run(50)
        bench.seen = (HEATING, REST)
        bench.run(100)
    assert bench.closed


@pytest.mark.parametrize(("within", "silent_ms"), [(True, 190), (False, 260)])
@pytest.mark.requirement("guard.station")
def test_a_station_may_be_late_but_not_for_long(within: bool, silent_ms: int) -> None:
    bench = Bench()
    bench.hold()
    assert bench.now_ms % 50 == 0
    bench.beats = False
    bench.run(silent_ms)
    bench.beats = True
    bench.run(500)
    assert bench.closed is within


def test_heartbeats_that_waited_in_a_queue_hold_nothing() -> None:
    bench = Bench()
    bench.hold()
    bench.beats = False
    for _ in range(12):
        bench.run(50)
        bench.beat(sent_ms=bench.now_ms - 151)
    assert bench.state.cause is not None
    assert bench.state.cause.code == "station_silent"
    assert not bench.closed


def test_a_load_has_no_thermocouple_but_one_that_is_there_counts() -> None:
    bench = Bench(setup=SETUP._replace(thermocouple=False))
    bench.prove()
    bench.enable, bench.wanted = True, RF_ON_1
    bench.seen = (HEATING._replace(temperature_c=NOT_A_NUMBER), REST)
    bench.run(2000)
    assert bench.closed
    bench.seen = (HEATING._replace(temperature_c=96.0), REST)
    bench.run(1000)
    assert not bench.closed


def test_a_tighter_limit_of_the_station_counts() -> None:
    bench = Bench(setup=SETUP._replace(temperature_max_c=70.0))
    bench.prove()
    bench.enable, bench.wanted, bench.seen = True, RF_ON_1, (HEATING, REST)
    bench.run(1000)
    assert bench.state.cause is not None
    assert "80 degC, its limit is 70 degC" in bench.state.cause.text


def test_a_stop_lets_go_at_once_also_during_the_proof() -> None:
    bench = Bench()
    bench.hold()
    bench.tell(Stop(bench.now_ms * MS, "rfctl stop"))
    bench.run(400)
    assert not bench.closed
    assert bench.state.open
    assert bench.state.cause is not None
    assert bench.state.cause.text == "rfctl stop"
    proving = Bench()
    proving.tell(Begin(proving.now_ms * MS))
    proving.run(100)
    proving.tell(Stop(proving.now_ms * MS, "rfctl stop"))
    proving.enable = True
    proving.run(3000)
    assert not proving.closed
    assert proving.state.stage is Stage.LATCHED


def test_a_station_that_hangs_up_while_it_holds_is_the_end_of_the_hold() -> None:
    bench = Bench()
    bench.hold()
    bench.beats = False
    bench.tell(Gone(bench.now_ms * MS))
    bench.run(400)
    assert not bench.closed
    assert bench.codes[-1] == "station_gone"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda bench: setattr(bench, "welded", True), "welded"),
        (lambda bench: setattr(bench, "retriggers", False), "unfit"),
    ],
)
@pytest.mark.requirement("relay.proof")
def test_a_relay_that_is_not_fit_is_refused_at_the_start(spoil: Callable[[Bench], None], code: str) -> None:
    bench = Bench()
    spoil(bench)
    bench.enable = True
    bench.tell(Begin(bench.now_ms * MS))
    bench.run(5000)
    assert bench.codes == [code]
    assert bench.state.stage is Stage.LATCHED
    assert not bench.state.closed


def test_a_board_that_does_not_answer_is_refused_at_the_start() -> None:
    bench = Bench(mute=True)
    bench.tell(Begin(bench.now_ms * MS))
    bench.tell(Unanswered((bench.now_ms + 200) * MS, LinkTimeout("no reply")))
    assert bench.codes == ["no_answer"]


def test_a_contact_that_welds_while_it_is_held_is_said_to_be_closed() -> None:
    bench = Bench()
    bench.hold()
    bench.welded = True
    bench.enable, bench.wanted, bench.seen = False, NOTHING, (REST, REST)
    bench.run(2000)
    assert bench.codes == ["proved", "welded"]
    assert "mains" in bench.notices[-1].text
    assert not bench.state.open


def test_the_first_cause_stays_the_cause() -> None:
    bench = Bench()
    bench.hold()
    bench.tell(Stop(bench.now_ms * MS, "anna"))
    bench.beats = False
    bench.tell(Gone(bench.now_ms * MS))
    bench.run(1000)
    assert bench.state.cause is not None
    assert bench.state.cause.code == "stop"


def test_a_heartbeat_for_another_number_of_channels_counts_as_none() -> None:
    bench = Bench()
    bench.hold()
    bench.wanted = (Wanted.RF,)
    bench.run(1000)
    assert not bench.closed


def test_every_limit_of_the_guard_names_a_hazard_and_a_code_of_its_own() -> None:
    assert len({limit.code for limit in limits.LIMITS}) == len(limits.LIMITS)
    assert all(limit.hazard.startswith("HZ-") for limit in limits.LIMITS)


@pytest.mark.parametrize("of_hold", [{"stage": relay_hold.Stage.OPEN}, {"seen_ns": 0}, {"contradictions": 1}])
def test_closed_is_only_what_is_held_was_seen_and_is_not_contradicted(of_hold: dict[str, object]) -> None:
    bench = Bench()
    bench.hold()
    state = bench.state
    assert state.hold is not None
    assert state.closed
    assert not state._replace(hold=state.hold._replace(**of_hold)).closed  # type: ignore[arg-type]


def test_nothing_is_closed_for_a_guard_that_does_not_hold() -> None:
    bench = Bench()
    bench.hold()
    for stage in set(Stage) - {Stage.HOLDING}:
        assert not bench.state._replace(stage=stage).closed
    assert not bench.state._replace(hold=None).closed


def test_a_contact_that_is_being_proved_is_not_said_to_be_open() -> None:
    bench = Bench()
    assert bench.state.open
    bench.tell(Begin(bench.now_ms * MS))
    assert not bench.state.open
    bench.run(1500)
    assert bench.state.open


@pytest.mark.parametrize("still", ["_cycle", "_digest"])
def test_a_new_number_without_a_new_digest_is_no_new_decision_nor_the_other_way_round(still: str) -> None:
    bench = Bench()
    bench.hold()
    value = getattr(bench, still)
    for _ in range(400):
        setattr(bench, still, value - 1)  # each beat adds one
        bench.run(1)
    assert bench.state.cause is not None
    assert bench.state.cause.code == "station_stands_still"


@pytest.mark.parametrize(("wanted", "seen"), [(Wanted.RF, HEATING), (Wanted.STIMULATION, STIMULATING)])
def test_what_is_not_wanted_any_more_may_go_on_for_as_long_as_off_takes_and_no_longer(
    wanted: Wanted, seen: Seen
) -> None:
    bench = Bench()
    bench.prove()
    bench.enable, bench.wanted, bench.seen = True, (wanted, Wanted.NOTHING), (seen, REST)
    bench.run(500)
    bench.wanted = NOTHING
    bench.run(limits.OFF_NS // MS)
    assert bench.closed
    assert bench.state.cause is None
    bench.run(200)
    assert bench.state.cause is not None
    assert bench.state.cause.code.endswith("_without_command")
