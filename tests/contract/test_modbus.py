"""The Modbus driver keeps the contract with every profile that is shipped."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl.testing.contract import DriverContract
from rfctl_sim.simulator import Simulator, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rfctl.clock import Clock


@dataclass
class Peer:
    """The simulated generator as the contract sees it."""

    simulator: Simulator

    @property
    def address(self) -> str:
        return self.simulator.address

    def delivering(self) -> bool:
        channels = self.simulator.truth()["channels"]
        assert isinstance(channels, list)
        return any(channel["rf_on"] or channel["stimulating"] for channel in channels)

    def open_thermocouple(self, channel: int) -> None:
        self.simulator.faults.start("thermocouple_open", channel=channel)


class SimulatedContract(DriverContract):
    """On a generator of rfctl_sim."""

    link = "tcp:127.0.0.1:0"
    generator = "rfctl-reference"

    @asynccontextmanager
    async def peer(self, clock: Clock) -> AsyncIterator[Peer]:
        simulator = await start(clock, tissue="poles", address=self.link, generator=self.generator, seed=1)
        try:
            yield Peer(simulator)
        finally:
            await simulator.close()


class TestReferenceOverTcp(SimulatedContract):
    profile = "rfctl-reference"


class TestReferenceOverAPty(SimulatedContract):
    profile = "rfctl-reference"
    link = "pty:"


class TestKestrel2(SimulatedContract):
    profile = "kestrel-2"
    generator = "kestrel-2"


class TestOrrinV(SimulatedContract):
    profile = "orrin-v"
    generator = "orrin-v"
