"""A simulated generator without sockets: frames in, frames out, and a clock that the test moves."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from rfctl.clock import NS_PER_S
from rfctl_sim import registers
from rfctl_sim.fault_effects import WireEffects
from rfctl_sim.faults import Faults
from rfctl_sim.generator import Generator
from rfctl_sim.makes import make_of
from rfctl_sim.modbus_tcp import ModbusServer
from rfctl_sim.panel import Panel
from rfctl_sim.requests import Requests
from rfctl_sim.setups import Setup, load
from rfctl_sim.wire import WireLog

POWER_UP_NS = 7_000_000_123  # not on any grid of its own


@dataclass
class HandClock:
    """Time stands where the test puts it."""

    now_ns: int = POWER_UP_NS
    scale: str = "virtual"

    def monotonic_ns(self) -> int:
        return self.now_ns


class Refused(Exception):
    """The answer was a Modbus exception."""

    def __init__(self, code: int, reason: int) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"exception {code}, last refusal {reason}")


class Socket:
    """One connection to a machine of any make, over frames."""

    def __init__(self, bench: Bench, number: int) -> None:
        self.bench = bench
        self.number = number

    def request(self, pdu: bytes) -> bytes:
        reply = self.bench.server.answer(self.number, 1, 77, pdu)
        assert reply is not None
        if reply[7] & 0x80:
            raise Refused(reply[8], 0)
        return reply[7:]

    def read(self, function: int, address: int, count: int) -> bytes:
        body = self.request(struct.pack(">BHH", function, address, count))
        assert body[0] == function
        assert body[1] == len(body) - 2 == ((count + 7) // 8 if function == 1 else 2 * count)
        return body[2:]

    def write(self, address: int, *words: int, several: bool = False) -> None:
        if len(words) == 1 and not several:
            pdu = struct.pack(">BHH", 6, address, words[0])
            assert self.request(pdu) == pdu
        else:
            pdu = struct.pack(f">BHHB{len(words)}H", 16, address, len(words), len(words) * 2, *words)
            assert self.request(pdu) == pdu[:5]

    def coil(self, address: int, on: bool) -> None:
        pdu = struct.pack(">BHH", 5, address, 0xFF00 if on else 0)
        assert self.request(pdu) == pdu

    def close(self) -> None:
        self.bench.server.requests.connection_lost(self.number)


class Client:
    """One connection's view: the map by name, over frames."""

    def __init__(self, bench: Bench, number: int) -> None:
        self.bench = bench
        self.number = number
        self.renewals = 0

    def request(self, pdu: bytes) -> bytes:
        reply = self.bench.server.answer(self.number, 1, 77, pdu)
        assert reply is not None
        assert reply[:4] == b"\0\x4d\0\0"
        assert int.from_bytes(reply[4:6], "big") == len(reply) - 6
        body = reply[7:]
        if body[0] & 0x80:
            code = body[1]
            last = self.bench.server.answer(self.number, 1, 0, struct.pack(">BHH", 4, 38, 1))
            raise Refused(code, int.from_bytes(last[9:11], "big"))
        return body

    def read_words(self, address: int, count: int, function: int = 4) -> bytes:
        body = self.request(struct.pack(">BHH", function, address, count))
        assert body[:2] == bytes((function, count * 2))
        return body[2:]

    def write_words(self, address: int, *words: int) -> None:
        pdu = struct.pack(f">BHHB{len(words)}H", 16, address, len(words), len(words) * 2, *words)
        assert self.request(pdu) == pdu[:5]

    def write(self, name: str, value: float, channel: int = 0) -> None:
        address, register = control_place(name, channel)
        if register.type == "f32":
            self.write_words(address, *struct.unpack(">HH", struct.pack(">f", value)))
        else:
            pdu = struct.pack(">BHH", 6, address, int(value))
            assert self.request(pdu) == pdu

    def held(self, name: str, channel: int = 0) -> float:
        address, register = control_place(name, channel)
        return registers.packer([register]).unpack(self.read_words(address, register.words, 3))[0]

    def status(self, name: str, channel: int = 0) -> float:
        address, register = place(registers.STATUS, registers.CHANNEL_STATUS, 80, 27, name, channel)
        return registers.packer([register]).unpack(self.read_words(address, register.words))[0]

    def modes(self, name: str, channel: int = 1) -> float:
        """A value of pulsed and cooled modes."""
        address, register = place((), registers.MODE_STATUS, 256, 20, name, channel)
        return registers.packer([register]).unpack(self.read_words(address, register.words))[0]

    def claim(self, session: int = 7) -> None:
        self.write("owner", session)

    def renew(self) -> None:
        self.renewals += 1
        self.write("lease_renew", self.renewals & 0xFFFF)

    def set_lesion(self, channel: int = 1, *, set_temperature_c: float = 80.0, power_limit_w: float = 26.0) -> None:
        self.write("mode", 3, channel)
        self.write("set_temperature_c", set_temperature_c, channel)
        self.write("ramp_c_per_s", 4.3, channel)
        self.write("max_on_s", 200.0, channel)
        self.write("power_limit_w", power_limit_w, channel)

    def fire(self, channel: int = 1) -> None:
        self.write("command", 1, channel)
        self.write("fire", self.status("arm_token", channel), channel)

    def start_lesion(self, channel: int = 1) -> None:
        """Claim, set, arm and fire."""
        self.claim()
        self.renew()
        self.set_lesion(channel)
        self.fire(channel)

    def start_stimulation(self, channel: int = 1, *, limit: float = 3.0) -> None:
        """Claim, set and switch the stimulator on, at amplitude 0."""
        self.claim()
        self.renew()
        self.set_stimulation(channel, limit=limit)
        self.write("command", 2, channel)

    def set_stimulation(self, channel: int = 1, *, limit: float = 3.0) -> None:
        self.write("mode", 1, channel)
        self.write("stimulation_rate_dhz", 500, channel)
        self.write("stimulation_width_us", 1000, channel)
        self.write("stimulation_limit", limit, channel)

    def keep(self, seconds: float) -> None:
        """Let time pass with the lease renewed every 0.1 s."""
        for _ in range(round(seconds / 0.1)):
            self.bench.wait(0.1)
            self.renew()


