"""A relay board in the enable loop of a simulated generator, seen at the output stage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pymodbus.framer import FramerRTU

from rfctl.errors import ConfigError
from rfctl.virtual import VirtualClock, run_virtual
from rfctl_sim.simulator import Simulator, start
from tests.virtual.sim.conftest import ModbusClient


class Board:
    """A client of the board."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, simulator: Simulator) -> Board:
        host, port = (simulator.relay_address or "").removeprefix("rtutcp:").split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def flash(self, tenths: int, relay: int = 0) -> None:
        """Close a contact for so long."""
        body = bytes((1, 5, 2, relay, 0, tenths))
        self.writer.write(body + FramerRTU.compute_CRC(body).to_bytes(2, "big"))
        assert await self.reader.readexactly(8) == body + FramerRTU.compute_CRC(body).to_bytes(2, "big")
        await asyncio.sleep(0.02)  # the contact moves


async def serve(**options: str) -> Simulator:
    return await start(
        VirtualClock.running(),
        tissue="poles",
        relay="rtutcp:127.0.0.1:0",
        **options,  # type: ignore[arg-type]
    )


async def client_of(simulator: Simulator) -> ModbusClient:
    host, port = simulator.address.removeprefix("tcp:").split(":")
    return ModbusClient(*await asyncio.open_connection(host, int(port)))


def rf_on(simulator: Simulator) -> bool:
    channels = simulator.truth()["channels"]
    assert isinstance(channels, list)
    return bool(channels[0]["rf_on"])


@asynccontextmanager
async def at_the_machine(**options: str) -> AsyncIterator[tuple[Simulator, Board, ModbusClient]]:
    simulator = await serve(**options)
    board, client = await Board.of(simulator), await client_of(simulator)
    try:
        yield simulator, board, client
    finally:
        client.writer.close()
        board.writer.close()
        await simulator.close()


async def _in_the_loop(scenario: str) -> None:
    async with at_the_machine() as (simulator, board, client):
        if scenario == "welded":
            simulator.faults.start("welded")
        if scenario == "another contact":
            await board.flash(20, relay=1)
        if scenario in {"open from the start", "another contact"}:
            with pytest.raises(AssertionError):
                await client.start_lesion()
            assert not rf_on(simulator)
            return
        await board.flash(10)
        await client.start_lesion()
        for _ in range(6):
            await board.flash(10)
            await client.keep(0.5)
        assert rf_on(simulator)
        await client.keep(1.5)  # the lease lives, nobody closes the contact again
        assert rf_on(simulator) == (scenario == "welded")


@pytest.mark.parametrize("scenario", ["open from the start", "another contact", "held and let go", "welded"])
def test_the_first_contact_is_the_enable_loop(scenario: str) -> None:
    run_virtual(_in_the_loop(scenario))


async def _ignored() -> None:
    async with at_the_machine(relay_variant="ignored") as (simulator, board, client):
        await board.flash(10)
        await client.start_lesion()
        await client.keep(0.4)
        await board.flash(10)
        await client.keep(0.8)
        assert not rf_on(simulator)


def test_a_board_that_ignores_a_second_flash_on_opens_under_the_hand() -> None:
    run_virtual(_ignored())


async def _without_loop() -> None:
    with pytest.raises(ConfigError, match="orrin-v has no enable loop for a relay board"):
        await serve(generator="orrin-v")


def test_a_make_without_an_enable_loop_takes_no_board() -> None:
    run_virtual(_without_loop())
