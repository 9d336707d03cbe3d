"""What tests show of which requirement, collected from all workers into one file for the safety matrix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.safety.results import Proof, Run, write_run
from rfctl.safety.tree import tree_hash

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
PROPERTY = "proof"
Show = Callable[..., None] if TYPE_CHECKING else object


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", help="write what the tests have shown to build/results/NAME.json", metavar="NAME")


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--results")
    if name and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Collector(ROOT / "build" / "results" / f"{name}.json"), "proofs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("requirement"):
            for name in marker.args:
                show(item, name)


def show(item: pytest.Item, requirement: str, **shown: float | str | None) -> None:
    """The test shows this of the requirement; see rfctl.safety.results.Proof for what can be said."""
    item.user_properties.append((PROPERTY, {"requirement": requirement, **shown}))


@pytest.fixture
def shows(request: pytest.FixtureRequest) -> Show:
    """``shows(requirement, t_measured_s=..., t_limit_s=..., fault=...)``: for what is only known when the test runs."""
    return lambda requirement, **shown: show(request.node, requirement, **shown)


class Collector:
    """Hears of every test of the run, in the process that all workers report to."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._tree = tree_hash(ROOT)
        self._passed: dict[str, bool] = {}
        self._shown: dict[str, list[dict[str, Any]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._passed[report.nodeid] = self._passed.get(report.nodeid, True) and report.passed
        self._shown[report.nodeid] = [value for name, value in report.user_properties if name == PROPERTY]

    def pytest_sessionfinish(self) -> None:
        proofs = [
            Proof(test=test, passed=self._passed[test], **shown)
            for test, all_shown in sorted(self._shown.items())
            for shown in all_shown
        ]
        run = Run(tree=self._tree, tests=len(self._passed), passed=sum(self._passed.values()), proofs=tuple(proofs))
        write_run(self._file, run)
