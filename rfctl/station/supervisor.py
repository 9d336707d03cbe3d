"""What a service tells its supervisor (systemd's sd_notify): ready, alive, stopping."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rfctl.station.local_socket import send_datagram

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfctl.clock import Clock

PINGS = 3
"""Pings in one watchdog period."""


class Supervisor:
    """Whoever started this process, if it listens. Nothing here waits or raises."""

    def __init__(self, environment: Mapping[str, str], clock: Clock) -> None:
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID as systemd sets them; without them nothing is sent."""
        self._clock = clock
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._every_ns = 0
        self._due_ns = 0
        period_us = environment.get("WATCHDOG_USEC", "")
        if period_us.isdecimal() and environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            self._every_ns = int(period_us) * 1000 // PINGS

    def ready(self, status: str) -> None:
        """The service does its work from now on."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for people."""
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        """The decision loop has just completed a cycle. Called by it alone, never by a timer."""
        if self._every_ns:
            now_ns = self._clock.monotonic_ns()
            if now_ns >= self._due_ns:
                self._due_ns = now_ns + self._every_ns
                self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The service ends in good order."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if self._address:
            send_datagram(self._address, text.encode())
