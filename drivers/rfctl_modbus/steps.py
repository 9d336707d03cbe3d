"""Carries out the sequences of a profile: writes, tokens, and waits for what the generator grants."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import DeviceError, DeviceRefused
from rfctl.profile.sequences import act_of, target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rfctl.link.write_table import Writable
    from rfctl.model.reading import Reading
    from rfctl.profile.write_schema import Step, Steps
    from rfctl_modbus.access import Access

ASK_AGAIN_NS = 20 * NS_PER_MS
"""Between two looks at what is waited for."""


class Runner:
    """Runs sequences on one generator."""

    def __init__(self, access: Access, status: Callable[[], Awaitable[Reading]]) -> None:
        """Take over.

        Args:
            access: The generator's registers.
            status: Reads the whole status, for quantities that stand in it.
        """
        self._access = access
        self._profile = access.profile
        self._status = status

    async def run(self, name: str, *, channel: int | None = None, session: int = 0, token: int = 0) -> int:
        """Carry a sequence out.

        Args:
            name: Its name in the profile.
            channel: Of a sequence of one channel.
            session: What the word ``session`` stands for.
            token: What the word ``token`` stands for, until a step reads another.

        Returns:
            The token last read; 1 where no step reads one, so that it can be told from none.

        Raises:
            DeviceError: No token where there must be one, or what was waited for did not come.
        """
        steps: Steps = getattr(self._profile.file.sequence, name)
        for step in steps:
            if step.read is not None:
                token = await self._token(step.read, channel)
            elif step.wait is not None:
                await self._wait(step, channel)
            else:
                await self._write(name, step, channel, {"session": session, "token": token})
        return token or 1

    def off(self) -> tuple[bytes, ...]:
        """The frames of the sequence off."""
        frames = []
        for step in self._profile.file.sequence.off:
            writable = self._target("off", step, None)
            frames.append(self._access.request([(writable, self._value(writable, step, {}))]))
        return tuple(frames)

    async def _write(self, name: str, step: Step, channel: int | None, words: dict[str, int]) -> None:
        writable = self._target(name, step, channel)
        value = self._value(writable, step, words)
        act = act_of(writable, value)
        if act is None:
            raise DeviceError(f"{writable.place} = {value} is not a listed value", where=self._access.where)
        run = [(writable, value * writable.scale)]
        await self._access.write_run(run, act.intent)
        if step.set is not None:
            await self._access.compare(run)

    def _target(self, name: str, step: Step, channel: int | None) -> Writable:
        writable = target(self._profile.file, self._profile.write_table(), name, step, channel)
        if writable is None:
            raise DeviceError(f"{step.write or step.set} is not there for channel {channel}", where=self._access.where)
        return writable

    def _value(self, writable: Writable, step: Step, words: dict[str, int]) -> int:
        """The number for the registers."""
        named = self._profile.file.write[writable.quantity].values or {}
        value = step.value
        if isinstance(value, str):
            if value in named:
                return named[value]
            words = words | {"duration": self._profile.file.lease.duration_ms}
            return _changed(words[value], step, writable)
        return round((value or 0) / writable.scale)

    async def _token(self, quantity: str, channel: int | None) -> int:
        token = int(await self._number(quantity, channel))
        if not token:
            raise DeviceError(
                f"channel {channel} accepted arm and shows no token",
                where=self._access.where,
                remedy="Send off, then arm anew.",
            )
        return token

    async def _wait(self, step: Step, channel: int | None) -> None:
        loop = asyncio.get_running_loop()
        wanted = step.wait or ""
        give_up_s = loop.time() + (step.within_ms or 0) * NS_PER_MS / NS_PER_S
        while (got := await self._number(wanted, channel)) != step.equals:
            denied = step.unless is not None and bool(await self._number(step.unless, channel))
            if denied or loop.time() >= give_up_s:
                why = f"{step.unless} is set" if denied else f"not within {step.within_ms} ms"
                raise DeviceRefused(
                    f"{wanted} is {got:g}, expected {step.equals}, {why}",
                    where=self._access.where,
                    remedy=step.refusal or "Look at the generator's panel.",
                    keys=(f"read.{wanted}",),
                )
            await asyncio.sleep(ASK_AGAIN_NS / NS_PER_S)

    async def _number(self, quantity: str, channel: int | None) -> float:
        place = self._profile.readable(quantity, channel)
        if place is not None:
            return await self._access.number(place)
        reading = await self._status()
        value = getattr(reading if channel is None else reading.channels[channel - 1], quantity)
        return float(value or 0)


def _changed(value: int, step: Step, writable: Writable) -> int:
    """What becomes of a token, within the width of the register it is written to."""
    if step.xor is None and step.add is None and not step.complement:
        return value
    changed = (value ^ (step.xor or 0)) + (step.add or 0)
    return (~changed if step.complement else changed) & writable.type.range[1]
