"""A generator behind Modbus registers, driven wholly by its profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.errors import BadReply, DeviceError, DeviceRefused
from rfctl.link.modbus import bits_in, read, registers_in
from rfctl.link.registers import RegisterType
from rfctl.model.capability import SetPoint
from rfctl.model.permit import Intent
from rfctl_modbus.access import Access
from rfctl_modbus.identity import calibration_of, channels_of, check, identity_of, traits_of, version_of
from rfctl_modbus.steps import Runner

if TYPE_CHECKING:
    from datetime import date

    from rfctl.generator import Identity
    from rfctl.link.link import Transactions
    from rfctl.link.write_table import Writable, WriteTable
    from rfctl.model.reading import Reading
    from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings
    from rfctl.profile.profile import Profile
    from rfctl.profile.status import StatusDecoder

STIMULATION = {"V": ("stimulation_voltage", "_v"), "mA": ("stimulation_current", "_ma")}
"""For each unit its mode, and how the quantities end that only this unit has."""
SET_POINTS = {
    SetPoint.VOLTAGE: ("lesion_voltage", "voltage_set_point_v_rms"),
    SetPoint.POWER: ("lesion_power", "power_set_point_w"),
}
"""For each set point its mode, and the quantity that is written."""


def open_driver(link: Transactions, profile: Profile) -> ModbusGenerator:
    """Entry point: the driver of a generator behind ``link``. The profile was checked when it was loaded."""
    return ModbusGenerator(link, profile)


class ModbusGenerator:
    """Implements rfctl.generator.Controller."""

    def __init__(self, link: Transactions, profile: Profile) -> None:
        self._link = link
        self._profile = profile
        self._access = access = Access(link, profile)
        self._steps = Runner(access, self.read)
        self._unit = profile.unit
        self._where = access.where
        self._status: StatusDecoder | None = None
        self._requests: tuple[tuple[bytes, int], ...] = ()  # and the bits that the answer holds, 0 for registers
        self._session = 0
        self._amplitude = self._of_unit(
            "stimulation_amplitude", "V"
        )  # the quantity that holds it, in the unit of the running setting
        self._by_connection = profile.file.ownership.by == "connection"
        self._lease = profile.file.lease
        self._renewal = profile.writable("lease_renew")
        self._renewal_head = _head_of_plain(access, self._renewal)
        self._renewals: int | None = None  # the lease counter last accepted; None when it is not known

    def off_frames(self) -> tuple[bytes, ...]:
        return self._steps.off()

    def table(self) -> WriteTable:
        return self._profile.write_table()

    def cycle(self) -> tuple[bytes, ...]:
        renewal = self._access.request([(self._renewal, self._lease.key or 0)])
        return (*(pdu for pdu, _ in self._requests), renewal)

    async def identify(self) -> Identity:
        profile, access = self._profile, self._access
        block = await access.image(profile.identity)
        check(profile, block, self._where)
        channels = channels_of(profile, block, self._where)
        data = await access.image(profile.traits(channels))
        traits = traits_of(profile, data, channels)
        identity = identity_of(profile, block, traits, await self._calibration(block), self._where)
        self._status = profile.status_decoder(channels)
        self._requests = tuple(
            (read(each.space, each.address, each.length), each.length if each.space.of_bits else 0)
            for each in self._status.reads
        )
        return identity

    async def _calibration(self, block: bytes) -> dict[str, date | None]:
        """Its days, of a generator whose map is new enough to have them."""
        profile = self._profile
        stated = profile.file.calibration
        if stated is None or version_of(profile, block)[1] < stated.since:
            return {}
        try:
            return calibration_of(profile, await self._access.image(profile.calibration), self._where)
        except DeviceRefused as refused:
            refused.keys = ("calibration",)
            raise

    async def read(self) -> Reading:
        if self._status is None:
            raise DeviceError("not identified yet", where=self._where, remedy="Identify the generator before reading.")
        if len(self._requests) == 1:
            ((request, _),) = self._requests
            data = registers_in(await self._link.transact(request, Intent.READ, unit=self._unit))
        else:
            data = await self._whole_sample(self._status)
        reading = self._status.decode(data, self._link.received_ns)
        if self._by_connection:
            reading = reading._replace(owner=self._session if reading.owner else 0)
        return reading

    async def claim(self, session: int) -> None:
        await self._steps.run("claim", session=session)
        self._session = session
        self._renewals = 0  # the first renewal after a claim may have any number

    async def clear_faults(self) -> None:
        await self._steps.run("clear_faults")

    async def release(self) -> None:
        await self._steps.run("release")
        self._session = 0

    async def renew(self) -> None:
        number = await self._next_renewal()
        self._renewals = None  # until the answer is here nobody knows which was accepted last
        run: list[tuple[Writable, float]] = [(self._renewal, number)]
        head = self._renewal_head
        request = head + number.to_bytes(2, "big") if head else self._access.request(run)
        await self._access.send(request, run, Intent.RENEW)
        self._renewals = number

    async def configure_lesion(self, channel: int, settings: LesionSettings) -> None:
        await self._set_mode(channel, "lesion_temperature")
        await self._access.set(
            {
                "set_temperature_c": settings.set_temperature_c,
                "ramp_c_per_s": settings.ramp_c_per_s,
                "max_on_s": settings.max_on_s,
                "power_limit_w": settings.power_limit_w,
            },
            channel,
        )

    async def configure_set_point(self, channel: int, settings: SetPointSettings) -> None:
        mode, quantity = SET_POINTS[settings.set_point]
        await self._set_mode(channel, mode)
        await self._access.set({"max_on_s": settings.max_on_s, "power_limit_w": settings.power_limit_w}, channel)
        await self._set_energising(quantity, channel, 0.0)

    async def set_voltage(self, channel: int, voltage_v_rms: float) -> None:
        await self._set_output(SetPoint.VOLTAGE, channel, voltage_v_rms)

    async def set_power(self, channel: int, power_w: float) -> None:
        await self._set_output(SetPoint.POWER, channel, power_w)

    async def lower_power_limit(self, channel: int, power_limit_w: float) -> None:
        await self._access.set({"power_limit_w": power_limit_w}, channel)

    async def arm(self, channel: int) -> int:
        return await self._steps.run("arm", channel=channel)

    async def fire(self, channel: int, token: int) -> None:
        await self._steps.run("fire", channel=channel, token=token)

    async def channel_off(self, channel: int) -> None:
        if not self._profile.file.sequence.channel_off:
            raise DeviceError(
                f"channel {channel} cannot be turned off alone",
                where=self._where,
                remedy="State sequence.channel_off in the profile where the generator can; else turn everything off.",
            )
        await self._steps.run("channel_off", channel=channel)

    async def configure_stimulation(self, channel: int, settings: StimulationSettings) -> None:
        # A change of mode sets the amplitude to 0; writing it would need the permit that comes with the output.
        await self._set_mode(channel, STIMULATION[settings.unit][0])
        await self._access.set(
            {
                "stimulation_rate_hz": settings.rate_hz,
                "stimulation_width_us": settings.width_us,
                self._of_unit("stimulation_limit", settings.unit): settings.amplitude_limit,
            },
            channel,
        )
        amplitude = self._amplitude = self._of_unit("stimulation_amplitude", settings.unit)
        await self._access.compare([(self._profile.writable(amplitude, channel), 0.0)])

    async def start_stimulation(self, channel: int) -> None:
        await self._steps.run("stimulate", channel=channel)

    async def set_amplitude(self, channel: int, amplitude: float) -> None:
        await self._set_energising(self._amplitude, channel, amplitude)

    async def _whole_sample(self, status: StatusDecoder) -> bytes:
        """The answers to all requests, of which each shows the same sample, or one as near as the profile allows."""
        apart = 0
        for _ in range(2):
            parts = []
            for request, bits in self._requests:
                reply = await self._link.transact(request, Intent.READ, unit=self._unit)
                parts.append(bits_in(reply, bits) if bits else registers_in(reply))
            data = b"".join(parts)
            apart = status.torn(data)
            if not apart:
                return data
        raise BadReply(
            f"a torn sample, twice: its blocks are {apart} samples apart, and may be {status.spread}",
            where=self._where,
            remedy="The line is too slow for this generator, or one of its blocks stands still.",
        )

    async def _set_output(self, set_point: SetPoint, channel: int, value: float) -> None:
        quantity = SET_POINTS[set_point][1]
        run = [(self._profile.writable(quantity, channel), value)]
        await self._access.write_run(run, Intent.ENERGISE)
        if self._profile.file.status.channel.set_point is None:
            await self._access.compare(run)

    async def _set_energising(self, quantity: str, channel: int, value: float) -> None:
        run = [(self._profile.writable(quantity, channel), value)]
        await self._access.write_run(run, Intent.ENERGISE)
        await self._access.compare(run)

    async def _set_mode(self, channel: int, name: str) -> None:
        if self._profile.has("mode"):
            await self._access.set({"mode": self._profile.value_of("mode", name)}, channel)

    def _of_unit(self, quantity: str, unit: str) -> str:
        of_unit = quantity + STIMULATION[unit][1]
        return of_unit if self._profile.has(of_unit) else quantity

    async def _next_renewal(self) -> int:
        if self._lease.rule == "key":
            return self._lease.key or 0
        last = self._renewals
        if last is None:
            last = await self._access.held(self._renewal)
        return 1 - (last & 1) if self._lease.rule == "toggle" else (last + 1) & self._renewal.type.range[1]


def _head_of_plain(access: Access, writable: Writable) -> bytes:
    """The request that writes a whole number, up to that number, where it goes out as it is; else empty.

    The lease is renewed in every cycle, so its request is made as far as it can be.
    """
    if writable.type is not RegisterType.U16:
        return b""
    sample = 0x0102
    request = access.request([(writable, sample)])
    return request[:-2] if request.endswith(sample.to_bytes(2, "big")) else b""
