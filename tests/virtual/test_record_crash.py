"""A process that is killed while it writes leaves a record with every line it was told is durable."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rfctl.record.keys import load_public_key
from rfctl.record.reader import read_entries
from rfctl.record.verify import Outcome, verify

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import asyncio, sys
from pathlib import Path
from rfctl.clock import RealClock
from rfctl.record.keys import generate, public_half, write_public_key
from rfctl.record.writer import RecordWriter

async def main(folder: Path) -> None:
    clock, key = RealClock(), generate()
    write_public_key(folder / "key.pub", public_half(key, "rfctl/bench-1"))
    header = {"station": "bench-1", "backend": "simulated", "medium": "load"}
    record = await RecordWriter.create(folder / "record.jsonl", clock=clock, signing_key=key, header=header)
    while True:
        for _ in range(20):
            record.append_values("reading", clock.monotonic_ns(), [1.5] * 40)
        number = record.append("intent", clock.monotonic_ns(), {})
        await record.durable()
        print(number, flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.real_time
def test_what_was_acknowledged_survives_sigkill_and_the_record_ends_uncleanly(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(20)]
    child.kill()
    rest, _ = child.communicate()
    assert child.returncode == -signal.SIGKILL
    acknowledged += [int(line) for line in rest.split("\n")[:-1]]

    path = tmp_path / "record.jsonl"
    verdict = verify(path, load_public_key(tmp_path / "key.pub"))
    assert verdict.verdict is Outcome.UNCLEAN_END
    intents = {entry.seq for entry in read_entries(path) if entry.kind == "intent"}
    assert set(acknowledged) <= intents
