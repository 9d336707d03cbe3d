"""What the field model makes of pulses, coolant, neighbours, fluid and a bad seat: measured at the output stages."""

import pytest

from rfctl_sim import setups

pytestmark = pytest.mark.slow

PULSES = {
    "set_temperature_c": 90.0,
    "max_on_s": 300.0,
    "power_limit_w": 50.0,
    "pulse_width_us": 20_000,
    "pulse_rate_dhz": 20,
    "pulse_voltage_v_peak": 45.0,
}
COOLED = {
    "set_temperature_c": 60.0,
    "ramp_c_per_s": 1.0,
    "max_on_s": 300.0,
    "power_limit_w": 30.0,
    "pump_flow_ml_min": 10.0,
}


@pytest.fixture
def put(make_bench):
    """A generator in a shipped set-up with some of its values changed, and a client that owns it."""

    def into(name="tissue-37", channels=1, **changed):
        bench = make_bench(channels, setup=setups.load(name).model_copy(update=changed))
        client = bench.client()
        client.claim()
        client.renew()
        return bench, client

    return into


def set_mode(client, mode, settings):
    client.write("mode", mode, 1)
    for name, value in settings.items():
        client.write(name, value, 1)


def pulsed_tip_c(bench, client, seconds=120.0):
    """The tip's range within one period after so long, degC."""
    set_mode(client, 6, PULSES)
    client.fire()
    client.keep(seconds)
    tips = []
    for _ in range(5):
        for _ in range(10):
            bench.wait(0.01)
            tips.append(bench.truth()["tip_temperature_c"])
        client.renew()
    return min(tips), max(tips)


@pytest.mark.parametrize(("series_ohm", "low_c", "high_c"), [(0.0, 48.0, 51.0), (100.0, 39.0, 42.0)])
def test_45_v_peak_for_20_ms_twice_a_second_warm_the_tip_as_published(put, series_ohm, low_c, high_c):
    electrode = setups.ElectrodeSection(gauge=20, tip_mm=10.0)
    low, high = pulsed_tip_c(*put(series_ohm=series_ohm, electrode=electrode))
    assert low_c < low < high < high_c


def test_the_set_up_for_pulses_stays_below_42_degc(put):
    assert pulsed_tip_c(*put("pulsed"), seconds=60.0)[1] < 42.0


def test_each_pulse_is_a_spike_in_the_tissue_that_the_thermocouple_does_not_show(put):
    bench, client = put(series_ohm=0.0)
    pulsed_tip_c(bench, client, seconds=20.0)
    tissue, shown = [], []
    for _ in range(25):
        bench.wait(0.02)
        tissue.append(bench.truth()["tissue_max_c"])
        shown.append(bench.generator.channels[0].thermocouple.sensed_c)
        client.renew()
    assert max(tissue) - min(tissue) > 0.8
    assert max(shown) - min(shown) < 0.3
    assert max(tissue) > client.modes("pulse_temperature_max_c") + 0.5


def test_a_cooled_tip_at_60_degc_stands_in_tissue_at_75_to_80(put):
    bench, client = put("cooled")
    set_mode(client, 7, COOLED)
    client.keep(10.0)
    truth = bench.truth()
    assert truth["tip_temperature_c"] < 32.0 < 36.9 < truth["tissue_max_c"]
    client.fire()
    client.keep(100.0)
    truth = bench.truth()
    assert truth["tip_temperature_c"] == pytest.approx(60.0, abs=0.5)
    assert 75.0 < truth["tissue_max_c"] < 80.0
    cooled_w = truth["power_w"]
    bench.generator.channels[0].effects.unseen_bits = 1 << 8
    bench.generator.channels[0].pump.ratio = 0.0
    client.keep(1.0)
    truth = bench.truth()
    assert truth["tip_temperature_c"] > 63.0, "rises by more than 3 K/s without flow"
    client.keep(20.0)
    truth = bench.truth()
    assert truth["tip_temperature_c"] == pytest.approx(60.0, abs=1.5)
    assert truth["power_w"] < 0.4 * cooled_w


@pytest.mark.parametrize(("spacing_mm", "least_k", "most_k"), [(6.0, 10.0, 23.0), (10.0, 3.0, 9.0)])
def test_a_lesion_warms_the_electrode_beside_it_and_less_the_next_ones(put, spacing_mm, least_k, most_k):
    bench, client = put(channels=4, spacing_mm=spacing_mm)
    before_ohm = client.status("impedance_ohm", 2)
    client.set_lesion(1)
    client.fire(1)
    client.keep(100.0)
    rises_k = [bench.truth(number)["tip_temperature_c"] - 37.0 for number in (1, 2, 3, 4)]
    assert least_k < rises_k[1] < most_k
    assert rises_k == sorted(rises_k, reverse=True)
    assert [bench.truth(number)["rf_on"] for number in (2, 3, 4)] == [False] * 3
    assert client.status("temperature_c", 2) == pytest.approx(37.0 + rises_k[1], abs=0.3)
    assert client.status("impedance_ohm", 2) < before_ohm - 0.5 * rises_k[1]


def test_an_electrode_that_is_not_seated_leads_the_tissue_above_90_degc_at_half_the_reading(put):
    bench, client = put()
    bench.generator.channels[0].thermocouple.seated = 0.5
    client.set_lesion()
    client.fire()
    client.keep(6.0)
    truth, shown_c = bench.truth(), client.status("temperature_c", 1)
    assert shown_c - 37.0 == pytest.approx((truth["tip_temperature_c"] - 37.0) / 2.0, abs=2.0)
    assert shown_c < 60.0
    assert truth["tissue_max_c"] > 90.0


def test_tissue_leads_the_tip_in_a_ramp_of_ten_seconds_and_the_impedance_falls_by_29_percent(put):
    bench, client = put(series_ohm=0.0)
    before_ohm = client.status("impedance_ohm", 1)
    client.set_lesion()
    client.fire()
    client.keep(8.0)
    truth = bench.truth()
    assert truth["tissue_max_c"] > truth["tip_temperature_c"] + 3.0
    client.keep(92.0)
    assert client.status("impedance_ohm", 1) / before_ohm == pytest.approx(1.0 - 0.29, abs=0.03)


def test_fluid_lowers_the_impedance_at_the_terminals_by_its_share_of_the_tissue_s(put):
    bench, client = put()
    before_ohm = client.status("impedance_ohm", 1)
    bench.generator.advance_to(bench.clock.now_ns)
    bench.generator.channels[0].tissue.inject(0.4)
    bench.wait(0.1)
    after_ohm = client.status("impedance_ohm", 1)
    assert (before_ohm - after_ohm) / (before_ohm - 100.0) == pytest.approx(0.4, abs=0.03)


def test_the_energy_at_the_terminals_is_more_than_the_tissue_s_by_the_series_resistance(put):
    bench, client = put()
    client.set_lesion()
    client.fire()
    client.keep(30.0)
    bench.wait(0.3)
    tissue_j = bench.generator.channels[0].tissue.field.energy.delivered
    assert 1.8 < bench.truth()["energy_j"] / tissue_j < 3.1
