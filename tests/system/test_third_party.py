"""A driver from elsewhere: built as a wheel, installed beside rfctl, found by its entry point, keeping the contract."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.system.fresh import environment_with, run

ACME = Path(__file__).parents[1] / "third_party" / "acme_rf"


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the other project, away from this one, with its wheel in dist."""
    folder = tmp_path_factory.mktemp("elsewhere") / "acme_rf"
    shutil.copytree(ACME, folder, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", folder, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def programs(wheel: Path, acme: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (of_acme,) = (acme / "dist").glob("*.whl")
    return environment_with(tmp_path_factory.mktemp("both"), wheel, of_acme)


def test_its_driver_is_found_by_its_entry_point(programs: Path, tmp_path: Path) -> None:
    code = (
        "import acme_rf, rfctl; from rfctl.station.registry import driver;"
        "print(driver('acme_rf').__module__, acme_rf.__file__, rfctl.__file__, sep='\\n')"
    )
    module, *files = run(programs / "python", "-c", code, cwd=tmp_path).split()
    assert module == "acme_rf.driver"
    assert all(Path(file).is_relative_to(programs.parent) for file in files)


def test_it_keeps_the_contract_there(programs: Path, acme: Path) -> None:
    shutil.rmtree(acme / "src")  # only what is installed counts
    junit = acme / "junit.xml"
    bare = ("-q", "-W", "error", "-p", "no:asyncio")  # whatever this project's own tests need, theirs do not
    run(programs / "python", "-m", "pytest", *bare, f"--junit-xml={junit}", "tests", cwd=acme)
    (suite,) = ET.parse(junit).getroot()
    assert int(suite.get("tests", "0")) >= 35
    assert [suite.get(count) for count in ("failures", "errors", "skipped")] == ["0", "0", "0"]


def test_without_it_nothing_speaks_to_its_machine(tmp_path: Path) -> None:
    code = "from rfctl.station.registry import driver; driver('acme_rf')"
    with pytest.raises(AssertionError, match="no driver named 'acme_rf' is installed"):
        run(sys.executable, "-c", code, cwd=tmp_path)
