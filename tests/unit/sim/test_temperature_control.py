"""A whole lesion: ramp, hold and cooling as a host and the output stage see them."""

from statistics import fmean

import pytest


@pytest.fixture(scope="module")
def lesion(make_bench):
    """37 to 80 degC at 4.3 K/s, held for 90 s, then off for 60 s: what was measured every 20 ms, and the truth."""
    bench = make_bench()
    client = bench.client()
    client.start_lesion()
    rows = []
    for step in range(round(100 / 0.02)):
        bench.wait(0.02)
        if step % 5 == 0:
            client.renew()
        truth = bench.truth()
        tissue_ohm = bench.generator.channels[0].tissue.impedance_ohm
        rows.append(
            {
                "t_s": (step + 1) * 0.02,
                "temperature_c": client.status("temperature_c", 1),
                "power_w": truth["power_w"],
                "tissue_ohm": tissue_ohm,
                "tissue_w": truth["power_w"] * tissue_ohm / (tissue_ohm + 100.0),
                "tissue_max_c": truth["tissue_max_c"],
                "tip_c": truth["tip_temperature_c"],
            }
        )
    client.write("all_off", 1)
    cooling = {}
    for second in range(1, 61):
        bench.wait(1.0)
        cooling[second] = client.status("temperature_c", 1)
    return rows, cooling


def test_the_measured_peak_lies_between_80_and_82_5(lesion):
    assert 80.0 <= max(row["temperature_c"] for row in lesion[0]) <= 82.5


def test_the_hold_stays_within_2_k_for_its_whole_90_s(lesion):
    reached = next(i for i, row in enumerate(lesion[0]) if row["temperature_c"] >= 79.0)
    inside = sum(abs(row["temperature_c"] - 80.0) <= 2.0 for row in lesion[0][reached:]) * 0.02
    assert inside >= 88.0
    assert lesion[0][reached]["t_s"] == pytest.approx(10.0, abs=0.6)


def test_the_hold_settles_without_oscillation(lesion):
    settled = [row["tip_c"] for row in lesion[0] if row["t_s"] > 20.0]
    assert max(settled) - min(settled) < 0.3


def test_ramp_and_hold_take_the_power_that_limits_md_expects(lesion):
    tissue_w = [row["tissue_w"] for row in lesion[0]]
    assert 5.0 < max(tissue_w) < 10.4
    assert 1.7 < fmean(tissue_w[-250:]) < 2.6


def test_the_power_limit_is_respected(lesion):
    assert max(row["power_w"] for row in lesion[0]) <= 26.0


def test_tissue_impedance_falls_by_about_29_percent_and_the_sum_by_about_13(lesion):
    ramp_end = lesion[0][round(10 / 0.02) - 1]["tissue_ohm"]
    hold_end = lesion[0][-1]["tissue_ohm"]
    assert 1.0 - ramp_end / 85.0 == pytest.approx(0.29, abs=0.04)
    assert 1.0 - hold_end / 85.0 == pytest.approx(0.29, abs=0.04)
    assert 1.0 - (ramp_end + 100.0) / 185.0 == pytest.approx(0.13, abs=0.02)


def test_tissue_impedance_falls_smoothly(lesion):
    ohm = [row["tissue_ohm"] for row in lesion[0]]
    per_s = [abs(ohm[i + 50] - ohm[i]) / ohm[i] for i in range(len(ohm) - 50)]
    assert max(per_s) < 0.096
    means = [fmean(ohm[i : i + 25]) for i in range(0, len(ohm), 25)]
    lowest = means[0]
    for mean in means:
        lowest = min(lowest, mean)
        assert mean < lowest * 1.09


def test_tissue_leads_the_tip_by_several_kelvin_in_the_ramp(lesion):
    assert 2.0 < max(row["tissue_max_c"] - row["tip_c"] for row in lesion[0]) < 8.0


def test_the_tip_cools_as_tissue_does(lesion):
    cooling = lesion[1]
    assert cooling[5] < 79.0
    below_45 = min(second for second, temperature in cooling.items() if temperature < 45.0)
    assert 10 <= below_45 <= 42


def test_a_limit_that_binds_only_makes_the_ramp_longer(bench, client):
    client.claim()
    client.renew()
    client.set_lesion(power_limit_w=12.0)
    client.fire()
    measured = []
    for _ in range(400):
        bench.wait(0.1)
        client.renew()
        measured.append(client.status("temperature_c", 1))
        assert bench.truth()["power_w"] <= 12.0 * (1 + 1e-9)
    assert 12.0 < next(i for i, value in enumerate(measured) if value >= 79.0) * 0.1 < 30.0
    assert max(measured) < 82.0


def test_the_ramp_starts_at_the_present_temperature(bench, client):
    client.start_lesion()
    client.keep(15.0)
    client.write("command", 0, 1)
    client.keep(5.0)
    warm_c = bench.truth()["tip_temperature_c"]
    client.set_lesion()
    client.fire()
    client.keep(2.0)
    assert bench.truth()["tip_temperature_c"] > warm_c
    client.keep(18.0)
    assert client.status("temperature_c", 1) == pytest.approx(80.0, abs=1.0)
