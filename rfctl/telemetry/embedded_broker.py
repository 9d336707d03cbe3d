"""A broker for the demonstration: a child process on the loopback address and a free port, and nothing else."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from typing import Self

from rfctl.telemetry.broker import Broker

LOOPBACK = "127.0.0.1"
END_S = 2.0
MAX_PAYLOAD_BYTES = 1 << 20


class EmbeddedBroker:
    """The child. It ends with ``close``, and by itself when this process is gone.

    Attributes:
        broker: Where it will listen, a moment after it was started.
        pid: Its process.
    """

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        self.broker = Broker(LOOPBACK, port)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rfctl.telemetry.embedded_broker", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the station, which still has something to say then
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop it. Idempotent."""
        end(self._process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a child of ours, by force if it must be, and close its pipes."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve on the port of the first argument until standard input ends."""
    from iotcore.iotcore import IotCoreBroker

    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)  # it logs each packet as an error
    threading.Thread(target=_end_with_parent, daemon=True).start()
    IotCoreBroker(listen=LOOPBACK, port=int(sys.argv[1]), max_payload_size=MAX_PAYLOAD_BYTES).run_forever()


if __name__ == "__main__":
    main()
