"""Driver of the Acme RF 1: holding registers, a rolling key for the lease, a rotated answer to the challenge."""

import math
import struct

from acme_rf.table import CHANNEL, TABLE, UNIT, WRITABLES
from rfctl.errors import DeviceError, DeviceRefused, ReadBackMismatch, WrongDevice
from rfctl.generator import ChannelTraits, Identity
from rfctl.link.modbus import ModbusRefused, read_holding, registers_in, write
from rfctl.model.capability import Capability
from rfctl.model.permit import Intent
from rfctl.model.reading import ChannelReading, Mode, Reading

TYPE_NUMBER = 0xACE1
KINDS = {1: False, 2: True}  # device, simulator
IDENTITY = struct.Struct(">HHHHHH8s")  # 10 registers from 0
STATUS = struct.Struct(">IIHHHhHHHHHHHHHHH")  # 19 registers from 100
STATUS_REQUEST = read_holding(100, STATUS.size // 2)
INVALID = -32768
MODES = {0: Mode.NONE, 1: Mode.LESION_TEMPERATURE, 2: Mode.STIMULATION_VOLTAGE}
WHERE = "acme-rf"


def open_driver(link, profile):
    """Entry point."""
    del profile  # the map is here
    return AcmeRf(link)


def next_key(key):
    """The key of the renewal after this one."""
    return (5 * key + 1) & 0xFFFF


def answer_to(challenge):
    """What fires: the challenge rotated by three bits, then masked."""
    return (((challenge << 3) | (challenge >> 13)) & 0xFFFF) ^ 0x0F0F


class AcmeRf:
    """Implements rfctl.generator.Controller."""

    def __init__(self, link):
        self._link = link
        self._known = False
        self._key = None  # the key last accepted; None when it is not known

    def off_frames(self):
        return (write(200, b"\0\1"),)

    def table(self):
        return TABLE

    def cycle(self):
        return STATUS_REQUEST, write(202, b"\0\0")

    async def identify(self):
        block = await self._read(0, IDENTITY.size // 2)
        number, kind, channels, rated_w, reply_ms, sample_ms, serial = IDENTITY.unpack(block)
        if number != TYPE_NUMBER or kind not in KINDS or channels != 1:
            raise WrongDevice(
                f"type {number:#06x}, kind {kind}, {channels} channels: not an Acme RF 1",
                where=WHERE,
                remedy="Check address and profile of the station file.",
            )
        self._known = True
        return Identity(
            map_id=number,
            map_version=(1, 0),
            simulated=KINDS[kind],
            model="Acme RF 1",
            serial=serial.rstrip(b"\0").decode("ascii", "replace"),
            firmware="not told",
            channels=1,
            rated_power_w=float(rated_w),
            reply_ms=reply_ms,
            sample_period_ms=sample_ms,
            pad_monitored=False,
            traits=(ChannelTraits(temperature_resolution_k=0.1, temperature_noise_k=math.nan),),
            capabilities=frozenset({Capability.THERMAL, Capability.STIMULATION_V}),
        )

    async def read(self):
        if not self._known:
            raise DeviceError("not identified yet", where=WHERE, remedy="Identify the generator before reading.")
        data = registers_in(await self._link.transact(STATUS_REQUEST, Intent.READ, unit=UNIT))
        (samples, uptime_ms, owner, lease_ms, flags, tip, ohm, volts, milliamps, watts, challenge, mode, amplitude,
         width_us, rate_hz, on_ds, faults) = STATUS.unpack(data)  # fmt: skip
        channel = ChannelReading(
            temperature_c=math.nan if tip == INVALID else tip / 10,
            cold_junction_c=math.nan,
            voltage_v_rms=volts / 10,
            current_ma_rms=float(milliamps),
            rf_band_current_ma_rms=math.nan,
            power_w=watts / 100,
            impedance_ohm=math.nan if ohm == 0xFFFF else float(ohm),
            impedance_fresh=True,
            thermocouple_open=tip == INVALID,
            rf_on=bool(flags & 1),
            stimulating=bool(flags & 2),
            electrode_present=True,
            mode=MODES.get(mode, Mode.NONE),
            stimulation_width_us=width_us,
            stimulation_rate_hz=float(rate_hz),
            stimulation_amplitude=amplitude / 100,
            electrode_id=0,
            fault_bits=faults,
            rf_on_ms=100 * on_ds,
            arm_token=challenge,
        )
        return Reading(self._link.received_ns, uptime_ms, samples, owner, lease_ms, 0, 0, math.nan, (channel,))

    async def claim(self, session):
        await self._set({"owner": session})
        self._key = None

    async def release(self):
        await self._set({"owner": 0})

    async def clear_faults(self):
        await self._write("fault_clear", 1, Intent.CONFIG)

    async def renew(self):
        if self._key is None:
            (self._key,) = struct.unpack(">H", await self._read(202, 1))
        key, self._key = next_key(self._key), None
        await self._write("lease_renew", key, Intent.RENEW)
        self._key = key

    async def configure_lesion(self, channel, settings):
        self._require(channel)
        raw = {
            name: _raw(name, getattr(settings, name))
            for name in ("set_temperature_c", "ramp_c_per_s", "max_on_s", "power_limit_w")
        }
        await self._set({"mode": 1})
        await self._set(raw)

    async def configure_set_point(self, channel, settings):
        raise _cannot(f"a lesion by {settings.set_point} set point on channel {channel}")

    async def set_voltage(self, channel, voltage_v_rms):
        raise _cannot(f"{voltage_v_rms} V on channel {channel}")

    async def set_power(self, channel, power_w):
        raise _cannot(f"{power_w} W on channel {channel}")

    async def lower_power_limit(self, channel, power_limit_w):
        self._require(channel)
        await self._set({"power_limit_w": _raw("power_limit_w", power_limit_w)})

    async def arm(self, channel):
        self._require(channel)
        await self._write("command", 1, Intent.ENERGISE)
        challenge = (await self.read()).channels[0].arm_token
        if not challenge:
            raise DeviceError("armed, and no challenge", where=WHERE, remedy="Send off, then arm anew.")
        return challenge

    async def fire(self, channel, token):
        self._require(channel)
        await self._write("fire", answer_to(token), Intent.ENERGISE)

    async def channel_off(self, channel):
        raise _cannot(f"channel {channel} off alone")

    async def configure_stimulation(self, channel, settings):
        self._require(channel)
        if settings.unit != "V":
            raise _cannot(f"stimulation in {settings.unit}")
        raw = {
            "stimulation_rate_hz": _raw("stimulation_rate_hz", settings.rate_hz),
            "stimulation_width_us": _raw("stimulation_width_us", settings.width_us),
            "stimulation_limit": _raw("stimulation_limit", settings.amplitude_limit),
        }
        await self._set({"mode": 2})
        await self._set(raw)

    async def start_stimulation(self, channel):
        self._require(channel)
        await self._write("command", 2, Intent.ENERGISE)

    async def set_amplitude(self, channel, amplitude):
        self._require(channel)
        raw = _raw("stimulation_amplitude", amplitude)
        await self._write("stimulation_amplitude", raw, Intent.ENERGISE)
        await self._compare("stimulation_amplitude", raw)

    def _require(self, channel):
        if channel != CHANNEL:
            raise _cannot(f"channel {channel}")

    async def _set(self, values):
        for quantity, raw in values.items():
            await self._write(quantity, raw, Intent.CONFIG)
            await self._compare(quantity, raw)

    async def _write(self, quantity, raw, intent):
        try:
            await self._link.transact(write(WRITABLES[quantity].address, struct.pack(">H", raw)), intent, unit=UNIT)
        except ModbusRefused as refused:
            raise DeviceRefused(
                f"{quantity} = {raw}: {refused.what}", where=WHERE, remedy="Nothing was changed by it."
            ) from refused

    async def _compare(self, quantity, raw):
        (held,) = struct.unpack(">H", await self._read(WRITABLES[quantity].address, 1))
        if held != raw:
            raise ReadBackMismatch(f"{quantity}: wrote {raw}, read back {held}", where=WHERE, remedy="Do not energise.")

    async def _read(self, address, count):
        return registers_in(await self._link.transact(read_holding(address, count), Intent.READ, unit=UNIT))


def _raw(quantity, value):
    """The number for the register; a bound that lies between two steps becomes the lower one."""
    steps = value / WRITABLES[quantity].scale
    if not 0 <= steps <= 0xFFFF:  # false for not-a-number, too
        raise DeviceError(f"{quantity} = {value:g} fits no register", where=WHERE, remedy="Write a value that fits.")
    return math.floor(steps + 1e-6)


def _cannot(what):
    return DeviceError(f"an Acme RF 1 has no {what}", where=WHERE, remedy="Plan what the machine can do.")
