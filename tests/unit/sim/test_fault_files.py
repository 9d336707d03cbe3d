"""Files of faults: the shipped ones work, and a wrong one is refused with place and remedy."""

import json
import re

import pytest
from click.testing import CliRunner

from rfctl.errors import ConfigError
from rfctl_sim import fault_files
from rfctl_sim.catalogue.table import CATALOGUE
from rfctl_sim.faults_command import faults as command


def start(bench, name_or_path):
    def faults_of(unit):
        if unit != 1:
            raise ConfigError(f"no unit {unit}", remedy="There are units 1 to 1.")
        return bench.faults

    fault_files.start(fault_files.read(str(name_or_path)), faults_of)


@pytest.mark.parametrize("name", sorted(fault_files.catalogue()))
def test_a_shipped_file_starts_what_it_says(bench, name):
    start(bench, name)
    there = {fault.name for fault in (*bench.faults.active(), *bench.faults.waiting())}
    assert there == {entry.name for entry in fault_files.read(name).entries}


def test_onset_and_duration_of_a_shipped_file_are_kept(bench, client):
    start(bench, "firmware-hangs")
    client.start_lesion()
    client.keep(14.9)
    assert bench.truth()["rf_on"]
    bench.wait(6.0)
    (hung,), (ended,), (restarted,) = (
        [event for event in bench.events("fault_started") if event.detail["name"] == "firmware_hang"],
        bench.events("fault_ended"),
        bench.events("restart"),
    )
    assert (ended.now_s - hung.now_s, restarted.now_s - hung.now_s) == pytest.approx((3.0, 3.0), abs=0.03)
    assert not bench.truth()["rf_on"]


def test_of_a_name_that_is_none_the_nearest_is_told():
    with pytest.raises(ConfigError, match=r"no faults file named 'noisy-wires'\. Did you mean noisy-wire\?"):
        fault_files.read("noisy-wires")


ONE = 'title = "x"\n[[fault]]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = 1", "title: missing, or no text"),
        ('title = "x"', r"fault: missing.*\[\[fault\]\]"),
        ('title = "x"\nfaults = []', r"unknown key 'faults'\. Did you mean fault\?"),
        (ONE + 'name = "impedance"', r"own.toml: fault\[0\]: start: missing"),
        (ONE + 'start = "impedence"', r"fault\[0\]: no fault named 'impedence'\. Did you mean impedance\?"),
        (ONE + 'start = "unit_dead"\n[[fault]]\nstart = "impedance"\nomh = 3', r"fault\[1\].*Did you mean ohm"),
        (ONE + 'start = "impedance"\nohm = 0.1', r"fault\[0\]: ohm of the fault impedance is 0\.1\. Give a number"),
        (ONE + 'start = "impedance"\nafter_s = "2"', r"fault\[0\]: after_s of the fault impedance is '2'"),
        (ONE + 'start = "unit_dead"\nunit = 2', r"fault\[0\]: no unit 2"),
        (ONE + 'start = "unit_dead"\nunit = "a"', r"fault\[0\]: unit is 'a'"),
        ("title", "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_place_and_remedy(bench, tmp_path, text, message):
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        start(bench, own)
    assert re.search(message, str(refusal.value)), str(refusal.value)


def run(*arguments):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_list_has_every_fault_with_parameters_and_hazards():
    text = run()
    assert all(name in text for name in CATALOGUE)
    assert "ohm = 5000 Ohm, from 1 to 1000000" in text
    assert "HZ-52" in text
    document = json.loads(run("--json"))
    assert {row["name"] for row in document["faults"]} == set(CATALOGUE)
    impedance = next(row for row in document["faults"] if row["name"] == "impedance")
    assert impedance["hazards"] == ["HZ-10", "HZ-11"]
    assert impedance["parameters"]["ohm"] == {
        "kind": "number", "default": 5000.0, "low": 1.0, "high": 1e6, "unit": "Ohm"
    }  # fmt: skip
    assert {"after_s", "rf_on_s", "after_requests"} <= document["onset"].keys()
    assert {"duration_s", "for_requests"} == document["duration"].keys()
    assert {file["name"] for file in document["files"]} == set(fault_files.catalogue())


def test_one_fault_or_one_hazard_can_be_asked_for():
    assert "unit_dead" not in run("impedance")
    text = run("--hazard", "HZ-53")
    assert "pump_stopped" in text
    assert "impedance" not in text
    with pytest.raises(ConfigError, match="no machine shows HZ-42"):
        run("--hazard", "HZ-42")
