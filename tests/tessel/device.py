"""A Tessel-3, as its manual (manual.txt) says and as small as can be: written without a look at any profile."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

from tests.modbus_peer import ModbusPeer, Request, frame

BODY_C = 37.0
OHM = 180.0
LEASE_S = 0.8
TICK_S = 0.02


class Refused(Exception):
    """A Modbus exception."""


@dataclass
class Slot:
    """One channel: what was set, and a tip that follows its ramp."""

    temperature_c: float = BODY_C
    rf: bool = False
    stimulating: bool = False
    since_s: float = 0.0
    question: int = 0
    replied: bool = False
    set_dc: int = 0
    slope: int = 0
    time_s: int = 0
    power: int = 0
    use: int = 0
    rate: int = 0
    width: int = 0
    ceiling: int = 0
    amplitude: int = 0

    def off(self) -> None:
        """Nothing flows any more."""
        self.rf = self.stimulating = self.replied = False
        self.question = self.amplitude = 0


class Tessel3(ModbusPeer):
    """The machine behind its socket. Time is that of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = [Slot(), Slot(), Slot()]
        self.unit = 9
        self.tenant = 0
        self.lease: int | None = None
        self.lease_until_s = 0.0
        self.trouble = 0
        self.fired = 0
        self.tick_each_request = 0  # a fault: the instant moves on between requests
        self._now_s = 0.0
        self._asked = 0
        self.answer = self._answered

    def _answered(self, request: Request) -> list[bytes]:
        self._run_until(asyncio.get_running_loop().time())
        self._asked += 1
        try:
            if request.unit != self.unit:
                return []
            return [frame(request, self._reply(request.pdu))]
        except Refused as refused:
            return [frame(request, bytes((request.pdu[0] | 0x80, refused.args[0])))]

    def _run_until(self, now_s: float) -> None:
        elapsed_s, self._now_s = now_s - self._now_s, now_s
        if now_s >= self.lease_until_s and any(slot.rf or slot.stimulating for slot in self.slots):
            self.trouble |= 1
            self._all_off()
        for slot in self.slots:
            if slot.rf:
                slot.temperature_c = min(slot.temperature_c + slot.slope / 100 * elapsed_s, slot.set_dc / 10)
                if now_s - slot.since_s > slot.time_s:
                    slot.off()
            else:
                slot.temperature_c = max(BODY_C, slot.temperature_c - 5.0 * elapsed_s)

    def _all_off(self) -> None:
        for slot in self.slots:
            slot.off()

    def _reply(self, pdu: bytes) -> bytes:
        function, address, count = struct.unpack_from(">BHH", pdu)
        if function in {3, 4}:
            if count > 40:
                raise Refused(3)
            table = self._state() if function == 4 else self._holding()
            if any(address + at not in table for at in range(count)):
                raise Refused(2)
            return struct.pack(f">BB{count}H", function, 2 * count, *(table[address + at] for at in range(count)))
        if function == 2:
            bits = self._bits()
            word = sum(bits[address + at] << at for at in range(count))
            return bytes((2, (count + 7) // 8)) + word.to_bytes((count + 7) // 8, "little")
        if function == 15:
            for at in range(count):
                self._coil(address + at, pdu[6 + at // 8] >> at % 8 & 1)
        elif function == 16:
            for at, value in enumerate(struct.unpack_from(f">{count}H", pdu, 6)):
                self._register(address + at, value)
        else:
            raise Refused(1)
        return pdu[:5]

    def _state(self) -> dict[int, int]:
        table = _words(0, struct.pack(">HHIIHHHHHH", 0x5453, 0x0300, 0, 0, 9, 3, 25, 10, 20, 0x30))
        table |= _words(2, 0x00314159.to_bytes(4, "little")) | _words(4, 0x0A0B0C0D.to_bytes(4, "little"))
        table |= _words(12, b"3.1c\0\0") | {15: 10}
        tick = int(self._now_s / TICK_S) + self.tick_each_request * self._asked
        table |= {100: tick & 0xFFFF} | _words(101, int(self._now_s * 100).to_bytes(4, "little"))
        table |= {103: self.tenant, 104: self.trouble & 0xFFFF, 105: self.trouble >> 16, 106: 0xA05C, 107: 33}
        for at, slot in enumerate(self.slots):
            power_w = 0.02 * (slot.temperature_c - BODY_C) if slot.rf else 0.0
            amps = (power_w / OHM) ** 0.5
            volts = slot.amplitude / 100 if slot.stimulating else 0.0
            base = 108 + 20 * at
            table[base] = round(100 * (slot.temperature_c + 273.15))
            for offset, value in (
                (1, OHM),
                (3, 1e3 * amps),
                (5, 1e3 * amps),
                (7, amps * OHM),
                (9, power_w),
                (11, volts),
            ):
                b, a, d, c = struct.pack(">f", value)
                table |= _words(base + offset, bytes((a, b, c, d)))
            on_ds = int(10 * (self._now_s - slot.since_s)) if slot.rf else 0
            table |= {base + 13: 0, base + 14: on_ds, base + 15: slot.question}
            table |= {base + 16: slot.set_dc, base + 17: slot.slope, base + 18: slot.time_s, base + 19: slot.power}
        return table

    def _holding(self) -> dict[int, int]:
        table = {0: 0, 1: self.tenant, 2: self.lease or 0}
        for at, slot in enumerate(self.slots):
            kept = (slot.use, slot.rate, slot.width, slot.ceiling, slot.amplitude)
            table |= {50 + 20 * at + offset: value for offset, value in enumerate((*(0,) * 6, *kept))}
        return table

    def _bits(self) -> list[bool]:
        slots = [bit for slot in self.slots for bit in (slot.rf, slot.stimulating, True, False)]
        return [*slots, self._now_s < self.lease_until_s, *(False,) * 8]

    def _coil(self, number: int, on: int) -> None:
        if number == 0:
            self._all_off()
        elif number == 30:
            self.trouble = 0
        elif number // 10 in {1, 2} and number % 10 < 3:
            slot = self.slots[number % 10]
            if not on:
                slot.off()
                return
            self._require(self._now_s < self.lease_until_s)
            if number // 10 == 1:
                self._require(
                    slot.replied and slot.use == 1 and all((slot.set_dc, slot.slope, slot.time_s, slot.power))
                )
                slot.rf, slot.since_s, slot.question = True, self._now_s, 0
                self.fired += 1
            else:
                self._require(slot.use == 2 and slot.ceiling > 0)
                slot.stimulating = True
        else:
            raise Refused(2)

    def _register(self, number: int, value: int) -> None:
        if number == 0:
            self._require(value == 0xDEAD)
            self._all_off()
        elif number == 1:
            self._all_off()
            self.tenant, self.lease, self.lease_until_s = value, None, 0.0
        elif number == 2:
            self._require(value in {0, 1} and value != self.lease)
            self.lease, self.lease_until_s = value, self._now_s + LEASE_S
        elif number >= 50 and number - 50 < 60:
            self._slot(self.slots[(number - 50) // 20], (number - 50) % 20, value)
        else:
            raise Refused(2)

    def _slot(self, slot: Slot, offset: int, value: int) -> None:
        if offset == 4:
            self._require(slot.use == 1 and self._now_s < self.lease_until_s)
            slot.question = 0x1234 + self._asked
        elif offset == 5:
            good = bool(slot.question) and value == ~(slot.question + 7) & 0xFFFF
            slot.replied = good
            self._require(good)
        elif offset == 10:
            self._require(value <= slot.ceiling and (slot.stimulating or not value))
            slot.amplitude = value
        else:
            lowered = offset == 3 and value <= slot.power
            self._require(lowered or (not slot.rf and not slot.stimulating))
            name = ("set_dc", "slope", "time_s", "power", "", "", "use", "rate", "width", "ceiling")[offset]
            setattr(slot, name, value)

    @staticmethod
    def _require(condition: bool) -> None:
        if not condition:
            raise Refused(4)


def _words(address: int, data: bytes) -> dict[int, int]:
    return {address + at: word for at, word in enumerate(struct.unpack(f">{len(data) // 2}H", data))}
