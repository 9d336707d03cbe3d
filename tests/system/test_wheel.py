"""What is shipped: the wheel has the project's own names and its configuration, and works from any folder."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import pytest

import rfctl
from rfctl.model.shipped import shipped_root
from tests.system.fresh import environment_with, run

ROOT = Path(__file__).parents[2]
PACKAGES = {"rfctl", "rfctl_line", "rfctl_modbus", "rfctl_verify", "rfctl_sim"}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of a fresh environment with the wheel."""
    return environment_with(tmp_path_factory.mktemp("installed"), wheel)


def test_the_wheel_has_the_names_of_the_project_and_no_other(wheel: Path) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert names == PACKAGES | {f"rfctl-{rfctl.__version__}.dist-info"}


def test_the_wheel_has_the_configuration_and_the_typing_marks(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "config").rglob("*") if path.is_file()}
    assert {name for name in names if name.startswith("rfctl/config/")} == {f"rfctl/{name}" for name in shipped}
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_the_source_distribution_can_be_set_up_and_tested(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "requirements.lock", "pyproject.toml", "README.md", "LICENSE", ".ci/run"} <= names
    assert {"config/generators/rfctl-reference.toml", "tests/conftest.py", "docs/protocols/modbus.md"} <= names


def test_an_installed_wheel_carries_its_configuration(installed: Path, tmp_path: Path) -> None:
    where = "import rfctl.model.shipped as s; print(s.__file__, s.shipped_root())"
    module, root = run(installed / "python", "-c", where, cwd=tmp_path).split()
    environment = installed.parent.resolve()
    assert Path(module).is_relative_to(environment)
    assert Path(root) == Path(module).parents[1] / "config"


def test_a_checkout_uses_the_configuration_at_its_root() -> None:
    assert shipped_root() == ROOT / "config"


def test_the_demo_runs_from_an_installed_wheel_in_another_folder(installed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = json.loads(run(installed / "rfctl", "demo", "--fast", "--json", "--out", out, cwd=tmp_path))
    assert result["outcome"] == "complete"
    assert result["backend"] == "simulated"
    assert Path(result["record"]).is_relative_to(out)
    assert Path(result["record"]).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
