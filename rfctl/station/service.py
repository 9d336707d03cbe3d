"""The service of a station: one session after the other, procedures when they are asked for, watching in between."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from rfctl.accounts.deeds import Deed, Done
from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import EXIT_DEVICE, EXIT_DONE, EXIT_STOPPED, ConfigError, RfctlError
from rfctl.kernel.events import Stopped
from rfctl.kernel.phase import PERMITTED
from rfctl.kernel.state import Stage
from rfctl.model.plan import Plan
from rfctl.station import answers, plan_file, session, station_file
from rfctl.station.attended import AttendedOperator
from rfctl.station.connection import Connection
from rfctl.station.measured_off import turn_off
from rfctl.station.onlooker import Onlooker
from rfctl.station.session import Result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rfctl.accounts.door import Login
    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.record.pointer import StateFolder
    from rfctl.station.procedure import Operator, Watch
    from rfctl.station.station_file import Station
    from rfctl.station.stop_desk import StopDesk, Stoppable
    from rfctl.station.supervisor import Supervisor

STANDING_BY = Plan("standing by", (), (), hashlib.sha256(b"").hexdigest())
"""No sites: the kernel verifies off and then judges every interlock in every cycle, owning and starting nothing."""
NEW_RECORD_NS = 3600 * NS_PER_S
"""A service that only watches closes its record every hour, so that a restart has no more than that to verify."""
NEW_EPOCH_NS = 24 * 3600 * NS_PER_S
"""The same in a log with prepared keys, of which each session takes one."""
RETRY_S = 1.0
RELOADABLE = frozenset({"title", "record_folder", "sha256"})
"""Fields of a station that may change while it runs: none of them widens what it may do."""
MOST_ACTS = 1000
"""Of people, that wait for a record while the generator cannot be reached."""
PLAN_FILE = "received-plan.toml"
ANSWERS_FILE = "received-answers.toml"


@dataclass(slots=True)
class _Watching:
    """Nobody's operator: ends the record when it is full."""

    name: str
    _until_ns: int

    def decide(self, _state: KernelState, now_ns: int) -> Stopped | None:
        return Stopped(now_ns, "the service: it is time for a new record") if now_ns >= self._until_ns else None


@dataclass(frozen=True, slots=True)
class _Job:
    """A procedure that was asked for."""

    plan: Plan
    operator: Operator


