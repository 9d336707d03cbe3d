"""Modbus RTU requests in a stream of bytes: where the next whole one lies, on pymodbus's check sum."""

from __future__ import annotations

from pymodbus.framer import FramerRTU

from rfctl_sim.requests import READ_COILS, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_MULTIPLE, WRITE_SINGLE

FIXED_LENGTH = frozenset({READ_COILS, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_SINGLE})
FIXED_BYTES = 8  # of a frame of these
WRITE_MULTIPLE_BYTES = 9  # of a frame of function 16 around its registers
COUNT_AT = 6  # where that says how many bytes of registers follow
LONGEST_BYTES = 256
CHECK_SUM = 2


def first_request(received: bytes) -> slice | None:
    """Where the first whole request lies; what is before it is noise."""
    for at in range(len(received)):
        length = _length(received[at : at + COUNT_AT + 1])
        if length and at + length <= len(received) and _sound(received[at : at + length]):
            return slice(at, at + length)
    return None


def at_silence(received: bytes) -> bytes | None:
    """What a silence makes of bytes that are no known request: a frame with an unknown function, or None."""
    frame = received[-LONGEST_BYTES:]
    return frame if len(frame) > 1 + CHECK_SUM and _sound(frame) else None


def _length(head: bytes) -> int:
    """Length of the frame that begins so; 0 when it does not say, or not yet."""
    if len(head) <= COUNT_AT:
        return 0
    if head[1] in FIXED_LENGTH:
        return FIXED_BYTES
    return WRITE_MULTIPLE_BYTES + head[COUNT_AT] if head[1] == WRITE_MULTIPLE else 0


def _sound(frame: bytes) -> bool:
    """The check sum at the end is that of the rest."""
    return FramerRTU.check_CRC(frame[:-CHECK_SUM], frame[-CHECK_SUM] << 8 | frame[-1])
