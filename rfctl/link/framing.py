"""What the link asks of a framing: how a request travels, how replies are cut from a stream, when one fits."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Frame(NamedTuple):
    """One reply, cut from the stream.

    Attributes:
        transaction: The number that its request travelled under. A framing without numbers on the wire fills in the
            one it wrapped last.
        unit: Unit identifier of the sender.
        pdu: The reply, from its function code.
    """

    transaction: int
    unit: int
    pdu: bytes


class Framing(Protocol):
    """A way of putting requests on a wire.

    Attributes:
        numbered: A reply says which request it answers. Where it does not, nothing that arrives after a request was
            given up can be told from the reply to the next one, until the line has fallen silent.
        gap_ns: Silence that must stand before each frame; 0 where frames need none.
        character_ns: Time that one byte takes on the wire; 0 where it does not count.
    """

    @property
    def numbered(self) -> bool: ...

    @property
    def gap_ns(self) -> int: ...

    @property
    def character_ns(self) -> int: ...

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        """The bytes that go on the wire."""
        ...

    def exchange_ns(self, pdu: bytes) -> int:
        """Time that a request, its reply and the silence between them take on the wire."""
        ...

    def cut(self, received: bytes) -> tuple[int, Frame | None]:
        """The first reply in ``received``, and how many bytes it took with all that lay before it. Without a reply, how
        many bytes of no further use lie at the start: none of them is handed in again.

        Raises:
            BadReply: The bytes cannot be the start of a reply.
        """
        ...

    def check(self, request: bytes, reply: bytes) -> None:
        """Accept a reply as the answer to its request.

        Raises:
            BadReply: It answers something else.
            DeviceRefused: It answers, with a refusal.
        """
        ...
