"""Injecting faults: names and numbers are checked, and what is started can be cleared."""

import pytest

from rfctl.errors import ConfigError
from rfctl_sim.faults import NAMES


def test_the_catalogue_has_every_fault():
    assert set(NAMES) == {
        "counter_frozen",
        "ignore_off",
        "impedance",
        "lease_dead",
        "no_reply",
        "over_temperature",
        "power_over_limit",
        "refuse_write",
        "rf_without_command",
        "socket_cut",
        "thermocouple_open",
        "unit_dead",
        "wrong_map_id",
    }


@pytest.mark.parametrize("act", ["start", "clear"])
def test_an_unknown_name_is_refused_with_the_valid_ones(bench, act):
    with pytest.raises(
        ConfigError, match=r"no fault named 'thermocoupel_open'\. Did you mean thermocouple_open\?.*no_reply"
    ):
        getattr(bench.faults, act)("thermocoupel_open")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("impedance", {"ohms": 3.0}, r"no parameter 'ohms'\. Valid: ohm, firmware_blind"),
        ("wrong_map_id", {"firmware_blind": True}, "Valid: none"),
        ("impedance", {"ohm": 0.5}, "a number from 1 to 1e"),
        ("impedance", {"ohm": "5"}, "a number from"),
        ("impedance", {"ohm": True}, "a number from"),
        ("impedance", {"ohm": float("nan")}, "a number from"),
        ("thermocouple_open", {"firmware_blind": 1}, "true or false"),
        ("refuse_write", {"register": "power"}, "one of all_off, owner"),
        ("impedance", {"channel": 3}, "no channel 3.*channels 1 to 2"),
        ("impedance", {"channel": 0}, "no channel 0"),
        ("no_reply", {"channel": 1}, "whole generator"),
    ],
)
def test_a_bad_parameter_is_refused_and_starts_nothing(bench, name, parameters, message):
    with pytest.raises(ConfigError, match=message):
        bench.faults.start(name, **parameters)
    assert bench.faults.active() == []
    assert bench.events("fault_started") == []


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


def test_a_fault_that_ends_by_itself_is_no_longer_active(bench):
    bench.faults.start("no_reply", seconds=1.0)
    assert [fault.name for fault in bench.faults.active()] == ["no_reply"]
    bench.wait(1.0)
    assert bench.faults.active() == []
