"""The interlock relay against a simulated board, in virtual time: the proof, the hold, and everything that is wrong."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import RfctlError
from rfctl.link import relay_hold, relay_proof
from rfctl.link.port import open_port
from rfctl.link.relay import Contact, no_reply, reply_to
from rfctl.link.relay_hold import GoodCycle, Hold, LetGo, Stage
from rfctl.link.relay_proof import Answered, Due, Event, Proved, RelayFault, Second, Unanswered
from rfctl_sim.relay_board import Fault, RelayBoard, Variant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rfctl.clock import Clock

CONTACT = Contact(unit=1, relay=2, input=2)
TENTHS = 3
REPLY_NS = 25 * NS_PER_MS
PATIENT_NS = 200 * NS_PER_MS
CYCLE_NS = 50 * NS_PER_MS
LONGEST_S = 60  # of a proof here
MOST_ROUNDS = 20_000  # of a hold here
LIMIT_NS = 500 * NS_PER_MS
FLASH = bytes((5, 2, 2, 0, TENTHS))


class Runner:
    """What runs the machines: one request at a time over a real descriptor."""

    def __init__(self, descriptor: int, clock: Clock) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._received = b""
        self._arrived = asyncio.Event()
        self.lose = 0  # of the next replies, so many
        asyncio.get_running_loop().add_reader(descriptor, self._on_readable)

    @property
    def now_ns(self) -> int:
        return self._clock.monotonic_ns()

    def _on_readable(self) -> None:
        self._received += os.read(self._descriptor, 4096)
        self._arrived.set()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    async def exchange(self, frame: bytes, reply_ns: int = REPLY_NS) -> Event:
        await asyncio.sleep(0.002)  # the silence between frames
        self._received = b""
        os.write(self._descriptor, frame)
        lost, self.lose = self.lose > 0, max(0, self.lose - 1)
        try:
            async with asyncio.timeout(reply_ns / NS_PER_S):
                while True:
                    self._arrived.clear()
                    await self._arrived.wait()
                    if not lost and (reply := reply_to(frame, self._received)):
                        return Answered(self.now_ns, reply)
        except TimeoutError:
            return Unanswered(self.now_ns, no_reply(frame, b"" if lost else self._received))
        except RfctlError as problem:
            return Unanswered(self.now_ns, problem)

    async def until(self, at_ns: int) -> Due:
        await asyncio.sleep(max(0, at_ns - self.now_ns) / NS_PER_S)
        return Due(self.now_ns)

    async def prove(self, tenths: int = TENTHS) -> Proved | RelayFault:
        proof, frame = relay_proof.begin(CONTACT, tenths, self.now_ns)
        async with asyncio.timeout(LONGEST_S):
            while proof.verdict is None:
                event = await self.exchange(frame, PATIENT_NS) if frame else await self.until(proof.wake_ns)
                proof, frame = relay_proof.step(proof, event)
        return proof.verdict

    async def hold(
        self,
        proved: Proved,
        cycles: Callable[[int], int | None],
        let_go_ns: int | None = None,
        hold: Hold | None = None,
    ) -> Hold:
        """Hold until the end; ``cycles`` says of a good cycle when the next one is, None for never again."""
        hold = Hold(relay_hold.plan(CONTACT, proved, reply_ns=REPLY_NS, hold_up_ns=0))
        frame = b""
        cycle_ns: int | None = self.now_ns
        rounds = 0
        while hold.stage not in {Stage.OPEN, Stage.NOT_OPEN}:
            assert (rounds := rounds + 1) < MOST_ROUNDS
            if frame:
                event: Event | GoodCycle | LetGo = await self.exchange(frame)
            elif let_go_ns is not None and self.now_ns >= let_go_ns:
                event, let_go_ns, cycle_ns = LetGo(self.now_ns), None, None
            elif cycle_ns is not None and self.now_ns >= cycle_ns:
                event, cycle_ns = GoodCycle(self.now_ns), cycles(self.now_ns)
            else:
                wakes = [at for at in (hold.wake_ns or None, cycle_ns, let_go_ns) if at is not None]
                event = await self.until(min(wakes))
            hold, frame = relay_hold.step(hold, event)
        return hold


@pytest.fixture(params=["pty:", "rtutcp:127.0.0.1:0"])
async def board(clock: Clock, request: pytest.FixtureRequest) -> AsyncIterator[RelayBoard]:
    board = RelayBoard(clock, baud=38400)
    await board.open(request.param)
    yield board
    await board.close()


@pytest.fixture
async def runner(board: RelayBoard, clock: Clock) -> AsyncIterator[Runner]:
    runner = Runner(await open_port(board.address, clock), clock)
    yield runner
    runner.close()


def every(period_ns: int) -> Callable[[int], int]:
    return lambda now_ns: now_ns + period_ns


async def proved(runner: Runner) -> Proved:
    verdict = await runner.prove()
    assert isinstance(verdict, Proved), verdict
    return verdict


@pytest.mark.parametrize("tenths", [2, 3, 5])
async def test_the_proof_measures_how_long_the_contact_stays_closed(
    runner: Runner, board: RelayBoard, tenths: int
) -> None:
    verdict = await runner.prove(tenths)
    assert isinstance(verdict, Proved), verdict
    assert verdict.second is Second.RETRIGGERS
    opens_ns = [change.at_ns for change in board.changes if not change.closed]
    closes_ns = [change.at_ns for change in board.changes if change.closed]
    true_ns = opens_ns[0] - closes_ns[0]  # operate and release times apart, what was asked
    assert abs(true_ns - tenths * 100 * NS_PER_MS) <= 10 * NS_PER_MS
    assert verdict.opens_from_ns <= true_ns + 20 * NS_PER_MS
    assert verdict.opens_until_ns >= true_ns
    assert verdict.opens_until_ns - verdict.opens_from_ns <= 60 * NS_PER_MS
    assert 0 < verdict.closes_ns <= 40 * NS_PER_MS
    assert {change.relay for change in board.changes} == {CONTACT.relay}
    assert board.writes == [bytes((5, 2, 2, 0, tenths))] * 3  # and nothing else was ever written


async def test_a_board_that_ignores_the_second_flash_on_is_told(runner: Runner, board: RelayBoard) -> None:
    board.variant = Variant.IGNORED
    verdict = await proved(runner)
    assert verdict.second is Second.IGNORED
    with pytest.raises(RfctlError, match="it would fall open between two of them"):
        relay_hold.plan(CONTACT, verdict, reply_ns=REPLY_NS, hold_up_ns=0)


async def test_a_board_that_adds_the_times_up_is_refused(runner: Runner, board: RelayBoard) -> None:
    board.variant = Variant.ADDS_UP
    verdict = await runner.prove()
    assert isinstance(verdict, RelayFault)
    assert verdict.code == "adds_up"


@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        (lambda board: board.faults.add(Fault.WELDED), "welded", "still closed 30"),
        (lambda board: board.faults.add(Fault.STUCK_OPEN), "stuck_open", "not closed 1"),
        (lambda board: board.faults.add(Fault.MUTE), "no_answer", "does not answer 010200020001"),
        (lambda board: setattr(board, "tick_ns", NS_PER_S // 2), "opens_late", "asked to close for 300 ms"),
        (lambda board: setattr(board, "tick_ns", 30 * NS_PER_MS), "opens_early", "asked to close for 300 ms"),
    ],
)
async def test_what_is_wrong_with_a_relay_is_found(
    runner: Runner, board: RelayBoard, spoil: Callable[[RelayBoard], None], code: str, says: str
) -> None:
    spoil(board)
    verdict = await runner.prove()
    assert isinstance(verdict, RelayFault), verdict
    assert verdict.code == code
    assert says in str(verdict)


async def test_a_line_too_slow_to_tell_what_a_second_flash_on_does_is_refused(clock: Clock) -> None:
    board = RelayBoard(clock, baud=4800)
    await board.open("pty:")
    runner = Runner(await open_port(board.address, clock), clock)
    try:
        verdict = await runner.prove(tenths=2)
    finally:
        runner.close()
        await board.close()
    assert isinstance(verdict, RelayFault)
    assert verdict.code == "too_slow"


async def test_a_contact_that_is_closed_beforehand_is_not_flashed(runner: Runner, board: RelayBoard) -> None:
    os.write(runner._descriptor, bytes.fromhex("01050002ff002dfa"))  # somebody latched it
    await asyncio.sleep(0.1)
    assert board.closed(2)
    verdict = await runner.prove()
    assert isinstance(verdict, RelayFault)
    assert (verdict.code, "nobody asked for it" in str(verdict)) == ("welded", True)
    assert len(board.writes) == 1


async def test_a_contact_that_its_last_holder_left_closed_is_waited_for(runner: Runner, board: RelayBoard) -> None:
    await runner.exchange(relay_proof.flash_on(CONTACT, TENTHS))
    assert (await proved(runner)).second is Second.RETRIGGERS


@pytest.mark.parametrize("period_ms", [10, 50, 100, 149])
async def test_a_held_contact_never_opens_by_accident_and_opens_when_it_is_let_go(
    runner: Runner, board: RelayBoard, period_ms: int
) -> None:
    verdict = await proved(runner)
    board.changes.clear()
    began_ns = runner.now_ns
    hold = await runner.hold(verdict, every(period_ms * NS_PER_MS), began_ns + 10 * NS_PER_S)
    assert (hold.stage, hold.fault) == (Stage.OPEN, None)
    assert [change.closed for change in board.changes] == [True, False]  # ten seconds without a gap
    opened_ns = board.changes[-1].at_ns
    assert began_ns + 10 * NS_PER_S < opened_ns <= began_ns + 10 * NS_PER_S + LIMIT_NS
    assert opened_ns <= hold.opened_ns <= opened_ns + 50 * NS_PER_MS
    assert set(board.writes) == {FLASH}


async def test_without_good_cycles_the_contact_opens_within_the_limit_and_stays_open(
    runner: Runner, board: RelayBoard
) -> None:
    verdict = await proved(runner)
    last_ns = runner.now_ns + NS_PER_S

    def cycles(now_ns: int) -> int:
        return now_ns + CYCLE_NS if now_ns < last_ns else now_ns + 3 * LIMIT_NS  # and then one that comes too late

    hold = await runner.hold(verdict, cycles)
    assert (hold.stage, hold.fault and hold.fault.code) == (Stage.OPEN, "lapsed")
    assert board.changes[-1].at_ns <= last_ns + CYCLE_NS + LIMIT_NS
    flashes = len(board.writes)
    after, frame = relay_hold.step(hold, GoodCycle(runner.now_ns))
    assert (after, frame) == (hold, b"")
    await asyncio.sleep(1)
    assert not board.closed(2)
    assert len(board.writes) == flashes


async def test_a_holder_that_dies_leaves_a_contact_that_opens(runner: Runner, board: RelayBoard) -> None:
    verdict = await proved(runner)
    holding = asyncio.create_task(runner.hold(verdict, every(CYCLE_NS)))
    await asyncio.sleep(1.234)
    assert board.closed(2)
    died_ns = runner.now_ns
    holding.cancel()
    await asyncio.sleep(1)
    assert not board.closed(2)
    assert board.changes[-1].at_ns - died_ns <= LIMIT_NS


async def test_one_lost_reply_does_no_harm_and_two_in_a_row_end_the_hold(runner: Runner, board: RelayBoard) -> None:
    verdict = await proved(runner)
    board.changes.clear()
    holding = asyncio.create_task(runner.hold(verdict, every(CYCLE_NS)))
    for _ in range(20):
        await asyncio.sleep(0.237)
        runner.lose = 1
    assert not holding.done()
    assert [change.closed for change in board.changes] == [True]
    runner.lose = 2
    hold = await holding
    assert hold.fault is not None
    assert (hold.stage, hold.fault.code) == (Stage.OPEN, "no_answer")


@pytest.mark.parametrize(
    ("fault", "stage", "code"),
    [(Fault.WELDED, Stage.NOT_OPEN, "welded"), (Fault.MUTE, Stage.NOT_OPEN, "no_answer")],
)
async def test_a_contact_that_does_not_open_is_found_when_it_is_let_go(
    runner: Runner, board: RelayBoard, fault: Fault, stage: Stage, code: str
) -> None:
    verdict = await proved(runner)
    let_go_ns = runner.now_ns + NS_PER_S
    asyncio.get_running_loop().call_at(let_go_ns / NS_PER_S - 0.05, board.faults.add, fault)
    hold = await runner.hold(verdict, every(CYCLE_NS), let_go_ns)
    assert hold.fault is not None
    assert (hold.stage, hold.fault.code) == (stage, code)
    assert runner.now_ns <= let_go_ns + LIMIT_NS + 200 * NS_PER_MS


async def test_a_contact_that_opens_although_it_is_held_ends_the_hold(runner: Runner, board: RelayBoard) -> None:
    verdict = await proved(runner)
    board.faults.add(Fault.STUCK_OPEN)
    hold = await runner.hold(verdict, every(CYCLE_NS))
    assert hold.fault is not None
    assert (hold.stage, hold.fault.code) == (Stage.OPEN, "opened")


async def test_letting_go_before_the_first_cycle_sends_no_flash_on(runner: Runner, board: RelayBoard) -> None:
    verdict = await proved(runner)
    board.writes.clear()
    hold = await runner.hold(verdict, every(CYCLE_NS), runner.now_ns)
    assert (hold.stage, hold.fault) == (Stage.OPEN, None)
    assert board.writes == []
