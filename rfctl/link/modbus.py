"""Modbus: requests, the check of a reply against its request, and the framing over TCP, on pymodbus's codecs.

What stands around a PDU over TCP is seven bytes; they are read here, and a request that was made before gets
only its number anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from rfctl.errors import BadReply, DeviceRefused
from rfctl.link.framing import Frame
from rfctl.link.registers import Space
from rfctl.link.shape import length_of_reply
from rfctl.link.write_table import READ_FUNCTIONS, WRITE_FUNCTIONS, data_bytes

if TYPE_CHECKING:
    from pymodbus.pdu import ModbusPDU

NUMBER = 2  # bytes of the transaction number, with which a frame begins
HEADER = 7  # bytes before the PDU: transaction, protocol, length, unit
LENGTH_END = 6  # of the header; the length counts what follows
SHORTEST = 3  # unit, function, one byte: an exception
LONGEST = 254  # unit and the longest PDU, by the Modbus specification
KEPT_REQUESTS = 256  # a driver polls with a handful; renewals and set points pass through

EXCEPTIONS = {
    1: "function not supported",
    2: "no such address",
    3: "value not accepted",
    4: "not possible now",
    5: "accepted, takes long",
    6: "busy, or owned by somebody else",
    10: "gateway has no path",
    11: "gateway got no answer",
}


class ModbusRefused(DeviceRefused):
    """The generator answered with a Modbus exception.

    Attributes:
        code: The exception code, 1 to 255.
    """

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"refused with exception {code:02d} ({EXCEPTIONS.get(code, 'unknown')})")


def read_input(address: int, count: int) -> bytes:
    """Request to read ``count`` input registers."""
    return _request(ReadInputRegistersRequest(address=address, count=count))


def read_holding(address: int, count: int) -> bytes:
    """Request to read ``count`` holding registers."""
    return _request(ReadHoldingRegistersRequest(address=address, count=count))


def read(space: Space, address: int, count: int) -> bytes:
    """Request to read ``count`` registers, coils or discrete inputs."""
    match space:
        case Space.INPUT:
            return read_input(address, count)
        case Space.HOLDING:
            return read_holding(address, count)
        case Space.COIL:
            return _request(ReadCoilsRequest(address=address, count=count))
        case Space.DISCRETE:
            return _request(ReadDiscreteInputsRequest(address=address, count=count))


def write(address: int, data: bytes, *, several: bool = False) -> bytes:
    """Request to write holding registers: function 06 for one, 16 for several.

    Args:
        address: First register.
        data: Two bytes a register.
        several: Function 16 also for one register.
    """
    registers = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    if len(registers) == 1 and not several:
        return _request(WriteSingleRegisterRequest(address=address, registers=registers))
    return _request(WriteMultipleRegistersRequest(address=address, registers=registers))


def write_coils(address: int, data: bytes, *, several: bool = False) -> bytes:
    """Request to write coils: function 05 for one, 15 for several.

    Args:
        address: First coil.
        data: Two bytes a coil, 0 or 1, as if it were a register.
        several: Function 15 also for one coil.
    """
    bits = [data[at] != 0 for at in range(1, len(data), 2)]
    if len(bits) == 1 and not several:
        return _request(WriteSingleCoilRequest(address=address, bits=bits))
    return _request(WriteMultipleCoilsRequest(address=address, bits=bits))


def registers_in(reply: bytes) -> bytes:
    """The register bytes of a checked reply to a read of registers."""
    return reply[2:]


def bits_in(reply: bytes, count: int) -> bytes:
    """The bits of a checked reply to a read of coils or discrete inputs, each as a register that holds 0 or 1."""
    return b"".join(b"\0\1" if reply[2 + at // 8] >> at % 8 & 1 else b"\0\0" for at in range(count))


class _Asked(NamedTuple):
    """A request, how its reply and its refusal begin (all without the number), and the length of the reply's frame."""

    frame: bytes
    reply: bytes
    reply_size: int
    refusal: bytes


