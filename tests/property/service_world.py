"""A whole service in virtual time: a station with accounts and a guard, people at its control socket, a simulated
generator, a machine whose disk and wall clock do as they are told. What must never happen is read at the output stage.
"""

from __future__ import annotations

import asyncio
import functools
import signal
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rfctl.accounts import accounts_file, passwords
from rfctl.accounts.accounts_file import Account
from rfctl.accounts.roles import Person, Role
from rfctl.clock import NS_PER_S
from rfctl.errors import RfctlError
from rfctl.kernel.events import Answered
from rfctl.kernel.phase import LESION, STIMULATION, STIMULATION_STARTING
from rfctl.profile import any_profile
from rfctl.record.pointer import StateFolder
from rfctl.record.segments import segment_numbers
from rfctl.station import answers, latches, plan_file, station_file
from rfctl.station.control import ControlServer
from rfctl.station.reset import Asked, reset
from rfctl.station.service import Service
from rfctl.station.stop_desk import StopDesk
from rfctl.station.supervisor import Supervisor
from rfctl.virtual import VirtualClock, VirtualLoop
from rfctl_sim.catalogue.table import CATALOGUE
from tests.assurance.run import Around
from tests.control_peer import PASSWORD, connect
from tests.faults.expected import BOILING_C, UNWANTED_S
from tests.faults.states import Wanted, intervals
from tests.station_bench import (
    EnergisedWithoutIntent,
    answers_text,
    decided_again,
    plan_text,
    station_bench,
    station_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rfctl.accounts.resets import Demand
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.station.answers import ScriptedOperator
    from rfctl.station.station_file import Station
    from tests.control_peer import Client
    from tests.station_bench import Bench

PEOPLE = {"anna": Role.OPERATOR, "vera": Role.VIEWER}
SET_C, HOLD_S, RAMP_C_PER_S, START_C = 50.0, 3.0, 5.0, 37.0
LONGEST_S = 1.02 * ((SET_C - START_C) / RAMP_C_PER_S + 40.0 + HOLD_S) + 1.0 + UNWANTED_S
"""Limits: duration; and off."""
LOOK_S = 0.1
TURN_S = 0.06
"""After a cycle whatever was answered has been decided on."""
ENDS_S = 60.0
FREED_S = 1.0
"""The generator is nobody's again: the lease of a session that went down has run out, and the relay's last order."""


@functools.cache
def hashed() -> str:
    """Of everybody's password: to hash it once takes long enough."""
    return passwords.hash_of(PASSWORD)


class ServiceWorld:
    """Everything there is. Its coroutines run on one virtual loop, one after the other; between them time stands still.

    Attributes:
        bench: The generator.
        service: That runs the station now; None: nobody does.
        unhandled: Errors that nobody handled.
        by_hand: Somebody has started an output at the panel.
    """

    def __init__(self, folder: Path) -> None:
        self.bench: Bench
        self.service: Service | None = None
        self.unhandled: list[str] = []
        self.by_hand = False
        self.hottest_c = 0.0
        self._folder = folder
        self._rf = Wanted(LESION)
        self._stimulation = Wanted(STIMULATION | STIMULATION_STARTING)
        self._latched = False
        self._idle: KernelState | None = None
        self._state: KernelState | None = None
        self._task: asyncio.Task[int] | None = None
        self._control: ControlServer | None = None
        self._desk: StopDesk | None = None
        self._state_folder: StateFolder | None = None
        self._people: dict[str, Client] = {}
        self._script: ScriptedOperator | None = None
        self._files: AbstractContextManager[None]

    # its beginning and end

    async def open(self) -> None:
        """Switch the generator on, and start the service."""
        self._clock = VirtualClock.running()
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: self.unhandled.append(f"{context['message']}: {context.get('exception')!r}")
        )
        self.around = Around()
        self._files = self.around.watched(self._clock)
        self._files.__enter__()
        self._bench = station_bench(self._folder, self._clock, guarded=True)
        self.bench = await self._bench.__aenter__()
        for name, role in PEOPLE.items():
            accounts_file.add(self._folder / "accounts.toml", Account(name, frozenset({role}), hashed()))
        station = station_text(self.bench.simulator.address) + self.bench.guard_text
        station = station.replace("[station]", '[station]\naccounts = "accounts.toml"')
        (self._folder / "station.toml").write_text(
            station.replace("[record]", '[record]\nfolder = "out"'), encoding="utf-8"
        )
        self._looking = asyncio.create_task(self._look())
        await self.begin()

    async def close(self) -> None:
        """End all of it.

        Raises:
            AssertionError: Something was energised without an intent that was on the disk.
        """
        self.around.full_until_ns = 0
        await self.end()
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        try:
            await self._bench.__aexit__(None, None, None)
        except EnergisedWithoutIntent as problem:
            assert self.by_hand, problem
        finally:
            self._files.__exit__(None, None, None)
        for record in sorted(self._folder.glob("out/*/record")):
            if segment_numbers(record):  # else a full disk has not let it begin
                decided_again(record)

    async def begin(self) -> None:
        """Start the service and wait until it watches, or has ended because it cannot."""
        station = self._station()
        self._state_folder = StateFolder.claim(station.state_folder)
        self._desk = StopDesk(station.state_folder)
        self._control = control = ControlServer(self._clock, station.accounts, patient=station.patient)
        self.service = service = Service(
            station,
            any_profile.load(station.profile),
            self._clock,
            source=str(self._folder / "station.toml"),
            state_folder=self._state_folder,
            desk=self._desk,
            supervisor=Supervisor({}, self._clock),
            progress=self._watch,
            say=control.notice,
            finished=control.finished,
        )
        await control.open(station.state_folder, service)
        self._task = asyncio.create_task(service.run())
        while not (self._task.done() or service.status()["ready"]):  # noqa: ASYNC110 - it tells nobody else
            await asyncio.sleep(LOOK_S)
        await self._bury()

    async def end(self) -> None:
        """As SIGTERM does."""
        if self._task is not None:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.wait({self._task}, timeout=ENDS_S)
            assert self._task.done(), f"the service has not ended {ENDS_S:g} s after SIGTERM"
        await self._bury()

    async def _bury(self) -> None:
        """A service that has ended leaves the station to the next one."""
        if self._task is None or not self._task.done():
            return
        problem = self._task.exception()
        if problem is not None and not isinstance(problem, RfctlError):
            raise problem
        if self._idle is not None:
            self._watch(self._idle, ())  # it wants nothing any more
        assert self._control is not None
        assert self._desk is not None
        assert self._state_folder is not None
        for client in self._people.values():
            client.close()
        self._people.clear()
        await self._control.close()
        self._desk.close()
        self._state_folder.release()
        self.service = self._task = self._state = None

    # what happens

    async def go_on(self, seconds: float) -> None:
        """Time passes."""
        await asyncio.sleep(seconds)
        await self._bury()

    async def asks(self, name: str, do: str, **members: object) -> dict[str, Any]:
        """Somebody asks for something; without a name nobody has logged in."""
        client = self._people.get(name)
        if client is None:
            assert self.service is not None
            client = self._people[name] = await connect(self.service.station.state_folder)
            if name:
                assert (await client.log_in(name))["ok"]
        reply = await client.ask(do, **members)
        await self.go_on(TURN_S)
        return reply

    async def answers(self, name: str, choice: str = "") -> dict[str, Any] | None:
        """Somebody answers what is asked, without a choice as the procedure goes on. Returns: None where nothing is."""
        asked = self._state.question if self._state is not None else None
        if asked is None:
            return None
        if not choice:
            found = self._usual()
            if found is None:
                await self.go_on(LOOK_S)
                return None
            choice = str(found.choice)
        return await self.asks(name, "answer", channel=asked.channel, question=str(asked.question), choice=choice)

    def _usual(self) -> Answered | None:
        if self._script is None or self._state is None:
            return None
        found = self._script.decide(self._state, self._clock.monotonic_ns() + NS_PER_S)
        return found if isinstance(found, Answered) else None

    async def starts(self, name: str, *, checked: bool) -> dict[str, Any]:
        """Somebody starts a procedure."""
        plan = plan_text(
            sensory="required" if checked else "not used",
            set_temperature_c=SET_C,
            hold_s=HOLD_S,
            ramp_c_per_s=RAMP_C_PER_S,
        )
        reply = await self.asks(name, "start", plan=plan, alarm_heard=True)
        if reply["ok"]:
            for file, text in (("plan", plan), ("answers", answers_text())):
                (self._folder / f"{file}.toml").write_text(text, encoding="utf-8")
            procedure = plan_file.load(str(self._folder / "plan.toml"))
            self._script = answers.load(str(self._folder / "answers.toml"), procedure)
        return reply

    async def goes_to(self, name: str, phase: str) -> None:
        """The procedure goes on as planned, until some channel is in a phase, or it does not go on."""
        for _ in range(400):
            if self.service is None or self._state is None or not self.service.busy:
                return
            if any(str(channel.phase) == phase for channel in self._state.channels):
                return
            if await self.answers(name) is None:
                await self.go_on(LOOK_S)

    async def strikes(self, fault: str, lasts_s: float | None) -> None:
        """A fault of the generator begins, and ends by itself or not."""
        kind = CATALOGUE[fault]
        lasting = {} if lasts_s is None or kind.instant else {"duration_s": lasts_s}
        with suppress(RfctlError):  # the catalogue says that this cannot be now
            self.bench.simulator.faults.start(fault, **lasting)
        await self.go_on(TURN_S)

    async def mends(self) -> None:
        """All faults end."""
        self.bench.simulator.faults.clear_all()
        await self.go_on(TURN_S)

    async def touches(self, deed: Mapping[str, object]) -> None:
        """Somebody's hand at the generator."""
        self.by_hand |= deed.get("press") == "start"
        with suppress(RfctlError):
            self.bench.simulator.at_the_machine(deed)
        await self.go_on(TURN_S)

    async def sets_clock(self, seconds: float) -> None:
        """The wall clock is set."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.utc_start += timedelta(seconds=seconds)

    async def standing(self) -> int:
        """How many latches stand."""
        return len(latches.load(self._station().state_folder))

    async def resets(self, name: str, reason: str) -> tuple[list[set[Demand]], int]:
        """``rfctl reset``, for which the service is ended. Returns: what each latch lacks, and how many stand."""
        await self.end()
        await self.go_on(FREED_S)
        station = self._station()
        by = Person(name, frozenset({PEOPLE[name]}), self._clock.monotonic_ns())
        asked = Asked(by=by, reason=reason, physician="Dr. Weber", new_setup=True)
        try:
            outcome = await reset(station, any_profile.load(station.profile), asked, self._clock)
        except RfctlError:  # no disk, no generator
            return [], len(latches.load(station.state_folder))
        return [set(lacks) for _, lacks in outcome.refused], len(latches.load(station.state_folder))

    def _station(self) -> Station:
        return station_file.load(str(self._folder / "station.toml"))

    # what must hold

    @property
    def now_ns(self) -> int:
        return self._clock.monotonic_ns()

    def _watch(self, state: KernelState, _effects: tuple[Effect, ...]) -> None:
        self._idle = self._idle or state
        if self._latched and any(channel.phase in LESION | STIMULATION for channel in state.channels):
            self.unhandled.append(f"at {self.now_ns / NS_PER_S:.3f} s a channel is energised while a latch stands")
        self._state = state
        for wanted in (self._rf, self._stimulation):
            wanted.look(state, self._clock.monotonic_ns())

    async def _look(self) -> None:
        while True:
            channels: Any = self.bench.simulator.truth()["channels"]
            self.hottest_c = max(self.hottest_c, *(channel["tissue_max_c"] for channel in channels))
            await asyncio.sleep(LOOK_S)

    async def violations(self) -> list[str]:
        """What does not hold, in words."""
        now_ns, simulator = self._clock.monotonic_ns(), self.bench.simulator
        stands = bool(latches.load(self._station().state_folder))
        self._latched = stands and (self._latched or self.service is None or not self.service.busy)
        found = list(self.unhandled)
        for output, wanted in (("rf", self._rf), ("stimulation", self._stimulation)):
            unwanted_s = wanted.longest_s(simulator, output, now_ns)
            if unwanted_s > UNWANTED_S:
                found.append(f"{output} on for {unwanted_s:.3f} s while nobody wanted it, limit {UNWANTED_S} s")
        spans = intervals(simulator, "rf", now_ns)
        for number, from_ns, until_ns in spans:
            if (until_ns - from_ns) / NS_PER_S > LONGEST_S:
                found.append(f"RF on channel {number} for {(until_ns - from_ns) / NS_PER_S:.1f} s, limit {LONGEST_S} s")
            for other, since_ns, to_ns in intervals(simulator, "stimulation", now_ns):
                both_s = (min(until_ns, to_ns) - max(from_ns, since_ns)) / NS_PER_S
                if both_s > UNWANTED_S:
                    found.append(f"RF on channel {number} and stimulation on {other} for {both_s:.3f} s")
        if self.hottest_c > BOILING_C:
            found.append(f"tissue of {self.hottest_c:.1f} degC")
        return found
