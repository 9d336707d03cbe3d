"""Injecting faults: names and numbers are checked, what is started can be cleared, and each has its time."""

import pytest

from rfctl.errors import ConfigError
from rfctl_sim.catalogue.kinds import Scope
from rfctl_sim.catalogue.table import CATALOGUE


@pytest.mark.parametrize("act", ["start", "clear"])
def test_an_unknown_name_is_refused_with_the_valid_ones(bench, act):
    with pytest.raises(
        ConfigError, match=r"no fault named 'thermocoupel_open'\. Did you mean thermocouple_open\?.*no_reply"
    ):
        getattr(bench.faults, act)("thermocoupel_open")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("impedance", {"ohms": 3.0}, r"no parameter 'ohms'\. Did you mean ohm\? Valid: ohm, firmware_blind"),
        ("wrong_map_id", {"firmware_blind": True}, "Valid: none"),
        ("impedance", {"ohm": 0.5}, "a number from 1 to 1000000"),
        ("impedance", {"ohm": "5"}, "a number from"),
        ("impedance", {"ohm": True}, "a number from"),
        ("impedance", {"ohm": float("nan")}, "a number from"),
        ("thermocouple_open", {"firmware_blind": 1}, "true or false"),
        ("refuse_write", {"register": "power"}, "one of all_off, owner"),
        ("write_ignored", {"register": "power"}, "one of all_off, owner"),
        ("set_point_corrupted", {"register": "owner"}, "one of set_temperature_c"),
        ("impedance", {"channel": 3}, "no channel 3.*channels 1 to 2"),
        ("impedance", {"channel": 0}, "no channel 0"),
        ("no_reply", {"channel": 1}, "whole wire"),
        ("counter_frozen", {"channel": 1}, "whole generator"),
        ("channels_swapped", {"channel": 2}, "with_channel of the fault channels_swapped is 2 for channel 2"),
        ("channels_swapped", {"with_channel": 3}, "Give another one of the channels 1 to 2"),
        ("channels_swapped", {"with_channel": 1.5}, "is 1.5 for channel 1"),
        ("welded", {}, "no relay board here"),
        ("impedance", {"after_s": -1.0}, "after_s of the fault impedance is -1.0. Give a number from 0"),
        ("impedance", {"in_phase": "rf"}, "Give one of off, armed, rf_on"),
        ("impedance", {"duration_s": 0.0}, "duration_s of the fault impedance is 0.0"),
        ("impedance", {"for_request": 1}, "no parameter 'for_request'"),
    ],
)
def test_a_bad_parameter_is_refused_and_starts_nothing(bench, name, parameters, message):
    with pytest.raises(ConfigError, match=message):
        bench.faults.start(name, **parameters)
    assert bench.faults.active() == bench.faults.waiting() == []
    assert bench.events("fault_started") == []


@pytest.mark.parametrize("name", [kind.name for kind in CATALOGUE.values() if kind.reference_only])
def test_a_fault_that_a_make_has_no_place_for_is_refused(make_bench, name):
    with pytest.raises(ConfigError, match=f"does not show the fault {name}"):
        make_bench(2, make="kestrel-2").faults.start(name)


def test_start_and_clear_are_logged_with_their_time(bench):
    bench.wait(1.25)
    bench.faults.start("impedance", channel=2, ohm=300.0)
    bench.wait(0.5)
    bench.faults.clear("impedance")
    (started,), (cleared,) = bench.events("fault_started"), bench.events("fault_cleared")
    assert (started.now_s, cleared.now_s) == (1.25, 1.75)
    assert started.detail == {"name": "impedance", "channel": 2, "ohm": 300.0, "firmware_blind": True}
    assert started.monotonic_ns == cleared.monotonic_ns - 500_000_000


def test_clearing_one_fault_leaves_another_of_the_channel_in_force(bench, client):
    bench.faults.start("thermocouple_open")
    bench.faults.start("impedance", ohm=300.0)
    bench.faults.clear("thermocouple_open")
    assert [fault.name for fault in bench.faults.active()] == ["impedance"]
    assert client.status("impedance_ohm", 1) > 250.0
    assert client.status("temperature_c", 1) < 38.0


def test_clearing_without_a_channel_clears_every_one(bench):
    bench.faults.start("thermocouple_open", channel=1)
    bench.faults.start("thermocouple_open", channel=2)
    bench.faults.clear("thermocouple_open")
    assert bench.faults.active() == []


def test_everything_can_be_cleared_at_once(bench, client):
    bench.faults.start("thermocouple_open", channel=2)
    bench.faults.start("clock_rate", rate=2.0)
    bench.faults.start("impedance", after_s=5.0)
    bench.faults.clear_all()
    assert bench.faults.active() == bench.faults.waiting() == []
    assert client.status("temperature_c", 2) < 38.0


