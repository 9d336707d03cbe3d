"""Holding a proved contact closed: one flash-on for each good cycle, and never one without.

A pure state machine with the events of rfctl.link.relay_proof and two more: a cycle was good, and let go. The contact
stays closed while good cycles come, and opens by itself, with nobody doing anything, when they do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from rfctl.clock import NS_PER_MS
from rfctl.errors import ConfigError
from rfctl.link.relay import TENTH_NS, Contact, closed, flash_on, read_contact
from rfctl.link.relay_proof import SETTLED_NS, Answered, Event, Proved, RelayFault, Second, Unanswered

LIMIT_NS = 500 * NS_PER_MS
"""From the last good cycle to the open loop (limits: guard and relay)."""
BEAT_NS = 150 * NS_PER_MS
"""Longest time between two good cycles (limits: lease)."""
TICK_NS = TENTH_NS
"""How far two runs of a board's timer may differ: it may count whole tenths, and begin anywhere in one."""
LOOK_EVERY_NS = 100 * NS_PER_MS
LOOK_OPENING_NS = 20 * NS_PER_MS
SEEN_TWICE = 2  # one odd read is a bounce, or a contact that is about to close; one lost reply is noise


class GoodCycle(NamedTuple):
    """The supervision has just decided that all is well. Say it at once: an old one closes no contact.

    Attributes:
        at_ns: When it was decided.
    """

    at_ns: int


class LetGo(NamedTuple):
    """The contact shall open. That takes as long as the last flash-on goes on."""

    at_ns: int


class Stage(StrEnum):
    """Where a hold is. It never goes back."""

    READY = "ready"
    HELD = "held"
    LETTING_GO = "letting go"
    OPEN = "open"
    NOT_OPEN = "not open"


@dataclass(frozen=True, slots=True)
class HoldPlan:
    """Numbers by which a contact is held; ``plan`` makes one.

    Attributes:
        contact: Which.
        tenths: Time of each flash-on, tenths of a second.
        keeps_ns: A flash-on keeps the contact closed at least for this long after it was sent.
        opens_ns: It is open at the latest so long after the last one was sent.
        reply_ns: Longest time of one request, its reply and the silence around them.
        look_ns: A contact that was seen closed is looked at again after this.
    """

    contact: Contact
    tenths: int
    keeps_ns: int
    opens_ns: int
    reply_ns: int
    look_ns: int = LOOK_EVERY_NS


def plan(
    contact: Contact,
    proved: Proved,
    *,
    reply_ns: int,
    hold_up_ns: int,
    beat_ns: int = BEAT_NS,
    limit_ns: int = LIMIT_NS,
) -> HoldPlan:
    """Whether a proved contact can be held so that it never opens by accident and yet opens in time.

    Args:
        contact: Which.
        proved: What its proof measured.
        reply_ns: Longest time of one request, its reply and the silence around them.
        hold_up_ns: Time that the loop behind the contact goes on after it has opened, as measured on a load.
        beat_ns: Longest time between two good cycles.
        limit_ns: From the last good cycle to the open loop.

    Raises:
        ConfigError: It cannot, with the numbers.
    """
    if proved.second is not Second.RETRIGGERS:
        raise ConfigError(
            "this board ignores a flash-on while the contact is closed: it would fall open between two of them",
            where="relay",
            remedy="Use a board on which a second flash-on starts the time anew.",
        )
    time_ns = proved.tenths * TENTH_NS
    keeps_ns = min(proved.opens_from_ns, time_ns - TICK_NS)
    opens_ns = max(proved.opens_until_ns, time_ns + TICK_NS)
    # A good cycle may have to wait for a read that is under way, before its flash-on is sent.
    if beat_ns + 2 * reply_ns > keeps_ns:
        raise ConfigError(
            f"{_ms(time_ns)} keep the contact closed for {_ms(keeps_ns)} for certain; good cycles up to {_ms(beat_ns)} "
            f"apart and two requests of {_ms(reply_ns)} need {_ms(beat_ns + 2 * reply_ns)}",
            where="relay",
            remedy="Hold by a longer time, or use a higher baud rate.",
        )
    latest_ns = reply_ns + opens_ns + hold_up_ns
    if latest_ns > limit_ns:
        raise ConfigError(
            f"from the last good cycle to the open loop: {_ms(reply_ns)} until a flash-on is sent, {_ms(opens_ns)} "
            f"until the contact is open, {_ms(hold_up_ns)} hold-up, {_ms(latest_ns)} together; at most {_ms(limit_ns)}",
            where="relay",
            remedy="Hold by a shorter time, use a higher baud rate, or a loop with less hold-up.",
        )
    return HoldPlan(contact, proved.tenths, keeps_ns, opens_ns, reply_ns)