class Service:
    """Runs a station until a signal. Attends its sessions itself (rfctl.station.attendance.Attendant)."""

    def __init__(
        self,
        station: Station,
        profile: AnyProfile,
        clock: Clock,
        *,
        source: str,
        state_folder: StateFolder,
        desk: StopDesk,
        supervisor: Supervisor,
        progress: Watch,
        say: Callable[[str], None],
        finished: Callable[[Result], None],
    ) -> None:
        """Nothing happens before ``run``.

        Args:
            station: The station.
            profile: Of its generator.
            clock: The machine's.
            source: Name or path of the station file, to read it again.
            state_folder: Owned.
            desk: Where anyone stops it.
            supervisor: Hears how the service is.
            progress: Told of every decision.
            say: Told in words what the service itself does.
            finished: Told how each procedure ended that was asked for.
        """
        self.station = station
        self.state_folder = state_folder
        self.onlooker = self._new_onlooker(station, clock, "")
        self.finished = finished
        self._profile = profile
        self._clock = clock
        self._source = source
        self._desk = desk
        self._supervisor = supervisor
        self._progress = progress
        self._say = say
        self._job: _Job | None = None  # asked for
        self._current: _Job | None = None  # under way
        self._procedure: Stoppable | None = None
        self._owed = ""
        self._acts: deque[Done] = deque(maxlen=MOST_ACTS)  # of people, while no record is open
        self._record: Callable[[Done], None] | None = None
        self._state: KernelState | None = None
        self._cycle_ns = 0
        self._ready = False
        self._leaving = ""
        self._left = asyncio.Event()

    # what others may ask for

    @property
    def busy(self) -> bool:
        """A procedure is under way or about to begin."""
        return self._job is not None or self._current is not None

    def begin(
        self, plan_text: str, answers_text: str | None, by: str, login: Login | None, *, alarm_heard: bool
    ) -> None:
        """Begin a procedure as soon as watching has ended, a moment from now.

        Args:
            plan_text: The plan file's content.
            answers_text: The answers file's, on a simulator or a test load; None: the questions go to ``answer``.
            by: Who asks for it.
            login: How they proved who they are; None where nobody has to.
            alarm_heard: They say that they heard the alarm's test tone.

        Raises:
            ConfigError: The plan or the answers cannot be accepted, or a procedure is under way.
        """
        if self.busy or self._leaving:
            raise ConfigError("a procedure is under way" if self.busy else "the service is ending")
        plan = plan_file.load(self._keep(PLAN_FILE, plan_text))
        operator: Operator = AttendedOperator(by, login)
        person = login.person if login is not None else None
        if answers_text is not None:
            answers.require_nobody(self.station)
            operator = answers.load(self._keep(ANSWERS_FILE, answers_text), plan, begun_by=person)
        self._job = _Job(plan, operator)
        if alarm_heard:
            self._acts.append(Done.by(person, Deed.ALARM_HEARD))
        self._acts.append(Done.by(person, Deed.START, plan.title))
        self._say(f"{by} begins a procedure: {plan.title}")
        if self._procedure is not None:
            self._procedure.stop(f"the service: {by} begins a procedure")

    def answer(self, channel: int, question: str, choice: str, reason: str, physician: str) -> None:
        """Answer the open question, with typed words where the choice takes some.

        Raises:
            ConfigError: It is not open, not answered this way, or a file answers.
        """
        operator = self._current.operator if self._current is not None else None
        asked = self._state.question if self._state is not None else None
        if not isinstance(operator, AttendedOperator) or asked is None:
            raise ConfigError("nothing is asked of a person now")
        if (asked.channel, asked.question) != (channel, question) or choice not in asked.choices:
            raise ConfigError(
                f"{choice!r} does not answer the open question {str(asked.question)!r} on channel {asked.channel}",
                remedy=f"Choices: {', '.join(asked.choices)}.",
            )
        operator.answer(channel, question, choice, reason, physician)

    def acknowledge(self, login: Login | None) -> None:
        """Silence the alarms that stand, for a time; it resets nothing."""
        silenced = self.onlooker.acknowledge(self._clock.monotonic_ns())
        if silenced:
            person = login.person if login is not None else None
            self.record(Done.by(person, Deed.ACKNOWLEDGE, ", ".join(silenced)))

    def record(self, done: Done) -> None:
        """Put what somebody did into the record, or into the next one while none is open."""
        if self._record is not None:
            self._record(done)
        else:
            self._acts.append(done)

    def stop(self, by: str) -> None:
        """Everything off, at once; a procedure that is under way ends, one that was asked for does not begin."""
        if self._procedure is not None:
            self._procedure.stop(by)
        else:
            self._owed = by
        if self._job is not None:
            self._job = None
            self.finished(Result(EXIT_STOPPED, {}, f"stopped by {by} before it began"))

    def status(self) -> dict[str, Any]:
        """The service in a few words, ready for JSON."""
        state = self._state
        measured = state.reading.channels if state is not None and state.reading is not None else ()
        return {
            "station": self.station.id,
            "backend": "simulated" if self.station.simulated else "device",
            "pid": os.getpid(),
            "ready": self._ready,
            "stage": str(state.stage) if state is not None else str(Stage.UNKNOWN),
            "procedure": self._current.plan.title if self._current is not None else None,
            "procedure_id": self.onlooker.procedure_id or None,
            "outputs_on": [n for n, each in enumerate(measured, start=1) if each.rf_on or each.stimulating],
            "cycle_age_ms": (self._clock.monotonic_ns() - self._cycle_ns) // NS_PER_MS if self._cycle_ns else None,
        }

    # attendance

    def attend(self, procedure: Stoppable, connection: Connection) -> None:
        """A stop at the desk goes to the service, which may have a procedure in waiting."""
        self._procedure = procedure
        self._desk.attend(self, connection)
        if self._owed:
            by, self._owed = self._owed, ""
            procedure.stop(by)

    def completed(self) -> None:
        """The decision loop, and nothing else, feeds the watchdog."""
        self._cycle_ns = self._clock.monotonic_ns()
        self._supervisor.alive()

    def leave(self, *, off_measured: bool, text: str) -> None:
        self._procedure = None
        self._record = None
        self._owed = ""
        self._desk.leave(off_measured=off_measured, text=text)

    # its life

    async def run(self) -> int:
        """Serve until a signal.

        Returns:
            Exit code: 0 when a signal ended it while it was watching, 3 when a procedure was stopped by that, 4 when
            the generator cannot be reached at the start, or off was not measured at the end.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            return await self._serve()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    async def _serve(self) -> int:
        while True:
            self._current, self._job = self._job, None
            job = self._current
            result = await session.run(self._order(), self._clock, attendant=self)
            self._current = None
            if job is not None:
                self._say(f"the procedure has ended: {result.error or 'complete'}")
                self.finished(result)
            off_measured = bool(result.document.get("off_verified"))
            if self._leaving:
                if not off_measured:
                    self._say(f"OFF NOT CONFIRMED: {result.error}")
                    return EXIT_DEVICE
                self._say(f"ending at {self._leaving}: every output is measured off")
                return EXIT_STOPPED if job is not None else EXIT_DONE
            if not self._ready:
                self._say(result.error)
                return result.exit_code
            if not off_measured:
                self._say(result.error)
                if not await self._reach_again():
                    return EXIT_DEVICE

    async def _reach_again(self) -> bool:
        """Try until the generator answers and measures off; False when the service ended before."""
        if self.station.in_process:
            return True
        told = ""
        while not self._leaving:
            connection = Connection(self.station.link, self._profile, self._clock, simulated=self.station.simulated)
            try:
                await turn_off(connection, self._clock)
            except RfctlError as problem:
                self.leave(off_measured=False, text=str(problem))
                if str(problem) != told:
                    told = str(problem)
                    self._say(f"not reached: {told}")
                self._supervisor.alive()  # this loop decides while there is nothing to poll
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._left.wait(), RETRY_S)
            else:
                self.leave(off_measured=True, text="the generator was reached again")
                return True
        return False

    def _order(self) -> session.Order:
        job, now_ns = self._current, self._clock.monotonic_ns()
        lasts_ns = NEW_RECORD_NS if self.station.keys is None else NEW_EPOCH_NS
        operator: Operator = job.operator if job is not None else _Watching("service", now_ns + lasts_ns)
        self.onlooker = self._new_onlooker(self.station, self._clock, operator.name)
        self._state = None
        acts = tuple(self._acts)
        self._acts.clear()
        return session.Order(
            station=self.station,
            profile=self._profile,
            plan=job.plan if job is not None else STANDING_BY,
            operator=operator,
            out=self.station.record_folder.resolve(),
            seed=0,
            watch=self._watch,
            begun=self._begun,
            acts=acts,
        )

    def _begun(self, begun: session.Begun) -> None:
        self.onlooker.procedure_id = begun.procedure_id
        self.onlooker.services = begun.services
        self._record = begun.record
        for done in self._acts:
            begun.record(done)
        self._acts.clear()

    def _watch(self, state: KernelState, effects: tuple[Effect, ...]) -> None:
        self._state = state
        self.onlooker(state, effects)
        self._progress(state, effects)
        if state.stage is Stage.ENDED:
            self._record = None  # about to be sealed
        if not self._ready and state.stage is Stage.STANDING_BY:
            self._ready = True
            self._say("ready: every output is measured off")
            self._supervisor.ready("every output is measured off; watching")

    def _end(self, name: str) -> None:
        self._leaving = name
        self._left.set()
        self.stop(name)
        self._supervisor.stopping()

    def _reload(self) -> None:
        """Read the station file again; what would widen or change what is controlled waits for a restart."""
        state = self._state
        if state is not None and any(channel.phase in PERMITTED for channel in state.channels):
            self._say("the station file was not read again: energised. Send SIGHUP again when everything is off")
            return
        try:
            found = station_file.load(self._source)
        except ConfigError as problem:
            self._say(f"the station file was not taken over: {problem}")
            return
        changed = [each.name for each in fields(found) if getattr(found, each.name) != getattr(self.station, each.name)]
        refused = sorted(set(changed) - RELOADABLE)
        if refused:
            self._say(f"the station file was not taken over: {', '.join(refused)} changed, which takes a restart")
            return
        self.station = found
        self._say("the station file was read again; it holds from the next record on" if changed else "nothing changed")

    def _keep(self, name: str, text: str) -> str:
        path: Path = self.state_folder.state_dir / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    @staticmethod
    def _new_onlooker(station: Station, clock: Clock, operator: str) -> Onlooker:
        return Onlooker(station.id, station.title, clock.scale, operator)
