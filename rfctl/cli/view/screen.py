"""The terminal while a view is on it: taken as a whole, drawn by a thread of its own, given back on every way out."""

from __future__ import annotations

import io
import os
import termios
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console

from rfctl.cli.view.frame import draw
from rfctl.cli.view.sound import BELL, Bell
from rfctl.clock import NS_PER_MS, wall_ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rfctl.cli.view.typing import Typing
    from rfctl.station.snapshot import Snapshot

FRAME_S = 1 / 8
LEAVE_S = 0.25
"""So long the way out may wait for a terminal that takes no more; control must not wait for half a lease."""
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
CLEAR = "\x1b[2J"


class Screen:
    """Draws the newest snapshot eight times a second, by the wall, and shows by itself when nothing new comes.

    Only the thread writes to the terminal: one that is slow, or has been halted, holds up nobody else.

    Args:
        keyboard: Descriptor of the terminal's input.
        display: Descriptor of its output.
        ours: The session ends with this view.
        answers: The person before it answers the questions.
        failed: Called from the thread when it cannot draw any more.

    Attributes:
        typing: Words that the person is typing for an answer; None while they are not.
    """

    def __init__(
        self, keyboard: int, display: int, *, ours: bool, answers: bool, failed: Callable[[Exception], None]
    ) -> None:
        self._keyboard = keyboard
        self._display = display
        self._ours = ours
        self._answers = answers
        self._failed = failed
        self._newest: tuple[Snapshot, int] | None = None
        self._drawn: Snapshot | None = None
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run, name="view", daemon=True)
        self._console = Console(file=io.StringIO(), force_terminal=True, legacy_windows=False)
        self._settings: list[Any] = []
        self._size = os.terminal_size((0, 0))
        self._lines: list[str] = []
        self._bell = Bell()
        self.typing: Typing | None = None

    @property
    def drawn(self) -> Snapshot | None:
        """What the person has before them."""
        return self._drawn

    def put(self, snapshot: Snapshot) -> None:
        """From now on, draw this."""
        self._newest = (snapshot, wall_ns())

    def __enter__(self) -> Self:
        self._settings = termios.tcgetattr(self._keyboard)
        raw = termios.tcgetattr(self._keyboard)
        raw[0] &= ~(termios.IXON | termios.ICRNL)  # Ctrl-S must not halt the terminal
        raw[3] &= ~(termios.ICANON | termios.ECHO)  # ISIG stays: Ctrl-C is SIGINT even if the view is not well
        never = os.fpathconf(self._keyboard, "PC_VDISABLE")
        characters = list(raw[6])
        for which in (termios.VSUSP, termios.VQUIT):  # neither may be the end of a session that is energised
            characters[which] = bytes([never])
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
        raw[6] = characters
        termios.tcsetattr(self._keyboard, termios.TCSANOW, raw)
        termios.tcflush(self._keyboard, termios.TCIFLUSH)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave.set()
        self._thread.join(LEAVE_S)
        with suppress(termios.error):  # the terminal has gone
            if self._thread.is_alive():  # it takes no more: what is on its way to it gives way to the last words
                termios.tcflush(self._keyboard, termios.TCOFLUSH)
                self._thread.join(LEAVE_S)
            termios.tcflush(self._keyboard, termios.TCIFLUSH)  # keys for the view are not for the shell
            termios.tcsetattr(self._keyboard, termios.TCSANOW, self._settings)

    def _run(self) -> None:
        try:
            with io.FileIO(self._display, "w", closefd=False) as out:
                _send(out, ENTER)
                try:
                    while not self._leave.is_set():
                        self._draw(out)
                        self._leave.wait(FRAME_S)
                finally:
                    _send(out, LEAVE)
        except Exception as problem:
            self._failed(problem)

    def _draw(self, out: io.FileIO) -> None:
        if self._newest is None:
            return
        snapshot, since_ns = self._newest
        size = os.get_terminal_size(self._display)
        text = ""
        if size != self._size:
            self._size, self._lines, text = size, [""] * size.lines, CLEAR
        silent_ms = (wall_ns() - since_ns) / NS_PER_MS
        lines = draw(
            snapshot,
            width=size.columns,
            height=size.lines,
            silent_ms=silent_ms,
            ours=self._ours,
            answers=self._answers,
            typing=typing.prompt if (typing := self.typing) is not None else "",
        )
        for row, line in enumerate(lines):
            with self._console.capture() as captured:
                self._console.print(line, end="", soft_wrap=True)
            drawn = captured.get()
            if drawn != self._lines[row]:
                self._lines[row] = drawn
                text += f"\x1b[{row + 1};1H{drawn}"
        if self._bell.rings(snapshot.alarms, wall_ns() / NS_PER_MS):
            text += BELL
        _send(out, text)
        self._drawn = snapshot


def _send(out: io.FileIO, text: str) -> None:
    left = memoryview(text.encode())
    while left:
        left = left[out.write(left) or 0 :]
