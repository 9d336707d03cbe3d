"""Each driver that is installed has a contract test in this folder."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from rfctl.station.registry import DRIVERS
from rfctl.testing.contract import DriverContract
from rfctl.testing.hooks import loaded

HERE = Path(__file__).parent


def contracts() -> list[type[DriverContract]]:
    """The contract tests that pytest collects from this folder."""
    modules = [importlib.import_module(f"tests.contract.{path.stem}") for path in sorted(HERE.glob("test_*.py"))]
    return [
        member
        for module in modules
        for name, member in vars(module).items()
        if name.startswith("Test") and isinstance(member, type) and issubclass(member, DriverContract)
    ]


def without_a_contract(drivers: set[str]) -> set[str]:
    """Those of the drivers that no contract test is about."""
    return drivers - {loaded(str(contract.profile)).driver for contract in contracts()}


def test_each_driver_that_is_installed_keeps_the_contract() -> None:
    assert not without_a_contract({point.name for point in entry_points(group=DRIVERS)})


def test_a_driver_without_a_contract_would_be_missed() -> None:
    assert without_a_contract({"rfctl_modbus", "new_one"}) == {"new_one"}


def test_each_contract_is_collected() -> None:
    assert len(contracts()) >= 2
    for contract in contracts():
        assert len([name for name in dir(contract) if name.startswith("test_")]) >= 25


def test_a_contract_without_a_generator_says_what_is_missing() -> None:
    class TestNothing(DriverContract):
        profile = "rfctl-reference"

    with pytest.raises(NotImplementedError, match=r"TestNothing.peer: start a simulated generator"):
        TestNothing().test_looking_writes_nothing()
