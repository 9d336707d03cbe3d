"""Takes controls away one after the other, each in a fork of a process that has everything imported and collected.

A plugin of pytest: ``pytest -p tests.kill_run --kills FILE TEST...`` runs no test as it is. For each control of
tests/kills.py whose test was collected it forks, takes the control away, runs that test, and writes what came of it.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from tests.kills import KILLS, MODULES

FORK_S = 60
"""A test that takes longer without its control hangs: SIGALRM ends its process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", help="take every control away and write what came of it", metavar="FILE")


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    file = session.config.getoption("--kills")
    if not file:
        return None
    for module in sorted(MODULES):
        import_module(module)
    found = {}
    for name, kill in KILLS.items():
        items = [item for item in session.items if item.nodeid.partition("[")[0] == kill.red.partition("[")[0]]
        items = [item for item in items if item.nodeid.startswith(kill.red)]
        found[name] = in_a_fork(lambda items=items, kill=kill: red(items, kill.remove)) if items else NOT_COLLECTED
    Path(file).write_text(json.dumps(found), encoding="utf-8")
    return True


NOT_COLLECTED = "the test does not exist"


def red(items: list[pytest.Item], remove: Callable[[], None]) -> str:
    """Empty when one of the tests fails without the control; else what happened instead."""
    remove()
    reports: list[pytest.TestReport] = []
    for item in items:
        item.config.pluginmanager.register(_Listener(reports))
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        if any(report.failed and report.when == "call" for report in reports):
            return ""
    broken = [
        f"{report.nodeid} broke in its {report.when}: {report.longreprtext}" for report in reports if report.failed
    ]
    return broken[0][-2000:] if broken else "it stayed green"


class _Listener:
    def __init__(self, reports: list[pytest.TestReport]) -> None:
        self._reports = reports

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)


def in_a_fork(act: Callable[[], str]) -> str:
    """What it says in a child process, or how that ended."""
    with tempfile.TemporaryFile() as told:
        child = os.fork()
        if not child:
            signal.alarm(FORK_S)
            for descriptor in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            try:
                os.pwrite(told.fileno(), act().encode() or b" ", 0)
            except BaseException as problem:
                os.pwrite(told.fileno(), f"{type(problem).__name__}: {problem}".encode(), 0)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        told.seek(0)
        said = told.read().decode()
    return said.strip() if said else f"its process ended with {os.waitstatus_to_exitcode(status)}"
