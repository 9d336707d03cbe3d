"""A process that is killed while it writes leaves a log with all that it was told is durable, and the next goes on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import RealClock
from rfctl.record.epochs import load_public_key
from rfctl.record.prepared import Prepared
from rfctl.record.segments import entries
from rfctl.record.verify import Outcome, verify
from rfctl.record.writer import RecordWriter

if TYPE_CHECKING:
    from pathlib import Path

HEADER = {"station": "bench-1", "backend": "simulated", "medium": "load"}
WRITER = """
import asyncio, sys
from pathlib import Path
from datetime import UTC, datetime
from rfctl.clock import RealClock
from rfctl.record import epochs
from rfctl.record.opening import new_origin
from rfctl.record.prepared import Prepared
from rfctl.record.writer import RecordWriter

async def main(folder: Path) -> None:
    root = epochs.Signer(new_origin("bench-1"), epochs.generate())
    epochs.write_public_key(folder / "log.pub", root.public)
    since = datetime(2020, 1, 1, tzinfo=UTC)
    epochs.prepare(root, folder / "epochs", first=1, count=2, not_before=since, not_after=None)
    header = {"station": "bench-1", "backend": "simulated", "medium": "load"}
    clock, keys = RealClock(), Prepared(root.public, folder / "epochs")
    record = await RecordWriter.open(folder / "log", clock=clock, keys=keys, header=header)
    number = 0
    while True:
        for _ in range(20):
            record.append("note", clock.monotonic_ns(), {"values": [1.5] * 40})
        record.append("intent", clock.monotonic_ns(), {"number": number})
        await record.durable()
        print(number, flush=True)
        number += 1

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.real_time
def test_what_was_acknowledged_survives_sigkill_and_the_log_is_recovered(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(20)]
    child.kill()
    rest, _ = child.communicate()
    assert child.returncode == -signal.SIGKILL
    acknowledged += [int(line) for line in rest.split("\n")[:-1]]

    log, public = tmp_path / "log", load_public_key(tmp_path / "log.pub")
    assert verify(log, public).verdict in {Outcome.UNCLEAN_END, Outcome.OPEN_TAIL}
    with (log / "00000000.seg").open("ab") as file:
        file.write(b"\0\0\1\0torn")

    async def one_more() -> None:
        keys = Prepared(public, tmp_path / "epochs")
        record = await RecordWriter.open(log, clock=RealClock(), keys=keys, header=HEADER)
        await record.seal()

    asyncio.run(one_more())
    verdict = verify(log, public)
    assert (verdict.verdict, verdict.first_bad_seq) == (Outcome.VALID_UNANCHORED, None), verdict.detail
    assert (log / "00000000.seg.torn").read_bytes().endswith(b"\0\0\1\0torn")
    told = list(entries(log))
    assert acknowledged == [entry.members["number"] for entry in told if entry.kind == "intent"][: len(acknowledged)]
    (recovered,) = [entry for entry in told if entry.kind == "recovered"]
    assert recovered.members["torn_bytes"] == (log / "00000000.seg.torn").stat().st_size
