"""What a simulated generator can stand in: the shipped set-ups, files of one's own, and what each does to a reading."""

import json
from math import isnan
from statistics import fmean

import pytest
from click.testing import CliRunner

from rfctl.errors import ConfigError
from rfctl_sim import setups
from rfctl_sim.commands import sim
from rfctl_sim.thermocouple import Thermocouple

SHIPPED = {"bench-load", "bipolar", "tissue-37", "phantom-22", "cooled", "pulsed", "pad-loose", "cold-start"}


def test_the_shipped_set_ups_are_listed_and_all_are_accepted():
    assert set(setups.catalogue()) == SHIPPED
    result = CliRunner().invoke(sim, ["setups"])
    assert {line.split()[0] for line in result.output.splitlines()} == SHIPPED
    assert "tissue-37   18 G, 10 mm in tissue at 37 degC, 100 ohm in series (default)" in result.output


def test_the_list_as_json_has_every_value_and_the_file():
    result = CliRunner().invoke(sim, ["setups", "--json"])
    document = json.loads(result.output)
    assert document["default"] == "tissue-37"
    pulsed = next(row for row in document["setups"] if row["name"] == "pulsed")
    assert (pulsed["series_ohm"], pulsed["electrode"]) == (150.0, {"gauge": 22, "tip_mm": 10.0})
    assert pulsed["file"].endswith("config/setups/pulsed.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("series_ohms = 3.0", r"series_ohms: unknown key. Did you mean series_ohm\?"),
        ("electrode = { gauge = 19 }", "gauge 19 is not one of 16, 17, 18, 20, 22, 23"),
        ("electrode = { tip = 5.0 }", r"electrode.tip: unknown key. Did you mean tip_mm\?"),
        ("electrode = { tip_mm = 40.0 }", "electrode.tip_mm: .*less than or equal to 15.*40"),
        ("start_c = 80.0", "start_c: .*45"),
        ("bipolar = true", "bipolar needs spacing_mm"),
        ("medium = 'load'", "go together"),
        ("medium = 'gel'", "medium: .*'phantom'.*'gel'"),
        ("title =", "cannot be read"),
    ],
)
def test_a_file_that_is_not_accepted_is_named_with_the_value_and_the_remedy(tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text if text.startswith("title") else f"title = 'x'\n{text}\n")
    with pytest.raises(ConfigError, match=message) as error:
        setups.load(str(path))
    assert str(path) in str(error.value)


def test_an_unknown_name_names_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"'tissue-73'\. Did you mean tissue-37\? Valid: bench-load"):
        setups.load("tissue-73")
    with pytest.raises(ConfigError, match=r"'mud'.*Valid: "):
        setups.load("tissue-37", "mud")
    with pytest.raises(ConfigError, match=r"load.*for the medium tissue"):
        setups.load("tissue-37", "load")
    with pytest.raises(ConfigError, match="no such file"):
        setups.load(str(tmp_path / "none.toml"))


def test_each_channel_can_have_an_electrode_of_its_own(tmp_path, make_bench):
    path = tmp_path / "own.toml"
    path.write_text("title = 'two'\nelectrodes = [{ gauge = 22, tip_mm = 5.0 }]\n")
    client = make_bench(2, setup=str(path)).client()
    assert (hex(client.status("electrode_id", 1)), hex(client.status("electrode_id", 2))) == ("0x220501", "0x181002")


def test_a_bench_load_is_200_ohm_without_a_thermocouple(make_bench):
    client = make_bench(setup=setups.load("bench-load")).client()
    assert client.status("impedance_ohm", 1) == pytest.approx(200.0, rel=0.01)
    assert isnan(client.status("temperature_c", 1))


def test_a_load_takes_power_by_set_point_and_the_energy_is_all_of_it(make_bench):
    bench = make_bench(setup=setups.load("bench-load"))
    client = bench.client()
    client.claim()
    client.renew()
    for name, value in (("mode", 5), ("max_on_s", 60.0), ("power_limit_w", 20.0)):
        client.write(name, value, 1)
    client.fire()
    client.write("power_set_point_w", 10.0, 1)
    client.keep(2.0)
    truth = bench.truth()
    assert (truth["rf_on"], truth["power_w"]) == (True, pytest.approx(10.0))
    assert truth["energy_j"] == pytest.approx(20.0, abs=0.3)


