"""Reading and writing by the names of a profile: requests, what a refusal says, and every write read back."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from rfctl.errors import DeviceError, DeviceRefused, LinkError, ReadBackMismatch
from rfctl.link.modbus import ModbusRefused, bits_in, read, registers_in, write, write_coils
from rfctl.link.registers import Space, decode, encode
from rfctl.model.permit import Intent
from rfctl.profile.blocks import Read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rfctl.link.link import Transactions
    from rfctl.link.write_table import Writable
    from rfctl.profile.blocks import Image, Place
    from rfctl.profile.profile import Profile

_EXACT = 2.0**-40
"""By so little is a quotient of decimal numbers (3.74 / 0.01) off that still means the whole number beside it."""


class Access:
    """The registers of one generator behind one link."""

    def __init__(self, link: Transactions, profile: Profile) -> None:
        self.link = link
        self.profile = profile
        self.unit = profile.unit
        self.where = f"{profile.name} unit {profile.unit}"
        self._longest = profile.file.profile.longest_write

    async def image(self, image: Image) -> bytes:
        """The answers to all requests of an image."""
        return b"".join([await self.read(each) for each in image.reads])

    async def read(self, request: Read) -> bytes:
        """The registers of one request; a bit is as long as a register."""
        pdu = read(request.space, request.address, request.length)
        try:
            reply = await self.link.transact(pdu, Intent.READ, unit=self.unit)
        except ModbusRefused as refused:
            number = self.profile.layout.number(request.space, request.address)
            raise DeviceRefused(
                f"reading {request.length} {request.space} registers from {number}: {refused.what}",
                where=self.where,
                remedy="Check that the profile is this generator's.",
            ) from refused
        return bits_in(reply, request.length) if request.space.of_bits else registers_in(reply)

    async def number(self, place: Place) -> float:
        """The value of one place, read by itself."""
        return float(place.item.meaning(decode(await self.read(_alone(place)), place.item.kind, place.order)))

    async def set(self, values: dict[str, float], channel: int | None = None) -> None:
        """Write settings and read them back; neighbours in the map travel in one request."""
        named = [(self.profile.writable(quantity, channel), value) for quantity, value in values.items()]
        for run in self._runs(named):
            await self.write_run(run, Intent.CONFIG)
            await self.compare(run)

    async def write(self, quantity: str, channel: int | None, value: float, intent: Intent) -> None:
        """Write one quantity; nothing is read back."""
        await self.write_run([(self.profile.writable(quantity, channel), value)], intent)

    async def write_run(self, run: list[tuple[Writable, float]], intent: Intent) -> None:
        """Write quantities that lie side by side, in one request."""
        await self.send(self.request(run), run, intent)

    async def send(self, pdu: bytes, run: list[tuple[Writable, float]], intent: Intent) -> None:
        """Send the request that writes quantities that lie side by side."""
        try:
            await self.link.transact(pdu, intent, unit=self.unit)
        except ModbusRefused as refused:
            what = ", ".join(f"{writable.place} = {value:.9g}" for writable, value in run)
            raise DeviceRefused(
                f"{what}: {refused.what}{await self._reason()}",
                where=self.where,
                remedy="Nothing was changed by it.",
                keys=tuple(f"write.{writable.quantity}" for writable, _ in run),
            ) from refused

    def request(self, run: Iterable[tuple[Writable, float]]) -> bytes:
        """The request that writes quantities that lie side by side."""
        run = list(run)
        first = run[0][0]
        data = b"".join(self._encoded(writable, value) for writable, value in run)
        several = any(self.profile.file.write[writable.quantity].function == "several" for writable, _ in run)
        make = write_coils if first.space is Space.COIL else write
        return make(first.address, data, several=several)

    async def compare(self, run: list[tuple[Writable, float]]) -> None:
        """Read settings back, neighbours in one request."""
        apart = [self.profile.read_back(writable) for writable, _ in run]
        if all(place is None for place in apart):
            data = await self.read(self.profile.span([writable for writable, _ in run]))
        else:
            data = b""
            for (writable, _), place in zip(run, apart, strict=True):
                data += await self.read(self.profile.span([writable]) if place is None else _alone(place))
        for (writable, value), place in zip(run, apart, strict=True):
            size = 2 * writable.type.registers
            if data[:size] != self._encoded(writable, value):
                got = decode(data[:size], writable.type, writable.order) + writable.shift
                raise ReadBackMismatch(
                    f"{writable.place}: wrote {value:.9g}, read back {got * writable.scale:.9g}",
                    where=self.where,
                    remedy="The generator holds another value than it acknowledged; do not energise.",
                    keys=(f"write.{writable.quantity}" + (".read_back" if place is not None else ""),),
                )
            data = data[size:]

    async def held(self, writable: Writable) -> int:
        """The whole number that a quantity holds now."""
        return int(decode(await self.read(self.profile.span([writable])), writable.type, writable.order))

    async def _reason(self) -> str:
        """What the generator says of its last refusal; empty when it does not answer that."""
        refusals = self.profile.file.refusals
        if refusals is None:
            return ""
        with contextlib.suppress(DeviceError, LinkError):
            number = int.from_bytes(await self.read(self.profile.refusals), "big")
            return f", reason {number} ({refusals.reasons.get(str(number), 'not listed')})"
        return ""

    def _encoded(self, writable: Writable, value: float) -> bytes:
        number = value / writable.scale - writable.shift
        if writable.limit is not None and not writable.type.real and math.isfinite(number):
            # A bound that falls between two steps of the register becomes the lower one, never the higher.
            number = math.floor(number * (1.0 + _EXACT) + _EXACT)
        try:
            return encode(number, writable.type, writable.order)
        except ValueError:
            raise DeviceError(
                f"{writable.place} = {value:.9g} does not fit {writable.type}",
                where=self.where,
                remedy="Write a value that fits.",
            ) from None

    def _runs(self, settings: list[tuple[Writable, float]]) -> list[list[tuple[Writable, float]]]:
        """Settings in the order of their addresses, cut where registers lie between them or a request is full."""
        runs: list[list[tuple[Writable, float]]] = []
        end: tuple[Space, int] | None = None
        registers = 0
        for writable, value in sorted(settings, key=lambda setting: (setting[0].space, setting[0].address)):
            registers += writable.type.registers
            if (writable.space, writable.address) == end and registers <= self._longest:
                runs[-1].append((writable, value))
            else:
                runs.append([(writable, value)])
                registers = writable.type.registers
            end = (writable.space, writable.address + writable.type.registers)
        return runs


def _alone(place: Place) -> Read:
    return Read(place.space, place.address, place.item.registers)
