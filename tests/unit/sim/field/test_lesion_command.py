"""``rfctl sim lesion``: what it prints, draws and refuses."""

import json
import re
import struct

import pytest
from click.testing import CliRunner

from rfctl.errors import EXIT_USAGE, ConfigError
from rfctl_sim.commands import sim

pytestmark = pytest.mark.slow

ASKED = {"--gauge": "18", "--tip-mm": "10", "--set-c": "80", "--hold-s": "90"}
EDGES = ["50", "55", "60", "arrhenius"]


def run(*further, **changed):
    given = ASKED | {f"--{option.replace('_', '-')}": value for option, value in changed.items()}
    arguments = [word for pair in given.items() for word in pair]
    return CliRunner().invoke(sim, ["lesion", *arguments, *further], catch_exceptions=False)


def test_the_document_has_what_the_contract_of_the_commands_says_and_agrees_with_itself():
    document = json.loads(run("--json").stdout)
    assert list(document["width_mm"]) == list(document["length_mm"]) == EDGES
    assert document["simulated_s"] == 100.0
    assert document["voltage_v_rms"] ** 2 == pytest.approx(document["power_w"] * document["impedance_ohm"])
    assert document["peak_power_w"] > document["power_w"]
    assert document["impedance_start_ohm"] > document["impedance_ohm"]
    assert document["energy_j"] == pytest.approx(document["energy_stored_j"] + document["energy_boundary_j"], rel=5e-3)
    assert document["wall_s"] > 0.0


def test_words_say_the_edge_and_the_start_of_each_size():
    text = run(start_c="22").stdout
    assert "T0 22 degC" in text
    for edge in ("50 degC", "55 degC", "60 degC", "Arrhenius"):
        assert re.search(rf"{edge} +\d+\.\d\d mm wide +\d+\.\d\d mm long", text)


def test_a_picture_says_edges_start_and_axes_in_millimetres(tmp_path):
    path = tmp_path / "lesion.svg"
    document = json.loads(run("--json", "--plot", str(path)).stdout)
    assert document["plot"] == str(path)
    picture = path.read_text(encoding="utf-8")
    for edge in EDGES[:3]:
        width, length = document["width_mm"][edge], document["length_mm"][edge]
        assert f"{edge} °C: {width:.1f} x {length:.1f} mm" in picture
    for words in ("Arrhenius: ", "T0 37 °C", "across the needle, mm", "thermocouple", "active tip"):
        assert words in picture


def test_a_picture_in_pixels_is_one_even_where_nothing_reaches_an_edge(tmp_path):
    path = tmp_path / "lesion.PNG"
    assert run("--plot", str(path), set_c="45", hold_s="0").exit_code == 0
    head = path.read_bytes()[:24]
    assert head[1:4] == b"PNG"
    assert min(struct.unpack(">II", head[16:24])) > 600


@pytest.mark.parametrize(
    ("changed", "numbers"),
    [
        ({"gauge": "19"}, ["19 G", "16, 17, 18, 20, 22, 23"]),
        ({"tip_mm": "40"}, ["40 mm", "2 to 15 mm"]),
        ({"tip_mm": "nan"}, ["nan mm", "2 to 15 mm"]),
        ({"set_c": "91"}, ["91 degC", "42 to 90 degC"]),
        ({"hold_s": "601"}, ["601 s", "0 to 600 s"]),
        ({"hold_s": "-1"}, ["-1 s", "0 to 600 s"]),
        ({"ramp_s": "0"}, ["0 s", "1 to 120 s"]),
        ({"start_c": "4"}, ["4 degC", "15 to 45 degC"]),
        ({"start_c": "44", "set_c": "43"}, ["44 degC", "43 degC"]),
        ({"perfusion": "0.1"}, ["0.1 1/s", "0 to 0.0035 1/s"]),
        ({"plot": "lesion.gif"}, ["'.gif'", ".png or .svg"]),
        ({"plot": "/nowhere/lesion.png"}, ["there is no folder /nowhere"]),
    ],
)
def test_what_the_model_does_not_hold_for_is_refused_with_the_numbers(changed, numbers):
    with pytest.raises(ConfigError) as refused:
        run(**changed)
    assert refused.value.exit_code == EXIT_USAGE
    assert refused.value.where.startswith(f"--{next(iter(changed)).replace('_', '-')}")
    assert all(number in str(refused.value) for number in numbers)
