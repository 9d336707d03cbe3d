"""Lesions by voltage and by power set point: what is accepted when, what is delivered, and the own safety."""

import math

import pytest

SET_POINTS = {4: "voltage_set_point_v_rms", 5: "power_set_point_w"}
MODES = pytest.mark.parametrize("mode", SET_POINTS)


@pytest.fixture
def owner(client):
    client.claim()
    client.renew()
    return client


def prepare(client, mode, power_limit_w=26.0):
    client.write("mode", mode, 1)
    client.write("max_on_s", 30.0, 1)
    client.write("power_limit_w", power_limit_w, 1)


def start(client, mode, value, power_limit_w=26.0):
    prepare(client, mode, power_limit_w)
    client.fire()
    client.write(SET_POINTS[mode], value, 1)


@MODES
def test_a_set_point_is_in_force_from_the_next_measurement_and_shown(owner, bench, mode):
    prepare(owner, mode)
    owner.fire()
    assert (bench.truth()["rf_on"], bench.truth()["power_w"], owner.status("set_point", 1)) == (True, 0.0, 0)
    owner.write(SET_POINTS[mode], 12.34, 1)
    bench.wait(0.02)
    assert owner.status("set_point", 1) == 1234
    assert owner.held(SET_POINTS[mode], 1) == pytest.approx(12.34, rel=1e-6)
    delivered = bench.truth()["voltage_v_rms" if mode == 4 else "power_w"]
    assert delivered == pytest.approx(12.34, rel=1e-6)


def test_a_constant_voltage_delivers_more_power_as_the_impedance_falls(owner, bench):
    start(owner, 4, 30.0)
    bench.wait(0.02)
    before = bench.truth()
    owner.keep(5.0)
    after = bench.truth()
    assert after["voltage_v_rms"] == pytest.approx(before["voltage_v_rms"])
    assert after["power_w"] > 1.03 * before["power_w"]


def test_the_power_limit_bounds_a_voltage_set_point(owner, bench):
    start(owner, 4, 60.0, power_limit_w=6.0)
    for _ in range(20):
        owner.keep(0.1)
        assert bench.truth()["power_w"] == pytest.approx(6.0)
        assert bench.truth()["voltage_v_rms"] < 60.0
    owner.write("power_limit_w", 3.0, 1)
    bench.wait(0.02)
    assert bench.truth()["power_w"] == pytest.approx(3.0)


def test_the_power_limit_bounds_a_power_set_point(owner, bench):
    start(owner, 5, 9.0, power_limit_w=6.0)
    bench.wait(0.02)
    assert bench.truth()["power_w"] == pytest.approx(6.0)


@MODES
def test_a_set_point_needs_its_mode_and_rf_except_0(owner, refused, mode):
    name, other = SET_POINTS[mode], SET_POINTS[9 - mode]
    with refused(4, 9):
        owner.write(name, 0.0, 1)
    prepare(owner, mode)
    owner.write(name, 0.0, 1)
    with refused(4, 14):
        owner.write(name, 0.1, 1)
    owner.fire()
    owner.write(name, 0.1, 1)
    with refused(4, 14):
        owner.write(other, 0.1, 1)
    for value in (math.nan, -0.1, math.inf):
        with refused(3, 4) if math.isnan(value) else refused(3, 2 if mode == 4 or value < 0 else 3):
            owner.write(name, value, 1)
    with refused(3, 2 if mode == 4 else 3):
        owner.write(name, 150.1, 1)
    assert owner.held(name, 1) == pytest.approx(0.1)


@MODES
def test_arming_needs_timer_and_power_limit_and_no_temperature(owner, refused, mode):
    owner.write("mode", mode, 1)
    for name in ("set_temperature_c", "ramp_c_per_s"):
        with refused(4, 14):
            owner.write(name, 50.0 if name.startswith("set") else 1.0, 1)
    for name, value in (("max_on_s", 30.0), ("power_limit_w", 10.0)):
        with refused(4, 10):
            owner.write("command", 1, 1)
        owner.write(name, value, 1)
    owner.write("command", 1, 1)
    assert owner.status("armed") == 1


@MODES
def test_whatever_ends_the_output_sets_the_set_point_to_0(owner, bench, mode):
    for off in (("all_off", 1), ("command", 0, 1)):
        start(owner, mode, 5.0)
        bench.wait(0.1)
        owner.write(*off)
        assert (bench.truth()["rf_on"], owner.held(SET_POINTS[mode], 1), owner.status("set_point", 1)) == (False, 0, 0)


@MODES
def test_lease_and_timer_end_it_as_any_lesion(owner, bench, mode):
    start(owner, mode, 1.0)
    bench.wait(0.51)
    assert bench.truth()["rf_on"] is False
    owner.write("lease_clear", 1)
    owner.write("fault_clear", 1)
    owner.renew()
    start(owner, mode, 1.0)
    owner.keep(29.9)
    assert bench.truth()["rf_on"] is True
    owner.keep(0.2)
    assert bench.truth()["rf_on"] is False
    assert owner.status("fault_bits", 1) == 1 << 4


@MODES
@pytest.mark.parametrize(
    ("fault", "bit"), [("over_temperature", 0), ("thermocouple_open", 1), ("impedance", 2), ("power_over_limit", 6)]
)
def test_its_own_safety_holds_whoever_controls(owner, bench, mode, fault, bit):
    start(owner, mode, 2.0)
    owner.keep(0.5)
    parameters = {"over_temperature": {"kelvin": 80.0}, "power_over_limit": {"power_w": 40.0}}.get(fault, {})
    bench.faults.start(fault, 1, firmware_blind=False, **parameters)
    bench.wait(0.25)
    assert bench.truth()["rf_on"] is False
    assert owner.status("fault_bits", 1) & 1 << bit


def test_the_tip_that_a_host_overheats_is_turned_off_at_100_degc(owner, bench):
    start(owner, 4, 60.0, power_limit_w=50.0)
    for _ in range(100):
        owner.keep(0.1)
        if not bench.truth()["rf_on"]:
            break
    assert owner.status("fault_bits", 1) == 1
    assert bench.truth()["tip_temperature_c"] < 115.0
