"""Plans that ask for more than limits or stimulator allow are refused with the numbers."""

from pathlib import Path

import pytest

from rfctl.errors import ConfigError
from rfctl.model import shipped
from rfctl.station import plan_file

SHIPPED = shipped.find("plans", "demo").read_text(encoding="utf-8")


def load_with(tmp_path: Path, before: str, after: str) -> None:
    assert before in SHIPPED
    path = tmp_path / "plan.toml"
    path.write_text(SHIPPED.replace(before, after, 1), encoding="utf-8")
    plan_file.load(str(path))


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
    ],
)
def test_a_value_that_is_refused_is_named_with_its_bound(tmp_path: Path, before: str, after: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_with(tmp_path, before, after)
    assert told in str(refused.value)
    assert str(tmp_path / "plan.toml") in str(refused.value)


GRID = [("target_v = 0.5", "target_v = 0.3"), ("target_v = 2.0", "target_v = 2.9")]


@pytest.mark.parametrize(("before", "after"), GRID)
def test_a_tenth_of_a_volt_is_on_the_grid_whatever_its_float(tmp_path: Path, before: str, after: str) -> None:
    load_with(tmp_path, before, after)
