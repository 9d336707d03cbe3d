"""What injected faults do, as the parts they are injected into see it.

Each part looks at ``active`` alone as long as nothing is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from random import Random

    from rfctl_sim.channel import Measurement
    from rfctl_sim.conventions import Write

Reading = Callable[[int, float], float]
"""A thermocouple's sample number and temperature, degC, to what is read instead."""

Path = Callable[[int, float, float], tuple[float, float]]
"""Instant, ns, with the impedance of tissue and of series path, ohm, to what they are instead."""

Frame = tuple[int, bytes]
"""Who answers, and what: a Modbus unit with its PDU, a line's number with its body."""

Said = list[tuple[int, bytes]]
"""Bytes on their way to a client, each piece with the time that it is late, ns."""


class Grammar(Protocol):
    """A protocol, as far as a reply can be wrong in it and still be well formed."""

    def other_unit(self, frame: Frame) -> Frame:
        """From somebody else, or to somebody else's request."""
        ...

    def other_function(self, frame: Frame) -> Frame:
        """The answer to another kind of request."""
        ...

    def other_count(self, frame: Frame) -> Frame:
        """With another number of values."""
        ...

    def other_value(self, frame: Frame, random: Random) -> Frame:
        """With a value that was spoiled."""
        ...


@dataclass(slots=True)
class ChannelEffects:
    """Faults in force on one channel.

    Attributes:
        active: Anything is.
        readings: What becomes of the thermocouple's reading, one after the other.
        paths: What becomes of the impedances, one after the other.
        shown: What becomes of a measured value, by the name of its field in Measurement.
        load_ohm: What the output sees instead of tissue and path, ohm.
        overpower_w: What the output delivers into the tissue while RF is on, whatever it is told, W.
        power_factor: Delivered power over commanded power.
        blocked: RF does not come, whatever the switch says.
        stuck_on: RF that is on stays on.
        self_on_w: RF is on by itself, with this power into the tissue, W.
        pulse_width_ratio: Pulses are so many times as wide as they are told to be.
        limit_ignored: The firmware regulates as if there were no power limit.
        stimulation_factor: Delivered amplitude over set amplitude.
        self_stimulation: The stimulator is on by itself with this amplitude, V or mA peak.
        unseen_bits: Channel fault bits that the firmware's own safety does not look for, so that a host's is measured.
    """

    active: bool = False
    readings: list[Reading] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    shown: dict[str, Callable[[float], float]] = field(default_factory=dict)
    load_ohm: float | None = None
    overpower_w: float | None = None
    power_factor: float = 1.0
    blocked: bool = False
    stuck_on: bool = False
    self_on_w: float | None = None
    pulse_width_ratio: float = 1.0
    limit_ignored: bool = False
    stimulation_factor: float = 1.0
    self_stimulation: float | None = None
    unseen_bits: int = 0

    def read_c(self, sample: int, temperature_c: float) -> float:
        """What the thermocouple's input gives instead of a temperature, degC."""
        for reading in self.readings:
            temperature_c = reading(sample, temperature_c)
        return temperature_c

    def show(self, measured: Measurement) -> Measurement:
        """What the meters show instead of a measurement."""
        shown: dict[str, Any] = {meter: change(getattr(measured, meter)) for meter, change in self.shown.items()}
        return measured._replace(**shown)

    def impedances_ohm(self, now_ns: int, tissue_ohm: float, series_ohm: float) -> tuple[float, float]:
        """What tissue and series path have instead of their impedances, ohm."""
        for path in self.paths:
            tissue_ohm, series_ohm = path(now_ns, tissue_ohm, series_ohm)
        return tissue_ohm, series_ohm

    def reset(self) -> None:
        """Nothing is in force any more."""
        _copy_fields(ChannelEffects(), self)


