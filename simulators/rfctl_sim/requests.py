"""Modbus requests and what the units on one wire answer to them, the same over every wire, on pymodbus's PDU codecs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
)
from pymodbus.pdu.exceptionresponse import ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

from rfctl_sim.conventions import ExceptionCode, Reason, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rfctl.clock import Clock
    from rfctl_sim.fault_effects import WireEffects

READ_COILS, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_SINGLE, WRITE_MULTIPLE = 1, 3, 4, 5, 6, 16
REQUESTS: dict[int, type[ModbusPDU]] = {
    READ_COILS: ReadCoilsRequest,
    READ_HOLDING: ReadHoldingRegistersRequest,
    READ_INPUT: ReadInputRegistersRequest,
    WRITE_COIL: WriteSingleCoilRequest,
    WRITE_SINGLE: WriteSingleRegisterRequest,
    WRITE_MULTIPLE: WriteMultipleRegistersRequest,
}
"""pymodbus's decoders, taken directly: its dispatcher writes each request out for a log that is off."""
READS = frozenset({READ_COILS, READ_HOLDING, READ_INPUT})
FIXED_PDU_BYTES = 5  # of every request but the last: function, address, count or value
WRITE_MULTIPLE_HEAD_BYTES = 6
COIL_VALUES = (b"\xff\x00", b"\x00\x00")


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


class _ReadyBytes:
    """The content of a read as bytes already: pymodbus's own encoders pack registers and bits one by one."""

    data = b""

    def encode(self) -> bytes:
        return bytes((len(self.data),)) + self.data


class Coils(_ReadyBytes, ReadCoilsResponse):
    """Answer to function 01."""


class InputRegisters(_ReadyBytes, ReadInputRegistersResponse):
    """Answer to function 04."""


class HoldingRegisters(_ReadyBytes, ReadHoldingRegistersResponse):
    """Answer to function 03."""


ANSWERS: dict[int, type[Coils | InputRegisters | HoldingRegisters]] = {
    READ_COILS: Coils,
    READ_HOLDING: HoldingRegisters,
    READ_INPUT: InputRegisters,
}


class Requests:
    """Obeys requests in the name of the units on one wire, by their identifiers."""

    def __init__(self, units: Mapping[int, Unit], clock: Clock) -> None:
        self._units = units
        self._clock = clock

    def answer(self, number: int, unit: int, pdu: bytes) -> ModbusPDU | None:
        """What a unit answers to a request of a connection; None where silence does."""
        now_ns = self._clock.monotonic_ns()
        served = self._units.get(unit)
        if served is None or served.effects.silent(now_ns):
            return None
        function = pdu[0]
        try:
            reply = _obey(served, now_ns, number, function, pdu)
        except Refusal as refusal:
            reply = ExceptionResponse(function, refusal.code)
        reply.dev_id = unit
        return reply

    def connection_lost(self, number: int) -> None:
        """A client is gone."""
        now_ns = self._clock.monotonic_ns()
        for unit in self._units.values():
            unit.connection_lost(now_ns, number)


def _obey(unit: Unit, now_ns: int, number: int, function: int, pdu: bytes) -> ModbusPDU:
    if function not in unit.functions:
        return ExceptionResponse(function & 0x7F, ExceptionCode.ILLEGAL_FUNCTION)
    if not _well_formed(unit, function, pdu):
        unit.refuse(Reason.OUT_OF_RANGE)
    request = REQUESTS[function]()
    request.decode(pdu[1:])
    address = request.address
    if function in READS:
        answer = ANSWERS[function]()
        answer.data = unit.read(now_ns, function, address, request.count, number)
        return answer
    if function == WRITE_COIL:
        unit.write_coil(now_ns, address, on=request.bits[0], connection=number)
        return WriteSingleCoilResponse(address=address, bits=request.bits)
    words = cast("list[int]", request.registers)
    unit.write(now_ns, address, words, number)
    if function == WRITE_SINGLE:
        return WriteSingleRegisterResponse(address=address, registers=words)
    return WriteMultipleRegistersResponse(address=address, count=len(words))


def _well_formed(unit: Unit, function: int, pdu: bytes) -> bool:
    """Length and count agree, which pymodbus's decoder does not look at."""
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
