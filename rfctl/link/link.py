"""One connection to a generator: transactions, one in flight, and the off that overtakes them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import (
    BadReply,
    ConfigError,
    DeviceRefused,
    LinkClosed,
    LinkError,
    LinkPreempted,
    LinkTimeout,
    RefusedError,
    RfctlError,
)
from rfctl.link.gate import Gate
from rfctl.link.outgoing import Outgoing
from rfctl.link.port import open_port
from rfctl.link.trace import Trace
from rfctl.link.write_table import turns_all_off
from rfctl.model.permit import Intent

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.link.framing import Frame, Framing
    from rfctl.link.stop_line import StopLine
    from rfctl.link.table import Table
    from rfctl.link.write_table import Action
    from rfctl.model.permit import Permit

REPLY_NS = 100 * NS_PER_MS
DRAIN_DEADLINES = 4  # a line that does not fall silent for so many reply deadlines is babbled on, not late
CHUNK = 4096
LONGEST_KEPT = 1024  # bytes in which a reply is looked for: four of the longest frames
SHOWN = 16  # bytes in a message
REFUSED_OFFS = 64  # kept until somebody asks
NEVER_NS = 1 << 63
OFF_TRANSACTIONS = range(0xFF00, 0x10000)  # reserved for offs, so that no answer to an off is taken for another's


class Transactions(Protocol):
    """All that a driver gets to see of a link: requests and their replies."""

    @property
    def address(self) -> str:
        """Where the generator is, as the station file writes it; its scheme names the protocol."""
        ...

    @property
    def received_ns(self) -> int:
        """The station's monotonic clock when the last bytes arrived."""
        ...

    async def transact(self, pdu: bytes, intent: Intent, *, unit: int) -> bytes:
        """Send one request and return the checked reply.

        Args:
            pdu: The request, from its function code.
            intent: What the caller believes it does.
            unit: Unit identifier it goes to.

        Raises:
            RefusedError: The gate does not let it through; nothing was sent.
            DeviceRefused: The generator refused it.
            LinkTimeout: No reply within the deadline.
            BadReply: The reply belongs to another request, or is none.
            LinkPreempted: An off overtook it.
            LinkClosed: The connection is gone.
        """
        ...


class _Expected(NamedTuple):
    transaction: int
    unit: int
    request: bytes
    actions: tuple[Action, ...]
    reply_ns: int
    given_up_ns: int  # or sent, while it is awaited


