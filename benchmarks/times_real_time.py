"""How many times real time the demonstration runs in virtual time, and what a bare transaction and tick would reach.

The limit is one Modbus TCP transaction at 20 Hz, both ends in one virtual loop and nothing else: our link, and a peer
that answers any request with the bytes of a status of two channels.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from benchmarks.help_text import RFCTL
from benchmarks.row import Row
from rfctl.link.link import Link
from rfctl.link.modbus import TcpFraming, read_input
from rfctl.model.permit import Intent
from rfctl.virtual import VirtualClock, run_virtual

ROUNDS, QUICK_ROUNDS = 7, 2
GOALS = {"field": 100.0, "poles": 200.0}
"""By how the tissue is computed: the field around each electrode, as it is by default, or three poles."""
PERIOD_S, SIMULATED_S, REGISTERS = 0.05, 440.0, 70


def rows(*, quick: bool) -> list[Row]:
    demo: dict[str, list[float]] = {tissue: [] for tissue in GOALS}
    bare = []
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        for tissue, found in demo.items():
            found.append(_demo(tissue))
        begun = time.perf_counter()
        run_virtual(_bare())
        bare.append(SIMULATED_S / (time.perf_counter() - begun))
    return [
        Row(
            f"the demonstration in virtual time, times real time, tissue: {tissue}",
            "1",
            statistics.median(found),
            found,
            GOALS[tissue],
            "higher",
            limit=statistics.median(bare),
            limit_name="a bare transaction and tick, both ends, alone",
            note="The ratio is to real time; all of the house in one process, a broker and a subscriber beside it. "
            f"us a cycle: {_parts(tissue)}.",
        )
        for tissue, found in demo.items()
    ]


def _demo(tissue: str) -> float:
    """Simulated seconds a second of the wall, start-up excluded, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(RFCTL), "demo", "--fast", "--json", "--tissue", tissue, "--out", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    document = json.loads(done.stdout)
    return float(document["simulated_s"] / document["wall_s"])


def _parts(tissue: str) -> str:
    """What a cycle costs by part, in one more run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.parts", tissue, folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return ", ".join(f"{part} {cost_us:.0f}" for part, cost_us in json.loads(done.stdout).items())


async def _bare() -> None:
    pdu = bytes((4, 2 * REGISTERS)) + bytes(2 * REGISTERS)
    rest = struct.pack(">HB", len(pdu) + 1, 1) + pdu

    class Peer(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

        def data_received(self, data: bytes) -> None:
            self.transport.write(data[:4] + rest)

    server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = await Link.open(f"tcp:127.0.0.1:{port}", TcpFraming(), VirtualClock.running())
    request = read_input(0, REGISTERS)
    for _ in range(round(SIMULATED_S / PERIOD_S)):
        await link.transact(request, Intent.READ, unit=1)
        await asyncio.sleep(PERIOD_S)
    link.close()
    server.close()
    await server.wait_closed()
