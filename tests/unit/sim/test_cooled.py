"""The cooled mode: pump first, then RF; the tip cooler than the tissue; no coolant, no RF."""

from math import isnan

import pytest

from rfctl_sim import setups

SETTINGS = {"set_temperature_c": 60.0, "ramp_c_per_s": 1.0, "max_on_s": 300.0, "power_limit_w": 20.0}


@pytest.fixture
def bench(make_bench):
    return make_bench(setup=setups.load("cooled", "poles"))


@pytest.fixture
def cool(bench, client):
    """Set the cooled mode with a flow, and wait until it flows."""

    def start(flow_ml_min=10.0, wait_s=2.0):
        client.claim()
        client.renew()
        client.write("mode", 7, 1)
        for name, value in SETTINGS.items():
            client.write(name, value, 1)
        client.write("pump_flow_ml_min", flow_ml_min, 1)
        client.keep(wait_s)

    return start


def test_the_pump_starts_within_a_second_and_its_flow_is_measured(bench, client, cool):
    assert client.modes("pump_flow_ml_min") == 0.0
    cool(wait_s=0.1)
    assert 0.0 < client.modes("pump_flow_ml_min") < 8.0
    client.keep(2.0)
    assert client.modes("pump_flow_ml_min") == bench.truth()["pump_flow_ml_min"] == 10.0
    assert client.modes("coolant_c") == 22.0


def test_the_tip_becomes_cooler_than_the_tissue_before_rf(bench, client, cool):
    cool(wait_s=10.0)
    truth = bench.truth()
    assert truth["tip_temperature_c"] < 34.0
    assert truth["tissue_max_c"] == pytest.approx(37.0, abs=0.5)


def test_in_a_lesion_the_tissue_is_hotter_than_the_tip_and_takes_more_power(bench, make_bench, client, cool):
    cool()
    client.fire()
    client.keep(60.0)
    truth = bench.truth()
    assert truth["tip_temperature_c"] == pytest.approx(60.0, abs=1.0)
    assert truth["tissue_max_c"] > 70.0
    assert client.status("fault_bits", 1) == 0


def test_arming_waits_for_the_flow(bench, client, cool, refused):
    cool(wait_s=0.1)
    with refused(4, 11):
        client.write("command", 1, 1)
    client.keep(2.0)
    client.write("command", 1, 1)


def test_without_flow_it_does_not_arm(client, cool, refused):
    cool(flow_ml_min=0.0)
    with refused(4, 11):
        client.write("command", 1, 1)


def test_a_pump_that_stops_ends_the_lesion_after_300_ms(bench, client, cool):
    cool()
    client.fire()
    client.keep(20.0)
    bench.generator.channels[0].pump.ratio = 0.0
    bench.wait(0.3)
    assert bench.truth()["rf_on"] is True
    client.renew()
    bench.wait(0.2)
    assert (bench.truth()["rf_on"], client.status("fault_bits", 1)) == (False, 1 << 8)


def test_a_flow_of_85_percent_does_not(bench, client, cool):
    cool()
    client.fire()
    bench.generator.channels[0].pump.ratio = 0.85
    client.keep(2.0)
    assert bench.truth()["rf_on"] is True


def test_the_pump_stops_when_the_output_ends(bench, client, cool):
    cool()
    client.fire()
    client.keep(5.0)
    client.write("all_off", 1)
    bench.wait(5.0)
    assert bench.truth()["pump_flow_ml_min"] == 0.0


def test_an_electrode_without_coolant_is_refused(make_bench, refused):
    client = make_bench().client()
    client.claim()
    client.renew()
    client.write("mode", 7, 1)
    with refused(4, 13):
        client.write("pump_flow_ml_min", 10.0, 1)
    assert isnan(client.modes("pump_flow_ml_min"))
    assert isnan(client.modes("coolant_c"))