class Hold(NamedTuple):
    """One hold, from the first good cycle until the contact is open. After a fault another one takes a new proof.

    Attributes:
        plan: Its numbers.
        stage: Where it is.
        fault: Why it ended, when nobody let go; None otherwise.
        wake_ns: When ``Due`` is to be said, if the last step gave no frame; 0 for not at all.
        opened_ns: When the contact was seen open after the end; 0 before.
        seen_ns: When the contact was last seen closed; 0 before.
    """

    plan: HoldPlan
    stage: Stage = Stage.READY
    fault: RelayFault | None = None
    wake_ns: int = 0
    opened_ns: int = 0
    seen_ns: int = 0
    frame: bytes = b""  # in flight
    sent_ns: int = 0
    beat_ns: int | None = None  # a good cycle that waits for the reply in flight
    kept_ns: int = 0  # sending of the last one that was taken
    flashed_ns: int = 0  # sending of the last one, taken or not
    let_go_ns: int = 0
    looked_ns: int = 0
    unanswered: int = 0
    contradictions: int = 0


def step(hold: Hold, event: Event | GoodCycle | LetGo) -> tuple[Hold, bytes]:
    """Take a hold one event further.

    Returns:
        The hold, and the frame to send now; empty when there is nothing to send.
    """
    if hold.stage in {Stage.OPEN, Stage.NOT_OPEN}:
        return hold, b""
    if isinstance(event, LetGo):
        hold = _letting_go(hold, event.at_ns)
    elif isinstance(event, GoodCycle):
        hold = hold._replace(beat_ns=event.at_ns)
    elif isinstance(event, Unanswered):
        hold = _unanswered(hold, event)
    elif isinstance(event, Answered) and hold.frame:
        hold = _answered(hold, event)
    return _next(_lapsed(hold, event.at_ns), event.at_ns)


def _lapsed(hold: Hold, now_ns: int) -> Hold:
    """The contact may have opened, for want of a flash-on: then it is not closed again."""
    if hold.stage is Stage.HELD and now_ns - hold.kept_ns > hold.plan.keeps_ns:
        what = f"no flash-on was taken for {_ms(now_ns - hold.kept_ns)}, at most {_ms(hold.plan.keeps_ns)}"
        return _ended(hold, now_ns, "lapsed", what)
    return hold


def _letting_go(hold: Hold, now_ns: int) -> Hold:
    if hold.stage is Stage.LETTING_GO:
        return hold
    return hold._replace(stage=Stage.LETTING_GO, beat_ns=None, let_go_ns=now_ns)


def _unanswered(hold: Hold, event: Unanswered) -> Hold:
    hold = hold._replace(frame=b"", unanswered=hold.unanswered + 1)
    if hold.stage is not Stage.LETTING_GO and hold.unanswered >= SEEN_TWICE:
        return _ended(
            hold, event.at_ns, "no_answer", f"{hold.unanswered} requests in a row without a reply: {event.why}"
        )
    return hold


