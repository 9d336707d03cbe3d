"""A simulated Acme RF 1, from the service manual: registers, lease, arming, output."""

import asyncio
import struct

HEADER = struct.Struct(">HHHB")
SAMPLE_NS = 20_000_000
LEASE_NS = 400_000_000
ARMED_NS = 5_000_000_000
RATED_W = 40
# address: lowest and highest value accepted
RANGES = {
    206: (420, 900),
    207: (1, 50),
    208: (10, 7200),
    209: (1, 100 * RATED_W),
    210: (2, 200),
    211: (50, 2000),
    212: (0, 1000),
}
LESION, PULSES = (206, 207, 208, 209), (210, 211, 212)


class Refused(Exception):
    """Modbus exception 4."""


class AcmeMachine:
    def __init__(self, clock):
        self.clock = clock
        self.begun_ns = clock.monotonic_ns()
        self.held = {}
        self.owner = self.owner_connection = None
        self.key = 0x1234
        self.lease_until_ns = self.armed_until_ns = 0
        self.challenge, self.last_challenge = 0, 0x5A00
        self.rf_since_ns = None
        self.stimulating = self.open_tip = self.fault = False
        self.address = ""

    @classmethod
    async def start(cls, clock):
        machine = cls(clock)
        machine.writers = []
        machine.server = await asyncio.start_server(machine.serve, "127.0.0.1", 0)
        host, port = machine.server.sockets[0].getsockname()
        machine.address = f"tcp:{host}:{port}"
        return machine

    async def close(self):
        self.server.close()
        for writer in self.writers:
            writer.close()
        await asyncio.sleep(0.001)

    # The contract's questions.

    def delivering(self):
        self.tick()
        return self.rf_since_ns is not None or self.stimulating

    def open_thermocouple(self, channel):
        self.open_tip = channel == 1

    # The machine.

    def now(self):
        return self.clock.monotonic_ns()

    def tick(self):
        now = self.now()
        if self.lease_until_ns and now >= self.lease_until_ns:
            self.lease_until_ns = 0
            self.fault = self.fault or self.rf_since_ns is not None or self.stimulating
            self.off()
        if self.armed_until_ns and now >= self.armed_until_ns:
            self.armed_until_ns = self.challenge = 0
        if self.rf_since_ns is not None and now - self.rf_since_ns >= self.held[208] * 100_000_000:
            self.off()

    def off(self):
        self.rf_since_ns, self.stimulating = None, False
        self.armed_until_ns = self.challenge = 0
        for address in (*LESION, 213):
            self.held.pop(address, None)

    def identity(self):
        return struct.pack(">HHHHHH8s", 0xACE1, 2, 1, RATED_W, 5, SAMPLE_NS // 1_000_000, b"A-0007")

    def status(self):
        now = self.now()
        on = self.rf_since_ns is not None
        lease_ms = max(0, self.lease_until_ns - now) // 1_000_000
        tip = -32768 if self.open_tip else 370
        return struct.pack(
            ">IIHHHhHHHHHHHHHHH",
            (now - self.begun_ns) // SAMPLE_NS,
            (now - self.begun_ns) // 1_000_000,
            self.owner or 0,
            lease_ms,
            on | self.stimulating << 1,
            tip,
            200,
            200 * on,
            100 * on,
            200 * on,
            self.challenge,
            self.held.get(205, 0),
            self.held.get(213, 0) if self.stimulating else 0,
            self.held.get(211, 0),
            self.held.get(210, 0),
            (now - self.rf_since_ns) // 100_000_000 if on else 0,
            int(self.fault),
        )

    def read(self, address, count):
        image = {0: self.identity, 100: self.status}.get(address)
        if image is not None:
            return image()[: 2 * count]
        special = {201: self.owner or 0, 202: self.key}
        return b"".join(
            struct.pack(">H", special.get(at, self.held.get(at, 0))) for at in range(address, address + count)
        )

    def write(self, address, value, connection):
        if address == 200:
            self.off()
            return
        if address == 203 and value == 0:
            self.off()
            return
        if address == 201:
            if self.lease_until_ns and connection is not self.owner_connection:
                raise Refused
            self.off()
            self.lease_until_ns = 0
            self.owner, self.owner_connection = (value, connection) if value else (None, None)
            return
        if self.owner is None or connection is not self.owner_connection:
            raise Refused
        on = self.rf_since_ns is not None
        if address == 202:
            if value != (5 * self.key + 1) & 0xFFFF:
                raise Refused
            self.key, self.lease_until_ns = value, self.now() + LEASE_NS
        elif address == 203:
            self.command(value)
        elif address == 204:
            good = self.challenge and value == (((self.challenge << 3 | self.challenge >> 13) & 0xFFFF) ^ 0x0F0F)
            self.armed_until_ns = self.challenge = 0
            if not good or not self.lease_until_ns:
                raise Refused
            self.rf_since_ns = self.now()
        elif address == 205 and value in {0, 1, 2} and not on and not self.stimulating:
            self.off()
            self.held[205] = value
        elif address in RANGES:
            low, high = RANGES[address]
            falling = address == 209 and value <= self.held.get(209, 0)
            if not low <= value <= high or (on and not falling) or (address in PULSES and self.stimulating):
                raise Refused
            self.held[address] = value
        elif address == 213 and self.stimulating and value <= self.held[212]:
            self.held[213] = value
        elif address == 214 and not on:
            self.fault = False
        else:
            raise Refused

    def command(self, value):
        mode, needed = {1: (1, LESION), 2: (2, PULSES)}.get(value, (None, ()))
        ready = mode is not None and self.held.get(205) == mode and all(at in self.held for at in needed)
        if not ready or not self.lease_until_ns or self.fault or self.delivering():
            raise Refused
        if value == 2:
            self.stimulating = True
            self.held[213] = 0
        else:
            self.last_challenge = self.challenge = self.last_challenge + 0x0101
            self.armed_until_ns = self.now() + ARMED_NS

    def answer(self, pdu, connection):
        self.tick()
        function, address, value = struct.unpack_from(">BHH", pdu)
        if function == 3:
            data = self.read(address, value)
            return struct.pack(">BB", 3, len(data)) + data
        if function != 6:
            return bytes((function | 0x80, 1))
        try:
            self.write(address, value, connection)
        except Refused:
            return bytes((function | 0x80, 4))
        return pdu

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while True:
                number, _, length, unit = HEADER.unpack(await reader.readexactly(HEADER.size))
                reply = self.answer(await reader.readexactly(length - 1), writer)
                writer.write(HEADER.pack(number, 0, len(reply) + 1, unit) + reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
