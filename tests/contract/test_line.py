"""The driver of the line protocol keeps the contract, through a socket and on a pty."""

from __future__ import annotations

from tests.contract.test_modbus import SimulatedContract


class TestLineOverTcp(SimulatedContract):
    profile = "rfctl-line"
    link = "linetcp:127.0.0.1:0"


class TestLineOverAPty(SimulatedContract):
    profile = "rfctl-line"
    link = "line:"
