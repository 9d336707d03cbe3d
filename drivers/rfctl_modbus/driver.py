"""A generator behind Modbus registers, driven wholly by its profile."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rfctl.errors import DeviceError, DeviceRefused, LinkError, ReadBackMismatch
from rfctl.link.modbus import ModbusRefused, read_holding, read_input, registers_in, write
from rfctl.link.registers import decode, encode
from rfctl.model.capability import Capability, SetPoint
from rfctl.model.permit import Intent
from rfctl_modbus.identity import channels_of, check, identity_of, traits_of

if TYPE_CHECKING:
    from rfctl.generator import Identity
    from rfctl.link.link import Transactions
    from rfctl.link.write_table import Writable, WriteTable
    from rfctl.model.reading import Reading
    from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings
    from rfctl.profile.profile import Profile
    from rfctl.profile.schema import Table
    from rfctl.profile.status import StatusDecoder

WHOLE_QUANTITIES = ("all_off", "owner", "lease_ms", "lease_renew", "lease_clear", "fault_clear")
CHANNEL_QUANTITIES = (
    "command",
    "fire",
    "mode",
    "set_temperature_c",
    "ramp_c_per_s",
    "max_on_s",
    "power_limit_w",
    "stimulation_rate_hz",
    "stimulation_width_us",
    "stimulation_amplitude",
    "stimulation_limit",
)
NAMED_VALUES = (
    ("command", "arm"),
    ("command", "stimulate"),
    ("mode", "lesion_temperature"),
    ("mode", "stimulation_voltage"),
    ("mode", "stimulation_current"),
)
STIMULATION_MODES = {"V": "stimulation_voltage", "mA": "stimulation_current"}
SET_POINTS = {
    SetPoint.VOLTAGE: (Capability.VOLTAGE_SET_POINT, "lesion_voltage", "voltage_set_point_v_rms"),
    SetPoint.POWER: (Capability.POWER_SET_POINT, "lesion_power", "power_set_point_w"),
}
"""For each set point the capability that it needs, its mode, and the quantity that is written."""


def open_driver(link: Transactions, profile: Profile) -> ModbusGenerator:
    """Entry point: the driver of a generator behind ``link``.

    Raises:
        ConfigError: The profile lacks a quantity or a named value that this driver writes.
    """
    for quantity in WHOLE_QUANTITIES:
        profile.writable(quantity)
    for quantity in CHANNEL_QUANTITIES:
        profile.writable(quantity, 1)
    for quantity, name in NAMED_VALUES:
        profile.value_of(quantity, name)
    for capability, mode, quantity in SET_POINTS.values():
        if capability in profile.file.identity.capabilities.bits:
            profile.value_of("mode", mode)
            profile.writable(quantity, 1)
    return ModbusGenerator(link, profile)


class ModbusGenerator:
    """Implements rfctl.generator.Controller."""

    def __init__(self, link: Transactions, profile: Profile) -> None:
        self._link = link
        self._profile = profile
        self._unit = profile.unit
        self._where = f"{profile.name} unit {profile.unit}"
        self._status: StatusDecoder | None = None
        self._status_request = b""
        self._renewals: int | None = None  # the lease counter last accepted; None when it is not known

    def off_frames(self) -> tuple[bytes, ...]:
        off = self._profile.writable("all_off")
        value, _ = off.acts[0]
        return (write(off.address, encode(1 if value is None else value, off.type, off.order)),)

    def table(self) -> WriteTable:
        return self._profile.write_table()

    def cycle(self) -> tuple[bytes, ...]:
        counter = self._profile.writable("lease_renew")
        return self._status_request, write(counter.address, encode(0, counter.type, counter.order))

    async def identify(self) -> Identity:
        schema, traits = self._profile.file.identity, self._profile.file.traits
        block = await self._read(schema.table, schema.address, schema.count)
        check(self._profile, block, self._where)
        channels = channels_of(self._profile, block, self._where)
        data = await self._read(traits.table, traits.address, traits.stride * channels)
        identity = identity_of(
            self._profile,
            block,
            tuple(traits_of(self._profile, data, channel) for channel in range(1, channels + 1)),
            self._where,
        )
        self._status = self._profile.status_decoder(channels)
        self._status_request = _read_request(self._profile.file.status.table, self._status.address, self._status.count)
        return identity

    async def read(self) -> Reading:
        if self._status is None:
            raise DeviceError("not identified yet", where=self._where, remedy="Identify the generator before reading.")
        reply = await self._link.transact(self._status_request, Intent.READ, unit=self._unit)
        return self._status.decode(registers_in(reply), self._link.received_ns)

    async def claim(self, session: int) -> None:
        await self._set({"owner": session})
        await self._write("lease_clear", None, 1, Intent.CONFIG)
        await self._set({"lease_ms": self._profile.file.lease.duration_ms})
        self._renewals = 0  # the first renewal after a claim may have any number

    async def clear_faults(self) -> None:
        await self._write("fault_clear", None, 1, Intent.CONFIG)

    async def release(self) -> None:
        await self._set({"owner": 0})

    async def renew(self) -> None:
        number = (await self._last_renewal() + 1) & 0xFFFF
        self._renewals = None  # until the answer is here nobody knows which was accepted last
        await self._write("lease_renew", None, number, Intent.RENEW)
        self._renewals = number

    async def configure_lesion(self, channel: int, settings: LesionSettings) -> None:
        await self._set_mode(channel, "lesion_temperature")
        await self._set(
            {
                "set_temperature_c": settings.set_temperature_c,
                "ramp_c_per_s": settings.ramp_c_per_s,
                "max_on_s": settings.max_on_s,
                "power_limit_w": settings.power_limit_w,
            },
            channel,
        )

    async def configure_set_point(self, channel: int, settings: SetPointSettings) -> None:
        _, mode, quantity = SET_POINTS[settings.set_point]
        await self._set_mode(channel, mode)
        await self._set({"max_on_s": settings.max_on_s, "power_limit_w": settings.power_limit_w}, channel)
        await self._write(quantity, channel, 0.0, Intent.ENERGISE)
        await self._compare([(self._profile.writable(quantity, channel), 0.0)])

    async def set_voltage(self, channel: int, voltage_v_rms: float) -> None:
        await self._set_output(SetPoint.VOLTAGE, channel, voltage_v_rms)

    async def set_power(self, channel: int, power_w: float) -> None:
        await self._set_output(SetPoint.POWER, channel, power_w)

    async def lower_power_limit(self, channel: int, power_limit_w: float) -> None:
        await self._set({"power_limit_w": power_limit_w}, channel)

    async def arm(self, channel: int) -> int:
        await self._write("command", channel, self._profile.value_of("command", "arm"), Intent.ENERGISE)
        reading = await self.read()
        token = reading.channels[channel - 1].arm_token
        if not token:
            raise DeviceError(
                f"channel {channel} accepted arm and shows no token",
                where=self._where,
                remedy="Send off, then arm anew.",
            )
        return token

    async def fire(self, channel: int, token: int) -> None:
        await self._write("fire", channel, token, Intent.ENERGISE)

    async def start_stimulation(self, channel: int, settings: StimulationSettings) -> None:
        # A change of mode sets the amplitude to 0; writing it would need the permit that comes with the output.
        await self._set_mode(channel, STIMULATION_MODES[settings.unit])
        await self._set(
            {
                "stimulation_rate_hz": settings.rate_hz,
                "stimulation_width_us": settings.width_us,
                "stimulation_limit": settings.amplitude_limit,
            },
            channel,
        )
        await self._compare([(self._profile.writable("stimulation_amplitude", channel), 0.0)])
        await self._write("command", channel, self._profile.value_of("command", "stimulate"), Intent.ENERGISE)

    async def set_amplitude(self, channel: int, amplitude: float) -> None:
        await self._write("stimulation_amplitude", channel, amplitude, Intent.ENERGISE)
        await self._compare([(self._profile.writable("stimulation_amplitude", channel), amplitude)])

    async def _set_output(self, set_point: SetPoint, channel: int, value: float) -> None:
        quantity = SET_POINTS[set_point][2]
        await self._write(quantity, channel, value, Intent.ENERGISE)
        if self._profile.file.status.channel.set_point is None:
            await self._compare([(self._profile.writable(quantity, channel), value)])

    async def _set_mode(self, channel: int, name: str) -> None:
        await self._set({"mode": self._profile.value_of("mode", name)}, channel)

    async def _set(self, values: dict[str, float], channel: int | None = None) -> None:
        """Write settings and read them back; neighbours in the map travel in one request."""
        for run in _runs([(self._profile.writable(quantity, channel), value) for quantity, value in values.items()]):
            await self._write_run(run, Intent.CONFIG)
            await self._compare(run)

    async def _write(self, quantity: str, channel: int | None, value: float, intent: Intent) -> None:
        await self._write_run([(self._profile.writable(quantity, channel), value)], intent)

    async def _write_run(self, run: list[tuple[Writable, float]], intent: Intent) -> None:
        data = b"".join(self._encoded(writable, value) for writable, value in run)
        try:
            await self._link.transact(write(run[0][0].address, data), intent, unit=self._unit)
        except ModbusRefused as refused:
            what = ", ".join(f"{writable.place} = {value:.9g}" for writable, value in run)
            raise DeviceRefused(
                f"{what}: {refused.what}{await self._reason()}",
                where=self._where,
                remedy="Nothing was changed by it.",
                keys=tuple(f"write.{writable.quantity}" for writable, _ in run),
            ) from refused

    async def _compare(self, run: list[tuple[Writable, float]]) -> None:
        """Read adjacent settings back in one request."""
        count = sum(writable.type.registers for writable, _ in run)
        data = await self._read("holding", run[0][0].address, count)
        for writable, value in run:
            size = 2 * writable.type.registers
            if data[:size] != self._encoded(writable, value):
                got = decode(data[:size], writable.type, writable.order) * writable.scale
                raise ReadBackMismatch(
                    f"{writable.place}: wrote {value:.9g}, read back {got:.9g}",
                    where=self._where,
                    remedy="The generator holds another value than it acknowledged; do not energise.",
                    keys=(f"write.{writable.quantity}",),
                )
            data = data[size:]

    async def _last_renewal(self) -> int:
        if self._renewals is not None:
            return self._renewals
        counter = self._profile.writable("lease_renew")
        return int(decode(await self._read("holding", counter.address, 1), counter.type, counter.order))

    async def _read(self, table: Table, address: int, count: int) -> bytes:
        try:
            reply = await self._link.transact(_read_request(table, address, count), Intent.READ, unit=self._unit)
        except ModbusRefused as refused:
            raise DeviceRefused(
                f"reading {count} {table} registers from {address}: {refused.what}",
                where=self._where,
                remedy="Check that the profile is this generator's.",
            ) from refused
        return registers_in(reply)

    async def _reason(self) -> str:
        """What the generator says of its last refusal; empty when it does not answer that."""
        refusals = self._profile.file.refusals
        with contextlib.suppress(DeviceError, LinkError):
            number = int.from_bytes(await self._read(refusals.table, refusals.address, 1), "big")
            return f", reason {number} ({refusals.reasons.get(str(number), 'not listed')})"
        return ""

    def _encoded(self, writable: Writable, value: float) -> bytes:
        try:
            return encode(value / writable.scale, writable.type, writable.order)
        except ValueError:
            raise DeviceError(
                f"{writable.place} = {value!r} does not fit {writable.type}",
                where=self._where,
                remedy="Write a value that fits.",
            ) from None


def _read_request(table: Table, address: int, count: int) -> bytes:
    return read_input(address, count) if table == "input" else read_holding(address, count)


def _runs(settings: list[tuple[Writable, float]]) -> list[list[tuple[Writable, float]]]:
    """Settings in the order of their addresses, cut where registers lie between them."""
    runs: list[list[tuple[Writable, float]]] = []
    end = -1
    for writable, value in sorted(settings, key=lambda setting: setting[0].address):
        if writable.address == end:
            runs[-1].append((writable, value))
        else:
            runs.append([(writable, value)])
        end = writable.address + writable.type.registers
    return runs
