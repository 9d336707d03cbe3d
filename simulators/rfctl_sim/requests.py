"""Modbus requests and what the units on one wire answer to them, the same over every wire."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NoReturn, Protocol

from rfctl_sim.conventions import ExceptionCode, Reason, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rfctl.clock import Clock
    from rfctl_sim.fault_effects import WireEffects

READ_COILS, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_SINGLE, WRITE_MULTIPLE = 1, 3, 4, 5, 6, 16
READS = frozenset({READ_COILS, READ_HOLDING, READ_INPUT})
FIXED_PDU_BYTES = 5  # of every request but the last: function, address, count or value; a write's answer is as long
WRITE_MULTIPLE_HEAD_BYTES = 6
COIL_ON = b"\xff\x00"
COIL_VALUES = (COIL_ON, b"\x00\x00")


class Unit(Protocol):
    """The registers of one machine. Every access first brings the machine to the instant it arrives at.

    A refused access raises Refusal.

    Attributes:
        effects: The faults in force on what a client sees.
        functions: Those it knows.
        most_read: Registers or coils in one request.
        most_written: The same of a write.
    """

    effects: WireEffects
    functions: frozenset[int]
    most_read: int
    most_written: int

    def read(self, now_ns: int, function: int, address: int, count: int, connection: int) -> bytes:
        """Registers, big-endian, or coils, eight in a byte, the first one lowest."""
        ...

    def write(self, now_ns: int, address: int, words: Sequence[int], connection: int) -> None:
        """Write holding registers. An *all off* among them is done whatever becomes of the others."""
        ...

    def write_coil(self, now_ns: int, address: int, *, on: bool, connection: int) -> None:
        """Write one coil."""
        ...

    def refuse(self, reason: Reason) -> NoReturn:
        """Refuse a request, and remember why where the map has a place for it."""
        ...

    def connection_lost(self, now_ns: int, connection: int) -> None:
        """A client is gone."""
        ...


class Requests:
    """Obeys requests in the name of the units on one wire, by their identifiers."""

    def __init__(self, units: Mapping[int, Unit], clock: Clock) -> None:
        self._units = units
        self._clock = clock

    def answer(self, number: int, unit: int, pdu: bytes) -> bytes | None:
        """What a unit answers to a request of a connection, from its function code; None where silence does."""
        now_ns = self._clock.monotonic_ns()
        served = self._units.get(unit)
        if served is None or served.effects.deaf_at(now_ns):
            return None
        try:
            return _obey(served, now_ns, number, pdu)
        except Refusal as refusal:
            return _exception(pdu[0], refusal.code)

    def faulty(self, unit: int) -> WireEffects | None:
        """The faults that a reply of a unit has to go through; None without any."""
        effects = self._units[unit].effects
        return effects if effects.active else None

    def connection_lost(self, number: int) -> None:
        """A client is gone."""
        now_ns = self._clock.monotonic_ns()
        for unit in self._units.values():
            unit.connection_lost(now_ns, number)


def _obey(unit: Unit, now_ns: int, number: int, pdu: bytes) -> bytes:
    function = pdu[0]
    if function not in unit.functions:
        return _exception(function, ExceptionCode.ILLEGAL_FUNCTION)
    if not _well_formed(unit, function, pdu):
        unit.refuse(Reason.OUT_OF_RANGE)
    address = pdu[1] << 8 | pdu[2]
    if function in READS:
        data = unit.read(now_ns, function, address, pdu[3] << 8 | pdu[4], number)
        return bytes((function, len(data))) + data
    if function == WRITE_COIL:
        unit.write_coil(now_ns, address, on=pdu[3:5] == COIL_ON, connection=number)
    else:
        words = pdu[3:5] if function == WRITE_SINGLE else pdu[WRITE_MULTIPLE_HEAD_BYTES:]
        unit.write(now_ns, address, struct.unpack(f">{len(words) // 2}H", words), number)
    return pdu[:FIXED_PDU_BYTES]


def _exception(function: int, code: int) -> bytes:
    return bytes((function | 0x80, code))


def _well_formed(unit: Unit, function: int, pdu: bytes) -> bool:
    """Length and count agree."""
    if function != WRITE_MULTIPLE:
        if len(pdu) != FIXED_PDU_BYTES:
            return False
        if function == WRITE_COIL:
            return pdu[3:5] in COIL_VALUES
        return function == WRITE_SINGLE or 1 <= int.from_bytes(pdu[3:5], "big") <= unit.most_read
    if len(pdu) < WRITE_MULTIPLE_HEAD_BYTES:
        return False
    count = int.from_bytes(pdu[3:5], "big")
    return 1 <= count <= unit.most_written and pdu[5] == count * 2 and len(pdu) == WRITE_MULTIPLE_HEAD_BYTES + pdu[5]
