"""The reference generator as a Modbus unit: registers judged by the map, writes carried out by the firmware."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from rfctl_sim import answers, registers
from rfctl_sim.conventions import Reason, Refusal, Write
from rfctl_sim.requests import READ_HOLDING, READ_INPUT, WRITE_MULTIPLE, WRITE_SINGLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.generator import Generator

# What a wrong map carries instead of the reference map's own id: "XXXX".
WRONG_MAP: dict[str, object] = {"map_id": 0x58585858}


class ReferenceUnit:
    """Implements rfctl_sim.requests.Unit. A refusal leaves its reason in the register *last refusal*."""

    functions = frozenset({READ_HOLDING, READ_INPUT, WRITE_SINGLE, WRITE_MULTIPLE})
    most_read, most_written = 125, 123

    def __init__(self, generator: Generator, effects: WireEffects) -> None:
        self.effects = effects
        self._generator = generator
        self._frozen: tuple[int, bytes] = (-1, b"")
        channels = len(generator.channels)
        self._inputs = registers.input_span(channels)
        self._holdings = registers.holding_span(channels)

    def read(self, now_ns: int, function: int, address: int, count: int, connection: int) -> bytes:
        self._generator.advance_to(now_ns)
        read = self._read_input if function == READ_INPUT else self._read_holding
        return read(now_ns, address, count)

    def _read_input(self, now_ns: int, address: int, count: int) -> bytes:
        if not self._inputs.whole(address, count):
            self.refuse(Reason.NO_SUCH_ADDRESS)
        if address >= registers.MODE_STATUS_ADDRESS:
            start = (address - registers.MODE_STATUS_ADDRESS) * 2
            return answers.modes(self._generator)[start : start + count * 2]
        if address >= registers.SERVICE_ADDRESS:
            start = (address - registers.SERVICE_ADDRESS) * 2
            return answers.service(self._generator)[start : start + count * 2]
        if address >= registers.STATUS_ADDRESS:
            start = (address - registers.STATUS_ADDRESS) * 2
            return self._status(now_ns)[start : start + count * 2]
        wrong = self.effects.identity
        image = answers.identity(self._generator, wrong | WRONG_MAP if self.effects.wrong_map_id else wrong)
        if address + count > registers.STATUS_ADDRESS:
            image += self._status(now_ns)
        return image[address * 2 : (address + count) * 2]

    def _read_holding(self, now_ns: int, address: int, count: int) -> bytes:
        if not self._holdings.whole(address, count):
            self.refuse(Reason.NO_SUCH_ADDRESS)
        return answers.control(self._generator, self._holdings.values(address, count))

    def write(self, now_ns: int, address: int, words: Sequence[int], connection: int) -> None:
        self._generator.advance_to(now_ns)
        if not self._holdings.whole(address, len(words)):
            if address == registers.ALL_OFF_ADDRESS:
                self.write(now_ns, address, words[:1], connection)
            self.refuse(Reason.NO_SUCH_ADDRESS)
        writes = []
        for place in self._holdings.values(address, len(words)):
            start = place.address - address
            value = registers.decode(place.register, words[start : start + place.register.words])
            writes.append(Write(place.register.name, place.channel, value))
        if any(write.name == self.effects.refused_register for write in writes):
            self.refuse(Reason.FAULT_PRESENT)
        try:
            self._generator.firmware.write(writes, now_ns, connection)
        except Refusal as refusal:
            self.refuse(refusal.reason)

    def write_coil(self, now_ns: int, address: int, *, on: bool, connection: int) -> None:
        self.refuse(Reason.NO_SUCH_ADDRESS)

    def connection_lost(self, now_ns: int, connection: int) -> None:
        self._generator.advance_to(now_ns)
        self._generator.firmware.connection_lost(connection, now_ns)

    def refuse(self, reason: Reason) -> NoReturn:
        self._generator.firmware.control.last_refusal = int(reason)
        raise Refusal(reason)

    def _status(self, now_ns: int) -> bytes:
        frozen_ns = self.effects.frozen_ns
        if frozen_ns is None:
            return answers.status(self._generator, now_ns)
        if self._frozen[0] != frozen_ns:
            self._frozen = (frozen_ns, answers.status(self._generator, now_ns))
        return self._frozen[1]
