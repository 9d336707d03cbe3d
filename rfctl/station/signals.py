"""The signals that stop a session, from the first line of its record to the seal: it is closed whatever ends."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The last one is a terminal that was closed."""


class StopSignals:
    """While entered, a signal stops the session of the running task.

    Attributes:
        by: Name of the last signal; empty before the first.
        act: What a signal does, given its name, in the loop. At first the session is given up: nothing is on yet.
    """

    by: str
    act: Callable[[str], object]

    def __init__(self, session: asyncio.Task[Any], numbers: tuple[signal.Signals, ...] = SIGNALS) -> None:
        """Nothing happens before it is entered.

        Args:
            session: The task that runs the session.
            numbers: Which signals; none where somebody else, a service, listens to them.
        """
        self._numbers = tuple(
            number  # under nohup a procedure outlives its terminal
            for number in numbers
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
        )
        self.by = ""
        self.act = self._give_up
        self._session = session
        self._loop = session.get_loop()

    def _give_up(self, _name: str) -> None:
        self.ignore()  # once is enough
        self._session.cancel()

    def ignore(self) -> None:
        """From here on everything is off and ends by itself; a signal changes nothing."""
        self.act = lambda _: None

    def _received(self, name: str) -> None:
        self.by = name
        self.act(name)

    def __enter__(self) -> StopSignals:
        for number in self._numbers:
            with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread, or not this platform
                self._loop.add_signal_handler(number, self._received, number.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in self._numbers:
            with suppress(NotImplementedError, RuntimeError, ValueError):  # never added, for the same reasons
                self._loop.remove_signal_handler(number)