class TcpFraming:
    """Modbus TCP: every frame carries its transaction number, length and unit.

    TCP loses and adds nothing, but a converter, or a generator that writes from two places, may. So the reply to the
    request that was wrapped last is known by its first eight bytes (number, protocol, length, unit, function), wherever
    they stand; bytes before it are noise.
    """

    numbered = True
    gap_ns = 0
    character_ns = 0

    def __init__(self) -> None:
        self._framer = FramerSocket(DecodePDU(is_server=False))
        self._wrapped: dict[tuple[int, bytes], _Asked] = {}
        self._reply = self._refusal = b""
        self._reply_size = 0

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        asked = self._wrapped.get((unit, pdu))
        if asked is None:
            if len(self._wrapped) >= KEPT_REQUESTS:
                self._wrapped.clear()
            asked = self._wrapped[unit, pdu] = self._encoded(unit, pdu)
        frame, reply, self._reply_size, refusal = asked
        number = transaction.to_bytes(NUMBER, "big")
        self._reply = number + reply
        self._refusal = number + refusal
        return number + frame

    def _encoded(self, unit: int, pdu: bytes) -> _Asked:
        frame = self._framer.encode(pdu, unit, 0)[NUMBER:]
        length = 1 + length_of_reply(pdu)
        function = pdu[0] if pdu else 0
        return _Asked(
            frame,
            frame[:2] + bytes((0, length & 0xFF, unit, function)),  # longer than a byte says is none that can be sent
            LENGTH_END + length,
            frame[:2] + bytes((0, SHORTEST, unit, function | 0x80)),
        )

    def exchange_ns(self, pdu: bytes) -> int:
        return 0

    def cut(self, received: bytes) -> tuple[int, Frame | None]:
        """The first frame, be it the awaited reply or not; noise that stands before the reply is passed over.

        Raises:
            BadReply: No frame begins here, and the awaited reply is nowhere.
        """
        if received.startswith(self._reply) and self._reply:  # as nearly always
            at = _last_start(received, self._reply, 0, self._reply_size)
            if not at:
                return self._whole(received, self._reply_size)
            return at, None
        for beginning, length in ((self._reply, self._reply_size), (self._refusal, LENGTH_END + SHORTEST)):
            at = received.find(beginning) if beginning else -1
            if at >= 0:
                at = _last_start(received, beginning, at, length)
            if at > 0:
                size = _legal_size(received)
                return self._whole(received, size) if 0 < size <= at else (at, None)
        if len(received) <= HEADER:
            return 0, None
        size = _legal_size(received)
        if not size:
            raise BadReply(
                f"not a Modbus TCP frame: protocol {received[2] << 8 | received[3]} (0 expected), length "
                f"{received[4] << 8 | received[5]} ({SHORTEST} to {LONGEST} expected), in {received[:16].hex()}",
                remedy="Check that a Modbus TCP generator listens at this address.",
            )
        return self._whole(received, size)

    def check(self, request: bytes, reply: bytes) -> None:
        check_reply(request, reply)

    def _whole(self, received: bytes, size: int) -> tuple[int, Frame | None]:
        if len(received) < size:
            return 0, None
        return size, Frame(received[0] << 8 | received[1], received[LENGTH_END], received[HEADER:size])


def _last_start(received: bytes, beginning: bytes, at: int, size: int) -> int:
    """Where the awaited reply begins: one in which it begins again was cut short."""
    while (again := received.find(beginning, at + 1, at + size + len(beginning) - 1)) > 0:
        at = again
    return at


def _legal_size(received: bytes) -> int:
    """Bytes of the frame that begins here, by its header; 0 when none can."""
    length = received[5]  # of the two bytes of the length the first is 0, as those of the protocol are
    return LENGTH_END + length if received[2:5] == b"\0\0\0" and SHORTEST <= length <= LONGEST else 0


def check_reply(request: bytes, reply: bytes) -> None:
    """Accept a reply as the answer to its request: function, length, and the echo of what was asked.

    Raises:
        BadReply: Function, byte count, address, value or count differ.
        ModbusRefused: The reply is an exception.
    """
    function = request[0]
    if reply[0] == function | 0x80 and len(reply) == 2 and reply[1]:
        raise ModbusRefused(reply[1])
    if reply[0] != function:
        raise BadReply(f"a reply of function {reply[0]} to a request of function {function}: {reply[:16].hex()}")
    if function in READ_FUNCTIONS:
        expected = data_bytes(request)
        if len(reply) != 2 + expected or reply[1] != expected:
            raise BadReply(
                f"{request[3] << 8 | request[4]} {'registers' if function in {3, 4} else 'bits'} asked for, "
                f"count {reply[1:2].hex()} and {len(reply) - 2} bytes answered"
            )
    elif function in WRITE_FUNCTIONS:
        if reply != request[:5]:
            raise BadReply(f"the echo {reply[:16].hex()} is not of the write {request[:5].hex()}")
    else:
        raise BadReply(f"function {function} has no reply that can be checked")


def _request(message: ModbusPDU) -> bytes:
    return bytes((message.function_code,)) + message.encode()
