"""Runs one procedure: the poll loop, the kernel's decisions, and their effects on the generator and the record."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import (
    BadReply,
    DeviceError,
    LinkClosed,
    LinkError,
    LinkPreempted,
    RecordError,
    RefusedError,
    RfctlError,
)
from rfctl.kernel.effects import (
    Arm,
    ChannelOff,
    Claim,
    Configure,
    ConfigureSetPoint,
    ConfigureStimulation,
    Effect,
    Finish,
    Fire,
    Grant,
    LowerLimit,
    MakeDurable,
    Off,
    Release,
    Renew,
    SetAmplitude,
    SetOutput,
    StartStimulation,
)
from rfctl.kernel.events import (
    Answered,
    Cause,
    Command,
    Completed,
    Durable,
    Event,
    Failed,
    Missed,
    Notice,
    Noticed,
    RecordFailed,
    Sampled,
    Stopped,
)
from rfctl.kernel.phase import ENERGISED
from rfctl.kernel.state import KernelState, Stage, initial
from rfctl.kernel.step import step
from rfctl.model.capability import SetPoint
from rfctl.station.garbage import tidy
from rfctl.station.poll_timer import next_due, open_timer

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.kernel.state import Setup
    from rfctl.record.writer import RecordWriter
    from rfctl.station.connection import Connection
    from rfctl.station.guarding import Guarding

Watch = Callable[[KernelState, tuple[Effect, ...]], None]
"""Told of every decision with its effects; must not wait."""
POLL_NS = 50 * NS_PER_MS
BACKLOG_NS = NS_PER_S // 2
"""A record that is further behind is said to the kernel, whose row on it ends the procedure."""
ASLEEP_NS = 50 * NS_PER_MS
"""Two clocks that are read one after the other differ by less; by more, the machine slept."""
RECONNECT_NS = 250 * NS_PER_MS


class Operator(Protocol):
    """Whoever decides: a file, a terminal."""

    name: str

    def decide(self, state: KernelState, now_ns: int) -> Answered | Stopped | None:
        """An answer to ``state.question``, or a stop, or None for now. Called once a cycle; never waits."""
        ...


class Procedure:
    """One procedure from the first off to the last."""

    def __init__(
        self,
        setup: Setup,
        connection: Connection,
        record: RecordWriter,
        clock: Clock,
        operator: Operator,
        watch: Watch,
        completed: Callable[[], None],
        guarding: Guarding | None = None,
    ) -> None:
        """Nothing happens before ``run``.

        Args:
            setup: What the procedure is decided by.
            connection: Opened.
            record: Its header is written.
            clock: The station's clock.
            operator: Answers the questions.
            watch: Told of every decision.
            completed: Called after each complete cycle: sampled, decided, carried out. Must not wait.
            guarding: The guard that holds the enable loop, its relay proved; None without one.
        """
        self.state = initial(setup)
        self.cycles = 0
        self.overruns = 0
        self._connection = connection
        self._record = record
        self._clock = clock
        self._operator = operator
        self._watch = watch
        self._completed = completed
        self._guarding = guarding
        self._inbox: deque[Event] = deque()
        self._stopped = False
        self._record_lost = False
        self._refused_frames = (-1, 0)  # of which connection, and how many
        self._ahead_ns = clock.boottime_ns() - clock.monotonic_ns()
        self._reconnect_ns = 0
        self._durable_tasks: set[asyncio.Task[None]] = set()

    def stop(self, by: str) -> None:
        """Everything off, at once, from any callback of the loop; the kernel hears of it in the next moment."""
        self._connection.off()
        self._stopped = True
        self._inbox.append(Stopped(self._clock.monotonic_ns(), by))

    async def run(self) -> KernelState:
        """Poll, decide and act until the kernel has finished. Off is sent on every way out."""
        due_ns = self._clock.monotonic_ns()
        try:
            with open_timer(self._clock) as timer:
                while self.state.stage is not Stage.ENDED:
                    await self._cycle()
                    self.cycles += 1
                    self._completed()
                    if self._guarding is not None:
                        self._guarding.beat(self.state, self.cycles)
                    tidy(self.state, self.cycles)
                    due_ns, late = next_due(due_ns, POLL_NS, self._clock.monotonic_ns())
                    self.overruns += late
                    if not late:
                        await self._leave_line(due_ns)
                    await timer.until(due_ns)
        except BaseException:
            self._connection.off()
            raise
        finally:
            for task in self._durable_tasks:
                task.cancel()
            await asyncio.gather(*self._durable_tasks, return_exceptions=True)
        return self.state

    async def _leave_line(self, due_ns: int) -> None:
        """Until the next cycle other units on the line may be asked, as far as they fit; then it rests."""
        connection = self._connection
        if connection.closed:
            return
        if connection.bus is not None:
            await connection.bus.spend(connection.link, due_ns)
        connection.link.rest()

    async def _cycle(self) -> None:
        await self._notice()
        if self._guarding is not None and (news := self._guarding.news(self._clock.monotonic_ns())) is not None:
            self._inbox.append(news)
        await self._drain()
        await self._handle(await self._sample())
        await self._drain()
        answer = self._operator.decide(self.state, self._clock.monotonic_ns())
        if answer is not None:
            await self._handle(answer)
        self._keep_record()

    async def _notice(self) -> None:
        """First of all in a cycle: what the generator cannot tell. Whether the machine slept is judged before anything
        else is done.
        """
        before_ns = self._clock.monotonic_ns()
        boottime_ns = self._clock.boottime_ns()
        now_ns = self._clock.monotonic_ns()
        # Read in between: where this thread was held up there, the lesser difference is the true one.
        asleep_ns = boottime_ns - now_ns - self._ahead_ns
        self._ahead_ns = boottime_ns - before_ns
        if asleep_ns > ASLEEP_NS:
            await self._handle(Noticed(now_ns, Notice.SUSPENDED, asleep_ns / 1e9))
        if self._connection.closed:
            return
        link = self._connection.link
        connection, known = self._refused_frames
        count = link.refused_frames - (known if connection == id(link) else 0)
        self._refused_frames = (id(link), link.refused_frames)
        if count:
            await self._handle(Noticed(now_ns, Notice.REFUSED_FRAMES, count))

    async def _drain(self) -> None:
        while self._inbox:
            await self._handle(self._inbox.popleft())

    async def _sample(self) -> Event:
        """One reading, or why there is none."""
        if self._connection.closed and not await self._reconnect():
            closed = self._connection.why_closed()
            return Missed(self._clock.monotonic_ns(), Cause.CLOSED, str(closed))
        try:
            reading = await self._connection.generator.read()
        except (LinkError, DeviceError) as problem:
            return Missed(self._clock.monotonic_ns(), _cause(problem), str(problem))
        return Sampled(self._clock.monotonic_ns(), reading)

    async def _reconnect(self) -> bool:
        """A lost link is opened again only to turn off and to look: nothing resumes."""
        now_ns = self._clock.monotonic_ns()
        if self.state.stage is not Stage.ENDING or now_ns < self._reconnect_ns:
            return False
        self._reconnect_ns = now_ns + RECONNECT_NS
        try:
            await self._connection.open()
        except RfctlError as problem:
            self._record.append("reconnect", now_ns, {"failed": str(problem)})
            return False
        self._record.append("reconnect", now_ns, {"serial": self._connection.identity.serial}, significant=True)
        return True

    async def _handle(self, event: Event) -> None:
        """Decide on the event and on everything that its effects bring about."""
        events = deque([event])
        while events:
            commands = self._decide(events.popleft())
            for command in commands:
                if self._stopped and not isinstance(command, Release):
                    break
                outcome = await self._execute(command)
                if outcome is not None:
                    events.append(outcome)
                if isinstance(outcome, Failed):
                    break
            if self._stopped:
                # The stop is decided on before the failure of the command that it overtook.
                self._stopped = False
                events.extendleft(reversed(self._inbox))
                self._inbox.clear()

    def _decide(self, event: Event) -> list[Effect]:
        """One step of the kernel, its record and its immediate effects; returns the commands that must be awaited."""
        self.state, effects = step(self.state, event)
        commands: list[Effect] = []
        for effect in effects:
            match effect:
                case Off():
                    self._connection.off()
                case Grant():
                    self._connection.link.grant(effect.permit)
                case _:
                    if type(effect) in _COMMANDS:
                        commands.append(effect)
        self._write(event, effects)
        for effect in effects:
            if isinstance(effect, MakeDurable):
                self._make_durable(effect)
        self._watch(self.state, effects)
        return commands

    def _write(self, event: Event, effects: tuple[Effect, ...]) -> None:
        significant = any(isinstance(effect, Off | ChannelOff | Finish) for effect in effects)
        if isinstance(event, Answered | Stopped):
            self._record.decided(event, effects, significant=significant, actor=event.by)
        else:
            self._record.decided(event, effects, significant=significant)

    def _make_durable(self, effect: MakeDurable) -> None:
        """The nonce is the number under which the generator is owned, which it reports, and that of the intent."""
        intent = effect.intent
        members = {
            "nonce": f"{self.state.setup.session:04x}-{intent}",
            "intent": intent,
            "channel": effect.channel,
            "permits": effect.kind,
            "envelope": asdict(effect.envelope),
        }
        self._record.append("intent", self._clock.monotonic_ns(), members)
        self._record.checkpoint("intent")
        task = asyncio.get_running_loop().create_task(self._durable(intent), name=f"intent {intent}")
        self._durable_tasks.add(task)
        task.add_done_callback(self._durable_tasks.discard)

    async def _durable(self, intent: int) -> None:
        try:
            await self._record.durable()
        except RecordError as problem:
            self._lose_record(str(problem))
            return
        self._inbox.append(Durable(self._clock.monotonic_ns(), intent))

    def _keep_record(self) -> None:
        now_ns = self._clock.monotonic_ns()
        for members in self._connection.unasked():
            self._record.append("unasked", now_ns, members)
        if self._record.failed is not None:
            self._lose_record(str(self._record.failed))
        elif (backlog_ns := self._record.backlog_ns(now_ns)) > BACKLOG_NS:
            self._inbox.append(Noticed(now_ns, Notice.RECORD_BACKLOG, backlog_ns / 1e9))
        self._record.tend(now_ns, energised=any(channel.phase in ENERGISED for channel in self.state.channels))

    def _lose_record(self, why: str) -> None:
        if not self._record_lost:
            self._record_lost = True
            self._inbox.append(RecordFailed(self._clock.monotonic_ns(), why))

    async def _execute(self, effect: Effect) -> Event | None:
        """Carry a command out. What failed comes back as an event; a renewal that went well brings none."""
        command, channel = _command_of(effect)
        try:
            value = await self._carry_out(effect)
        except (LinkError, DeviceError, RefusedError) as problem:
            return Failed(self._clock.monotonic_ns(), command, channel, _cause(problem), str(problem))
        if command in UNHEARD:
            return None
        return Completed(self._clock.monotonic_ns(), command, channel, value)

    async def _carry_out(self, effect: Effect) -> int:
        generator = self._connection.generator
        match effect:
            case Claim():
                await generator.claim(self.state.setup.session)
                if effect.clear_faults:
                    await generator.clear_faults()
            case Release():
                await generator.release()
            case Renew():
                await generator.renew()
            case ChannelOff():
                await generator.channel_off(effect.channel)
            case Configure():
                await generator.configure_lesion(effect.channel, effect.settings)
            case Arm():
                return await generator.arm(effect.channel)
            case Fire():
                await generator.fire(effect.channel, effect.token)
            case ConfigureStimulation():
                await generator.configure_stimulation(effect.channel, effect.settings)
            case StartStimulation():
                await generator.start_stimulation(effect.channel)
            case ConfigureSetPoint():
                await generator.configure_set_point(effect.channel, effect.settings)
            case SetOutput():
                if effect.set_point is SetPoint.VOLTAGE:
                    await generator.set_voltage(effect.channel, effect.value)
                else:
                    await generator.set_power(effect.channel, effect.value)
            case LowerLimit():
                await generator.lower_power_limit(effect.channel, effect.power_limit_w)
            case SetAmplitude():
                await generator.set_amplitude(effect.channel, effect.amplitude)
        return 0


_COMMANDS: dict[type, Command] = {
    ChannelOff: Command.CHANNEL_OFF,
    Claim: Command.CLAIM,
    Release: Command.RELEASE,
    Renew: Command.RENEW,
    Configure: Command.CONFIGURE,
    Arm: Command.ARM,
    Fire: Command.FIRE,
    StartStimulation: Command.START_STIMULATION,
    SetAmplitude: Command.SET_AMPLITUDE,
    ConfigureSetPoint: Command.CONFIGURE,
    ConfigureStimulation: Command.CONFIGURE,
    SetOutput: Command.SET_OUTPUT,
    LowerLimit: Command.LOWER_LIMIT,
}
UNHEARD = frozenset({Command.RENEW, Command.CHANNEL_OFF, Command.SET_AMPLITUDE, Command.SET_OUTPUT})
"""Commands whose going well is no event: the next sample shows it."""


def _command_of(effect: Effect) -> tuple[Command, int]:
    return _COMMANDS[type(effect)], getattr(effect, "channel", 0)


def _cause(problem: RfctlError) -> Cause:
    match problem:
        case LinkClosed():
            return Cause.CLOSED
        case LinkPreempted():
            return Cause.PREEMPTED
        case BadReply():
            return Cause.BAD_REPLY
        case RefusedError():
            return Cause.GATE
        case DeviceError():
            return Cause.REFUSED
        case _:
            return Cause.TIMEOUT
