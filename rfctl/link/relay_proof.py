"""The start-up proof of a relay: its contact opens by itself and in time, and what a second flash-on does to that.

A pure state machine: an event with its time goes in, the next frame, or the next time to ask, comes out. Whoever runs
it sends a frame, waits for the reply, and says what came; docs/relay.md shows it in a few lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from rfctl.clock import NS_PER_MS
from rfctl.errors import DeviceError, RfctlError
from rfctl.link.relay import TENTH_NS, Contact, closed, flash_on, read_contact

READ_EVERY_NS = 5 * NS_PER_MS
SETTLED_NS = 100 * NS_PER_MS
"""A relay closes within 20 ms of its coil; a board may look at its orders every 50 ms."""
TOLERANCE_NS = TENTH_NS
"""Boards count tenths of a second: a time may end up to one tick away from what was asked."""
GIVE_UP_NS = 3000 * NS_PER_MS
"""Long enough to tell a contact that opens late, because its board counts other units, from one that never opens."""


class Due(NamedTuple):
    """The time that was asked for has come."""

    at_ns: int


class Answered(NamedTuple):
    """The reply to the last frame was accepted.

    Attributes:
        at_ns: When it had come.
        reply: All of it.
    """

    at_ns: int
    reply: bytes


class Unanswered(NamedTuple):
    """There is no acceptable reply to the last frame.

    Attributes:
        at_ns: When it was given up.
        why: What is known.
    """

    at_ns: int
    why: RfctlError


Event = Due | Answered | Unanswered


class Second(StrEnum):
    """What a second flash-on does while the contact is closed."""

    RETRIGGERS = "retriggers"
    IGNORED = "ignored"


class RelayFault(DeviceError):
    """A relay whose contact does not do what keeps people safe.

    Attributes:
        code: ``welded``, ``stuck_open``, ``opens_early``, ``opens_late``, ``adds_up``, ``too_slow``, ``no_answer``,
            ``opened``, ``lapsed``.
    """

    def __init__(self, code: str, what: str, remedy: str = "") -> None:
        self.code = code
        super().__init__(what, where="relay", remedy=remedy)


class Proved(NamedTuple):
    """What was measured, from the moment the flash-on was sent.

    Attributes:
        tenths: Time asked for, tenths of a second.
        second: What a second flash-on does.
        closes_ns: Longest time until the contact was seen closed.
        opens_from_ns: The contact did not open before this.
        opens_until_ns: The contact was open at the latest after this.
    """

    tenths: int
    second: Second
    closes_ns: int
    opens_from_ns: int
    opens_until_ns: int


@dataclass(frozen=True, slots=True)
class RelayProof:
    """A proof on its way; ``begin`` makes one and ``step`` takes it on.

    Attributes:
        contact: What is proved.
        tenths: Time that it will be held by, tenths of a second.
        began_ns: When it began.
        wake_ns: When ``Due`` is to be said, if the last step gave no frame.
        verdict: Proved, or the fault; None while it runs.
    """

    contact: Contact
    tenths: int
    began_ns: int
    wake_ns: int = 0
    verdict: Proved | RelayFault | None = None
    frame: bytes = b""  # in flight
    sent_ns: int = 0
    first_ns: int | None = None  # flash-on of the present run; None while the contact must be open at rest
    second_ns: int | None = None  # second flash-on of the second run
    closed_ns: int | None = None  # first seen closed
    still_closed_ns: int = 0  # sending of the last read that saw it closed
    plain: tuple[int, int, int] | None = None  # of the first run: closes, opens from, opens until

    @property
    def _time_ns(self) -> int:
        return self.tenths * TENTH_NS


def begin(contact: Contact, tenths: int, now_ns: int) -> tuple[RelayProof, bytes]:
    """Begin to prove a contact. It must be wired so that closing it for a second does no harm.

    Args:
        contact: Which.
        tenths: Time that it will be held by, tenths of a second.
        now_ns: Monotonic.

    Returns:
        The proof, and its first frame.

    Raises:
        ConfigError: No such contact, or too long a time.
    """
    flash_on(contact, tenths)  # refuses before anything is sent
    return _send(RelayProof(contact, tenths, now_ns), read_contact(contact), now_ns)


def step(proof: RelayProof, event: Event) -> tuple[RelayProof, bytes]:
    """Take a proof one event further.

    Returns:
        The proof, and the frame to send now; empty when there is a verdict, or nothing to do before ``wake_ns``.
    """
    if proof.verdict is not None:
        return proof, b""
    if isinstance(event, Unanswered):
        return _failed(proof, "no_answer", f"the proof ended without a reply: {event.why}")
    if isinstance(event, Due):
        return _ask(proof, event.at_ns) if event.at_ns >= proof.wake_ns and not proof.frame else (proof, b"")
    if not proof.frame:
        return proof, b""
    request, proof = proof.frame, replace(proof, frame=b"")
    if request != read_contact(proof.contact):  # a flash-on was taken
        return _ask(proof, event.at_ns)
    if proof.first_ns is None:
        return _at_rest(proof, event)
    return _in_run(proof, proof.first_ns, event)


def _at_rest(proof: RelayProof, event: Answered) -> tuple[RelayProof, bytes]:
    if not closed(proof.contact, event.reply):
        return _flash(proof, event.at_ns)
    waited_ns = event.at_ns - proof.began_ns
    if waited_ns > proof._time_ns + TOLERANCE_NS:  # what somebody else had asked for before is over by now
        return _failed(
            proof,
            "welded",
            f"the contact is closed after {_ms(waited_ns)} in which nobody asked for it: welded, latched, or wired so",
            "Do not use this relay. Check input, closed_reads and wiring; replace the relay.",
        )
    return _later(proof, event.at_ns)


def _in_run(proof: RelayProof, first_ns: int, event: Answered) -> tuple[RelayProof, bytes]:
    since_ns = event.at_ns - first_ns
    if closed(proof.contact, event.reply):
        if since_ns > GIVE_UP_NS:
            return _failed(
                proof,
                "welded",
                f"the contact is still closed {_ms(since_ns)} after it was closed for {_ms(proof._time_ns)}",
                "Do not use this relay: its contact is welded, or its board latched it. Replace it.",
            )
        if proof.closed_ns is None:
            proof = replace(proof, closed_ns=event.at_ns)
        return _later(replace(proof, still_closed_ns=proof.sent_ns), event.at_ns)
    if proof.closed_ns is None:
        if since_ns > SETTLED_NS:
            return _failed(
                proof,
                "stuck_open",
                f"the contact is not closed {_ms(since_ns)} after a flash-on that the board accepted",
                "Check the relay's supply, the number of relay and input, and closed_reads.",
            )
        return _later(proof, event.at_ns)
    return _opened(proof, first_ns, proof.closed_ns, event.at_ns)


def _opened(proof: RelayProof, first_ns: int, closed_ns: int, at_ns: int) -> tuple[RelayProof, bytes]:
    """The contact has opened: judge the run."""
    open_from_ns, open_until_ns = proof.still_closed_ns, at_ns
    # A second flash-on half-way puts the end off by half the time, or not at all. The two are told apart by the middle
    # between them, so that each end must be known to a quarter.
    sharpest_ns = proof._time_ns // 4
    if open_until_ns - open_from_ns > sharpest_ns:
        return _failed(
            proof,
            "too_slow",
            f"the end of {_ms(proof._time_ns)} is known to {_ms(open_until_ns - open_from_ns)}, to tell a timer that "
            f"starts anew takes {_ms(sharpest_ns)}",
            "Use a higher baud rate.",
        )
    if proof.plain is None:
        run = (closed_ns - first_ns, open_from_ns - first_ns, open_until_ns - first_ns)
        if run[1] > proof._time_ns + TOLERANCE_NS:
            return _failed(
                proof,
                "opens_late",
                f"asked to close for {_ms(proof._time_ns)}, the contact opened after {_ms(run[2])}",
                "The board counts in other units than 100 ms. Use another board.",
            )
        if run[2] < proof._time_ns - TOLERANCE_NS:
            return _failed(
                proof,
                "opens_early",
                f"asked to close for {_ms(proof._time_ns)}, the contact opened after {_ms(run[2])}",
                "The board counts in other units than 100 ms, or its supply is weak.",
            )
        return _flash(replace(proof, plain=run), at_ns)
    return _judged(proof, first_ns, open_from_ns, open_until_ns)


def _judged(proof: RelayProof, first_ns: int, open_from_ns: int, open_until_ns: int) -> tuple[RelayProof, bytes]:
    """What the second flash-on did, by the time at which the contact opened."""
    assert proof.plain is not None  # noqa: S101  the second run follows the first
    closes_ns, from_ns, until_ns = proof.plain
    assert proof.closed_ns is not None  # noqa: S101  it has opened
    closes_ns = max(closes_ns, proof.closed_ns - first_ns)
    second_ns = proof.second_ns
    half_ns = proof._time_ns // 2
    if second_ns is None:
        return _failed(
            proof,
            "opens_early",
            f"the second time, the contact opened within {_ms(open_until_ns - first_ns)} of {_ms(proof._time_ns)}",
            "Check the relay's supply.",
        )
    late_ns = open_until_ns - first_ns - until_ns  # later than without the second flash-on
    pushed_ns = second_ns - first_ns
    if late_ns < pushed_ns // 2:
        second = Second.IGNORED
        from_ns, until_ns = min(from_ns, open_from_ns - first_ns), max(until_ns, open_until_ns - first_ns)
    elif late_ns < pushed_ns + half_ns // 2:
        second = Second.RETRIGGERS
        from_ns, until_ns = min(from_ns, open_from_ns - second_ns), max(until_ns, open_until_ns - second_ns)
    else:
        return _failed(
            proof,
            "adds_up",
            f"after a second flash-on the contact opened {_ms(open_until_ns - second_ns)} later, after one alone "
            f"{_ms(until_ns)}: the board adds the times up",
            "Its contact would stay closed after its holder has died. Use another board.",
        )
    return replace(proof, verdict=Proved(proof.tenths, second, closes_ns, from_ns, until_ns)), b""


def _ask(proof: RelayProof, now_ns: int) -> tuple[RelayProof, bytes]:
    """The next frame: the second flash-on when it is time for it, else a read."""
    second_run = proof.plain is not None and proof.second_ns is None
    if second_run and proof.closed_ns is not None and now_ns - (proof.first_ns or 0) >= proof._time_ns // 2:
        return _send(replace(proof, second_ns=now_ns), flash_on(proof.contact, proof.tenths), now_ns)
    return _send(proof, read_contact(proof.contact), now_ns)


def _flash(proof: RelayProof, now_ns: int) -> tuple[RelayProof, bytes]:
    """The flash-on that begins a run."""
    return _send(replace(proof, first_ns=now_ns, closed_ns=None), flash_on(proof.contact, proof.tenths), now_ns)


def _send(proof: RelayProof, frame: bytes, now_ns: int) -> tuple[RelayProof, bytes]:
    return replace(proof, frame=frame, sent_ns=now_ns), frame


def _later(proof: RelayProof, now_ns: int) -> tuple[RelayProof, bytes]:
    return replace(proof, wake_ns=now_ns + READ_EVERY_NS), b""


def _failed(proof: RelayProof, code: str, what: str, remedy: str = "") -> tuple[RelayProof, bytes]:
    return replace(proof, frame=b"", verdict=RelayFault(code, what, remedy)), b""


def _ms(time_ns: int) -> str:
    return f"{time_ns / NS_PER_MS:.0f} ms"
