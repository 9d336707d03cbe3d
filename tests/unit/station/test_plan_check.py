"""What a plan will ask for: predicted current in each dispersive electrode, and what a station refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from rfctl.cli.plan import plan as plan_command
from rfctl.errors import ConfigError
from rfctl.model.electrode import electrode_table, find_electrode
from rfctl.model.heating import pad_heating_a2s, predict
from rfctl.model.plan import Lesion, Plan, TimerDefinition
from rfctl.profile import any_profile
from rfctl.station import plan_check, plan_file, station_file
from rfctl_sim.field.needle import NeedleField

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.model.electrode import Electrode

SITE = """
[[site]]
name = "S{number}"
preset = "medial-branch"
channel = {number}
pad = {pad}
electrode = {{ gauge = {gauge}, tip_mm = {tip_mm} }}
anaesthetic = {{ agent = "lidocaine 2 %", volume_ml = 0.5 }}
"""
RAMP_10_S = Lesion(80.0, 90.0, 4.3, TimerDefinition.SET_TEMPERATURE)


def text(
    count: int = 4, gauge: int = 18, order: str = "batch", pads: tuple[int, ...] = (1,), tip_mm: float = 10
) -> str:
    sites = [SITE.format(number=n + 1, pad=pads[n % len(pads)], gauge=gauge, tip_mm=tip_mm) for n in range(count)]
    head = f'[plan]\ntitle = "pads"\nchecklist = ["time-out"]\norder = "{order}"\n'
    return head + "".join(sites)


def load(tmp_path: Path, content: str) -> Plan:
    path = tmp_path / "plan.toml"
    path.write_text(content, encoding="utf-8")
    return plan_file.load(str(path))


# what would be refused when it is armed


@pytest.mark.parametrize(
    ("gauge", "tip_mm", "set_c", "accepted"), [(22, 5, 90, False), (22, 5, 80, True), (18, 10, 90, True)]
)
def test_the_time_budget_is_said_when_a_plan_is_checked(
    tmp_path: Path, gauge: int, tip_mm: float, set_c: int, accepted: bool
) -> None:
    path = tmp_path / "plan.toml"
    content = text(1, gauge, tip_mm=tip_mm).replace(
        "channel = 1", f"channel = 1\nlesion = {{ set_temperature_c = {set_c}, hold_s = 60, ramp_c_per_s = 2 }}"
    )
    path.write_text(content, encoding="utf-8")
    result = CliRunner().invoke(plan_command, ["check", str(path)], standalone_mode=False)
    assert (result.exception is None) is accepted
    if not accepted:
        assert isinstance(result.exception, ConfigError)
        assert "0.66 s) leaves 1.81 W in the tissue" in str(result.exception)
        assert "1.8 x the expected power, 1.94 W" in str(result.exception)


# the computation


@pytest.mark.parametrize(("count", "gauge", "stated"), [(4, 18, 48), (3, 18, 27), (4, 20, 34), (4, 22, 27)])
def test_the_pads_of_the_limits_table_come_out_as_stated(count: int, gauge: int, stated: float) -> None:
    lesions = [predict(find_electrode(gauge, 10), RAMP_10_S)] * count
    assert pad_heating_a2s(lesions, multiplexed=False) == pytest.approx(stated, rel=0.04)


def test_outputs_that_take_turns_add_their_squares() -> None:
    lesion = predict(find_electrode(18, 10), RAMP_10_S)
    one = pad_heating_a2s([lesion], multiplexed=False)
    assert pad_heating_a2s([lesion] * 4, multiplexed=False) == pytest.approx(16 * one)
    assert pad_heating_a2s([lesion] * 4, multiplexed=True) == pytest.approx(4 * one)


def test_current_counts_only_in_the_worst_60_s() -> None:
    electrode = find_electrode(18, 10)
    longer = predict(electrode, Lesion(80.0, 300.0, 4.3, TimerDefinition.SET_TEMPERATURE))
    assert pad_heating_a2s([longer], multiplexed=False) == pytest.approx(
        pad_heating_a2s([predict(electrode, RAMP_10_S)], multiplexed=False), rel=1e-6
    )


@pytest.mark.parametrize("electrode", electrode_table().values(), ids=lambda e: f"{e.gauge} G {e.tip_mm:g} mm")
def test_the_tables_own_lesion_has_the_tables_power(electrode: Electrode) -> None:
    found = predict(electrode, RAMP_10_S)
    assert found.ramp_s == pytest.approx(10.0)
    assert found.hold_power_w == pytest.approx(electrode.hold_power_w, rel=0.005)
    assert found.peak_power_w == pytest.approx(electrode.power_cap_w / 1.5, rel=0.02)


def test_the_field_itself_draws_the_predicted_current_and_energy() -> None:
    """20 G, 10 mm, 60 degC within 5 s: neither the lesion nor the electrode of a number in the table of limits."""
    field = NeedleField(20, 10, 37.0)
    squared_a2s = energy_j = 0.0
    for step in range(1, 101):
        before_ohm = field.impedance_ohm
        power_w = field.advance_to(0.6, 37.0 + 23.0 * min(1.0, step * 0.6 / 5.4))
        squared_a2s += power_w / ((before_ohm + field.impedance_ohm) / 2.0) * 0.6
        energy_j += power_w * 0.6
    found = predict(find_electrode(20, 10), Lesion(60.0, 54.6, 23.0 / 5.4, TimerDefinition.SET_TEMPERATURE))
    assert pad_heating_a2s([found], multiplexed=False) == pytest.approx(squared_a2s, rel=0.03)
    assert found.energy_j == pytest.approx(energy_j, rel=0.03)


# the check


@pytest.mark.requirement("plan.pads")
def test_four_18_g_on_one_pad_are_refused_with_the_number_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        plan_check.require_cool_pads(load(tmp_path, text()), where="plan.toml")
    said = str(refused.value)
    assert said.startswith("plan.toml: site.pad = 1: 4 electrodes heated together")
    assert "46.6 A2s" in said
    assert "limit 27 A2s" in said
    assert "pad = 2" in said


@pytest.mark.parametrize(
    "content",
    [text(gauge=22), text(count=3), text(pads=(1, 2)), text(order="site by site")],
    ids=["22 G", "three", "two pads", "one after the other"],
)
def test_what_keeps_a_pad_cool_is_accepted(tmp_path: Path, content: str) -> None:
    plan_check.require_cool_pads(load(tmp_path, content), where="plan.toml")


def test_the_same_electrodes_are_accepted_where_the_outputs_take_turns(tmp_path: Path) -> None:
    plan = load(tmp_path, text())
    plan_check.require_cool_pads(plan, where="plan.toml", multiplexed=True)
    (pad,) = plan_check.pad_loads(plan, multiplexed=True)
    assert pad.heating_a2s == pytest.approx(46.6 / 4, rel=0.01)


def test_a_later_lesion_that_is_worse_than_the_first_counts(tmp_path: Path) -> None:
    hotter = '[[site.further]]\nafter = "rotation"\nset_temperature_c = 90\nhold_s = 90\n'
    content = "".join(f"{part}{hotter}" for part in _site_by_site(text(count=3)))
    with pytest.raises(ConfigError, match="3 electrodes heated together"):
        plan_check.require_cool_pads(load(tmp_path, content), where="plan.toml")


def _site_by_site(content: str) -> list[str]:
    head, *sites = content.split("[[site]]")
    return [head + "[[site]]" + sites[0], *("[[site]]" + site for site in sites[1:])]


def station(tmp_path: Path, medium: str = "tissue") -> station_file.Station:
    path = tmp_path / "station.toml"
    path.write_text(
        f'[station]\nid = "s"\nbackend = "simulated"\nmedium = "{medium}"\n[generator]\nlink = "sim:reference"\n',
        encoding="utf-8",
    )
    return station_file.load(str(path))


@pytest.mark.requirement("plan.medium")
def test_a_station_of_another_medium_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"plan\.medium is 'tissue', station\.medium of s is 'phantom'"):
        plan_check.require_medium(load(tmp_path, text(1)), station(tmp_path, "phantom"), where="plan.toml")


def test_a_channel_that_no_generator_of_the_profile_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.channel is 3, a generator of profile kestrel-2 has at most 2"):
        plan_check.require_station(
            load(tmp_path, text(3)), station(tmp_path), any_profile.load("kestrel-2"), where="plan.toml"
        )


# the commands


def run(*arguments: str) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(plan_command, list(arguments))
    return result.exit_code, result.output, result.exception


def test_a_new_plan_is_accepted_by_check_and_shown(tmp_path: Path) -> None:
    path = str(tmp_path / "new.toml")
    assert (
        run("new", path, "--site", "1:L4 left", "--site", '2:L5 "left"', "--gauge", "20", "--batch", "--drop")[0] == 0
    )
    code, out, _ = run("check", path, "--json")
    document = json.loads(out)
    assert (code, document["valid"], document["order"], document["on_fault"]) == (
        0,
        True,
        "batch",
        "drop the channel",
    )
    assert [site["site"] for site in document["sites"]] == ["L4 left", 'L5 "left"']
    (lesion,) = document["sites"][0]["lesions"]
    assert lesion["predicted_ramp_s"] == 10.0
    assert lesion["predicted_hold_power_w"] == pytest.approx(find_electrode(20, 10).hold_power_w, rel=0.01)
    assert 3.0 < document["pads"][0]["predicted_heating_a2s"] < 27.0
    code, out, _ = run("show", path, "--station", "demo")
    assert code == 0
    assert "W at the end of the hold" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--site", "L4"), "is not CHANNEL:NAME"),
        (("--site", "1:L4", "--gauge", "19"), "electrode 19 G 10 mm is not in the electrode table"),
        (("--site", "5:L4"), "site[0].channel: must be at most 4"),
        (("--batch", *(f"--site={n}:S{n}" for n in range(1, 5))), "46.6 A2s"),
    ],
)
def test_a_new_plan_that_would_be_refused_is_not_written(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    path = tmp_path / "new.toml"
    _, _, problem = run("new", str(path), *arguments)
    assert isinstance(problem, ConfigError)
    assert told in str(problem)
    assert not path.exists()


def test_an_existing_plan_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("mine", encoding="utf-8")
    _, _, problem = run("new", str(path), "--site", "1:L4")
    assert "is there already" in str(problem)
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_refused_plan_is_one_document_and_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text(), encoding="utf-8")
    _, out, problem = run("check", str(path), "--json")
    document = json.loads(out)
    assert (document["valid"], document["path"]) == (False, str(path))
    assert "46.6 A2s" in document["problem"]
    assert isinstance(problem, ConfigError)