def test_a_fault_that_ends_by_itself_is_no_longer_active(bench):
    bench.faults.start("no_reply", seconds=1.0)
    assert [fault.name for fault in bench.faults.active()] == ["no_reply"]
    bench.wait(1.0)
    assert bench.faults.active() == []


def test_duration_s_says_it_for_every_fault(bench, client):
    bench.faults.start("thermocouple_open", duration_s=0.5)
    bench.faults.start("no_reply", seconds=30.0, duration_s=0.25)
    bench.wait(0.3)
    assert client.status("temperature_c", 1) != client.status("temperature_c", 1)
    bench.wait(0.2)
    assert client.status("temperature_c", 1) < 38.0
    assert [event.now_s for event in bench.events("fault_ended")] == [0.25, 0.5]


def test_after_s_begins_at_that_instant_though_nobody_looks(bench):
    bench.faults.start("rf_without_command", after_s=1.2345, duration_s=1.0)
    assert [fault.name for fault in bench.faults.waiting()] == ["rf_without_command"]
    bench.wait(5.0)
    assert [event.now_s for event in bench.events("rf_on")] == [1.2345]
    assert [event.now_s for event in bench.events("rf_off")] == [2.2345]
    assert bench.faults.waiting() == bench.faults.active() == []


def test_in_phase_waits_for_the_channel_it_is_of(bench, client):
    bench.faults.start("impedance", channel=2, in_phase="rf_on")
    bench.faults.start("impedance", channel=1, in_phase="rf_on")
    client.start_lesion()
    client.keep(0.1)
    assert [fault.channel for fault in bench.faults.active()] == [1]
    assert [fault.channel for fault in bench.faults.waiting()] == [2]


def test_rf_on_s_counts_from_rf_on(bench, client):
    bench.faults.start("thermocouple_open", rf_on_s=1.5)
    bench.wait(3.0)
    client.start_lesion()
    client.keep(3.0)
    (on,), (started,) = bench.events("rf_on"), bench.events("fault_started")
    assert started.now_s - on.now_s == pytest.approx(1.5, abs=0.021)


def test_above_c_goes_by_the_true_tip(bench, client):
    bench.faults.start("over_temperature", kelvin=30.0)
    bench.faults.start("thermocouple_open", above_c=60.0)
    client.start_lesion()
    while bench.faults.waiting():
        client.keep(0.1)
    assert 60.0 < bench.truth()["tip_temperature_c"] < 61.5


def test_below_c_waits_for_the_tip_to_cool(bench, client):
    client.start_lesion()
    client.keep(6.0)
    bench.faults.start("thermocouple_open", below_c=45.0)
    assert len(bench.faults.waiting()) == 1
    client.write("all_off", 1)
    bench.wait(120.0)
    assert len(bench.faults.active()) == 1


def test_conditions_are_all_to_hold(bench, client):
    bench.faults.start("thermocouple_open", after_s=4.0, in_phase="rf_on")
    client.start_lesion()
    client.keep(3.9)
    assert len(bench.faults.waiting()) == 1
    client.keep(0.2)
    assert len(bench.faults.active()) == 1


def test_requests_are_counted_from_the_injection(bench, client):
    for _ in range(3):
        client.status("uptime_ms")
    bench.faults.start("refuse_write", register="lease_ms", after_requests=2, for_requests=2)
    client.claim()
    client.write("lease_ms", 400)
    refused = []
    for _ in range(3):
        body = bench.server.answer(1, 1, 7, bytes.fromhex("060002012c"))[7:]
        refused.append(body[0] == 0x86)
    assert refused == [True, True, False]


def test_a_fault_that_is_over_at_once_can_wait_too(bench, client):
    bench.faults.start("lease_dead", rf_on_s=0.5)
    client.start_lesion()
    for _ in range(4):
        bench.wait(0.1)
        client.renew()
    bench.wait(0.2)
    assert not bench.truth()["rf_on"]
    assert bench.faults.active() == bench.faults.waiting() == []


def test_the_same_seed_gives_the_same_course(make_bench):
    courses = []
    for seed in (3, 3, 4):
        bench = make_bench(seed=seed)
        bench.faults.start("temperature_noise", kelvin=5.0)
        client, course = bench.client(), []
        for _ in range(5):
            bench.wait(0.02)
            course.append(client.status("temperature_c", 1))
        courses.append(course)
    assert courses[0] == courses[1] != courses[2]


def test_every_row_of_the_catalogue_can_be_shown_as_json():
    for name, kind in CATALOGUE.items():
        row = kind.as_json()
        assert row["name"] == name
        assert row["description"].endswith(".")
        assert row["hazards"]
        assert row["scope"] in {scope.value for scope in Scope}
