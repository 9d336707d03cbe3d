"""``python -m benchmarks.parts TISSUE FOLDER``: which part of the house the demonstration's processor time goes to.

The stack of the event loop is looked at every few milliseconds of processor time, and the look is put down to the
innermost part that stands in it. What it finds, in us a cycle by part, is one JSON object on standard output.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import rfctl
import rfctl_modbus
import rfctl_sim
from rfctl.cli.main import main as rfctl_command

if TYPE_CHECKING:
    from types import FrameType

LOOK_S = 0.001
PARTS = {
    **{f"{Path(rfctl.__file__).parent / part}/": part for part in ("kernel", "guard", "link", "record", "telemetry")},
    f"{Path(rfctl_sim.__file__).parent}/": "simulator",
    f"{Path(rfctl_modbus.__file__).parent}/": "driver",
    f"{Path(rfctl.__file__).parent / 'profile'}/": "driver",
    str(Path(rfctl.__file__).parent / "virtual.py"): "event loop",
    f"{Path(rfctl.__file__).parent}/": "station",
    f"{Path(asyncio.__file__).parent}/": "event loop",
}
"""By folder; the first that a file lies in."""
LOOP = str(Path(asyncio.__file__).parent / "base_events.py")


def part_of(frame: FrameType | None) -> str | None:
    """The innermost part on the stack; None where no event loop runs."""
    found, looping = None, False
    while frame is not None:
        file = frame.f_code.co_filename
        if found is None:
            found = next((part for folder, part in PARTS.items() if file.startswith(folder)), None)
        looping = looping or file == LOOP
        frame = frame.f_back
    return found if looping else None


def main() -> None:
    """The command line."""
    tissue, folder = sys.argv[1:]
    looks: Counter[str | None] = Counter()
    signal.signal(signal.SIGPROF, lambda _, frame: looks.update([part_of(frame)]))
    command = ["demo", "--fast", "--json", "--tissue", tissue, "--out", folder]
    said = StringIO()
    signal.setitimer(signal.ITIMER_PROF, LOOK_S, LOOK_S)
    try:
        with redirect_stdout(said):
            rfctl_command(command)
    except SystemExit as done:
        if done.code:
            raise
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    document = json.loads(said.getvalue())
    del looks[None]
    cycle_us = document["wall_s"] * 1e6 / document["cycles"]
    print(json.dumps({part: cycle_us * count / looks.total() for part, count in looks.most_common()}))


if __name__ == "__main__":
    main()
