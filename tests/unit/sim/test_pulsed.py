"""Pulsed RF: pulses at the output stage, what is latched of each, the ceiling of the mean, and what ends it."""

from itertools import pairwise
from math import isnan, sqrt

import pytest

from rfctl_sim import setups

PULSED = {"set_temperature_c": 60.0, "max_on_s": 300.0, "power_limit_w": 5.0}


@pytest.fixture
def pulse(bench, client):
    """Start pulsed RF on channel 1: 20 ms at 2 Hz unless told otherwise."""

    def start(volt=45.0, width_us=20_000, rate_dhz=20, **others):
        client.claim()
        client.renew()
        client.write("mode", 6, 1)
        settings = {**PULSED, "pulse_width_us": width_us, "pulse_rate_dhz": rate_dhz, "pulse_voltage_v_peak": volt}
        for name, value in {**settings, **others}.items():
            client.write(name, value, 1)
        client.fire()

    return start


def energies(bench, step_s, count):
    """Energy delivered within each of so many steps, J."""
    totals = [bench.truth()["energy_j"]]
    for _ in range(count):
        bench.wait(step_s)
        totals.append(bench.truth()["energy_j"])
    return [after - before for before, after in pairwise(totals)]


def test_energy_flows_in_the_pulses_and_only_there(bench, client, pulse):
    pulse()
    ohm = 185.0
    burst_w = 45.0**2 / 2 / ohm
    steps = energies(bench, 0.005, 90)  # before the lease ends
    on = [joule for joule in steps if joule > 0.0]
    assert sum(on) == pytest.approx(0.020 * burst_w, rel=0.02)
    assert steps[:4] == [pytest.approx(0.005 * burst_w, rel=0.02)] * 4
    assert steps[4:] == [0.0] * 86


def test_two_pulses_a_second_of_20_ms_for_ten_seconds_are_21_pulses(bench, client, pulse):
    pulse()
    client.keep(10.1)
    truth = bench.truth()
    assert (truth["rf_on"], truth["pulse"]["count"]) == (True, 21)
    assert truth["energy_j"] == pytest.approx(21 * 0.02 * 45.0**2 / 2 / 180.0, rel=0.06)
    assert truth["power_w"] == pytest.approx(0.04 * truth["pulse"]["power_w"], rel=0.02)


def test_what_is_latched_is_that_of_the_pulse_itself(bench, client, pulse):
    assert client.modes("pulse_count") == 0
    assert isnan(client.modes("pulse_power_w"))
    pulse()
    client.keep(3.2)
    truth = bench.truth()["pulse"]
    assert client.modes("pulse_count") == truth["count"] == 7
    assert client.modes("pulse_voltage_v_peak") == pytest.approx(45.0, rel=1e-4)
    assert client.modes("pulse_current_ma_peak") == pytest.approx(truth["current_ma_peak"], rel=1e-6)
    assert client.modes("pulse_power_w") == pytest.approx(45.0 * truth["current_ma_peak"] / 2000.0, rel=1e-4)
    assert (client.modes("pulse_width_us"), client.modes("pulse_period_ms")) == (20_000, 500)
    mean_c, highest_c = client.modes("mean_temperature_c"), client.modes("pulse_temperature_max_c")
    assert 37.1 < mean_c < highest_c < 45.0
    assert client.status("voltage_v_rms", 1) == pytest.approx(45.0 / sqrt(2) * sqrt(0.04), rel=0.01)
    assert client.status("power_w", 1) == pytest.approx(0.04 * client.modes("pulse_power_w"), rel=0.02)


def test_the_output_stage_is_on_between_two_pulses_and_off_at_once_in_the_middle_of_one(bench, client, pulse):
    pulse()
    bench.wait(0.25)
    assert (bench.truth()["rf_on"], client.status("rf_actual")) == (True, 1)
    bench.wait(0.26)  # 10 ms into the second pulse, which the lease would allow 10 ms more
    client.write("all_off", 1)
    before = bench.truth()["energy_j"]
    bench.wait(1.0)
    truth = bench.truth()
    assert (truth["rf_on"], truth["energy_j"], truth["pulse"]["count"]) == (False, before, 1)


def test_peak_is_not_rms(bench, client, pulse):
    """45 V peak into 300 ohm at 20 ms x 2 Hz is 0.13 W on the mean."""
    bench.generator.place(setups.load("bench-load"), bench.clock.now_ns)
    bench.generator.channels[0].stage.series_ohm = 100.0
    bench.generator.channels[0].thermocouple.fitted = True
    pulse()
    client.keep(0.2)
    assert bench.truth()["power_w"] == pytest.approx(0.135, abs=0.001)