def control_place(name, channel):
    if any(row.name == name for row in registers.MODE_CONTROL):
        return place((), registers.MODE_CONTROL, 120, 8, name, channel)
    return place(registers.CONTROL, registers.CHANNEL_CONTROL, 16, 24, name, channel)


def place(head, rows, address, stride, name, channel):
    register = next(row for row in (rows if channel else head) if row.name == name)
    return register.offset + (address + stride * (channel - 1) if channel else 0), register


class Bench:
    """A generator, its faces without sockets, and the clock."""

    def __init__(
        self, channels: int = 2, seed: int = 0, make: str = "rfctl-reference", setup: str | Setup = "tissue-37"
    ) -> None:
        self.clock = HandClock()
        made = make_of(make)
        around = load(setup, "poles") if isinstance(setup, str) else setup
        self.generator = Generator(channels, seed, self.clock.now_ns, around, made.conventions)
        effects = WireEffects()
        requests = Requests({1: made.unit(self.generator, effects)}, self.clock)
        self.server = ModbusServer(requests, WireLog(self.clock.now_ns), self.clock)
        self.panel = Panel(self.generator, effects)
        self.faults = Faults(self.generator, effects, self.server, self.clock, made.writable)

    def client(self, number: int = 1) -> Client:
        return Client(self, number)

    def socket(self, number: int = 1) -> Socket:
        return Socket(self, number)

    def person(self, **deed: object) -> None:
        """Somebody does something at the machine, as POST /panel has it."""
        self.generator.advance_to(self.clock.now_ns)
        self.panel.do(deed, self.clock.now_ns)

    def wait(self, seconds: float) -> None:
        self.clock.now_ns += round(seconds * NS_PER_S)

    @property
    def now_s(self) -> float:
        return (self.clock.now_ns - POWER_UP_NS) / NS_PER_S

    def truth(self, channel: int = 1) -> dict:
        self.generator.advance_to(self.clock.now_ns)
        return self.generator.truth(self.clock.now_ns)["channels"][channel - 1]

    def events(self, kind: str) -> list:
        self.generator.advance_to(self.clock.now_ns)
        return self.generator.events.of(kind)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def client(bench) -> Client:
    return bench.client()


@pytest.fixture(scope="session")
def make_bench() -> type[Bench]:
    return Bench


@pytest.fixture(scope="session")
def refused():
    """A context that expects a refusal with an exception code and a reason."""

    @contextmanager
    def expect(code: int, reason: int) -> Iterator[None]:
        with pytest.raises(Refused) as refusal:
            yield
        assert (refusal.value.code, refusal.value.reason) == (code, reason)

    return expect