def test_a_thermocouple_that_was_there_at_rf_on_must_stay_in_set_point_modes_too(bench, client):
    client.claim()
    client.renew()
    for name, value in (("mode", 5), ("max_on_s", 60.0), ("power_limit_w", 20.0)):
        client.write(name, value, 1)
    client.fire()
    client.keep(0.5)
    bench.faults.start("thermocouple_open", firmware_blind=False)
    bench.wait(0.1)
    assert bench.truth()["rf_on"] is False


def test_a_phantom_begins_at_22_degrees(make_bench):
    bench = make_bench(setup=setups.load("phantom-22", "poles"))
    assert bench.client().status("temperature_c", 1) == pytest.approx(22.0, abs=0.15)
    assert bench.truth()["tip_temperature_c"] == 22.0


def test_a_cold_needle_takes_half_a_minute_to_the_tissue_s_temperature(make_bench):
    bench = make_bench(setup=setups.load("cold-start", "poles"))
    client = bench.client()
    readings = []
    for seconds in (0.1, 9.9, 20.0, 30.0):
        bench.wait(seconds)
        readings.append(client.status("temperature_c", 1))
    assert readings == [
        pytest.approx(22.1, abs=0.3),
        pytest.approx(31.5, abs=0.5),
        pytest.approx(36.3, abs=0.3),
        pytest.approx(37.0, abs=0.15),
    ]


def test_a_loose_pad_shows_in_the_impedance_and_where_the_generator_looks(make_bench):
    good, loose = make_bench().client(), make_bench(setup=setups.load("pad-loose", "poles")).client()
    assert (good.status("pad_status"), loose.status("pad_status")) == (0, 2)
    assert isnan(good.status("pad_ohm"))
    assert loose.status("pad_ohm") == 190.0
    assert loose.status("impedance_ohm", 1) - good.status("impedance_ohm", 1) == pytest.approx(160.0, abs=5.0)
    assert loose.read_words(34, 1) == b"\0\1"


def test_a_set_up_is_changed_only_while_everything_is_off(bench, client):
    client.start_lesion()
    client.keep(1.0)
    with pytest.raises(ConfigError, match=r"channel 1 is on.*Turn it off"):
        bench.generator.place(setups.load("phantom-22", "poles"), bench.clock.now_ns)
    client.write("all_off", 1)
    bench.generator.place(setups.load("phantom-22", "poles"), bench.clock.now_ns)
    assert client.status("temperature_c", 1) == pytest.approx(22.0, abs=0.15)
    assert bench.truth()["tissue_max_c"] == 22.0


class Even:
    """Noise that is none."""

    def gauss(self, mean, deviation):
        return mean


@pytest.mark.parametrize("volt", [10.0, 50.0, 100.0])
def test_rf_pick_up_grows_with_the_square_of_the_voltage_and_stays_below_a_tenth_of_a_kelvin(bench, volt):
    thermocouple = bench.generator.channels[0].thermocouple
    offsets = [thermocouple.measured_c(n, volt) - thermocouple.measured_c(n) for n in range(4000)]
    assert fmean(offsets) == pytest.approx(8e-6 * volt**2, rel=0.02)
    assert max(offsets) <= 1e-5 * volt**2 + 1e-9 < 0.10001
    assert max(offsets) > 1.1 * fmean(offsets), "it is noisy"


@pytest.mark.parametrize("lag_s", [0.1, 0.3, 1.0])
def test_the_lag_is_the_time_to_63_percent_of_a_step(lag_s):
    thermocouple = Thermocouple(37.0, Even(), lag_s=lag_s)
    for _ in range(round(lag_s / 0.01)):
        thermocouple.advance(0.01, 47.0)
    assert thermocouple.sensed_c == pytest.approx(37.0 + 10.0 * 0.632, abs=0.01)


def test_an_electrode_that_is_not_seated_reads_half_of_the_rise(bench, client):
    bench.generator.channels[0].thermocouple.seated = 0.5
    client.start_lesion()
    client.keep(6.0)
    truth = bench.truth()
    rise_k = truth["tip_temperature_c"] - 37.0
    assert rise_k > 25.0
    assert client.status("temperature_c", 1) - 37.0 == pytest.approx(rise_k / 2, abs=2.0)
