"""The Acme driver keeps rfctl's contract for drivers, on a simulated Acme RF 1."""

from contextlib import asynccontextmanager
from pathlib import Path

import acme_rf
from machine import AcmeMachine

from rfctl.testing.contract import DriverContract


class TestAcmeRf(DriverContract):
    profile = Path(acme_rf.__file__).with_name("acme-rf.toml")

    @asynccontextmanager
    async def peer(self, clock):
        machine = await AcmeMachine.start(clock)
        try:
            yield machine
        finally:
            await machine.close()
