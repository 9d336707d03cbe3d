"""A driver on a link on a wire to a simulated generator, in virtual time, and the steps to each state of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.kernel.interlocks import has_output
from rfctl.link.link import Link
from rfctl.model.capability import Capability, SetPoint
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings
from rfctl.station.connection import REPLY_ALLOWANCE_NS, REPLY_BEFORE_KNOWN_NS, framing_of
from rfctl.testing.recorder import Recorder
from rfctl.testing.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rfctl.clock import Clock
    from rfctl.generator import Controller, Identity
    from rfctl.link.framing import Framing
    from rfctl.link.link import Transactions
    from rfctl.model.reading import Reading

SESSION = 4711
CHANNEL = 1
CYCLE_S = 0.05
PERMIT_NS = NS_PER_S
OFF_WITHIN_S = 0.25
"""How long a generator may take from the bytes of an off to no output."""
LESION = LesionSettings(set_temperature_c=60.0, ramp_c_per_s=2.0, max_on_s=60.0, power_limit_w=8.0)
SET_POINT = SetPointSettings(SetPoint.VOLTAGE, max_on_s=60.0, power_limit_w=8.0)
STIMULATION = StimulationSettings(unit="V", rate_hz=50.0, width_us=1000, amplitude_limit=1.0)
LEASE_OVER_S = 1.5
"""After this long without a renewal nothing may be on: no lease is longer than 1 s."""


class SimulatedPeer(Protocol):
    """The generator's side of a contract test: a simulation that speaks the wire protocol, in the running loop.

    Attributes:
        address: Where it listens, as a station file writes it.
    """

    @property
    def address(self) -> str: ...

    def delivering(self) -> bool:
        """RF or stimulation leaves some channel now: the output stage itself, not what was commanded."""
        ...

    def open_thermocouple(self, channel: int) -> None:
        """Break the thermocouple of a channel."""
        ...


@dataclass(frozen=True)
class Samples:
    """Settings that the simulated generator accepts.

    Attributes:
        lesion: For a generator that controls the temperature itself.
        set_point: Beginning of a lesion for one that does not: what bounds it.
        set_point_value: V rms or W, to be set while RF is on.
        stimulation: Rate, width and ceiling.
        amplitude: Within that ceiling.
    """

    lesion: LesionSettings = LESION
    set_point: SetPointSettings = SET_POINT
    set_point_value: float = 10.0
    stimulation: StimulationSettings = STIMULATION
    amplitude: float = 0.4


class Rig:
    """What a test of the contract holds.

    Attributes:
        clock: Virtual.
        peer: The generator.
        samples: Settings that it accepts.
        wire: The present wire to it.
        link: The present link.
        framing: How requests travel on it.
        recorder: What the driver takes for the link.
        driver: The present driver.
        identity: Who answered.
        token: What arming returned last.
    """

    wire: Wire
    link: Link
    framing: Framing
    recorder: Recorder
    driver: Controller
    identity: Identity

    def __init__(
        self, clock: Clock, peer: SimulatedPeer, samples: Samples, make: Callable[[Transactions], Controller]
    ) -> None:
        self.clock = clock
        self.peer = peer
        self.samples = samples
        self.token = 0
        self._make = make
        self._links: list[Link] = []
        self._wires: list[Wire] = []

    async def connect(self, *, off: bool = True) -> None:
        """A new wire, link and driver, as after every loss of a connection; then who answers, then off."""
        self.wire = await Wire.to(self.peer.address, self.clock)
        self._wires.append(self.wire)
        self.framing = framing_of(self.peer.address)
        self.link = Link(
            self.wire.descriptor,
            self.framing,
            self.clock,
            address=self.peer.address,
            reply_ns=REPLY_BEFORE_KNOWN_NS,
        )
        self._links.append(self.link)
        self.recorder = Recorder(self.link)
        self.driver = self._make(self.recorder)
        self.link.load(self.driver.table(), self.driver.off_frames())
        self.identity = await self.driver.identify()
        self.link.reply_ns = self.identity.reply_ms * NS_PER_MS + REPLY_ALLOWANCE_NS
        if off:
            self.off()

    async def reconnect(self, *, off: bool = True) -> None:
        """Turn off, lose the connection, wait until any lease is over, and connect anew."""
        if off:
            self.off()
            await asyncio.sleep(OFF_WITHIN_S)
        self.wire.cut()
        await asyncio.sleep(LEASE_OVER_S)
        await self.connect()

    async def close(self) -> None:
        """Nothing is left open."""
        for link in self._links:
            link.close()
        for wire in self._wires:
            wire.cut()
        await asyncio.sleep(0.01)

    def deadline_s(self) -> float:
        """The longest that the link waits for a reply of a control cycle, s."""
        wire_ns = max(self.framing.exchange_ns(request) for request in self.driver.cycle())
        return (self.link.reply_ns + wire_ns) / NS_PER_S

    def off(self) -> None:
        """Everything off, as a station does it."""
        self.link.off()

    def permit(self, kind: PermitKind) -> None:
        """Let the gate pass what these samples need, for a second."""
        lesion, set_point, stimulation = self.samples.lesion, self.samples.set_point, self.samples.stimulation
        envelope = Envelope(
            temperature_c=lesion.set_temperature_c,
            power_w=max(lesion.power_limit_w, set_point.power_limit_w),
            duration_s=max(lesion.max_on_s, set_point.max_on_s),
            stimulation_v=stimulation.amplitude_limit,
            stimulation_ma=stimulation.amplitude_limit,
            voltage_v_rms=self.samples.set_point_value,
        )
        self.link.grant(Permit(CHANNEL, kind, envelope, self.clock.monotonic_ns() + PERMIT_NS))

    async def keep(self, seconds: float, kind: PermitKind) -> None:
        """Decide again and again that the output stays on."""
        for _ in range(round(seconds / CYCLE_S)):
            self.permit(kind)
            await self.driver.renew()
            await asyncio.sleep(CYCLE_S)

    async def fresh(self) -> Reading:
        """A sample taken from now on."""
        await asyncio.sleep(2 * self.identity.sample_period_ms / 1000)
        return await self.driver.read()

    async def shows_output(self) -> bool:
        """The generator measures an output, or says so of none any more."""
        return any(has_output(channel) for channel in (await self.fresh()).channels)

    def can(self, capability: Capability) -> bool:
        """The generator says that it can."""
        return capability in self.identity.capabilities

    # The steps to each state, by the name of the method that they end with.

    def steps(self) -> dict[str, tuple[str, ...]]:
        """What has to be called before a method, for every method that this generator can be asked for."""
        configure = "configure_lesion" if self.can(Capability.THERMAL) else "configure_set_point"
        armed = ("claim", "renew", configure, "arm")
        found: dict[str, tuple[str, ...]] = {
            "identify": (),
            "read": (),
            "claim": (),
            "release": ("claim",),
            "clear_faults": ("claim",),
            "renew": ("claim",),
            configure: ("claim", "renew"),
            "arm": armed[:-1],
            "fire": armed,
            "lower_power_limit": (*armed, "fire"),
        }
        if self.can(Capability.VOLTAGE_SET_POINT) or self.can(Capability.POWER_SET_POINT):
            found["configure_set_point"] = ("claim", "renew")
            value = "set_voltage" if self.samples.set_point.set_point is SetPoint.VOLTAGE else "set_power"
            found[value] = ("claim", "renew", "configure_set_point", "arm", "fire")
        if self.can(Capability.STIMULATION_V) or self.can(Capability.STIMULATION_MA):
            found["configure_stimulation"] = ("claim", "renew")
            found["start_stimulation"] = ("claim", "renew", "configure_stimulation")
            found["set_amplitude"] = ("claim", "renew", "configure_stimulation", "start_stimulation")
        return found

    async def methods(self) -> list[str]:
        """Every method that asks this generator something; where the lease is the log-on, a claim does not."""
        await self.prepare("claim")
        await self.call("claim")
        asked = bool(self.recorder.exchanges)
        await self.reconnect()
        return [method for method in self.steps() if asked or method != "claim"]

    async def prepare(self, method: str) -> None:
        """Everything that comes before a method; then nothing is written down yet."""
        for step in self.steps()[method]:
            await self.call(step, last=method)
        await asyncio.sleep(0.01)  # the last answers, to an off for one, have come
        self.permit(kind_of(method))
        self.recorder.begin()
        self.wire.requests.clear()

    async def call(self, method: str, *, last: str = "") -> None:
        """Call one method of the driver with the sample settings, under a permit of the kind that ``last`` needs."""
        self.permit(kind_of(last or method))
        call: Callable[[], Awaitable[object]] = {
            "identify": self.driver.identify,
            "read": self.driver.read,
            "claim": lambda: self.driver.claim(SESSION),
            "release": self.driver.release,
            "clear_faults": self.driver.clear_faults,
            "renew": self.driver.renew,
            "configure_lesion": lambda: self.driver.configure_lesion(CHANNEL, self.samples.lesion),
            "configure_set_point": lambda: self.driver.configure_set_point(CHANNEL, self.samples.set_point),
            "arm": self._arm,
            "fire": lambda: self.driver.fire(CHANNEL, self.token),
            "lower_power_limit": lambda: self.driver.lower_power_limit(CHANNEL, self.lower_limit_w),
            "set_voltage": lambda: self.driver.set_voltage(CHANNEL, self.samples.set_point_value),
            "set_power": lambda: self.driver.set_power(CHANNEL, self.samples.set_point_value),
            "configure_stimulation": lambda: self.driver.configure_stimulation(CHANNEL, self.samples.stimulation),
            "start_stimulation": lambda: self.driver.start_stimulation(CHANNEL),
            "set_amplitude": lambda: self.driver.set_amplitude(CHANNEL, self.samples.amplitude),
        }[method]
        await call()

    @property
    def lower_limit_w(self) -> float:
        """A power limit below the sample's."""
        return self.samples.lesion.power_limit_w / 2

    async def start_rf(self) -> None:
        """RF on, by every step of the contract, and really delivered."""
        await self.prepare("lower_power_limit")
        if not self.can(Capability.THERMAL):
            set_value = "set_voltage" if self.can(Capability.VOLTAGE_SET_POINT) else "set_power"
            await self.call(set_value)
        await self.keep(0.2, PermitKind.LESION)
        assert self.peer.delivering(), "the driver has fired, and the simulated generator delivers nothing"

    async def _arm(self) -> None:
        self.token = await self.driver.arm(CHANNEL)


STIMULATING = frozenset({"configure_stimulation", "start_stimulation", "set_amplitude"})


def kind_of(method: str) -> PermitKind:
    """The permit that a method needs."""
    return PermitKind.STIMULATION if method in STIMULATING else PermitKind.LESION
