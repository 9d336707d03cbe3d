"""The frames of a relay board with timed contacts, on Modbus RTU: a contact that falls open unless it is asked again.

Pure: bytes in, bytes out, no asyncio, so that a process of its own can hold the interlock relay. The only write is the
timed one ("flash on"). A latching write would leave the contact closed when its writer dies, a toggling one does the
opposite of what is meant when it is sent twice. Source: docs/relay.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rfctl.clock import NS_PER_MS
from rfctl.errors import BadReply, ConfigError, DeviceRefused, LinkError, LinkTimeout

READ_INPUTS = 0x02
WRITE_COIL = 0x05
REFUSED = 0x80
FLASH_ON = 0x0200  # added to the relay's number; the value is the time in tenths of a second

TENTH_NS = 100 * NS_PER_MS
MOST_TENTHS = 5  # a contact that stays closed for longer on its own is no dead-man contact (limits: 500 ms)
MOST_RELAYS = 32
UNITS = range(1, 248)

CHECK_SUM = 2
ECHO_BYTES = 8
INPUT_BYTES = 6
REFUSAL_BYTES = 5
NOISE_BYTES = 256  # of something else than the reply, until the line counts as babbling

EXCEPTIONS = {1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure"}


class Contact(NamedTuple):
    """One relay, and the input of the same board that sees its contact.

    Attributes:
        unit: Of the board, 1 to 247.
        relay: Number on the wire, from 0; boards print it from 1.
        input: Number on the wire, from 0, of the discrete input that a second contact of this relay is wired to.
        closed_reads: What the input reads while the contact is closed.
    """

    unit: int = 1
    relay: int = 0
    input: int = 0
    closed_reads: bool = True

    def check(self) -> None:
        """Refuse numbers that a board does not have.

        Raises:
            ConfigError: The first of them.
        """
        for name, value, valid in (
            ("unit", self.unit, UNITS),
            ("relay", self.relay, range(MOST_RELAYS)),
            ("input", self.input, range(MOST_RELAYS)),
        ):
            if value not in valid:
                raise ConfigError(f"{name} = {value}", where="relay", remedy=f"Valid: {valid[0]} to {valid[-1]}.")


@lru_cache(maxsize=4)
def flash_on(contact: Contact, tenths: int) -> bytes:
    """Close a contact for a time.

    Args:
        contact: Which.
        tenths: How long, tenths of a second, 1 to MOST_TENTHS.

    Raises:
        ConfigError: No such contact, or a time that is too long for a dead-man contact.
    """
    contact.check()
    if not 1 <= tenths <= MOST_TENTHS:
        raise ConfigError(
            f"a contact closed for {tenths * 100} ms by one frame",
            where="relay",
            remedy=f"Valid: 100 to {MOST_TENTHS * 100} ms.",
        )
    return _framed(bytes((contact.unit, WRITE_COIL)) + _word(FLASH_ON + contact.relay) + _word(tenths))


@lru_cache(maxsize=4)
def read_contact(contact: Contact) -> bytes:
    """Ask for the contact itself, by its input. What the board says of its coil is not the contact."""
    contact.check()
    return _framed(bytes((contact.unit, READ_INPUTS)) + _word(contact.input) + _word(1))


def reply_to(request: bytes, received: bytes) -> bytes | None:
    """The reply to a request, wherever in the bytes received since then it begins; None while it is not there.

    Raises:
        DeviceRefused: The board refused the request.
        BadReply: A sound frame that echoes something else, or nothing but noise.
    """
    unit, function = request[0], request[1]
    if received == request and function == WRITE_COIL:
        return received  # the echo, with the check sum that was sent
    length = _length_of_reply(request)
    for at in range(len(received)):
        if received[at] != unit:
            continue
        refusal = received[at : at + REFUSAL_BYTES]
        if refusal[1:2] == bytes((function | REFUSED,)) and len(refusal) == REFUSAL_BYTES and _sound(refusal):
            code = refusal[2]
            raise DeviceRefused(
                f"the relay board refused {request.hex()}: exception {code:02d}, {EXCEPTIONS.get(code, 'unknown')}",
                remedy="Check that this board has timed contacts (flash on) and that input.",
            )
        reply = received[at : at + length]
        if reply[1:2] != bytes((function,)) or len(reply) < length or not _sound(reply):
            continue
        if function == WRITE_COIL and reply != request:
            raise BadReply(f"the relay board answered {reply.hex()} to {request.hex()}: not its echo")
        if function == READ_INPUTS and reply[2] != 1:
            continue
        return reply
    if len(received) > NOISE_BYTES:
        raise BadReply(
            f"{len(received)} bytes without a reply to {request.hex()}",
            remedy="Check baud rate, parity and the line's termination.",
        )
    return None


def closed(contact: Contact, reply: bytes) -> bool:
    """What an accepted reply to ``read_contact`` says of the contact."""
    return bool(reply[3] & 1) == contact.closed_reads


def no_reply(request: bytes, received: bytes) -> LinkError:
    """Why a request whose deadline has passed has no reply, by what came in its place.

    Args:
        request: What was asked.
        received: Everything since then.
    """
    if not received:
        return LinkTimeout(
            f"the relay board does not answer {request.hex()}", remedy="Check its supply, unit number and the line."
        )
    shown = received[:ECHO_BYTES].hex()
    if received[0] != request[0]:
        return BadReply(f"{shown} in place of a reply of unit {request[0]}", remedy="Check the unit number.")
    if len(received) < _length_of_reply(request):
        return BadReply(f"the reply to {request.hex()} is cut short: {shown}", remedy="Check cable and termination.")
    if received[1] & ~REFUSED != request[1]:
        return BadReply(f"function {received[1]:02x} in the reply to {request.hex()}: {shown}")
    return BadReply(
        f"wrong check sum or count in the reply to {request.hex()}: {shown}", remedy="Check baud and cable."
    )


def check_sum(data: bytes) -> int:
    """CRC-16 of Modbus: polynomial A001 reflected, from FFFF."""
    crc = 0xFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def _length_of_reply(request: bytes) -> int:
    return ECHO_BYTES if request[1] == WRITE_COIL else INPUT_BYTES


def _word(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _framed(body: bytes) -> bytes:
    return body + check_sum(body).to_bytes(CHECK_SUM, "little")


def _sound(frame: bytes) -> bool:
    return check_sum(frame) == 0  # of a frame with its own check sum behind it
