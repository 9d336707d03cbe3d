"""What the plug-ins may import from rfctl: a driver its ports and its link, the simulator a clock and the errors."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import grimp
import pytest

if TYPE_CHECKING:
    from collections.abc import Set

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WHEEL_PACKAGES = [Path(package) for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]

FOR_DRIVERS = {f"rfctl.{name}" for name in ("generator", "instrument", "profile", "link", "clock", "model", "errors")}
FOR_SIMULATORS = {f"rfctl.{name}" for name in ("clock", "virtual", "errors")}
ALLOWED = {"drivers": FOR_DRIVERS, "simulators": FOR_SIMULATORS}

ALONE = "rfctl_verify"
PLUG_INS = [
    (path.name, ALLOWED[path.parts[0]]) for path in WHEEL_PACKAGES if path.parts[0] in ALLOWED and path.name != ALONE
]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*(path.name for path in WHEEL_PACKAGES), cache_dir=None, include_external_packages=True)


def imports_of(graph: grimp.ImportGraph, package: str) -> set[tuple[str, str]]:
    """Imports that leave a package for another one of the project, as (importer, imported)."""
    importers = {package} | graph.find_descendants(package)
    return {
        (importer, imported)
        for importer in importers
        for imported in graph.find_modules_directly_imported_by(importer)
        if imported not in importers and imported.startswith("rfctl")
    }


@pytest.mark.parametrize(("package", "allowed"), PLUG_INS)
def test_a_plug_in_imports_only_what_is_meant_for_it(graph: grimp.ImportGraph, package: str, allowed: Set[str]) -> None:
    imports = imports_of(graph, package)
    assert imports, f"{package} uses nothing of rfctl: it was not analysed"
    strays = {
        (importer, imported) for importer, imported in imports if ".".join(imported.split(".")[:2]) not in allowed
    }
    assert not strays


def test_every_root_of_the_import_contracts_is_a_package_of_the_wheel() -> None:
    assert PROJECT["tool"]["importlinter"]["root_packages"] == [path.name for path in WHEEL_PACKAGES]


def test_the_verifier_imports_the_standard_library_and_cryptography_and_nothing_else(graph: grimp.ImportGraph) -> None:
    modules = {ALONE} | graph.find_descendants(ALONE)
    imported = {
        name.partition(".")[0] for module in modules for name in graph.find_modules_directly_imported_by(module)
    }
    assert "cryptography" in imported, f"{ALONE} was not analysed"
    assert imported - sys.stdlib_module_names == {ALONE, "cryptography"}
