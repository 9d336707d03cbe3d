"""A text stream that never makes its writer wait: a thread stores the lines, and what is too much is counted."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TextIO

WAITING_MAX = 2000
FINISH_S = 1.0
"""So long the end of the program waits for a terminal or a pipe that takes no more."""


class Lines:
    """Stands before a stream that may be slow, halted or gone: a paused terminal, a full pipe, a closed window.

    Args:
        stream: Where the text goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._held = False
        self._finishing = False
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> int:
        """Take the text; never waits."""
        with self._changed:
            if len(self._waiting) >= WAITING_MAX:
                self._dropped += 1
                return len(text)
            self._waiting.append(text)
            self._finishing = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """The thread flushes; nobody waits for it here."""

    def hold(self) -> None:
        """From now on keep the text back: the terminal belongs to a view."""
        with self._changed:
            self._held = True

    def finish(self) -> None:
        """Store what is waiting and end the thread, but wait no longer than FINISH_S for it."""
        with self._changed:
            self._held, self._finishing = False, True
            if self._dropped:
                self._waiting.append(f"rfctl: the output was too slow, {self._dropped} pieces of the log are missing\n")
                self._dropped = 0
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(FINISH_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._finishing or (self._waiting and not self._held))
                if not self._waiting:
                    self._thread = None
                    return
                text = "".join(self._waiting)
                self._waiting.clear()
            with suppress(OSError, ValueError):  # it has gone; there is nobody left to tell
                self._stream.write(text)
                self._stream.flush()
