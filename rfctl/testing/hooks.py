"""What a driver's contract test fills in, and how the rig of each test is made of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rfctl.profile import any_profile
from rfctl.station import registry
from rfctl.testing.rig import Rig, Samples

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from rfctl.clock import Clock
    from rfctl.generator import Controller
    from rfctl.link.link import Transactions
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.testing.rig import SimulatedPeer


class Hooks:
    """Override ``profile`` and ``peer``; the rest where it does not fit.

    Attributes:
        profile: The profile that names the driver: the name of a shipped one, or the path of a file.
        samples: Settings that the simulated generator accepts.
    """

    profile: str | Path
    samples = Samples()

    def peer(self, clock: Clock) -> AbstractAsyncContextManager[SimulatedPeer]:
        """Start a simulated generator in the running loop, switched on a moment ago; stop it at the end."""
        raise NotImplementedError(f"{type(self).__name__}.peer: start a simulated generator here")

    def open_driver(self, link: Transactions) -> Controller:
        """The driver on a link, found as the station finds it: by the entry point that the profile names."""
        profile = loaded(str(self.profile))
        return registry.driver(profile.driver)(link, profile)

    @asynccontextmanager
    async def rig(self, clock: Clock) -> AsyncIterator[Rig]:
        """A generator that has just been switched on, the driver connected to it, everything off."""
        async with self.peer(clock) as peer:
            rig = Rig(clock, peer, self.samples, self.open_driver)
            try:
                await rig.connect()
                yield rig
            finally:
                await rig.close()


@cache
def loaded(name_or_path: str) -> AnyProfile:
    """A profile, read once."""
    return any_profile.load(name_or_path)
