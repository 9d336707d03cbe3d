"""The station's side of the guard: heartbeats and raw frames to it, its word to the kernel; a process or a task.

On the machine's clock the guard is a process of its own (rfctl.guard.process). Where time is virtual or paced it is a
task of the same loop, by the same decision, decoder and frames; the record says which.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Protocol

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import ConfigError, DeviceError, LinkTimeout
from rfctl.guard import wire
from rfctl.guard.process import put_together
from rfctl.guard.state import Begin, Gone, Heartbeat, Notice, Stop, Wanted
from rfctl.guard.wire import Word
from rfctl.kernel.events import Guarded
from rfctl.kernel.interlocks import has_output
from rfctl.kernel.phase import ENABLED, LESION, STIMULATION, STIMULATION_STARTING, Phase
from rfctl.model.plan import Medium
from rfctl.station import local_socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.kernel.state import KernelState
    from rfctl.link.trace import Direction
    from rfctl.model.reading import Reading
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.connection import Connection
    from rfctl.station.station_file import Station

DESK = "guard.sock"
PROVED_S = 8.0
"""A proof takes about a second and a half; a contact that does not open is looked at for 3 s."""
MOST_MISSED = 20
"""Samples in a row that may be missing meanwhile: nothing is on."""
OPENED_S = 1.0
"""Longest time at the end that a contact is looked at."""
LOOK_S = 0.02
SILENT_NS = 150 * NS_PER_MS
"""Three cycles without a word: the kernel is told, and judges by its own limit how long that may go on."""
SIMULATED_REPLY_MS = 50
"""A simulated board answers when its loop comes to it; with no hold-up behind it there is room for that."""
REAL_TIME = {"spacing_ms": 0, "look_ms": 100}
VIRTUAL_TIME = {"spacing_ms": 90, "look_ms": 500}
"""Where nothing is ever late, every second good cycle is enough; each request to the board costs as much as a cycle."""
WANTED: dict[Phase, Wanted] = {
    phase: Wanted.RF
    if phase in LESION
    else Wanted.STIMULATION
    if phase in STIMULATION | STIMULATION_STARTING
    else Wanted.NOTHING
    for phase in Phase
}


class Shell(Protocol):
    """Where the guard runs.

    Attributes:
        kind: For the record.
        word: How it stands.
        heard_ns: When it last said so.
    """

    kind: str
    word: Word
    heard_ns: int

    def tap(self, direction: Direction, data: bytes) -> None: ...
    def begin(self) -> None: ...
    def beat(self, cycle: int, digest: int, now_ns: int, wanted: tuple[Wanted, ...], *, enable: bool) -> None: ...
    def listen(self) -> None: ...
    def end(self) -> None: ...
    def over(self) -> bool: ...
    def shut(self) -> None: ...


class Guarding:
    """One guard, for one procedure."""

    def __init__(self, shell: Shell, clock: Clock) -> None:
        self._shell = shell
        self._clock = clock
        self._told = (False, False, "")
        self.tap = shell.tap

    @property
    def members(self) -> dict[str, Any]:
        """For the record."""
        word = self._shell.word
        return {
            "runs_as": self._shell.kind,
            "acquisition": "shared: raw frames, decoded by itself",
            "proof": word.proof,
        }

    async def prove(self, look: Callable[[], Awaitable[Reading]]) -> None:
        """Prove the relay. Every output was turned off; the guard looks on, for it moves the enable loop.

        Args:
            look: Reads the generator once.

        Raises:
            LinkError: The generator does not answer.
            DeviceError: The relay is not fit, or the guard cannot start: nothing is energised.
        """
        shell, clock = self._shell, self._clock
        begun = False
        give_up_ns = clock.monotonic_ns() + round(PROVED_S * NS_PER_S)
        looks = missed = 0
        while True:
            looks += 1
            try:
                reading = await look()
            except LinkTimeout:
                missed += 1
                if missed > MOST_MISSED:
                    raise
                continue
            missed = 0
            wanted = (Wanted.NOTHING,) * len(reading.channels)
            shell.beat(looks, looks, clock.monotonic_ns(), wanted, enable=False)
            if any(has_output(channel) for channel in reading.channels):
                raise DeviceError(
                    "an output is on although everything was turned off: the relay cannot be proved",
                    where="guard",
                    remedy="Switch the generator off at its mains.",
                )
            if not begun:
                shell.begin()
                begun = True
            await asyncio.sleep(LOOK_S)
            shell.listen()
            word = shell.word
            if word.code:
                raise DeviceError(
                    word.text.rstrip("."), where="guard", remedy="Without guard and relay nothing is energised."
                )
            if word.proof:
                break
            if clock.monotonic_ns() > give_up_ns:
                raise DeviceError(
                    f"no word of a proof within {PROVED_S:g} s", where="guard", remedy="Look for its process and relay."
                )
        shell.heard_ns = clock.monotonic_ns()

    def beat(self, state: KernelState, cycle: int) -> None:
        """A cycle is complete: sampled, decided, carried out."""
        phases = [channel.phase for channel in state.channels]
        digest = hash((state.received_ns, state.intent, *[channel.since_ns for channel in state.channels]))
        self._shell.beat(
            cycle & 0xFFFFFFFF,
            digest & 0xFFFFFFFF,
            self._clock.monotonic_ns(),
            tuple([WANTED[phase] for phase in phases]),
            enable=not ENABLED.isdisjoint(phases),
        )

    def news(self, now_ns: int) -> Guarded | None:
        """What the kernel does not know yet of the guard; None for nothing."""
        shell = self._shell
        shell.listen()
        word = shell.word
        silent_ns = shell.heard_ns if now_ns - shell.heard_ns > SILENT_NS else 0
        told = (silent_ns > 0, word.closed, word.code)
        if told == self._told:
            return None
        self._told = told
        return Guarded(now_ns, word.closed, silent_ns, word.code, word.hazard, word.text)

    async def close(self) -> None:
        """Let go, and look whether the contact opens."""
        shell = self._shell
        give_up_ns = self._clock.monotonic_ns() + round(OPENED_S * NS_PER_S)
        shell.end()
        while not shell.over() and self._clock.monotonic_ns() < give_up_ns:
            await asyncio.sleep(LOOK_S)
            shell.listen()
        shell.shut()


def guard_of(
    station: Station, profile: AnyProfile, connection: Connection, clock: Clock, simulated_relay: str | None
) -> Guarding:
    """Start the guard of a station.

    Args:
        station: It has one.
        profile: Of its generator.
        connection: Opened.
        clock: Of the running loop.
        simulated_relay: Where the board of the simulator in this process listens; None for the station's own.

    Raises:
        ConfigError: The guard cannot decode this generator, or there is no such relay.
        LinkClosed: The relay board cannot be reached.
    """
    relay, limits = station.relay, station.guard
    assert relay is not None and limits is not None  # noqa: S101  the caller asked
    members = {
        "profile": str(profile.path),
        "serial": not connection.link.address.startswith("tcp:"),
        "channels": connection.identity.channels,
        "relay": simulated_relay or relay.link,
        "contact": [relay.unit, relay.relay, relay.input, relay.closed_reads],
        "tenths": relay.time_ms // 100,
        "hold_up_ms": relay.hold_up_ms or 0,
        "reply_ms": relay.reply_ms or (SIMULATED_REPLY_MS if simulated_relay else 0),
        "temperature_max_c": limits.temperature_max_c,
        "thermocouple": station.medium is not Medium.LOAD,
        **(REAL_TIME if clock.scale == "real" else VIRTUAL_TIME),
    }
    shell: Shell = Process(members, clock, station.state_folder) if clock.scale == "real" else InLoop(members, clock)
    return Guarding(shell, clock)


class InLoop:
    """A guard in the station's loop: where time is not the machine's."""

    def __init__(self, members: dict[str, Any], clock: Clock) -> None:
        """Open the way to the relay.

        Raises:
            ConfigError: A profile that it cannot decode, or no such relay.
            LinkClosed: The relay board cannot be reached.
        """
        self.kind = "a task in the station's loop"
        self.word = Word()
        self.heard_ns = clock.monotonic_ns()
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._runner, self._port = put_together(members, clock.monotonic_ns)
        self._runner.noticed = self._noticed
        self._proof = ""
        self._shown: tuple[object, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self._expecting: ExitStack | None = None
        self.tap = self._runner.on_wire
        self._loop.add_reader(self._port.fileno(), self._on_readable)

    def begin(self) -> None:
        self._runner.tell(Begin(self._clock.monotonic_ns()))
        self._arrange()

    def beat(self, cycle: int, digest: int, now_ns: int, wanted: tuple[Wanted, ...], *, enable: bool) -> None:
        self._runner.tell(Heartbeat(now_ns, now_ns, cycle, digest, wanted, enable))
        self.heard_ns = now_ns
        self._arrange()

    def listen(self) -> None:
        state = self._runner.state
        shown = (state.stage, state.closed, state.open, state.cause)
        if shown != self._shown:
            self._shown = shown
            self.word = wire.word_of(state, self._proof)

    def stop(self, by: str) -> None:
        """Somebody stops everything."""
        self._runner.tell(Stop(self._clock.monotonic_ns(), by))
        self._arrange()

    def end(self) -> None:
        self._runner.tell(Gone(self._clock.monotonic_ns()))
        self._arrange()
        self.listen()

    def over(self) -> bool:
        """The contact is open, or nobody can tell."""
        return self._runner.over

    def shut(self) -> None:
        """Nothing is left of it."""
        self._loop.remove_reader(self._port.fileno())
        if self._timer is not None:
            self._timer.cancel()
        if self._expecting is not None:
            self._expecting.close()
        self._port.close()

    def _noticed(self, notice: Notice) -> None:
        if notice.code == "proved":
            self._proof = notice.text

    def _on_readable(self) -> None:
        self._runner.on_readable()
        self._arrange()

    def _on_time(self) -> None:
        self._timer = None
        self._runner.on_time()
        self._arrange()

    def _arrange(self) -> None:
        """Wake when it is time, not before; and let a reply arrive before time jumps."""
        runner = self._runner
        if runner.waiting and self._expecting is None:
            self._expecting = ExitStack()
            self._expecting.enter_context(self._clock.expect())
        elif not runner.waiting and self._expecting is not None:
            self._expecting.close()
            self._expecting = None
        next_ns = runner.next_ns
        if not next_ns or (self._timer is not None and self._due_ns <= next_ns):
            return  # one that comes too early finds nothing to do, and asks again
        if self._timer is not None:
            self._timer.cancel()
        self._due_ns = next_ns
        self._timer = self._loop.call_at(next_ns / NS_PER_S, self._on_time)


class Process:
    """A guard in a process of its own."""

    def __init__(self, members: dict[str, Any], clock: Clock, state_folder: Path) -> None:
        """Start it.

        Raises:
            ConfigError: It cannot be started.
        """
        self.kind = "a process of its own"
        self.word = Word()
        self.heard_ns = clock.monotonic_ns()
        self._clock = clock
        self._frames: wire.Frames = []
        self._file = state_folder / DESK
        self._station, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._station.settimeout(0.0)
        desk = local_socket.listen(state_folder, DESK, mode=local_socket.ANYONE)
        try:
            with theirs, desk:
                fds = (theirs.fileno(), desk.fileno())
                command = [sys.executable, "-m", "rfctl.guard", *map(str, fds), json.dumps(members)]
                self._process = subprocess.Popen(  # a signal to the terminal's group is not one to the guard
                    command, pass_fds=fds, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
                )
        except OSError as problem:
            self._station.close()
            raise ConfigError(f"the guard cannot be started: {problem.strerror}", where=sys.executable) from None

    def tap(self, direction: Direction, data: bytes) -> None:
        self._frames.append((direction, data))

    def begin(self) -> None:
        self._send(wire.BEGIN)

    def beat(self, cycle: int, digest: int, now_ns: int, wanted: tuple[Wanted, ...], *, enable: bool) -> None:
        self._send(wire.beat(cycle, digest, now_ns, bytes(wanted), self._frames, enable=enable))
        self._frames = []

    def listen(self) -> None:
        """Whatever has come since."""
        try:
            while packet := self._station.recv(wire.MOST_BYTES):
                self.word = wire.hear(packet) or self.word
                self.heard_ns = self._clock.monotonic_ns()
        except BlockingIOError:
            return
        except OSError:
            pass
        if not self.word.code:
            self.word = self.word._replace(closed=False, code="gone", hazard="HZ-45", text="its process has ended")

    def end(self) -> None:
        with suppress(OSError):
            self._station.shutdown(socket.SHUT_WR)

    def over(self) -> bool:
        """It has ended: by itself, when it has seen the contact open."""
        return self._process.poll() is not None

    def shut(self) -> None:
        """Nothing is left of it; the contact of one that had to be ended opens by itself."""
        self._station.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._file.unlink()

    def _send(self, packet: bytes) -> None:
        with suppress(OSError):  # one that is gone, or does not listen, is known by its silence
            self._station.send(packet, socket.MSG_DONTWAIT)
