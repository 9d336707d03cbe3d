"""Each limit of the guard taken away, one at a time: a test of its decisions goes red."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from rfctl.guard import limits
from rfctl.guard import step as guard
from rfctl.guard.state import Begin, Gone, Stop
from tests.unit.guard import test_guard_step as decisions
from tests.unit.guard.guard_bench import HEATING, MS, NOTHING, REST, RF_ON_1, STIMULATING, Bench

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.guard.state import Notice, State
    from rfctl.guard.step import Step

ANY_TIME_NS = 10**15


def lets_go(code: str, **spoil: object) -> None:
    """The test that stands for nearly all of them."""

    def spoiled(bench: Bench) -> None:
        for name, value in spoil.items():
            setattr(bench, name, value)

    decisions.test_it_lets_go_for_good_and_the_contact_opens_within_500_ms(spoiled, code)


def opens(tell: Callable[[Bench], None]) -> None:
    """The contact opens within 400 ms of what the guard is told, by a station that goes on."""
    bench = Bench()
    bench.hold()
    tell(bench)
    bench.run(400)
    assert not bench.closed


BY_CODE: dict[str, Callable[[], None]] = {
    "temperature_max": partial(lets_go, "temperature_max", seen=(HEATING._replace(temperature_c=95.01), REST)),
    "rf_without_command": partial(lets_go, "rf_without_command", seen=(HEATING, HEATING)),
    "stimulation_without_command": partial(lets_go, "stimulation_without_command", seen=(HEATING, STIMULATING)),
    "sample_stale": partial(lets_go, "sample_stale", forwards=False),
    "counter_frozen": partial(lets_go, "counter_frozen", counts=False),
    "station_stands_still": partial(lets_go, "station_stands_still", decides=False),
    "station_silent": partial(lets_go, "station_silent", beats=False),
    "station_gone": partial(opens, lambda bench: bench.tell(Gone(bench.now_ms * MS))),
    "stop": partial(opens, lambda bench: bench.tell(Stop(bench.now_ms * MS, "anna"))),
}


def test_each_limit_has_a_test_that_stands_for_it() -> None:
    assert set(BY_CODE) == {limit.code for limit in limits.LIMITS}


@pytest.mark.parametrize("code", BY_CODE)
def test_without_a_limit_a_test_is_red(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    BY_CODE[code]()
    ages, let_go = guard._ages, guard._let_go

    def without(state: State, at_ns: int, notice: Notice) -> Step:
        return (state, ()) if notice.code == code else let_go(state, at_ns, notice)

    monkeypatch.setattr(guard, "_let_go", without)
    monkeypatch.setattr(guard, "_ages", lambda state: tuple(age for age in ages(state) if age[0].code != code))
    with pytest.raises(AssertionError):
        BY_CODE[code]()


@pytest.mark.parametrize(
    ("name", "red"),
    [
        ("FRESH_NS", partial(lets_go, "sample_stale", forwards=False)),
        ("UNDERWAY_NS", decisions.test_heartbeats_that_waited_in_a_queue_hold_nothing),
        ("OFF_NS", partial(lets_go, "rf_without_command", wanted=NOTHING)),
        ("SAMPLE_AGE_NS", partial(lets_go, "sample_stale", forwards=False)),
        ("COUNTER_AGE_NS", partial(lets_go, "counter_frozen", counts=False)),
    ],
)
def test_with_a_time_that_never_passes_a_test_is_red(
    monkeypatch: pytest.MonkeyPatch, name: str, red: Callable[[], None]
) -> None:
    """Not of STATION_AGE_NS: no flash-on without a decision, so that the hold lapses before, and says the same."""
    red()
    monkeypatch.setattr(limits, name, ANY_TIME_NS)
    with pytest.raises(AssertionError):
        red()


def test_a_guard_that_has_let_go_does_not_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def begun_again() -> None:
        bench = Bench()
        bench.hold()
        bench.tell(Stop(bench.now_ms * MS, "anna"))
        bench.run(1000)
        bench.tell(Begin(bench.now_ms * MS))
        bench.run(2000)
        bench.wanted, bench.enable, bench.seen = RF_ON_1, True, (HEATING, REST)
        bench.run(1000)
        assert not bench.closed

    begun_again()
    let_go = guard._let_go

    def for_a_while(state: State, at_ns: int, notice: Notice) -> Step:
        state, effects = let_go(state, at_ns, notice)
        return state._replace(stage=guard.Stage.NEW, cause=None), effects

    monkeypatch.setattr(guard, "_let_go", for_a_while)
    with pytest.raises(AssertionError):
        begun_again()
