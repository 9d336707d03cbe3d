"""Faults in mid-hold: how long until the output is off, and what the station says of it, in virtual time."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DEVICE, EXIT_STOPPED
from rfctl.kernel.limits import ROWS
from rfctl.kernel.row import Side
from rfctl.kernel.state import Setup
from rfctl.record.keys import load_public_key
from rfctl.record.replay import replay
from rfctl.record.verify import Outcome as Verified
from rfctl.record.verify import verify
from rfctl.station import session
from rfctl.station.session import Result
from rfctl.virtual import VirtualClock, run_virtual
from tests.station_bench import station_bench, station_text

if TYPE_CHECKING:
    from tests.proofs import Show

POLL_S = 0.05
CARRIED_OUT_S = 0.001  # virtual: whatever the decision asked for is on the generator
PROCESS, DEVICE = EXIT_STOPPED, EXIT_DEVICE
ROW = {row.code: row for row in ROWS}
HEATING_CHANNEL = 1


class Case(NamedTuple):
    """One fault, and what must come of it.

    Attributes:
        name: Of the case.
        fault: Name in the simulator's catalogue.
        parameters: Of the fault, its channel among them.
        code: First code among the trips, the cause.
        exit_code: Of the command.
        limit_s: Longest time from cause to off at the output stage of the channel that heats.
        source: Where that comes from. The count begins when a row's window is full where the hazard's time is shorter.
        act_s: Stricter: window of the row and one poll. None where the generator's own lease is what acts.
        behind: First code when the row is taken out of the table; empty where nothing else sees the fault, None where
            the cause is an event and not a row.
        off_verified: Off can be measured in the end.
        control: Who controls the temperature.
    """

    name: str
    fault: str
    parameters: dict[str, Any]
    code: str
    exit_code: int
    limit_s: float
    source: str
    act_s: float | None
    behind: str | None
    off_verified: bool = True
    control: str = "device"


CASES = (
    Case("thermocouple open", "thermocouple_open", {"channel": 1}, "thermocouple_open", PROCESS,
         0.2, "HZ-02, 200 ms", POLL_S, "temperature_max"),
    Case("reading 20 K too high", "over_temperature", {"channel": 1, "kelvin": 20.0}, "temperature_max", PROCESS,
         0.3, "HZ-01, 300 ms", POLL_S, "temperature_step"),
    Case("reading 10 K too high", "over_temperature", {"channel": 1, "kelvin": 10.0}, "over_set_fast", PROCESS,
         0.3, "HZ-01, 300 ms", 2 * POLL_S, "over_set"),
    Case("reading 6 K too high", "over_temperature", {"channel": 1, "kelvin": 6.0}, "over_set", PROCESS,
         0.8, "over set, 500 ms, then HZ-01, 300 ms", 0.5 + POLL_S, ""),
    Case("impedance 5000 ohm", "impedance", {"channel": 1, "ohm": 5000.0}, "impedance_high", PROCESS,
         0.3, "HZ-10, 300 ms", 2 * POLL_S, "impedance_rising"),
    Case("impedance open", "impedance", {"channel": 1, "ohm": 1e6}, "impedance_high", PROCESS,
         0.3, "HZ-10, 300 ms", 2 * POLL_S, "impedance_low"),
    Case("impedance 5 ohm", "impedance", {"channel": 1, "ohm": 5.0}, "current", PROCESS,
         0.2, "HZ-11, 200 ms", POLL_S, "impedance_low"),
    Case("power above the cap", "power_over_limit", {"channel": 1, "power_w": 25.0}, "current", PROCESS,
         0.2, "HZ-30, 200 ms", POLL_S, "power_cap"),
    Case("voltage shown half as high again", "meter_wrong",
         {"channel": 1, "meter": "voltage_v_rms", "factor": 1.5}, "power_mismatch", DEVICE,
         1.0, "HZ-05, 1 s", 0.5 + POLL_S, ""),
    Case("sample counter frozen", "counter_frozen", {}, "counter_frozen", DEVICE,
         0.4, "frozen, 300 ms, then one poll and two transactions", 0.3 + 2 * POLL_S, "off_not_verified",
         off_verified=False),
    Case("no reply for 2 s", "no_reply", {"seconds": 2.0}, "sample_age", DEVICE,
         0.5, "HZ-17, 500 ms, by the lease", None, "counter_frozen"),
    Case("no reply any more", "no_reply", {"seconds": 60.0}, "sample_age", DEVICE,
         0.5, "HZ-17, 500 ms, by the lease", None, "counter_frozen", off_verified=False),
    Case("connection cut for 2 s", "socket_cut", {"seconds": 2.0}, "link_lost", DEVICE,
         0.5, "HZ-17, 500 ms, by the lease", None, None),
    Case("connection cut for good", "socket_cut", {"seconds": 60.0}, "link_lost", DEVICE,
         0.5, "HZ-17, 500 ms, by the lease", None, None, off_verified=False),
    Case("lease ended by the generator", "lease_dead", {}, "lease_lost", DEVICE,
         0.5, "HZ-20, 500 ms", POLL_S, "generator_fault"),
    Case("renewals refused", "refuse_write", {"register": "lease_renew"}, "command_failed", DEVICE,
         0.3, "HZ-32, 300 ms", POLL_S, None),
    Case("RF by itself on the other channel", "rf_without_command", {"channel": 2}, "uncommanded_rf", DEVICE,
         0.3, "HZ-14, 300 ms", 2 * POLL_S, "off_not_verified", off_verified=False),
)  # fmt: skip


# Whoever controls the temperature, the same rows act, as fast. A reading that is 6 K too high is no trip where the
# station controls: it believes the reading and takes the output back.
BY_EITHER = ("thermocouple_open", "impedance", "power_over_limit", "counter_frozen", "socket_cut", "lease_dead")
HOST_CASES = (
    *(case._replace(control="host") for case in CASES if case.fault in BY_EITHER and "for good" not in case.name),
    *(case._replace(control="host") for case in CASES if case.parameters.get("kelvin", 0.0) >= 10.0),
    Case("set points refused", "refuse_write", {"register": "voltage_set_point_v_rms"}, "command_failed", DEVICE,
         0.3, "HZ-32, 300 ms", POLL_S, None, control="host"),
)  # fmt: skip


def name_of(case: Case) -> str:
    return f"{case.name}-{case.control}".replace(" ", "-")


class Struck(NamedTuple):
    """A session that a fault struck in mid-hold.

    Attributes:
        case: The fault.
        folder: What the paths of the document start from.
        result: How the session ended.
        off_s: From the cause to RF off at the output stage of the heating channel, s; infinity when it stayed on.
        verdict_s: From the cause to the first trip, s.
    """

    case: Case
    folder: Path
    result: Result
    off_s: float
    verdict_s: float


async def strike(folder: Path, case: Case) -> Struck:
    """Run to 5 s of hold, start the fault right after a sample was decided on and acted on, and wait for the end."""
    async with station_bench(folder, VirtualClock.running()) as bench:
        station = station_text(bench.simulator.address, control=case.control)
        running = bench.begin(bench.order(station=station))
        await bench.in_hold(for_s=5.0)
        await asyncio.sleep(CARRIED_OUT_S)
        began_ns = bench.clock.monotonic_ns()
        bench.simulator.faults.start(case.fault, **case.parameters)
        result = await running
        off_ns = bench.event_ns("rf_off", channel=HEATING_CHANNEL, after_ns=began_ns)
        assert bench.state is not None
        verdicts = [trip.t_ns for trip in bench.state.trips]
        verdict_s = (verdicts[0] - began_ns) / NS_PER_S if verdicts else inf
        return Struck(case, folder, result, (off_ns - began_ns) / NS_PER_S, verdict_s)


@pytest.fixture(scope="module", params=(*CASES, *HOST_CASES), ids=name_of)
def struck(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Struck:
    """Each case, run once."""
    return run_virtual(strike(tmp_path_factory.mktemp("faults"), request.param))


def test_the_output_is_off_in_time(struck: Struck, shows: Show) -> None:
    case = struck.case
    assert struck.off_s <= case.limit_s, case.source
    if case.act_s is not None:
        assert struck.off_s <= case.act_s
    if case.code in ROW:
        shows(f"row.{case.code}", fault=case.name, t_measured_s=struck.off_s, t_limit_s=case.limit_s)


def test_the_first_trip_names_the_cause_and_decides_the_exit_code(struck: Struck) -> None:
    assert struck.result.document["trips"][0]["code"] == struck.case.code
    assert struck.result.exit_code == struck.case.exit_code
    assert struck.result.document["outcome"] == ("stopped" if struck.case.exit_code == PROCESS else "failed")


def test_the_trip_carries_its_hazard_and_the_numbers(struck: Struck) -> None:
    trip = struck.result.document["trips"][0]
    row = ROW.get(struck.case.code)
    if row is None:
        assert (trip["measured"], trip["limit"], trip["unit"]) == (None, None, "1")
    else:
        assert (trip["hazard"], trip["unit"]) == (row.hazard, row.unit)
        assert isinstance(trip["limit"], int | float)
        if trip["measured"] is None:  # open, so that there is no number
            assert struck.case.parameters["ohm"] == 1e6
        elif row.side is Side.ABOVE:
            assert trip["measured"] > trip["limit"]
        else:
            assert trip["measured"] < trip["limit"]


def test_ending_site_and_error_tell_the_cause(struck: Struck) -> None:
    document = struck.result.document
    text = document["trips"][0]["text"]
    (site,) = document["sites"]
    assert site["end_reason"] == text
    assert document["ending"].startswith(text)
    assert struck.result.error == document["ending"]


def test_an_off_that_was_never_measured_is_said_to_be_unconfirmed(struck: Struck) -> None:
    document = struck.result.document
    assert document["off_verified"] is struck.case.off_verified
    assert ("OFF NOT CONFIRMED" in document["ending"]) is not struck.case.off_verified


def test_the_partial_dose_is_kept(struck: Struck) -> None:
    (site,) = struck.result.document["sites"]
    assert 4.9 <= site["seconds_within_2c"] <= 5.6
    assert 79.0 <= site["mean_hold_temperature_c"] <= 82.0
    assert site["energy_j"] > 20.0


def test_the_document_says_who_controlled_the_temperature(struck: Struck) -> None:
    assert struck.result.document["temperature_control"] == struck.case.control


def test_the_document_has_a_json_form(struck: Struck) -> None:
    assert json.loads(session.as_json(struck.result.document)) == struck.result.document


def test_the_record_is_sealed(struck: Struck) -> None:
    document = struck.result.document
    verdict = verify(struck.folder / document["record"], load_public_key(struck.folder / document["public_key"]))
    assert verdict.verdict is Verified.VALID_UNANCHORED


def test_replay_decides_everything_the_same_again(struck: Struck) -> None:
    again = replay(struck.folder / struck.result.document["record"])
    assert again.decisions > struck.result.document["cycles"]
    assert (again.differences, again.first_difference) == (0, "")
    assert again.final is not None
    assert [trip.code for trip in again.final.trips] == [trip["code"] for trip in struck.result.document["trips"]]


@pytest.mark.parametrize("case", [case for case in CASES if case.behind is not None], ids=name_of)
def test_without_its_row_the_fault_is_left_to_what_stands_behind(
    tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = tuple(row for row in ROWS if row.code != case.code)
    assert len(without) == len(ROWS) - 1
    monkeypatch.setattr(session, "Setup", partial(Setup, rows=without))
    trips = run_virtual(strike(tmp_path, case)).result.document["trips"]
    assert [trip["code"] for trip in trips][:1] == ([case.behind] if case.behind else [])
