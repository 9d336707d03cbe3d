"""Between a driver and its link: writes down what the driver asks, and can answer in the generator's place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl.model.permit import Intent

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.link.link import Link


@dataclass(slots=True)
class Exchange:
    """One request of the driver.

    Attributes:
        pdu: The request.
        intent: What the driver said that it does.
        unit: Where it went.
        reply: What came back; None when nothing was accepted.
    """

    pdu: bytes
    intent: Intent
    unit: int
    reply: bytes | None = None


class Recorder:
    """Looks like the link to a driver (rfctl.link.link.Transactions).

    Attributes:
        exchanges: Every request since ``begin``.
        fail: Given the number of a request since ``begin``: raise this instead of sending it, or None.
        substitute: Given the number and the request: what is sent in its place.
        frozen: Every read is answered as the first one of its kind was.
    """

    exchanges: list[Exchange]
    fail: Callable[[int], Exception | None] | None
    substitute: Callable[[int, bytes], bytes] | None
    frozen: bool

    def __init__(self, link: Link) -> None:
        self.link = link
        self._kept: dict[bytes, bytes] = {}
        self.begin()

    def begin(self) -> None:
        """Forget what was asked, and disturb nothing any more."""
        self.exchanges = []
        self.fail = self.substitute = None
        self.frozen = False
        self._kept.clear()

    @property
    def address(self) -> str:
        """As the link's."""
        return self.link.address

    @property
    def received_ns(self) -> int:
        """As the link's."""
        return self.link.received_ns

    @property
    def writes(self) -> list[Exchange]:
        """The requests that were no reads."""
        return [exchange for exchange in self.exchanges if exchange.intent is not Intent.READ]

    async def transact(self, pdu: bytes, intent: Intent, *, unit: int) -> bytes:
        """As the link's."""
        number = len(self.exchanges)
        if self.substitute is not None:
            pdu = self.substitute(number, pdu)
        exchange = Exchange(pdu, intent, unit)
        self.exchanges.append(exchange)
        problem = self.fail(number) if self.fail is not None else None
        if problem is not None:
            raise problem
        if self.frozen and pdu in self._kept:
            exchange.reply = self._kept[pdu]
            return exchange.reply
        exchange.reply = await self.link.transact(pdu, intent, unit=unit)
        if intent is Intent.READ:
            self._kept.setdefault(pdu, exchange.reply)
        return exchange.reply