@dataclass(slots=True)
class FirmwareEffects:
    """Faults in force on a firmware.

    Attributes:
        active: Anything is.
        hung: It does nothing any more; the output stages go on as they were told last.
        heard: What it makes of the values that a client writes, one after the other.
        remembered: What befalls its memory after each write.
        lease_endless: The lease does not run out.
        timer_endless: The lesion timer does not run out.
        clock: The instant that its own clock shows, ns; None while it is right.
    """

    active: bool = False
    hung: bool = False
    heard: list[Callable[[Sequence[Write]], Sequence[Write]]] = field(default_factory=list)
    remembered: list[Callable[[], None]] = field(default_factory=list)
    lease_endless: bool = False
    timer_endless: bool = False
    clock: Callable[[int], int] | None = None

    def heard_of(self, writes: Sequence[Write]) -> Sequence[Write]:
        """What the firmware makes of what a client writes."""
        for hear in self.heard:
            writes = hear(writes)
        return writes

    def reset(self) -> None:
        """Nothing is in force any more."""
        _copy_fields(FirmwareEffects(), self)


def _not_told(now_ns: int) -> None:
    pass


@dataclass(slots=True)
class WireEffects:
    """Faults in force on what a client sees.

    Attributes:
        active: Anything is, or waits for a request.
        arrived: Told of each request while active, before it is obeyed.
        requests: How many arrived while active.
        frozen_ns: Since when what the first request then shows is answered for ever; None for no such fault.
        silent: Requests are neither obeyed nor answered.
        losses: Each says of each request whether it is lost.
        wrong_map_id: The identity block carries another map id.
        identity: Other values of the identity block, by name.
        refused_register: Name of the register whose writes are answered with exception 04.
        frames: What becomes of a reply before it is given its check sum, one after the other.
        said: What becomes of it as bytes, one after the other.
        hang_up: The connection ends with the reply.
        held_back: Replies that go out in front of the next one.
        booting_until_ns: Requests before this instant are not heard: the machine is off or has just been switched on.
    """

    active: bool = False
    arrived: Callable[[int], None] = _not_told
    requests: int = 0
    frozen_ns: int | None = None
    silent: bool = False
    losses: list[Callable[[], bool]] = field(default_factory=list)
    wrong_map_id: bool = False
    identity: dict[str, object] = field(default_factory=dict)
    refused_register: str | None = None
    frames: list[Callable[[Grammar, Frame], Frame]] = field(default_factory=list)
    said: list[Callable[[Said], Said]] = field(default_factory=list)
    hang_up: bool = False
    held_back: list[bytes] = field(default_factory=list)
    booting_until_ns: int = 0

    def deaf_at(self, now_ns: int) -> bool:
        """A request arrives: True when it is neither obeyed nor answered."""
        if self.active:
            self.requests += 1
            self.arrived(now_ns)
            if self.silent or any(lost() for lost in self.losses):
                return True
        return now_ns < self.booting_until_ns

    def pieces(self, grammar: Grammar, frame: Frame, wrap: Callable[[int, bytes], bytes]) -> Said:
        """What goes out for a reply: pieces of bytes, each with the time that it is late, ns.

        Args:
            grammar: Of the protocol.
            frame: The reply as it should be.
            wrap: Makes bytes of a frame, with its check sum.
        """
        for change in self.frames:
            frame = change(grammar, frame)
        before, self.held_back = self.held_back, []
        said: Said = [(0, wrap(*frame))]
        for spoil in self.said:
            said = spoil(said)
        return [(0, data) for data in before] + [(late_ns, data) for late_ns, data in said if data]

    def take_hang_up(self) -> bool:
        """The connection ends now, once."""
        hang_up, self.hang_up = self.hang_up, False
        return hang_up

    def reset(self) -> None:
        """Nothing is in force any more; what was held back still goes out, and who counts requests goes on."""
        kept = {name: getattr(self, name) for name in ("arrived", "requests", "held_back", "booting_until_ns")}
        _copy_fields(WireEffects(**kept), self)


Effects = TypeVar("Effects", ChannelEffects, FirmwareEffects, WireEffects)


def _copy_fields(of: Effects, into: Effects) -> None:
    for each in fields(into):
        setattr(into, each.name, getattr(of, each.name))
