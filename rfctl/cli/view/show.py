"""Shows a session in the terminal until it is over or the person leaves; works on any stream of snapshots."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from rfctl.cli.view.keys import STOP_KEY, Acknowledge, Answer, Leave, Stop, meaning
from rfctl.cli.view.screen import Screen
from rfctl.cli.view.typing import Typing, wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rfctl.station.snapshot import OpenQuestion, Snapshot

Act = Callable[[Answer | Stop | Acknowledge], None]
"""Told what the person decided, in the loop, between two callbacks; must not wait."""
READ_BYTES = 1024


async def show(
    snapshots: AsyncIterator[Snapshot], act: Act, *, terminal: tuple[int, int], ours: bool, answers: bool
) -> None:
    """Draw the snapshots and pass on what the keys mean.

    The terminal is taken when the first snapshot comes and given back on every way out.

    Args:
        snapshots: Several a second; the view ends with them.
        act: Told of every decision.
        terminal: Descriptors of keyboard and screen.
        ours: The session ends with this view: leaving it, and losing the terminal, is a stop. Otherwise the person
            only leaves.
        answers: The person answers the questions; otherwise somebody else does.

    Raises:
        OSError: The terminal cannot be drawn on.
    """
    first = await anext(snapshots, None)
    if first is None:
        return
    loop = asyncio.get_running_loop()
    left: asyncio.Future[None] = loop.create_future()

    def leave() -> None:
        if not left.done():
            left.set_result(None)

    def fail(problem: Exception) -> None:
        if not left.done():
            left.set_exception(problem)

    def pressed() -> None:
        try:
            typed = os.read(keyboard, READ_BYTES)
        except OSError:
            typed = b""
        if not typed:  # hung up
            loop.remove_reader(keyboard)
            if ours:
                act(Stop("the closing of the terminal"))
            leave()
            return
        question = screen.drawn.question if answers and screen.drawn is not None else None
        meant = _meant(typed, question, screen, ours=ours)
        if isinstance(meant, Leave):
            leave()
        elif meant is not None:
            act(meant)

    def failed(problem: Exception) -> None:
        loop.call_soon_threadsafe(fail, problem)

    keyboard, display = terminal
    with Screen(keyboard, display, ours=ours, answers=answers, failed=failed) as screen:
        screen.put(first)
        passing = loop.create_task(_pass_on(snapshots, screen), name="view")
        taken = list(_take_signals(loop, leave))
        loop.add_reader(keyboard, pressed)
        try:
            await asyncio.wait({passing, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(keyboard)
            for number in taken:
                loop.remove_signal_handler(number)
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)
    for ended in (left, passing):
        if ended.done() and not ended.cancelled():
            ended.result()


def _meant(
    typed: bytes, question: OpenQuestion | None, screen: Screen, *, ours: bool
) -> Answer | Stop | Acknowledge | Leave | None:
    """What was meant, words that are typed for an answer included. The space bar stops there, too."""
    text = typed.decode("utf-8", "replace")
    typing = screen.typing
    if typing is not None and (question is None or question.question != typing.question):
        typing = screen.typing = None  # it was answered meanwhile, or is over
    if typing is None or STOP_KEY in text:
        meant = meaning(typed, question, ours=ours)
        if isinstance(meant, Answer) and wanted(meant):
            screen.typing = Typing(meant)
            return None
        return meant
    answer = typing.take(text)
    if typing.over:
        screen.typing = None
    return answer


async def _pass_on(snapshots: AsyncIterator[Snapshot], screen: Screen) -> None:
    async for snapshot in snapshots:
        screen.put(snapshot)


def _take_signals(loop: asyncio.AbstractEventLoop, leave: Callable[[], None]) -> Iterator[signal.Signals]:
    """Where a signal would end the process at once, it leaves the view instead, so that the terminal is given back."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            loop.add_signal_handler(number, leave)
            yield number
