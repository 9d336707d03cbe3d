"""The shape of the reply to a Modbus request: how it starts and how long it is, known before it comes."""

from __future__ import annotations

from rfctl.link.write_table import READ_FUNCTIONS, WRITE_FUNCTIONS, data_bytes

ASK = 5  # bytes of a request to read: function, address, count
WRITE_REPLY = 5  # function, address, value or count
EXCEPTION_REPLY = 2  # function and code


def length_of_reply(request: bytes) -> int:
    """Bytes of the PDU that answers a request.

    Args:
        request: The request, from its function code. One that is malformed, and so never sent, counts as a write.
    """
    if len(request) >= ASK and request[0] in READ_FUNCTIONS:
        return 2 + data_bytes(request)
    return WRITE_REPLY


def start_of_reply(request: bytes) -> bytes:
    """What is known of the answering PDU beforehand: of a read function and byte count, of a write its whole echo."""
    if request and request[0] in READ_FUNCTIONS:
        return bytes((request[0], length_of_reply(request) - 2 & 0xFF))
    return request[:WRITE_REPLY]


def stated_length(reply: bytes) -> int:
    """Length of a replying PDU by its own account; 0 while it does not say, or for a function never asked for."""
    if len(reply) < EXCEPTION_REPLY:
        return 0
    function = reply[0]
    if function & 0x80:
        return EXCEPTION_REPLY
    if function in READ_FUNCTIONS:
        return 2 + reply[1]
    return WRITE_REPLY if function in WRITE_FUNCTIONS else 0