def _answered(hold: Hold, event: Answered) -> Hold:
    flashed = hold.frame != read_contact(hold.plan.contact)
    hold = hold._replace(frame=b"", unanswered=0)
    if flashed:
        stage = Stage.HELD if hold.stage is Stage.READY else hold.stage
        return hold._replace(stage=stage, kept_ns=hold.sent_ns)
    is_closed = closed(hold.plan.contact, event.reply)
    if hold.stage is Stage.LETTING_GO:
        return hold if is_closed else hold._replace(stage=Stage.OPEN, opened_ns=event.at_ns)
    if is_closed:
        return hold._replace(contradictions=0, seen_ns=event.at_ns)
    hold = hold._replace(contradictions=hold.contradictions + 1)
    if hold.contradictions < SEEN_TWICE:
        return hold
    what = "the contact is open although every flash-on was taken"
    return _ended(hold, event.at_ns, "opened", what, "Check the relay's supply.")


def _next(hold: Hold, now_ns: int) -> tuple[Hold, bytes]:
    """What is to be sent now, or when it is to be asked again."""
    if hold.frame or hold.stage is Stage.OPEN or (hold.stage is Stage.READY and hold.beat_ns is None):
        return hold._replace(wake_ns=0) if hold.wake_ns else hold, b""
    if hold.stage is Stage.LETTING_GO:
        return _watch_it_open(hold, now_ns)
    if hold.unanswered and hold.flashed_ns == hold.sent_ns:
        return _look(hold, now_ns)  # a late echo must not be taken for that of the next flash-on
    if hold.beat_ns is not None:
        if now_ns - hold.beat_ns <= hold.plan.reply_ns:
            frame = flash_on(hold.plan.contact, hold.plan.tenths)
            return hold._replace(beat_ns=None, frame=frame, sent_ns=now_ns, flashed_ns=now_ns, wake_ns=0), frame
        hold = hold._replace(beat_ns=None)
    if hold.stage is Stage.READY:
        return hold._replace(wake_ns=0), b""
    every_ns = LOOK_EVERY_NS if hold.contradictions or not hold.seen_ns else hold.plan.look_ns
    if now_ns >= hold.looked_ns + every_ns:
        return _look(hold, now_ns)
    # One more than what it keeps: that is when it has lapsed.
    wake_ns = min(hold.looked_ns + every_ns, hold.kept_ns + hold.plan.keeps_ns + 1)
    return hold._replace(wake_ns=wake_ns), b""


def _watch_it_open(hold: Hold, now_ns: int) -> tuple[Hold, bytes]:
    if now_ns > max(hold.flashed_ns + hold.plan.opens_ns, hold.let_go_ns) + SETTLED_NS:
        since_ns = now_ns - (hold.flashed_ns or hold.let_go_ns)
        fault = RelayFault(
            "no_answer" if hold.unanswered else "welded",
            f"the contact is {'not known to be open' if hold.unanswered else 'closed'} {_ms(since_ns)} after the last "
            f"flash-on, where it is open after {_ms(hold.plan.opens_ns)} at the latest",
            "Switch the generator off at its mains. Check, and if in doubt replace, the relay.",
        )
        return hold._replace(stage=Stage.NOT_OPEN, fault=fault, wake_ns=0), b""
    if now_ns >= hold.looked_ns + LOOK_OPENING_NS:
        return _look(hold, now_ns)
    return hold._replace(wake_ns=hold.looked_ns + LOOK_OPENING_NS), b""


def _look(hold: Hold, now_ns: int) -> tuple[Hold, bytes]:
    frame = read_contact(hold.plan.contact)
    return hold._replace(frame=frame, sent_ns=now_ns, looked_ns=now_ns, wake_ns=0), frame


def _ended(hold: Hold, now_ns: int, code: str, what: str, remedy: str = "") -> Hold:
    return _letting_go(hold, now_ns)._replace(fault=RelayFault(code, what, remedy))


def _ms(time_ns: int) -> str:
    return f"{time_ns / NS_PER_MS:.0f} ms"
