"""A small writer to be killed: two segments with readings, and a line for each intent that is durable.

Run as a program it takes one order a line, and forks for each, so that only what follows is traced. It prints the
child's process id, and how the child ended.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rfctl.clock import RealClock
from rfctl.errors import RfctlError
from rfctl.kernel.events import Sampled
from rfctl.model.reading import ChannelReading, PadStatus, Reading
from rfctl.record import chain, writer
from rfctl.record.epochs import load_public_key
from rfctl.record.prepared import Prepared

HEADER: Final = {"station": "bench-1", "backend": "simulated", "medium": "load"}
INTENTS: Final = 3
"""Of each of the two segments."""
READINGS: Final = 4
"""Before each intent."""
SEALED, REFUSED, DISK_ERROR, FAULT = 0, 4, 5, 6
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, -1


@dataclass(frozen=True)
class Order:
    """Where to write.

    Attributes:
        log: The log.
        public: Its root's public key.
        keys: Its epochs.
        said: The file that acknowledgements go to.
        errors: The file for what was not foreseen.
        sealed: Whether to close the session at the end.
        traced: Whether to wait until somebody traces.
    """

    log: str
    public: str
    keys: str
    said: str
    errors: str
    sealed: bool = True
    traced: bool = True

    @property
    def text(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


def reading(counter: int) -> Reading:
    """A reading of one channel."""
    channel = ChannelReading(
        temperature_c=37.0 + counter,
        cold_junction_c=25.0,
        voltage_v_rms=0.0,
        current_ma_rms=0.0,
        rf_band_current_ma_rms=0.0,
        power_w=0.0,
        impedance_ohm=180.0,
        impedance_fresh=True,
        thermocouple_open=False,
        rf_on=False,
        stimulating=False,
        electrode_present=True,
        mode=0,
        stimulation_width_us=1000,
        stimulation_rate_hz=50.0,
        stimulation_amplitude=0.0,
        electrode_id=1,
        fault_bits=0,
        rf_on_ms=0,
        arm_token=0,
    )
    return Reading(counter, counter, counter, 1, 500, 0, PadStatus(0), 12.0, (channel,))


async def write(order: Order, said: int) -> None:
    """One session. What is durable is acknowledged at once, to the descriptor ``said``."""

    def acknowledge(what: object) -> None:
        os.writev(said, [f"{what}\n".encode()])  # no call that anything is done to

    writer.SEGMENT_BYTES = 1  # type: ignore[misc]
    clock = RealClock()
    keys = Prepared(load_public_key(Path(order.public)), Path(order.keys))
    record = await writer.RecordWriter.open(Path(order.log), clock=clock, keys=keys, header=HEADER)
    try:
        acknowledge("opened")
        counter = 0
        for number in range(2 * INTENTS):
            for _ in range(READINGS):
                record.decided(Sampled(clock.monotonic_ns(), reading(counter)), (), significant=False)
                counter += 1
            record.append("intent", clock.monotonic_ns(), {"number": number, "readings": counter})
            await record.durable()
            acknowledge(number)
            if number == INTENTS - 1:
                record.tend(clock.monotonic_ns() + 2 * chain.CHUNK_NS, energised=False)
        if order.sealed:
            await record.seal()
            acknowledge("sealed")
    finally:
        await record.close()


def child(order: Order, said: int) -> int:
    """Returns: the exit code."""
    if order.traced:
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
        while b"TracerPid:\t0\n" in Path("/proc/self/status").read_bytes():
            time.sleep(0.001)
    try:
        asyncio.run(write(order, said))
    except RfctlError:
        return REFUSED
    except BaseException as problem:
        Path(order.errors).write_text(traceback.format_exc())
        return DISK_ERROR if isinstance(problem, OSError) else FAULT
    return SEALED


def serve() -> None:
    """Carry out orders until there are none."""
    for line in sys.stdin:
        order = Order(**json.loads(line))
        said = os.open(order.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)  # no call of the child's to be harmed
        process = os.fork()
        if process == 0:
            os._exit(child(order, said))
        os.close(said)
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