class Link:
    """A connection from opening to its end. It never comes back: after LinkClosed only a new Link can go on.

    After a time-out, a cancellation, a bad reply or an off the link is dirty: the next request first waits until the
    replies that are still on their way have come, or the line was silent for one reply deadline, and discards them.
    Where replies carry no numbers only silence counts, and whatever arrives before it is discarded unread.

    Where frames need a silent gap between them, each request waits for it in the loop, and each off frame in place.
    """

    def __init__(
        self,
        descriptor: int,
        framing: Framing,
        clock: Clock,
        *,
        address: str,
        reply_ns: int = REPLY_NS,
        used: bool = False,
    ) -> None:
        """Take over a connected, non-blocking descriptor, on the running loop.

        Args:
            descriptor: Owned from now on, and closed with the link.
            framing: How requests travel.
            clock: Its ``monotonic_ns`` is the time of the loop.
            address: For messages.
            reply_ns: Longest time from a request to its reply, their time on the wire not counted.
            used: Somebody else talked on this line before; what still comes is not for this link.
        """
        self.address = address
        self.reply_ns = reply_ns
        self.trace = Trace()
        self.received_ns = 0
        self.stale_replies = 0
        self.refused_frames = 0
        self.refused_offs: deque[str] = deque(maxlen=REFUSED_OFFS)
        self.stray_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._framing = framing
        self._descriptor = descriptor
        self._why_closed = ""  # while it is open
        self._gate = Gate()
        self._offs: tuple[tuple[int, bytes], ...] = ()  # transaction and frame
        self._off_requests: dict[int, bytes] = {}
        self._transaction = 0
        self._busy = False
        self._waiting: asyncio.Future[bytes] | None = None
        self._deadline_ns = NEVER_NS  # of what is awaited
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_ns = NEVER_NS  # when it comes
        self._expected: _Expected | None = None  # None while draining
        self._received = b""  # of a reply that is not whole yet
        self._wrong: BadReply | None = None  # what came in place of the awaited reply
        self._outstanding: dict[int, _Expected] = {}  # requests whose replies may still come, by transaction
        self._given_up_ns = clock.monotonic_ns()  # when something was last left without its answer
        self._stray_ns = 0  # when bytes last came that nobody had asked for
        self._aligned = framing.numbered and not used  # the next byte received starts a frame
        self._outgoing = Outgoing(descriptor, framing, clock, self.trace, self._end)
        self._arrived = select.poll()  # a look costs less than reading nothing
        self._arrived.register(descriptor, select.POLLIN)
        self._loop.add_reader(descriptor, self._on_readable)

    @classmethod
    async def open(cls, address: str, framing: Framing, clock: Clock, *, reply_ns: int = REPLY_NS) -> Link:
        """Connect.

        Args:
            address: ``tcp:HOST:PORT`` or ``rtu:PATH``.
            framing: How requests travel.
            clock: The station's clock.
            reply_ns: Longest time from a request to its reply, their time on the wire not counted.

        Raises:
            ConfigError: Not an address.
            LinkClosed: Nobody answers there, or the port is in use.
        """
        return cls(await open_port(address, clock), framing, clock, address=address, reply_ns=reply_ns)

    @property
    def closed(self) -> bool:
        """The connection is gone."""
        return bool(self._why_closed)

    @property
    def dirty(self) -> bool:
        """Something may still arrive, or has half arrived, that the next request must not take for its reply."""
        return not self._aligned or bool(self._outstanding or self._outgoing.tail)

    def load(self, table: Table, off_frames: tuple[bytes, ...]) -> None:
        """Set once what may be written, and how everything is turned off. Without it the link only reads.

        Args:
            table: What may be written.
            off_frames: Requests that turn everything off, the all-channels one first.

        Raises:
            ConfigError: Loaded before, no off frames, one that the table does not classify as off, or a first one
                that does not turn every channel off.
        """
        if self._offs:
            raise ConfigError("the write table of a link is set once", where=self.address)
        if not 1 <= len(off_frames) <= len(OFF_TRANSACTIONS) // 2:
            raise ConfigError(
                f"{len(off_frames)} off frames",
                where=self.address,
                remedy="A driver supplies the all-channels off first.",
            )
        for place, pdu in enumerate(off_frames):
            try:
                classified = table.classify(pdu)
            except RefusedError as refused:
                raise ConfigError(f"off frame {place + 1}: {refused}", where=self.address) from None
            if classified.intent is not Intent.OFF:
                raise ConfigError(
                    f"off frame {place + 1} ({pdu.hex()}) does {classified.intent.value}, not off",
                    where=self.address,
                    remedy="Correct the driver or the profile.",
                )
            if place == 0 and not turns_all_off(classified.actions, table.channels):
                raise ConfigError(
                    f"the first off frame ({pdu.hex()}) turns only {classified.actions[0].target.place} off",
                    where=self.address,
                    remedy="The first off frame turns all channels off.",
                )
        twice = [pdu for pdu in off_frames for _ in range(2)]
        self._off_requests = dict(zip(OFF_TRANSACTIONS, twice, strict=False))
        self._offs = tuple(
            (transaction, self._framing.wrap(table.unit, pdu, transaction))
            for transaction, pdu in zip(OFF_TRANSACTIONS, twice, strict=False)
        )
        self._outgoing.load(tuple([frame for _, frame in self._offs]))
        self._gate = Gate(table)

    def grant(self, permit: Permit) -> None:
        """Let a permit open the gate, in place of the channel's present one."""
        self._gate.grant(permit)

    def withdraw(self, channel: int | None = None) -> None:
        """Void the permit of a channel, or every permit."""
        self._gate.withdraw(channel)

    async def transact(
        self, pdu: bytes, intent: Intent, *, unit: int, reply_ns: int | None = None, until_ns: int | None = None
    ) -> bytes:
        """Send one request and return the checked reply; see Transactions.

        Args:
            pdu: As there.
            intent: As there.
            unit: As there.
            reply_ns: Longest time to the reply of this unit; the link's when not given.
            until_ns: Wait no longer than this, on the station's monotonic clock, whatever the deadline is.
        """
        if self._busy:
            raise RuntimeError("a second request while one is in flight: a link has one caller")
        self._busy = True
        try:
            if not self.settled(unit):
                await self._drain()
            if self._framing.gap_ns:
                await self._gap()
            elif not self._framing.numbered and self._arrived.poll(0):
                self._on_readable()  # what has come since the last reply is not the next one
            self._require_open()
            transaction = self._transaction = self._transaction % (OFF_TRANSACTIONS.start - 1) + 1
            frame = self._framing.wrap(unit, pdu, transaction)
            waiting: asyncio.Future[bytes] = self._loop.create_future()
            # The gate comes last: between its decision and the bytes nothing else can run.
            now_ns = self._clock.monotonic_ns()
            actions = self._gate.check(pdu, intent, unit=unit, now_ns=now_ns).actions
            reply_ns = self.reply_ns if reply_ns is None else reply_ns
            deadline_ns = now_ns + reply_ns + self._framing.exchange_ns(pdu)
            if until_ns is not None:
                deadline_ns = min(deadline_ns, until_ns)
            self._waiting, self._wrong = waiting, None
            expected = _Expected(transaction, unit, pdu, actions, reply_ns, now_ns)
            self._expected = self._outstanding[transaction] = expected
            self._wake_at(deadline_ns)
            try:
                self._outgoing.send(frame, now_ns)
                self._gate.sent(actions)
                with self._clock.expect():
                    return await waiting
            except BaseException:
                self._abandon(transaction, intent)
                raise
            finally:
                self._waiting = self._expected = None
        finally:
            self._busy = False

    def off(self) -> bool:
        """Turn everything off, now: overtakes what is in flight, withdraws every permit, never raises.

        Does nothing to the output before ``load``. Replies are not awaited: that the output is off is for the
        ordinary path to measure.

        Returns:
            Every byte was handed to the operating system. False: they wait in the tail, or the connection is gone.
        """
        handed_over = False
        with contextlib.suppress(Exception):
            self._gate.turned_off()
        with contextlib.suppress(Exception):
            handed_over = self._send_offs()
        with contextlib.suppress(Exception):
            self._fail(LinkPreempted("an off overtook the request", where=self.address))
        return handed_over

    def stop_line(self) -> StopLine:
        """The way onto this line for a thread that stops when the loop hangs; after ``load``, one for a link."""
        return self._outgoing.stop_line()

    def number_from(self, transaction: int) -> None:
        """Let the next request bear this number, where requests bear one."""
        self._transaction = transaction - 1

    def exchange_ns(self, pdu: bytes) -> int:
        """Time on the wire of a request, its reply, and the silences before each."""
        return self._framing.exchange_ns(pdu) + self._framing.gap_ns

    def rest(self) -> None:
        """Nothing is asked for a while: no timer is left behind, which would wake the loop only to find that out."""
        if self._waiting is None and self._alarm is not None:
            self._alarm.cancel()
            self._alarm, self._alarm_ns = None, NEVER_NS

    def close(self) -> None:
        """Close the connection; nothing more is sent. Idempotent."""
        self._end("closed by this side")

    def _send_offs(self) -> bool:
        if self.closed or not self._offs:
            return False
        outgoing = self._outgoing
        if not outgoing.ends_with_offs:
            if outgoing.drop_unbegun():
                self._outstanding.pop(self._transaction, None)
            if self._framing.numbered:
                unit = self._gate.table.unit
                now_ns = self._clock.monotonic_ns()
                for transaction, frame in self._offs:
                    self._outstanding[transaction] = _Expected(transaction, unit, frame, (), self.reply_ns, now_ns)
            else:
                self._misalign()
        return outgoing.send_offs(self.received_ns)

    def _misalign(self) -> None:
        """Believe nothing until the line has been silent."""
        self._aligned = False
        self._given_up_ns = self._clock.monotonic_ns()

    def _abandon(self, transaction: int, intent: Intent) -> None:
        """A request ended without an accepted answer."""
        self._decide_on_tail(transaction, intent)
        now_ns = self._given_up_ns = self._clock.monotonic_ns()
        if (late := self._outstanding.get(transaction)) is not None:
            self._outstanding[transaction] = late._replace(given_up_ns=now_ns)
        if not self._framing.numbered:
            self._received = b""

    def settled(self, unit: int) -> bool:
        """Nothing may still arrive that could be taken for the reply of this unit, so that it can be asked at once.

        What another unit answers late bears its own name. What this one may still answer is over when nothing stray has
        come for as long as it may take, since it was given up.
        """
        if not self._aligned or self._outgoing.tail:
            return False
        now_ns = self._clock.monotonic_ns()
        for transaction, late in list(self._outstanding.items()):
            if late.unit == unit:
                if now_ns - max(late.given_up_ns, self._stray_ns) < late.reply_ns:
                    return False
                del self._outstanding[transaction]
        return True

    def _decide_on_tail(self, transaction: int, intent: Intent) -> None:
        """What of a request has not left yet leaves only if that can do no harm."""
        outgoing = self._outgoing
        if not outgoing.tail or outgoing.ends_with_offs or self.closed or intent is Intent.OFF:
            return
        if outgoing.drop_unbegun():
            self._outstanding.pop(transaction, None)
        elif intent is not Intent.READ:
            outgoing.hold_back()

    async def _drain(self) -> None:
        outgoing = self._outgoing
        if outgoing.held_back:
            raise LinkError(
                f"a write was cut {len(outgoing.tail)} bytes before its end and is not completed later",
                where=self.address,
                remedy="Send off, or open a new connection.",
            )
        quiet_ns = max([self.reply_ns, *(late.reply_ns for late in self._outstanding.values())])
        give_up_ns = self._clock.monotonic_ns() + DRAIN_DEADLINES * quiet_ns
        while self.dirty:
            self._require_open()
            now_ns = self._clock.monotonic_ns()
            if now_ns >= give_up_ns:
                raise self._babble()
            silent_ns = max(self._given_up_ns, self.received_ns, outgoing.sent_ns) + quiet_ns
            if silent_ns > now_ns:
                with self._clock.expect():
                    await self._bytes_before(silent_ns)
                continue
            if outgoing.tail:
                raise LinkTimeout(
                    f"{len(outgoing.tail)} bytes not taken for {self._reply_shown}",
                    where=self.address,
                    remedy="Check the generator and the network.",
                )
            self._received = b""
            self._outstanding.clear()
            self._aligned = True

    async def _gap(self) -> None:
        """Let the line be silent for as long as stands between two frames."""
        give_up_ns = self._clock.monotonic_ns() + DRAIN_DEADLINES * self.reply_ns
        while (quiet_ns := self._outgoing.quiet_ns(self.received_ns)) > self._clock.monotonic_ns():
            self._require_open()
            if quiet_ns > give_up_ns:
                raise self._babble()
            await self._bytes_before(quiet_ns)

    async def _bytes_before(self, deadline_ns: int) -> bytes:
        """What arrives next; empty when nothing does until then."""
        waiting: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting = waiting
        self._wake_at(deadline_ns)
        try:
            return await waiting
        finally:
            self._waiting = None

    def _wake_at(self, deadline_ns: int) -> None:
        """Have what is awaited end at this time.

        A timer for each request would cost a tenth of it. So the one that is set stays, though its request has been
        answered, and is set anew when it comes too early for the request that is then awaited.
        """
        self._deadline_ns = deadline_ns
        if deadline_ns < self._alarm_ns:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_ns = deadline_ns
            self._alarm = self._loop.call_at(deadline_ns / NS_PER_S, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm, self._alarm_ns = None, NEVER_NS
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        if self._clock.monotonic_ns() < self._deadline_ns:
            self._wake_at(self._deadline_ns)
            return
        if self._expected is None:
            waiting.set_result(b"")
            return
        request = self._expected.request
        within_ns = self._clock.monotonic_ns() - self._expected.given_up_ns
        missing = f"no reply within {within_ns / NS_PER_MS:.4g} ms to {request[:SHOWN].hex()}"
        if self._wrong is not None:
            self._fail(BadReply(f"{missing}, but {self._wrong.what}", remedy=self._wrong.remedy))
            return
        came = f"; what came instead: {self._received[:SHOWN].hex()}" if self._received else ""
        self.refused_frames += bool(self._received)
        self._fail(
            LinkTimeout(
                f"{missing}{came}",
                where=self.address,
                remedy="Check that the generator is on; the state of its output is unknown.",
            )
        )

    def _on_readable(self) -> None:
        if self._outgoing.lost():
            return
        try:
            chunk = os.read(self._descriptor, CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as problem:
            if problem.errno != errno.EIO:  # that is how a serial port ends
                self._end(f"reading failed: {problem.strerror}")
                return
            chunk = b""
        if not chunk:
            self._end("closed by the generator, or unplugged")
            return
        self.received_ns = self._clock.monotonic_ns()
        self.trace.note(self.received_ns, "rx", chunk)
        if self._expected is None and not self._framing.numbered:
            self.stray_bytes += len(chunk)  # nobody asked; a late reply looks like the next one
            self._stray_ns = self.received_ns
        elif self._aligned:
            self._take(chunk)
        if self._expected is None and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(chunk)

    def _take(self, chunk: bytes) -> None:
        received = self._received + chunk if self._received else chunk
        try:
            while received:
                used, frame = self._framing.cut(received)
                if not used:
                    break
                received = received[used:]
                if frame is None:
                    self.stray_bytes += used
                else:
                    self._on_reply(frame)
        except BadReply as bad:
            received = self._on_bad_reply(bad, received)
        if not self._framing.numbered and (self._waiting is None or self._waiting.done()):
            self.stray_bytes += len(received)  # nobody asked for what follows the reply
            received = b""
        self._received = received[-LONGEST_KEPT:]
        self.stray_bytes += len(received) - len(self._received)

    def _on_bad_reply(self, bad: BadReply, received: bytes) -> bytes:
        """The awaited reply came damaged, or bytes came that are none. What of them may still belong to the reply."""
        if self._expected is None:
            self.stray_bytes += len(received)
            return b""
        if self._wrong is None:
            self.refused_frames += 1
        if self._framing.numbered:  # noise: the reply bears its number, and is found when it comes
            self._wrong = bad
            return received
        self._misalign()
        self._fail(bad)
        return b""

    def _on_off_reply(self, reply: Frame) -> None:
        """Nobody waits for it: off counts as done when the output was measured off. That it was refused is kept."""
        request = self._off_requests.get(reply.transaction)
        if request is None:
            return
        try:
            self._framing.check(request, reply.pdu)
        except DeviceRefused as refused:
            self.refused_offs.append(f"off {refused}")
        except BadReply as bad:
            self.refused_offs.append(f"off: {bad}")

    def _on_reply(self, reply: Frame) -> None:
        expected, waiting = self._expected, self._waiting
        if expected is None or waiting is None or waiting.done() or reply.transaction != expected.transaction:
            self._outstanding.pop(reply.transaction, None)
            if reply.transaction in OFF_TRANSACTIONS:
                self._on_off_reply(reply)
            else:
                self.stale_replies += 1
            return
        if reply.unit != expected.unit:
            wrong = BadReply(f"a reply of unit {reply.unit} to a request to unit {expected.unit}")
            if self._framing.numbered:
                self._refuse(reply, wrong)
            else:  # of a neighbour on the same line, which is late; the awaited one may still come
                self.stale_replies += 1
                self._forget(reply.unit)
                self._wrong = wrong
            return
        try:
            self._framing.check(expected.request, reply.pdu)
        except DeviceRefused as refused:
            self._outstanding.pop(reply.transaction, None)
            self._fail(refused)
            return
        except BadReply as bad:
            self._refuse(reply, bad)
            return
        self._outstanding.pop(reply.transaction, None)
        self._gate.accepted(expected.actions)  # now, not when the caller resumes: an off may come in between
        waiting.set_result(reply.pdu)

    def _forget(self, unit: int) -> None:
        """A unit that was given up has answered after all."""
        for transaction in [number for number, late in self._outstanding.items() if late.unit == unit]:
            del self._outstanding[transaction]

    def _refuse(self, reply: Frame, bad: BadReply) -> None:
        """The request was answered, but not with its answer: believe nothing more until the line has been silent."""
        self.refused_frames += 1
        self._outstanding.pop(reply.transaction, None)
        self._misalign()
        self._fail(bad)

    def _fail(self, problem: RfctlError) -> None:
        problem.where = self.address
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(problem)

    def _end(self, why: str) -> None:
        if self.closed:
            return
        descriptor, self._descriptor = self._descriptor, -1
        self._why_closed = why
        self._loop.remove_reader(descriptor)
        if self._alarm is not None:
            self._alarm.cancel()
        self._outgoing.retire()
        os.close(descriptor)
        self._fail(self._closed_error())

    def _require_open(self) -> None:
        if self.closed:
            raise self._closed_error()

    def _closed_error(self) -> LinkClosed:
        return LinkClosed(
            f"the connection is gone: {self._why_closed}",
            where=self.address,
            remedy="Only a new connection can go on; the state of the output is unknown.",
        )

    def _babble(self) -> LinkTimeout:
        return LinkTimeout(
            f"the line has not fallen silent for {DRAIN_DEADLINES} reply deadlines of {self._reply_shown}",
            where=self.address,
            remedy="Something else talks on this connection; open a new one.",
        )

    @property
    def _reply_shown(self) -> str:
        return f"{self.reply_ns / NS_PER_MS:g} ms"
