"""The campaign: which tests run through a line, and which mutants of it they let live.

It is a plugin of pytest. The tests are collected and run once; each mutant then lives in a child process that was
forked off, and runs the tests that run through its lines, first those that noticed others, until one goes red.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from itertools import chain
from time import process_time_ns
from typing import TYPE_CHECKING, NamedTuple

import pytest

from rfctl.clock import NS_PER_S, wall_ns
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

KILLED, SURVIVED, UNCOVERED = "noticed", "not noticed", "no test runs through it"
NOT_MADE = 2
FOR_EVER = "it goes on for ever"
MORE_S = 20
"""Of processor time beyond what a mutant's tests take without it; who goes round for ever is noticed, too."""


class Fate(NamedTuple):
    """What became of a mutant.

    Attributes:
        mutant: Its key.
        source: Of its function, hashed.
        line: Where it is now.
        fate: One of the three words.
        red: The test that noticed it.
    """

    mutant: str
    source: str
    line: int
    fate: str
    red: str


class Campaign:
    """Runs it in place of the tests themselves.

    Attributes:
        modules: Whose functions are changed.
        known: Keys and sources of mutants that need not be tried again.
        end_ns: On the wall; none is begun later.
        most_ns: So much processor time the tests of one mutant take together, without it.
        jobs: Children at a time.
        found: Told of each mutant's fate, by module.
    """

    def __init__(
        self,
        modules: list[str],
        known: set[tuple[str, str]],
        end_ns: int,
        most_ns: int,
        jobs: int,
        found: Callable[[str, Fate], None],
    ) -> None:
        self.modules = modules
        self.known = known
        self.end_ns = end_ns
        self.most_ns = most_ns
        self.jobs = jobs
        self.found = found
        self._red = ""
        self._took_ns: list[int] = []
        self._through: dict[tuple[str, int], list[int]] = defaultdict(list)
        self._noticed: Counter[int] = Counter()
        self._alive: dict[int, tuple[Mutant, int]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        todo = [
            mutant
            for module in self.modules
            for mutant in mutants_of(module)
            if (mutant.key, mutant.source) not in self.known
        ]
        if not todo:
            return True
        self._walk(session, todo)
        caches = list(_caches("rfctl", "tests"))
        gc.freeze()
        for mutant in todo:
            if wall_ns() > self.end_ns:
                break
            items = self._tests(mutant)
            if not items:
                self._tell(mutant, UNCOVERED, "")
                continue
            if len(self._alive) >= self.jobs:
                self._await(session)
            near, far = os.pipe()
            child = os.fork()
            if not child:
                os.close(near)
                self._live(mutant, session, items, caches, far)
            os.close(far)
            self._alive[child] = mutant, near
        while self._alive:
            self._await(session)
        return True

    def _walk(self, session: pytest.Session, mutants: list[Mutant]) -> None:
        """Run each test once, and see which lines it runs through."""
        watched = Watched(dict.fromkeys(mutant.module for mutant in mutants))
        remembered = list(_caches("rfctl"))
        for at, item in enumerate(session.items):
            for clear in remembered:
                clear()
            watched.seen.clear()
            began_ns = process_time_ns()
            self._run(session, at, session.items[at + 1] if at + 1 < len(session.items) else None)
            if self._red:
                raise AssertionError(f"red without a mutant: {item.nodeid}")
            self._took_ns.append(process_time_ns() - began_ns)
            for place in watched.seen:
                self._through[place].append(at)
        watched.end()

    def _tests(self, mutant: Mutant) -> list[int]:
        """Numbers of the tests to run, as many as there is time for."""
        tests = self._through[f"{mutant.module}:{mutant.function}", mutant.line]
        chosen: list[int] = []
        total_ns = 0
        for at in sorted(tests, key=lambda at: (-self._noticed[at] * NS_PER_S // self._took_ns[at], self._took_ns[at])):
            total_ns += self._took_ns[at]
            if total_ns > self.most_ns and chosen:
                break
            chosen.append(at)
        return chosen

    def _run(self, session: pytest.Session, at: int, then: pytest.Item | None) -> None:
        item = session.items[at]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=then)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._red = report.nodeid

    def _await(self, session: pytest.Session) -> None:
        child, status = os.wait()
        mutant, near = self._alive.pop(child)
        with os.fdopen(near, encoding="utf-8") as said:
            red = said.read()
        code = os.waitstatus_to_exitcode(status)
        if code == NOT_MADE:
            raise AssertionError(f"cannot be made: {mutant.key}")
        if code == 0:
            self._tell(mutant, SURVIVED, "")
            return
        if red:
            self._noticed[int(red)] += 1
        self._tell(mutant, KILLED, session.items[int(red)].nodeid if red else FOR_EVER)

    def _tell(self, mutant: Mutant, fate: str, red: str) -> None:
        self.found(mutant.module, Fate(mutant.key, mutant.source, mutant.line, fate, red))

    def _live(
        self, mutant: Mutant, session: pytest.Session, items: list[int], caches: list[Callable[[], None]], far: int
    ) -> None:
        """The rest of a child's life."""
        seconds = MORE_S + 4 * self.most_ns // NS_PER_S
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        gc.disable()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(10 * seconds)
        with open(os.devnull, "w", encoding="utf-8") as nothing:  # noqa: PTH123
            for number in (1, 2):
                os.dup2(nothing.fileno(), number)
        made = False
        with suppress(Exception):
            mutant.apply()
            made = True
        if not made:
            os._exit(NOT_MADE)
        red = items[0]
        with suppress(BaseException):
            for red in chain(self._in_time(items), self._in_time(items, caches)):
                self._run(session, red, None)
                if self._red:
                    break
            else:
                os._exit(0)
        os.write(far, str(red).encode())
        os._exit(1)

    def _in_time(self, items: list[int], caches: Iterable[Callable[[], None]] = ()) -> Iterator[int]:
        """As many as there is time for, without what is remembered of the time before the mutant."""
        for clear in caches:
            clear()
        end_ns = process_time_ns() + self.most_ns
        yield items[0]
        for at in items[1:]:
            if process_time_ns() > end_ns:
                return
            yield at


def _caches(*packages: str) -> Iterator[Callable[[], None]]:
    """What forgets what was computed before."""
    prefixes = tuple(f"{package}." for package in packages)
    for name, module in list(sys.modules.items()):
        if name.startswith(prefixes) and not name.startswith("rfctl.model."):  # tables that no mutant changes
            yield from (each.cache_clear for each in vars(module).values() if hasattr(each, "cache_clear"))


def until_ns(minutes: float) -> int:
    """On the wall, so many minutes from now."""
    return wall_ns() + round(minutes * 60 * NS_PER_S)
