"""Plans that ask for more than limits or stimulator allow are refused with the numbers."""

from pathlib import Path

import pytest

from rfctl.errors import ConfigError
from rfctl.model import shipped
from rfctl.model.plan import Plan
from rfctl.station import plan_file

PLAN = """
[plan]
title = "one site"
checklist = ["time-out"]

[[site]]
name = "L4"
channel = 1
electrode = { gauge = 18, tip_mm = 10 }
sensory = { use = "required", target_v = 0.5, maximum_v = 1.0 }
motor = { target_v = 2.0 }
anaesthetic = { agent = "lidocaine 2 %", volume_ml = 0.5, wait_s = 60 }
lesion = { set_temperature_c = 80, hold_s = 90, ramp_c_per_s = 4.3 }
"""
PRESETS = sorted(path.stem for path in (shipped.shipped_root() / "presets").glob("*.toml"))


def load(tmp_path: Path, text: str) -> Plan:
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return plan_file.load(str(path))


def load_with(tmp_path: Path, before: str, after: str) -> None:
    assert before in PLAN
    load(tmp_path, PLAN.replace(before, after, 1))


def with_preset(name: str, *own: str) -> str:
    head = PLAN[: PLAN.index("sensory")]
    return "\n".join([head, f'preset = "{name}"', *own]) + "\n"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("set_temperature_c = 80", "set_temperature_c = 90.5", "must be at most 90. Correct the value (is 90.5)"),
        ("set_temperature_c = 80", "set_temperature_c = 41", "must be at least 42. Correct the value (is 41)"),
        ("hold_s = 90", "hold_s = 0", "must be above 0. Correct the value (is 0)"),
        ("hold_s = 90", "hold_s = inf", "hold_s"),
        ("target_v = 2.0", "target_v = 2.25", "target_v = 2.25 is not reached in steps of 0.1 V"),
        ("maximum_v = 1.0", "maximum_v = 3.1", "must be at most 3. Correct the value (is 3.1)"),
        ("tip_mm = 10", "tip_mm = 11", "electrode 18 G 11 mm is not in the electrode table"),
        ("wait_s = 60", "wait_s = 30", "must be at least 60. Correct the value (is 30)"),
        ('use = "required"', 'use = "not used"', "use = 'not used' needs a reason"),
        (
            "hold_s = 90",
            'hold_s = 90, mode = "pulsed"',
            "pulsed lesions are refused: this version has no interlocks",
        ),
        (
            "hold_s = 90",
            'hold_s = 90, mode = "cooled"',
            "interlocks for them (coolant_flow, cooled_tip_slope, cooled_power)",
        ),
        ("hold_s = 90", 'hold_s = 90, mode = "bipolar"', "bipolar lesions are refused"),
        ("hold_s = 90", 'hold_s = 90, mode = "warm"', "lesion.mode"),
    ],
)
@pytest.mark.requirement("plan.limits")
def test_a_value_that_is_refused_is_named_with_its_bound(tmp_path: Path, before: str, after: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_with(tmp_path, before, after)
    assert told in str(refused.value)
    assert str(tmp_path / "plan.toml") in str(refused.value)


GRID = [("target_v = 0.5", "target_v = 0.3"), ("target_v = 2.0", "target_v = 2.9")]


@pytest.mark.parametrize(("before", "after"), GRID)
def test_a_tenth_of_a_volt_is_on_the_grid_whatever_its_float(tmp_path: Path, before: str, after: str) -> None:
    load_with(tmp_path, before, after)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_the_site_leaves_out(tmp_path: Path, name: str) -> None:
    (site,) = load(tmp_path, with_preset(name)).sites
    tables = plan_file.load_preset(shipped.find("presets", name))
    assert site.lesions[0].hold_s == tables["lesion"]["hold_s"]
    assert site.lesions[0].set_temperature_c == tables["lesion"]["set_temperature_c"]
    assert (site.sensory.rate_hz, site.motor.rate_hz) == (50, 2)


def test_what_the_site_says_itself_goes_before_the_preset(tmp_path: Path) -> None:
    plan = load(tmp_path, with_preset("medial-branch", "lesion = { hold_s = 60 }"))
    assert (plan.sites[0].lesions[0].hold_s, plan.sites[0].lesions[0].set_temperature_c) == (60, 80)


def test_the_hash_of_a_plan_covers_its_presets(tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_bytes(shipped.find("presets", "medial-branch").read_bytes())
    before = load(tmp_path, with_preset("mine.toml"))
    preset.write_text(preset.read_text(encoding="utf-8").replace("hold_s = 90", "hold_s = 80"), encoding="utf-8")
    after = load(tmp_path, with_preset("mine.toml"))
    assert (before.sites[0].lesions[0].hold_s, after.sites[0].lesions[0].hold_s) == (90, 80)
    assert before.sha256 != after.sha256


def test_an_unknown_preset_lists_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, with_preset("nowhere"))
    assert "medial-branch" in str(refused.value)


def test_a_preset_beyond_a_limit_is_refused_by_its_own_name(tmp_path: Path) -> None:
    preset = tmp_path / "hot.toml"
    text = shipped.find("presets", "medial-branch").read_text(encoding="utf-8")
    preset.write_text(text.replace("set_temperature_c = 80", "set_temperature_c = 95"), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, with_preset("hot.toml"))
    assert str(preset) in str(refused.value)
    assert "must be at most 90" in str(refused.value)
