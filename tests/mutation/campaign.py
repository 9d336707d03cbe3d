"""The campaign: which tests run through a function, and which mutants of it they let live.

It is a plugin of pytest. The tests are collected once; each mutant then lives in a child process that was forked off,
and runs the tests that run through its function, the quick ones first, until one goes red.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections import defaultdict
from contextlib import suppress
from importlib import import_module
from itertools import accumulate
from time import process_time_ns
from types import CodeType, FrameType
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S, wall_ns
from tests.mutation.mutants import Mutant, live_function, mutants_of

if TYPE_CHECKING:
    from collections.abc import Callable

KILLED, SURVIVED, UNCOVERED = "killed", "survived", "no test runs through it"
SECONDS = 40
"""Of processor time for one mutant; who goes round for ever is noticed, too."""
TESTED_NS = 10 * NS_PER_S
"""So much processor time the tests of one mutant take together, without it."""


class Campaign:
    """Runs it in place of the tests themselves.

    Attributes:
        modules: Whose functions are changed.
        known: Keys of mutants that need not be tried again.
        end_ns: On the wall; none is begun later.
        found: Told of each mutant and its fate.
    """

    def __init__(
        self, modules: list[str], known: set[str], end_ns: int, found: Callable[[Mutant, str, str], None]
    ) -> None:
        self.modules = modules
        self.known = known
        self.end_ns = end_ns
        self.found = found
        self._red = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        targets: dict[CodeType, str] = {}
        by_module = {module: list(mutants_of(module)) for module in self.modules}
        for module, mutants in by_module.items():
            for name in {mutant.function for mutant in mutants}:
                targets[live_function(import_module(module), name).__code__] = f"{module}:{name}"
        through = self._walked(session, targets)
        for mutants in by_module.values():
            for mutant in mutants:
                if mutant.key in self.known:
                    continue
                if wall_ns() > self.end_ns:
                    return True
                items = through[f"{mutant.module}:{mutant.function}"]
                self.found(mutant, *self._fate(mutant, session, items))
        return True

    def _walked(self, session: pytest.Session, targets: dict[CodeType, str]) -> dict[str, list[int]]:
        """Numbers of the tests that run through each function, the quickest first; each test is run once."""
        through: dict[str, list[tuple[int, int]]] = defaultdict(list)
        seen: set[str] = set()

        def look(frame: FrameType, _event: str, _argument: object) -> None:
            name = targets.get(frame.f_code)
            if name is not None:
                seen.add(name)

        for at, item in enumerate(session.items):
            seen.clear()
            began_ns = process_time_ns()
            sys.settrace(look)
            try:
                self._run(session, at, session.items[at + 1] if at + 1 < len(session.items) else None)
            finally:
                sys.settrace(None)
            if self._red:
                raise AssertionError(f"red without a mutant: {item.nodeid}")
            for name in seen:
                through[name].append((process_time_ns() - began_ns, at))
        return defaultdict(list, {name: _quick(sorted(tests)) for name, tests in through.items()})

    def _run(self, session: pytest.Session, at: int, then: pytest.Item | None) -> None:
        item = session.items[at]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=then)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._red = report.nodeid

    def _fate(self, mutant: Mutant, session: pytest.Session, items: list[int]) -> tuple[str, str]:
        if not items:
            return UNCOVERED, ""
        near, far = os.pipe()
        child = os.fork()
        if not child:
            os.close(near)
            self._live(mutant, session, items, far)
        os.close(far)
        with os.fdopen(near, encoding="utf-8") as said:
            red = said.read()
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            return SURVIVED, ""
        return KILLED, red or "it goes on for ever"

    def _live(self, mutant: Mutant, session: pytest.Session, items: list[int], far: int) -> None:
        """The rest of a child's life."""
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(10 * SECONDS)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        with open(os.devnull, "w", encoding="utf-8") as nothing:  # noqa: PTH123
            for number in (1, 2):
                os.dup2(nothing.fileno(), number)
        red = "it cannot be made"
        with suppress(BaseException):
            mutant.apply()
            red = ""
            for at in items:
                self._run(session, at, None)
                if self._red:
                    break
            red = self._red
        if red:
            os.write(far, red.encode())
        os._exit(1 if red else 0)


def _quick(tests: list[tuple[int, int]]) -> list[int]:
    """As many as there is time for."""
    passed = accumulate(took_ns for took_ns, _ in tests)
    return [at for total_ns, (_, at) in zip(passed, tests, strict=True) if total_ns <= TESTED_NS] or [tests[0][1]]


def until_ns(minutes: float) -> int:
    """On the wall, so many minutes from now."""
    return wall_ns() + round(minutes * 60 * NS_PER_S)
