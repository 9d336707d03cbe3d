"""Off that does not come, energy that nobody asked for, and generators that must not be energised, in virtual time."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DEVICE, EXIT_STOPPED
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import Stage
from rfctl.record.keys import load_public_key
from rfctl.record.replay import replay
from rfctl.record.verify import Outcome as Verified
from rfctl.record.verify import verify
from tests.log_tools import lines
from tests.station_bench import answers_text, plan_text, station_bench, station_text

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.station.session import Result
    from tests.station_bench import Bench

RELEASE = bytes.fromhex("0600010000")
ALL_OFF = bytes.fromhex("0600000001")
OFF_VERIFIED_S = 0.25
POLL_S = 0.05
SECOND_NS = NS_PER_S


def assert_sealed(result: Result, folder: Path) -> None:
    """The record is whole, and replay agrees where there was anything to decide."""
    path = folder / result.document["record"]
    assert verify(path, load_public_key(path.with_suffix(".pub"))).verdict is Verified.VALID_UNANCHORED
    assert replay(path).differences == 0


def never_energised(bench: Bench) -> bool:
    """Nothing has come on by this station's doing."""
    kinds = {event.kind for event in bench.simulator.events}
    phases = {event.detail["now"] for event in bench.simulator.events if event.kind == "phase"}
    return not kinds & {"rf_on", "stimulation_on"} and not phases & {"armed", "rf_on", "stimulating"}


# stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.requirement("stop.signals")
async def test_a_signal_in_hold_turns_off_in_the_same_instant(
    tmp_path: Path, clock: Clock, number: signal.Signals
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        signalled_ns = clock.monotonic_ns()
        signal.raise_signal(number)
        result = await running
        assert bench.event_ns("rf_off", channel=1, after_ns=signalled_ns) - signalled_ns < SECOND_NS / 1000
    assert result.exit_code == EXIT_STOPPED
    assert result.document["outcome"] == "stopped"
    assert result.document["trips"] == []
    assert result.document["ending"] == f"stopped by {number.name}"
    assert_sealed(result, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_signal_before_the_generator_has_answered_ends_in_a_closed_record(
    tmp_path: Path, clock: Clock, number: signal.Signals, times: int
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        bench.simulator.faults.start("no_reply", seconds=60.0)
        running = bench.begin()
        await asyncio.sleep(POLL_S)
        for _ in range(times):
            signal.raise_signal(number)
        result = await running
        assert bench.written() == []
    assert (result.exit_code, result.document["outcome"]) == (EXIT_STOPPED, "stopped")
    assert result.error == f"stopped by {number.name} before the procedure began"
    assert_sealed(result, tmp_path)


async def test_signals_while_off_is_being_verified_change_nothing(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        signal.raise_signal(signal.SIGTERM)
        await bench.until(lambda state: state.stage is Stage.ENDING)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        result = await running
    assert (result.exit_code, result.document["ending"]) == (EXIT_STOPPED, "stopped by SIGTERM")
    assert_sealed(result, tmp_path)


# off that does not come


async def test_an_output_that_ignores_off_is_said_to_be_on_within_half_a_second(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold(for_s=15.0)
        bench.simulator.faults.start("ignore_off", 1)
        result = await running
        turned_off_ns = bench.event_ns("phase", channel=1, was="rf_on", now="off")
        assert bench.state is not None
        (trip,) = bench.state.trips
        assert (trip.t_ns - turned_off_ns) / NS_PER_S <= 0.5  # HZ-15
        again = [pdu for pdu in bench.written(after_ns=turned_off_ns) if pdu == ALL_OFF]
        assert len(again) >= 20
        assert set(bench.written(after_ns=turned_off_ns)) == {ALL_OFF}
    assert result.exit_code == EXIT_DEVICE
    (told,) = result.document["trips"]
    assert (told["code"], told["hazard"], told["limit"], told["unit"]) == ("off_not_verified", "HZ-15", 0.25, "s")
    assert told["measured"] == pytest.approx(OFF_VERIFIED_S + POLL_S, abs=POLL_S)
    assert "switch the generator off at its mains" in result.error
    assert result.document["off_verified"] is False
    assert_sealed(result, tmp_path)


async def test_rf_and_stimulation_that_both_stay_on_are_said_to_be_on_as_fast_as_one(
    tmp_path: Path, clock: Clock
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        bench.simulator.faults.start("ignore_off", 1)
        bench.simulator.faults.start("stimulation_without_command", 1)
        signal.raise_signal(signal.SIGTERM)
        await bench.until(lambda state: any(trip.code == "off_not_verified" for trip in state.trips))
        assert bench.state is not None
        said_s = (bench.state.trips[-1].t_ns - bench.state.since_ns) / NS_PER_S
        assert OFF_VERIFIED_S < said_s <= OFF_VERIFIED_S + 2 * POLL_S
        assert bench.simulator.truth()["channels"][0]["rf_on"]  # type: ignore[index]
        result = await running
    assert result.document["off_verified"] is False
    assert_sealed(result, tmp_path)


async def test_an_output_that_obeys_late_ends_verified_but_not_well(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        bench.simulator.faults.start("ignore_off", 1)
        signal.raise_signal(signal.SIGINT)
        await bench.until(lambda state: bool(state.trips))
        bench.simulator.faults.clear("ignore_off")
        result = await running
    assert result.document["off_verified"] is True
    assert [trip["code"] for trip in result.document["trips"]] == ["off_not_verified"]
    assert "OFF NOT CONFIRMED" not in result.error
    assert result.exit_code == EXIT_STOPPED  # what ended it was the signal
    assert_sealed(result, tmp_path)


@pytest.mark.requirement("start.off-after-reconnect")
async def test_off_is_the_first_thing_that_a_generator_hears_after_a_cut(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        cut_ns = clock.monotonic_ns()
        bench.simulator.faults.start("socket_cut", seconds=1.0)
        result = await running
        frames = [frame for frame in bench.simulator.wire if frame.direction == "in" and frame.monotonic_ns > cut_ns]
        assert frames[0].connection == 2
        assert frames[0].data[7:] == ALL_OFF
        assert set(bench.written(after_ns=cut_ns + 1)) <= {ALL_OFF, RELEASE}
    assert result.document["off_verified"] is True


@pytest.mark.parametrize("fault", ["wrong_map_id", "wrong_model", "wrong_firmware"])
async def test_a_stranger_behind_a_cut_connection_hears_off_and_nothing_else(
    tmp_path: Path, clock: Clock, fault: str
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        cut_ns = clock.monotonic_ns()
        bench.simulator.faults.start(fault)
        bench.simulator.faults.start("socket_cut", seconds=1.0)
        result = await running
        assert set(bench.written(after_ns=cut_ns + 1)) == {ALL_OFF}
    assert result.exit_code == EXIT_DEVICE
    assert result.document["off_verified"] is False
    assert "OFF NOT CONFIRMED" in result.error
    assert_sealed(result, tmp_path)


# energy that nobody asked for


async def test_rf_by_itself_with_everything_idle_is_answered_with_off(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.until(lambda state: state.channels[0].phase is Phase.IMPEDANCE)
        began_ns = clock.monotonic_ns()
        bench.simulator.faults.start("rf_without_command", 2)
        result = await running
        offs = [frame for frame in bench.simulator.wire if frame.monotonic_ns > began_ns and frame.data[7:] == ALL_OFF]
        first_off_ns = offs[0].monotonic_ns
        assert (first_off_ns - began_ns) / NS_PER_S <= 2 * POLL_S < 0.3  # HZ-14
    assert result.exit_code == EXIT_DEVICE
    trip = result.document["trips"][0]
    assert (trip["code"], trip["hazard"], trip["channel"]) == ("uncommanded_rf", "HZ-14", 2)
    assert "OFF NOT CONFIRMED" in result.error
    assert_sealed(result, tmp_path)


async def test_rf_that_is_on_at_the_start_and_stays_on_lets_nothing_begin(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        bench.simulator.faults.start("rf_without_command", 2)
        result = await bench.begin()
        assert set(bench.written()) == {ALL_OFF}
    assert result.exit_code == EXIT_DEVICE
    assert result.document["trips"][0]["code"] == "off_not_verified"
    assert "OFF NOT CONFIRMED" in result.error
    assert_sealed(result, tmp_path)


class Stimulated(NamedTuple):
    """A fault while the sensory check stimulates."""

    fault: str
    parameters: dict[str, Any]
    code: str
    exit_code: int
    limit_s: float


STIMULATED = (
    Stimulated("impedance", {"channel": 1, "ohm": 5000.0}, "impedance_high", EXIT_STOPPED, 0.3),  # HZ-10
    Stimulated("impedance", {"channel": 1, "ohm": 5.0}, "impedance_low", EXIT_STOPPED, 0.2),  # HZ-11
    Stimulated("counter_frozen", {}, "counter_frozen", EXIT_DEVICE, 0.4),  # HZ-18
    Stimulated("no_reply", {"seconds": 2.0}, "sample_age", EXIT_DEVICE, 0.5),  # HZ-17, by the lease
    Stimulated("socket_cut", {"seconds": 2.0}, "link_lost", EXIT_DEVICE, 0.5),
    Stimulated("rf_without_command", {"channel": 1}, "stimulation_with_rf", EXIT_DEVICE, 0.2),  # HZ-28
)


@pytest.mark.parametrize("case", STIMULATED, ids=lambda case: f"{case.fault}-{case.code}")
async def test_a_fault_while_stimulating_ends_the_stimulation_in_time(
    tmp_path: Path, clock: Clock, case: Stimulated
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin(bench.order(plan=plan_text(sensory="required")))
        await bench.until(lambda state: state.channels[0].amplitude >= 0.3)
        await asyncio.sleep(2 * POLL_S)  # the step is delivered, the next one not yet asked for
        began_ns = clock.monotonic_ns()
        bench.simulator.faults.start(case.fault, **case.parameters)
        result = await running
        off_s = (bench.event_ns("stimulation_off", channel=1, after_ns=began_ns) - began_ns) / NS_PER_S
    assert off_s <= case.limit_s
    assert result.document["trips"][0]["code"] == case.code
    assert result.exit_code == case.exit_code
    assert_sealed(result, tmp_path)


# generators that must not be energised


@pytest.mark.requirement("identity.map")
async def test_a_generator_of_another_map_is_not_written_to(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        bench.simulator.faults.start("wrong_map_id")
        result = await bench.begin()
        assert bench.written() == []
    assert result.exit_code == EXIT_DEVICE
    assert result.document["outcome"] == "refused"
    assert "map_id in register 0 is 0x58585858, expected 0x52464354" in result.error
    assert "Check the address, the unit and the profile" in result.error
    assert_sealed(result, tmp_path)


@pytest.mark.requirement("identity.backend")
async def test_a_simulator_where_a_device_is_expected_is_not_written_to(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        station = station_text(bench.simulator.address, backend="device", medium="load")
        result = await bench.begin(bench.order(station=station))
        assert bench.written() == []
    assert result.exit_code == EXIT_DEVICE
    assert (result.document["outcome"], result.document["backend"]) == ("refused", "device")
    assert "says that it is simulated, the station file says device" in result.error
    assert_sealed(result, tmp_path)


@pytest.mark.parametrize("register", ["owner", "mode", "set_temperature_c", "power_limit_w", "command", "fire"])
async def test_a_refused_write_energises_nothing(tmp_path: Path, clock: Clock, register: str) -> None:
    async with station_bench(tmp_path, clock) as bench:
        bench.simulator.faults.start("refuse_write", register=register)
        result = await bench.begin()
        assert not [event for event in bench.simulator.events if event.kind == "rf_on"]
        assert bench.written()[-1] in {ALL_OFF, RELEASE}
    assert result.exit_code == EXIT_DEVICE
    (trip,) = result.document["trips"]
    assert trip["code"] == "command_failed"
    assert "exception 04" in trip["text"]
    assert result.document["off_verified"] is True
    assert_sealed(result, tmp_path)


async def test_a_plan_for_more_channels_than_the_generator_has_is_refused(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock, channels=2) as bench:
        result = await bench.begin(bench.order(plan=plan_text(channel=3)))
        assert never_energised(bench)
    assert result.exit_code == 2
    assert result.document["outcome"] == "refused"
    assert "uses channel 3, the generator has 2" in result.error
    assert_sealed(result, tmp_path)


async def test_a_checklist_that_is_declined_ends_before_any_energy(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        result = await bench.begin(bench.order(script=answers_text(checklist="decline")))
        assert never_energised(bench)
        assert bench.state is not None
        assert bench.state.stage is Stage.ENDED
    assert result.exit_code == EXIT_STOPPED
    assert result.document["outcome"] == "refused"
    assert_sealed(result, tmp_path)


# the session after


async def test_a_session_that_begins_within_the_lease_of_a_killed_one_waits_for_it(
    tmp_path: Path, clock: Clock
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        killed = bench.begin()
        await bench.in_hold()
        killed.cancel()  # as if the process were gone: nothing more is renewed
        await asyncio.gather(killed, return_exceptions=True)
        result = await bench.begin()
    assert (result.exit_code, result.document["outcome"]) == (0, "complete"), result.document["trips"]
    assert "claim_refused" in str(lines(tmp_path / result.document["record"]))


async def test_faults_that_a_lost_session_left_are_said_and_cleared(tmp_path: Path, clock: Clock) -> None:
    """The generator stopped itself by its lease and latched that; it would refuse to arm again. The station that was
    lost stands latched, too; this is another one.
    """
    async with station_bench(tmp_path, clock) as bench:
        lost = bench.begin()
        await bench.in_hold()
        bench.simulator.faults.start("socket_cut", seconds=0.6)
        assert (await lost).exit_code == EXIT_DEVICE
        assert (await bench.begin()).document["outcome"] == "refused"
        other = station_text(bench.simulator.address, station="bench-2")
        result = await bench.begin(bench.order(station=other))
    assert (result.exit_code, result.document["outcome"]) == (0, "complete"), result.error
    text = str(lines(tmp_path / result.document["record"]))
    assert "the generator still shows faults from before: bits 0x0002" in text
