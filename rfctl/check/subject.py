"""The generator under check: its connection, and what was found so far."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfctl.check.findings import Findings
    from rfctl.clock import Clock
    from rfctl.generator import Controller, Identity
    from rfctl.model.plan import Medium
    from rfctl.model.reading import ChannelReading, Reading
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.connection import Connection

POLL_S = 0.05


@dataclass
class Subject:
    """What every check needs.

    Attributes:
        connection: Open.
        profile: Of the generator.
        clock: Of the running loop.
        medium: What the electrode stands in.
        findings: Where checks write.
        channel: The channel that is used, from 1.
    """

    connection: Connection
    profile: AnyProfile
    clock: Clock
    medium: Medium
    findings: Findings
    channel: int = 1

    @property
    def generator(self) -> Controller:
        """The driver."""
        return self.connection.generator

    @property
    def identity(self) -> Identity:
        """Who answered."""
        return self.connection.identity

    @property
    def sample_s(self) -> float:
        """Time between two measurements, s."""
        return self.identity.sample_period_ms / 1000

    async def fresh(self) -> Reading:
        """A sample taken from now on."""
        await asyncio.sleep(max(POLL_S, 2 * self.sample_s))
        return await self.generator.read()

    async def fresh_channel(self) -> ChannelReading:
        """The channel that is used, measured from now on."""
        return (await self.fresh()).channels[self.channel - 1]
