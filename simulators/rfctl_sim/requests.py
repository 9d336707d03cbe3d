"""Modbus requests and what one unit answers to them, the same over every wire, on pymodbus's PDU codecs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pymodbus.pdu import ModbusPDU
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
    from rfctl.clock import Clock
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.unit import Unit

UNIT = 1

READ_HOLDING, READ_INPUT, WRITE_SINGLE, WRITE_MULTIPLE = 3, 4, 6, 16
REQUESTS: dict[int, type[ModbusPDU]] = {
    READ_HOLDING: ReadHoldingRegistersRequest,
    READ_INPUT: ReadInputRegistersRequest,
    WRITE_SINGLE: WriteSingleRegisterRequest,
    WRITE_MULTIPLE: WriteMultipleRegistersRequest,
}
"""pymodbus's decoders, taken directly: its dispatcher writes each request out for a log that is off."""
FIXED_PDU_BYTES = 5  # of a request of the first three functions: function, address, count or value
WRITE_MULTIPLE_HEAD_BYTES = 6
MOST_READ, MOST_WRITTEN = 125, 123


class _RegisterBytes:
    """Registers of a read that are big-endian bytes already: pymodbus's own encoder packs them one by one."""

    data = b""

    def encode(self) -> bytes:
        return bytes((len(self.data),)) + self.data


class InputRegisters(_RegisterBytes, ReadInputRegistersResponse):
    """Answer to function 04."""


class HoldingRegisters(_RegisterBytes, ReadHoldingRegistersResponse):
    """Answer to function 03."""


class Requests:
    """Obeys requests in the name of one unit."""

    def __init__(self, unit: Unit, effects: WireEffects, clock: Clock) -> None:
        self._unit = unit
        self._effects = effects
        self._clock = clock

    def answer(self, number: int, unit: int, pdu: bytes) -> ModbusPDU | None:
        """What the unit answers to a request of a connection; None where silence does."""
        now_ns = self._clock.monotonic_ns()
        if unit != UNIT or now_ns < self._effects.silent_until_ns:
            return None
        function = pdu[0]
        try:
            reply = self._obey(now_ns, number, function, pdu)
        except Refusal as refusal:
            reply = ExceptionResponse(function, refusal.code)
        reply.dev_id = unit
        return reply

    def _obey(self, now_ns: int, number: int, function: int, pdu: bytes) -> ModbusPDU:
        codec = REQUESTS.get(function)
        if codec is None:
            return ExceptionResponse(function & 0x7F, ExceptionCode.ILLEGAL_FUNCTION)
        if not _well_formed(function, pdu):
            self._unit.refuse(Reason.OUT_OF_RANGE)
        request = codec()
        request.decode(pdu[1:])
        address = request.address
        if function == READ_INPUT:
            inputs = InputRegisters()
            inputs.data = self._unit.read_input(now_ns, address, request.count)
            return inputs
        if function == READ_HOLDING:
            holdings = HoldingRegisters()
            holdings.data = self._unit.read_holding(now_ns, address, request.count)
            return holdings
        words = cast("list[int]", request.registers)
        self._unit.write(now_ns, address, words, number)
        if function == WRITE_SINGLE:
            return WriteSingleRegisterResponse(address=address, registers=words)
        return WriteMultipleRegistersResponse(address=address, count=len(words))


def _well_formed(function: int, pdu: bytes) -> bool:
    """Length and count agree, which pymodbus's decoder does not look at."""
    if function != WRITE_MULTIPLE:
        count = int.from_bytes(pdu[3:5], "big")
        return len(pdu) == FIXED_PDU_BYTES and (function == WRITE_SINGLE or 1 <= count <= MOST_READ)
    if len(pdu) < WRITE_MULTIPLE_HEAD_BYTES:
        return False
    count = int.from_bytes(pdu[3:5], "big")
    return 1 <= count <= MOST_WRITTEN and pdu[5] == count * 2 and len(pdu) == WRITE_MULTIPLE_HEAD_BYTES + pdu[5]
