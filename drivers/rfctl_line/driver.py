"""A generator behind the line protocol. Written from docs/protocols/line.md."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from math import isfinite
from typing import TYPE_CHECKING

from rfctl.errors import BadReply, DeviceError, DeviceRefused, ReadBackMismatch
from rfctl.link.line import LineRefused
from rfctl.model.capability import SetPoint
from rfctl.model.permit import Intent
from rfctl_line.identity import channels_of, check, identity_of, pairs, traits_of
from rfctl_line.status import StatusDecoder
from rfctl_line.table import TABLE

if TYPE_CHECKING:
    from rfctl.generator import Identity
    from rfctl.link.line_table import LineTable
    from rfctl.link.link import Transactions
    from rfctl.model.reading import Reading
    from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings
    from rfctl.profile.any_profile import AnyProfile

FINEST = Decimal("0.000001")  # six digits after the point
LARGEST = 10**10  # ten before it
COUNTER = 0x10000

STIMULATION_MODES = {"V": ("stim_v", "v"), "mA": ("stim_ma", "ma")}
SET_POINTS = {SetPoint.VOLTAGE: ("lesion_v", "v_rms"), SetPoint.POWER: ("lesion_w", "w")}


def open_driver(link: Transactions, profile: AnyProfile) -> LineGenerator:
    """Entry point: the driver of a generator behind ``link``."""
    return LineGenerator(link, profile)


class LineGenerator:
    """Implements rfctl.generator.Controller."""

    def __init__(self, link: Transactions, profile: AnyProfile) -> None:
        self._link = link
        self._where = f"{profile.name} at {link.address}"
        self._lease_ms = profile.file.lease.duration_ms
        self._status: StatusDecoder | None = None
        self._status_request = b""
        self._renewals: int | None = None  # the lease counter last accepted; None when it is not known
        self._amplitudes: dict[int, str] = {}  # by channel, in what the stimulator is set

    def off_frames(self) -> tuple[bytes, ...]:
        return (b"OFF",)

    def table(self) -> LineTable:
        return TABLE

    def cycle(self) -> tuple[bytes, ...]:
        return self._status_request, b"RENEW %d" % (COUNTER - 1)

    async def identify(self) -> Identity:
        told = pairs(await self._ask("IDENT"), self._where)
        check(told, self._where)
        channels = channels_of(told, self._where)
        fields = pairs(await self._ask("FIELDS"), self._where)
        generator, channel = (tuple(fields.get(group, "").split(",")) for group in ("generator", "channel"))
        decoder = StatusDecoder(generator, channel, channels, self._where)
        numbers = range(1, channels + 1)
        traits = tuple([traits_of(pairs(await self._ask(f"TRAITS {n}"), self._where), self._where) for n in numbers])
        identity = identity_of(told, traits, self._where)
        self._status, self._status_request = decoder, b"STATUS %d" % channels
        return identity

    async def read(self) -> Reading:
        if self._status is None:
            raise DeviceError("not identified yet", where=self._where, remedy="Identify the generator before reading.")
        reply = await self._link.transact(self._status_request, Intent.READ, unit=TABLE.unit)
        try:
            return self._status.decode(_values(reply), self._link.received_ns)
        except BadReply as bad:
            bad.where = self._where
            raise

    async def claim(self, session: int) -> None:
        await self._write(f"CLAIM {session}", Intent.CONFIG)
        await self._compare(0, {"owner": str(session)})
        await self._write("CLEAR LEASE", Intent.CONFIG)
        await self._write(f"LEASE {self._lease_ms}", Intent.CONFIG)
        await self._compare(0, {"lease_ms": str(self._lease_ms)})
        await self._write("EVENTS 1", Intent.CONFIG)
        self._renewals = 0  # the first renewal after a claim may have any number

    async def clear_faults(self) -> None:
        await self._write("CLEAR FAULTS", Intent.CONFIG)

    async def release(self) -> None:
        await self._write("RELEASE", Intent.CONFIG)
        await self._compare(0, {"owner": "0"})

    async def renew(self) -> None:
        number = (await self._last_renewal() + 1) % COUNTER
        self._renewals = None  # until the answer is here nobody knows which was accepted last
        await self._write(f"RENEW {number}", Intent.RENEW)
        self._renewals = number

    async def configure_lesion(self, channel: int, settings: LesionSettings) -> None:
        await self._set_mode(channel, "lesion")
        await self._set(
            channel,
            {
                "set_temperature_c": settings.set_temperature_c,
                "ramp_c_per_s": settings.ramp_c_per_s,
                "max_on_s": settings.max_on_s,
                "power_limit_w": settings.power_limit_w,
            },
        )

    async def configure_set_point(self, channel: int, settings: SetPointSettings) -> None:
        mode, unit = SET_POINTS[settings.set_point]
        await self._set_mode(channel, mode)
        await self._set(channel, {"max_on_s": settings.max_on_s, "power_limit_w": settings.power_limit_w})
        await self._compare(channel, {f"set_point_{unit}": "0"})

    async def set_voltage(self, channel: int, voltage_v_rms: float) -> None:
        await self._write(f"SETPOINT {channel} v_rms={self._number(voltage_v_rms)}", Intent.ENERGISE)

    async def set_power(self, channel: int, power_w: float) -> None:
        await self._write(f"SETPOINT {channel} w={self._number(power_w)}", Intent.ENERGISE)

    async def lower_power_limit(self, channel: int, power_limit_w: float) -> None:
        await self._set(channel, {"power_limit_w": power_limit_w})

    async def arm(self, channel: int) -> int:
        reply = await self._write(f"ARM {channel}", Intent.ENERGISE)
        token = pairs(_values(reply), self._where).get("token", "0")
        if not token.isdecimal() or not 0 < int(token) < COUNTER:
            raise DeviceError(
                f"channel {channel} accepted arm and gives the token {token!r}",
                where=self._where,
                remedy="Send off, then arm anew.",
            )
        return int(token)

    async def fire(self, channel: int, token: int) -> None:
        await self._write(f"FIRE {channel} {token}", Intent.ENERGISE)

    async def channel_off(self, channel: int) -> None:
        await self._write(f"OFF {channel}", Intent.OFF)

    async def configure_stimulation(self, channel: int, settings: StimulationSettings) -> None:
        # A change of mode sets the amplitude to 0; writing it would need the permit that comes with the output.
        mode, unit = STIMULATION_MODES[settings.unit]
        await self._set_mode(channel, mode)
        await self._set(
            channel,
            {
                "stimulation_rate_hz": settings.rate_hz,
                "stimulation_width_us": settings.width_us,
                f"stimulation_limit_{unit}": settings.amplitude_limit,
            },
        )
        await self._compare(channel, {f"amplitude_{unit}": "0"})
        self._amplitudes[channel] = unit

    async def start_stimulation(self, channel: int) -> None:
        await self._write(f"STIMULATE {channel}", Intent.ENERGISE)

    async def set_amplitude(self, channel: int, amplitude: float) -> None:
        unit = self._amplitudes.get(channel) or await self._stimulation_unit(channel)
        number = self._number(amplitude)
        await self._write(f"AMPLITUDE {channel} {unit}={number}", Intent.ENERGISE)
        await self._compare(channel, {f"amplitude_{unit}": number})

    async def _stimulation_unit(self, channel: int) -> str:
        """In what the stimulator of a channel is set, when this driver has not started it."""
        mode = pairs(await self._ask(f"GET {channel}"), self._where).get("mode")
        for name, unit in STIMULATION_MODES.values():
            if name == mode:
                return unit
        raise DeviceError(
            f"channel {channel} is in mode {mode}, which has no amplitude",
            where=self._where,
            remedy="Start the stimulation first.",
        )

    async def _set_mode(self, channel: int, name: str) -> None:
        await self._write(f"MODE {channel} {name}", Intent.CONFIG)
        await self._compare(channel, {"mode": name})

    async def _set(self, channel: int, values: dict[str, float]) -> None:
        """Write settings in one request and read them back."""
        numbers = {name: self._number(value) for name, value in values.items()}
        shown = " ".join(f"{name}={number}" for name, number in numbers.items())
        await self._write(f"SET {channel} {shown}", Intent.CONFIG)
        await self._compare(channel, numbers)

    async def _write(self, request: str, intent: Intent) -> bytes:
        try:
            return await self._link.transact(request.encode("ascii"), intent, unit=TABLE.unit)
        except LineRefused as refused:
            raise DeviceRefused(
                f"{request}: {refused.what}", where=self._where, remedy="Nothing was changed by it."
            ) from refused

    async def _compare(self, place: int, written: dict[str, str]) -> None:
        """Read back what a channel holds, or the generator itself as place 0."""
        held = pairs(await self._ask(f"GET {place}"), self._where)
        for name, wanted in written.items():
            got = held.get(name, "nothing")
            if got != wanted and _worth(got) != _worth(wanted):
                of = f" of channel {place}" if place else ""
                raise ReadBackMismatch(
                    f"{name}{of}: wrote {wanted}, read back {got}",
                    where=self._where,
                    remedy="The generator holds another value than it acknowledged; do not energise.",
                )

    async def _last_renewal(self) -> int:
        if self._renewals is not None:
            return self._renewals
        counter = pairs(await self._ask("GET 0"), self._where).get("lease_counter", "")
        if not counter.isdecimal():
            raise DeviceError(
                f"GET 0 gives the lease counter {counter!r}", where=self._where, remedy="Claim the generator anew."
            )
        return int(counter)

    async def _ask(self, request: str) -> str:
        try:
            return _values(await self._link.transact(request.encode("ascii"), Intent.READ, unit=TABLE.unit))
        except LineRefused as refused:
            raise DeviceRefused(
                f"{request}: {refused.what}", where=self._where, remedy="Check that the generator speaks this protocol."
            ) from refused

    def _number(self, value: float) -> str:
        """A number as it goes on the line: cut after six digits, so that it is never above the one meant."""
        if not isfinite(value) or abs(value) >= LARGEST:
            raise DeviceError(f"{value!r} is no number for a line", where=self._where, remedy="Write one that fits.")
        text = format(Decimal(repr(float(value))).quantize(FINEST, rounding=ROUND_DOWN), "f").rstrip("0").rstrip(".")
        return "0" if text == "-0" else text


def _values(reply: bytes) -> str:
    """What stands after OK and the request's word."""
    return reply.split(b" ", 2)[2].decode("ascii")


def _worth(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
