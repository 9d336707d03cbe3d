"""Whether there is a terminal that a view can be drawn on."""

from __future__ import annotations

import os
import sys

DUMB = frozenset({"", "dumb", "unknown"})


def terminal() -> tuple[int, int] | None:
    """Descriptors of keyboard and screen; None in a pipe, in a job without a terminal, or on one that cannot draw."""
    if os.environ.get("TERM", "") in DUMB:
        return None
    if sys.stdin is None or sys.stdout is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return sys.stdin.fileno(), sys.stdout.fileno()
