"""One Modbus unit: reads and writes of registers, judged by the map and carried out by the generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from rfctl_sim import answers, registers
from rfctl_sim.conventions import Reason, Refusal, Write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.generator import Generator

# What a wrong map carries instead of the reference map's own id: "XXXX".
WRONG_MAP_ID = 0x58585858


class Unit:
    """The registers of a generator. Every access first brings the generator to the instant it arrives at.

    A refused access raises Refusal and leaves its reason in the register *last refusal*.
    """

    def __init__(self, generator: Generator, effects: WireEffects) -> None:
        self._generator = generator
        self._effects = effects
        channels = len(generator.channels)
        self._inputs = registers.input_span(channels)
        self._holdings = registers.holding_span(channels)

    def read_input(self, now_ns: int, address: int, count: int) -> bytes:
        """Input registers, big-endian."""
        self._generator.advance_to(now_ns)
        if not self._inputs.whole(address, count):
            self.refuse(Reason.NO_SUCH_ADDRESS)
        if address >= registers.STATUS_ADDRESS:
            start = (address - registers.STATUS_ADDRESS) * 2
            return self._status(now_ns)[start : start + count * 2]
        image = answers.identity(self._generator, WRONG_MAP_ID if self._effects.wrong_map_id else answers.MAP_ID)
        if address + count > registers.STATUS_ADDRESS:
            image += self._status(now_ns)
        return image[address * 2 : (address + count) * 2]

    def read_holding(self, now_ns: int, address: int, count: int) -> bytes:
        """Holding registers, big-endian."""
        self._generator.advance_to(now_ns)
        if not self._holdings.whole(address, count):
            self.refuse(Reason.NO_SUCH_ADDRESS)
        return answers.control(self._generator, self._holdings.values(address, count))

    def write(self, now_ns: int, address: int, words: Sequence[int], connection: int) -> None:
        """Write holding registers. An *all off* among them is done whatever becomes of the others."""
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
        if any(write.name == self._effects.refused_register for write in writes):
            self.refuse(Reason.FAULT_PRESENT)
        try:
            self._generator.firmware.write(writes, now_ns, connection)
        except Refusal as refusal:
            self.refuse(refusal.reason)

    def refuse(self, reason: Reason) -> NoReturn:
        """Refuse a request, and remember why."""
        self._generator.firmware.control.last_refusal = int(reason)
        raise Refusal(reason)

    def _status(self, now_ns: int) -> bytes:
        if self._effects.frozen_status is not None:
            return self._effects.frozen_status
        return answers.status(self._generator, now_ns)
