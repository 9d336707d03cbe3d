"""One thread that works for a loop, piece by piece in order: an executor hands over three times as slowly.

What one writer can store in a second is bounded by the way there and back, once the disk is fast.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    _Work = Callable[[], object]
    _Told = Callable[[object, BaseException | None], None]

_THREAD_NAME: Final = "rfctl-record"


class DiskThread:
    """The thread. Every method belongs to the thread of the loop that created it."""

    def __init__(self) -> None:
        """Start it."""
        self._loop = asyncio.get_running_loop()
        self._asked: deque[tuple[_Work, _Told] | None] = deque()
        self._answered: deque[tuple[_Told, object, BaseException | None]] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_SEMAPHORE)
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread: threading.Thread | None = threading.Thread(
            target=_work, args=(self._asked, self._answered, self._wake, self._bell), name=_THREAD_NAME, daemon=True
        )
        self._thread.start()
        self._loop.add_reader(self._bell, self._tell)

    def __del__(self) -> None:
        """Nobody ended it: it goes by itself."""
        if self._thread is not None:
            self._ask(None)

    def do(self, work: _Work, told: _Told) -> None:
        """Have ``work`` done in the thread, then ``told`` called in the loop with what it returned or raised."""
        self._ask((work, told))

    async def run(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns, done in the thread. It is done, too, when nobody waits for it any more."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def told(found: object, problem: BaseException | None) -> None:
            if future.done():
                return
            if problem is None:
                future.set_result(found)
            else:
                future.set_exception(problem)

        self.do(work, told)
        return await future

    def end(self) -> None:
        """Return when the thread has done all it was asked. What it has not told yet nobody hears. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._loop.remove_reader(self._bell)
            self._ask(None)
            thread.join()

    def _ask(self, what: tuple[_Work, _Told] | None) -> None:
        self._asked.append(what)
        os.eventfd_write(self._wake, 1)

    def _tell(self) -> None:
        os.eventfd_read(self._bell)
        while self._answered:
            told, found, problem = self._answered.popleft()
            told(found, problem)


def _work(
    asked: deque[tuple[_Work, _Told] | None],
    answered: deque[tuple[_Told, object, BaseException | None]],
    wake: int,
    bell: int,
) -> None:
    """The life of the thread. It knows nothing of the object that asks, so that this one can be given up."""
    while True:
        os.eventfd_read(wake)
        what = asked.popleft()
        if what is None:
            break
        work, told = what
        try:
            answer: tuple[_Told, object, BaseException | None] = (told, work(), None)
        except BaseException as problem:  # told, whatever it is
            answer = (told, None, problem)
        answered.append(answer)
        del what, work, told, answer
        os.eventfd_write(bell, 1)
    os.close(wake)
    os.close(bell)