def test_the_mean_stays_below_its_ceiling_because_the_voltage_falls(bench, client, pulse):
    pulse(volt=100.0, set_temperature_c=42.0)
    means = []
    for _ in range(90):
        client.keep(1.0)
        means.append(client.modes("mean_temperature_c"))
    assert max(means) < 43.0
    assert means[-30:] == [pytest.approx(42.0, abs=0.5)] * 30
    assert client.modes("pulse_voltage_v_peak") < 90.0


def test_without_the_ceiling_the_same_pulses_are_hotter(bench, client, pulse):
    pulse(volt=100.0, set_temperature_c=70.0)
    client.keep(60.0)
    assert client.modes("mean_temperature_c") > 44.0
    assert client.modes("pulse_voltage_v_peak") == pytest.approx(100.0, rel=1e-4)


def test_the_power_limit_bounds_the_mean_power(bench, client, pulse):
    pulse(power_limit_w=0.1)
    client.keep(2.0)
    assert bench.truth()["power_w"] == pytest.approx(0.1, rel=0.01)
    assert bench.truth()["pulse"]["power_w"] == pytest.approx(2.5, rel=0.01)


def test_a_pulse_that_is_too_wide_ends_it_when_the_generator_looks(bench, client, pulse):
    pulse()
    client.keep(1.0)
    bench.generator.channels[0].effects.pulse_width_ratio = 1.5
    client.keep(1.0)
    assert client.status("fault_bits", 1) == 1 << 7
    truth = bench.truth()
    assert (truth["rf_on"], truth["pulse"]["width_ms"]) == (False, 30.0)


def test_a_pulse_that_is_a_little_wider_does_not(bench, client, pulse):
    pulse()
    bench.generator.channels[0].effects.pulse_width_ratio = 1.15
    client.keep(2.0)
    assert (bench.truth()["rf_on"], client.modes("pulse_width_us")) == (True, 23_000)


def test_a_lesion_after_pulses_has_no_gaps(bench, client, pulse):
    pulse()
    client.keep(0.3)
    client.write("all_off", 1)
    client.set_lesion(1)
    client.fire(1)
    steps = energies(bench, 0.05, 8)
    assert min(steps[1:]) > 0.0
    assert bench.truth()["pulse"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("pulse_width_us", 999), ("pulse_width_us", 50_001), ("pulse_rate_dhz", 4), ("pulse_voltage_v_peak", 100.5)],
)
def test_pulses_out_of_range_are_refused(client, refused, name, value):
    client.claim()
    client.renew()
    client.write("mode", 6, 1)
    with refused(3, 2):
        client.write(name, value, 1)


def test_more_than_a_fifth_of_the_time_is_refused_whichever_is_written_last(client, refused):
    client.claim()
    client.renew()
    client.write("mode", 6, 1)
    client.write("pulse_width_us", 50_000, 1)
    client.write("pulse_rate_dhz", 40, 1)
    with refused(3, 2):
        client.write("pulse_rate_dhz", 41, 1)
    client.write("pulse_width_us", 20_000, 1)
    client.write("pulse_rate_dhz", 100, 1)
    with refused(3, 2):
        client.write("pulse_width_us", 20_001, 1)


def test_it_arms_only_when_everything_is_set_and_takes_no_ramp(client, refused):
    client.claim()
    client.renew()
    client.write("mode", 6, 1)
    for name, value in {**PULSED, "pulse_width_us": 20_000, "pulse_rate_dhz": 20}.items():
        client.write(name, value, 1)
    with refused(4, 10):
        client.write("command", 1, 1)
    with refused(4, 14):
        client.write("ramp_c_per_s", 1.0, 1)
    client.write("pulse_voltage_v_peak", 45.0, 1)
    client.write("command", 1, 1)
    client.write("fire", client.status("arm_token", 1), 1)
    with refused(4, 8):
        client.write("pulse_voltage_v_peak", 50.0, 1)
    client.write("all_off", 1)
    assert [client.held(name, 1) for name in ("pulse_width_us", "pulse_voltage_v_peak")] == [0, 0.0]


def test_pulses_of_other_modes_are_refused(client, refused):
    client.claim()
    client.renew()
    client.write("mode", 3, 1)
    with refused(4, 14):
        client.write("pulse_width_us", 20_000, 1)
