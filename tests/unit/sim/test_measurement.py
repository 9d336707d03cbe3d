"""What the meters say: fresh, noisy as stated, and of the same circuit."""

from statistics import fmean, pstdev

import pytest


def test_the_counter_counts_a_measurement_every_20_ms(bench, client):
    counts = []
    for _ in range(5):
        bench.wait(0.02)
        counts.append(client.status("sample_counter"))
    assert counts == [1, 2, 3, 4, 5]
    bench.wait(60.0)
    assert client.status("sample_counter") == 3005
    assert client.status("uptime_ms") == 60_100


def test_counter_and_uptime_wrap(bench, client):
    bench.wait(2**32 / 1000 + 0.5)
    assert client.status("uptime_ms") == 500


def readings(bench, client, name, count):
    values = []
    for _ in range(count):
        bench.wait(0.02)
        values.append(client.status(name, 1))
    return values


def test_the_temperature_at_rest_has_the_stated_resolution(bench, client):
    values = readings(bench, client, "temperature_c", 400)
    assert {round(value, 4) for value in values} <= {36.9, 37.0, 37.1}
    assert fmean(values) == pytest.approx(37.0, abs=0.01)


def test_the_temperature_has_the_stated_noise(bench):
    channel = bench.generator.channels[0]
    assert pstdev(channel.measure(sample).control_c for sample in range(4000)) == pytest.approx(0.02, rel=0.1)


def test_the_impedance_is_measured_without_rf_with_a_noise_of_0_2_percent(bench, client):
    values = readings(bench, client, "impedance_ohm", 400)
    assert fmean(values) == pytest.approx(185.0, rel=0.001)
    assert pstdev(values) == pytest.approx(0.37, rel=0.25)
    assert int(client.status("flags", 1)) == 0b10001
    assert client.status("voltage_v_rms", 1) == client.status("power_w", 1) == 0.0


def test_voltage_current_power_and_impedance_belong_together(bench, client):
    client.start_lesion()
    client.keep(5.0)
    volt, milliampere = client.status("voltage_v_rms", 1), client.status("current_ma_rms", 1)
    assert client.status("power_w", 1) == pytest.approx(volt * milliampere / 1000.0, rel=1e-6)
    assert client.status("impedance_ohm", 1) == pytest.approx(volt / milliampere * 1000.0, rel=1e-6)
    assert client.status("rf_band_current_ma_rms", 1) == milliampere > 100.0
    assert client.status("rf_on_ms", 1) == pytest.approx(5000, abs=1)


def test_the_thermocouple_lags_the_tip_by_0_3_s(bench, client):
    client.start_lesion()
    client.keep(5.0)
    lag_k = bench.truth()["tip_temperature_c"] - client.status("temperature_c", 1)
    assert lag_k == pytest.approx(4.3 * 0.3, abs=0.2)


def test_an_idle_channel_sits_at_body_temperature_while_its_neighbour_heats(bench, client):
    client.start_lesion(1)
    client.keep(10.0)
    assert bench.truth(2)["tip_temperature_c"] == 37.0
    assert client.status("temperature_c", 2) == pytest.approx(37.0, abs=0.15)


def test_seed_and_nothing_else_decides_the_noise(make_bench):
    def noise(seed):
        bench = make_bench(seed=seed)
        return readings(bench, bench.client(), "impedance_ohm", 20)

    assert noise(1) == noise(1) != noise(2)


def test_a_second_lesion_begins_without_the_power_of_the_first(bench, client):
    client.start_lesion()
    client.keep(9.0)
    assert bench.truth()["power_w"] > 10.0
    client.write("command", 0, 1)
    client.set_lesion()
    bench.wait(0.001)
    client.fire()
    assert bench.truth()["rf_on"]
    assert bench.truth()["power_w"] == 0.0


def test_the_dose_meter_adds_up_what_is_delivered(bench, client):
    client.start_lesion()
    energy_j = 0.0
    for _ in range(200):
        before = bench.truth()["power_w"]
        bench.wait(0.01)
        if bench.now_s % 0.1 < 0.01:
            client.renew()
        energy_j += before * 0.01
    assert bench.truth()["energy_j"] == pytest.approx(energy_j, rel=1e-6)
    client.write("all_off", 1)
    spent_j = bench.truth()["energy_j"]
    bench.wait(10.0)
    assert bench.truth()["energy_j"] == spent_j
