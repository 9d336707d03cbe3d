"""The other units on a generator's line: asked in the time that the generator leaves, and never at its cost.

There is one caller on a line, the poll loop. After each cycle it hands the time until the next one to ``spend``, which
asks the units that are due, one after the other, as far as they fit. A unit fits when the time of its request and reply
on the wire and its stated time to answer are over before the generator is due; and when it does not answer even so, it
is given up at that moment. What it then answers late bears its own name and disturbs nobody.

A unit that timed out is asked again after 1 s, then 2 s, 4 s, 8 s, and from then on every 8 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import BadReply, DeviceRefused, LinkError, LinkTimeout
from rfctl.model.permit import Intent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rfctl.clock import Clock
    from rfctl.link.link import Link

ALLOWANCE_NS = 20 * NS_PER_MS
"""Added to a unit's stated time to answer, as for the generator."""
FIRST_BACK_OFF_NS = NS_PER_S
LONGEST_BACK_OFF_NS = 8 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A unit that is only read.

    Attributes:
        name: For the record.
        unit: Its unit identifier.
        request: What it is asked, from the function code; a read.
        reply_ns: Longest time that it takes to answer, by its maker.
        every_ns: How often it is asked.
    """

    name: str
    unit: int
    request: bytes
    reply_ns: int
    every_ns: int


class Heard(NamedTuple):
    """What came of asking a neighbour.

    Attributes:
        neighbour: Who was asked.
        at_ns: The station's monotonic clock.
        reply: The checked reply, from its function code; empty when there was none.
        problem: Why there was none, in words; empty when there was one.
        failures: How often in a row it has not answered.
    """

    neighbour: Neighbour
    at_ns: int
    reply: bytes
    problem: str
    failures: int


class Bus:
    """Asks the neighbours on one line; survives the link, which may be replaced."""

    def __init__(self, neighbours: Sequence[Neighbour], clock: Clock, heard: Callable[[Heard], None]) -> None:
        """Ask nothing yet.

        Args:
            neighbours: Who is on the line beside the generator.
            clock: The station's.
            heard: Told of each outcome; must not wait.
        """
        self._clock = clock
        self._heard = heard
        self._due_ns = dict.fromkeys(neighbours, clock.monotonic_ns())
        self._failures = dict.fromkeys(neighbours, 0)

    async def spend(self, link: Link, until_ns: int) -> None:
        """Ask those who are due and fit, the longest waiting first. Returns at ``until_ns`` at the latest.

        Args:
            link: The line; nobody else asks anything meanwhile.
            until_ns: When the generator is due, on the station's monotonic clock.
        """
        while not link.closed and (neighbour := self._next(link, until_ns)) is not None:
            problem, reply = "", b""
            try:
                reply = await link.transact(
                    neighbour.request,
                    Intent.READ,
                    unit=neighbour.unit,
                    reply_ns=neighbour.reply_ns + ALLOWANCE_NS,
                    until_ns=until_ns,
                )
            except LinkTimeout as missing:
                problem = missing.what
                self._failures[neighbour] += 1
            except (BadReply, DeviceRefused) as bad:  # it is there
                problem = bad.what
                self._failures[neighbour] = 0
            except LinkError:  # overtaken by an off, or the line is gone: nothing is known of the neighbour
                return
            else:
                self._failures[neighbour] = 0
            failures = self._failures[neighbour]
            now_ns = self._clock.monotonic_ns()
            self._due_ns[neighbour] = now_ns + max(neighbour.every_ns, back_off_ns(failures))
            self._heard(Heard(neighbour, now_ns, reply, problem, failures))

    def _next(self, link: Link, until_ns: int) -> Neighbour | None:
        now_ns = self._clock.monotonic_ns()
        due = [neighbour for neighbour, due_ns in self._due_ns.items() if due_ns <= now_ns]
        for neighbour in sorted(due, key=self._due_ns.__getitem__):
            fits = now_ns + link.exchange_ns(neighbour.request) + neighbour.reply_ns <= until_ns
            if fits and link.settled(neighbour.unit):
                return neighbour
        return None


def back_off_ns(failures: int) -> int:
    """How long a unit is left alone that has not answered so often in a row; 0 after an answer."""
    return min(FIRST_BACK_OFF_NS << min(failures - 1, 8), LONGEST_BACK_OFF_NS) if failures else 0
