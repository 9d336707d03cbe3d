"""What must hold of every decision of the kernel, whatever has happened: eight invariants, each a function of one edge.

They look at what the generator was told (``World.ports``), at events and at effects; the kernel's own state is believed
only for its phases and times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.kernel.effects import (
    Arm,
    Ask,
    ChannelOff,
    Configure,
    ConfigureSetPoint,
    ConfigureStimulation,
    Fire,
    Grant,
    Level,
    LowerLimit,
    MakeDurable,
    Note,
    Off,
    SetAmplitude,
    SetOutput,
    StartStimulation,
)
from rfctl.kernel.events import Answered, Choice, Missed, Question, Sampled
from rfctl.kernel.interlocks import has_output
from rfctl.kernel.journal import envelope_values
from rfctl.kernel.phase import ARMING, LESION, OFF_VERIFYING, ON_SITE, STIMULATION, STIMULATION_STARTING, Phase
from rfctl.kernel.state import Stage
from rfctl.model.capability import SetPoint
from rfctl.safety.explore_world import LEASE_MS, SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.kernel.effects import Effect
    from rfctl.kernel.events import Event
    from rfctl.safety.explore_world import Edge, Port

FRESH_NS = 300_000_000
OFF_VERIFIED_NS = 250_000_000
OFF_AGAIN_NS = 200_000_000
TOKEN_NS = 5_000_000_000
GIVEN_UP_NS = 5_000_000_000
CLOSED = frozenset({Stage.ENDING, Stage.RELEASING, Stage.ENDED})
NOT_CONFIRMED = frozenset({"off_not_verified", "off_uncertain"})
"""Codes of verdicts that say of an output that it is on, or not known to be off."""
LATCHED = frozenset({Phase.VOID_OFF, Phase.STIM_REQUIRED})
GIVEN_UP = frozenset({Phase.DROP_OFF, Phase.DROPPED})
TOWARDS_RF = ARMING | LESION | {Phase.LESION_READY, Phase.ARM_READY}
ENERGISING = (
    Fire, StartStimulation, Arm, Configure, ConfigureSetPoint, ConfigureStimulation, SetAmplitude, SetOutput, Grant,
)  # fmt: skip
SHORTEST_REASON = 10
ROUNDED = 1e-6
"""Of an amplitude: a register holds 32 bits."""


def rf_only_when_all_is_well(edge: Edge) -> Iterator[str]:
    """I1: RF on means: in a lesion, armed, fresh, the intent durable, the lease held, no stimulation."""
    after = edge.after
    kernel = after.kernel
    for number, (port, channel) in enumerate(zip(after.ports, kernel.channels, strict=True), start=1):
        if port.rf:
            if channel.phase not in LESION:
                yield f"channel {number} has RF in phase {channel.phase}"
            if not port.durable:
                yield f"channel {number} has RF, and its intent is not on disk"
            if after.now_ns - kernel.received_ns > FRESH_NS:
                yield f"channel {number} has RF, and the last sample is {after.now_ns - kernel.received_ns} ns old"
            if after.now_ns - after.renewed_ns > LEASE_MS * 1_000_000:
                yield f"channel {number} has RF, and the lease has run out"
        if port.stimulating:
            if channel.phase not in STIMULATION | STIMULATION_STARTING:
                yield f"channel {number} stimulates in phase {channel.phase}"
            if not port.durable:
                yield f"channel {number} stimulates, and its intent is not on disk"
    for effect in edge.effects:
        if isinstance(effect, Fire):
            before = edge.before.kernel.channels[effect.channel - 1]
            if before.phase is not Phase.ARMED or before.token != effect.token or not effect.token:
                yield f"channel {effect.channel} is fired out of phase {before.phase}"
            if after.now_ns - before.since_ns >= TOKEN_NS:
                yield f"channel {effect.channel} is fired with a token that has run out"
            if kernel.setup.guarded and not after.closed:
                yield f"channel {effect.channel} is fired with the enable loop open"


def trip_is_off(edge: Edge) -> Iterator[str]:
    """I2: any verdict that ends something is off in the same decision."""
    tripped = [effect.channel for effect in edge.effects if isinstance(effect, Note) and effect.level is Level.TRIP]
    if not tripped and len(edge.after.kernel.trips) == len(edge.before.kernel.trips):
        return
    everything = any(isinstance(effect, Off) for effect in edge.effects)
    channels = {effect.channel for effect in edge.effects if isinstance(effect, ChannelOff)}
    for channel in tripped or [0]:
        if not everything and channel not in channels:
            yield f"a trip of channel {channel} without off"
    if edge.after.kernel.stage in CLOSED and any(port.rf or port.stimulating for port in edge.after.ports):
        yield "the procedure has ended, and an output is on"


def latch_holds(edge: Edge) -> Iterator[str]:
    """I3: what is latched leads to no arming: an end never, a void result only by its reset and a new word."""
    before, after = edge.before.kernel, edge.after.kernel
    if before.stage in CLOSED:
        if after.stage not in CLOSED or any(channel.phase is not Phase.ENDED for channel in after.channels):
            yield f"out of {before.stage} into {after.stage}"
        yield from (f"{type(e).__name__} after the end" for e in edge.effects if isinstance(e, (MakeDurable, Fire)))
        return
    event = edge.event
    for number, (was, now) in enumerate(zip(before.channels, after.channels, strict=True), start=1):
        if was.phase in GIVEN_UP and now.phase in TOWARDS_RF and now.site == was.site:
            yield f"channel {number} was dropped and is in {now.phase}"
        if was.phase in LATCHED and now.phase in TOWARDS_RF and not _resets(event):
            yield f"channel {number} left {was.phase} for {now.phase} without its reset"
    asked = any(isinstance(effect, Ask) and effect.question is Question.ARM for effect in edge.effects)
    if asked and (after.armed_by or after.started):
        yield "a word to arm is asked for, and one that was given before still counts"


def _resets(event: Event) -> bool:
    """A named physician's word on the position, with a reason."""
    return (
        isinstance(event, Answered)
        and event.question is Question.POSITION
        and event.choice is Choice.CONFIRM
        and len(event.reason.strip()) >= SHORTEST_REASON
        and bool(event.physician)
    )


def never_both(edge: Edge) -> Iterator[str]:
    """I4: stimulation and RF are never on together, on no two channels."""
    ports = edge.after.ports
    if any(port.rf for port in ports) and any(port.stimulating for port in ports):
        yield "RF and stimulation are on together"


def off_is_followed_up(edge: Edge) -> Iterator[str]:
    """I5: after off comes verified, or the words OFF NOT CONFIRMED; meanwhile off is sent again."""
    if not isinstance(edge.event, (Sampled, Missed)):
        return
    kernel, now_ns = edge.after.kernel, edge.after.now_ns
    said = any(trip.code in NOT_CONFIRMED or trip.t_ns > kernel.since_ns for trip in kernel.trips)
    if kernel.stage is Stage.ENDING and edge.before.kernel.stage in CLOSED:
        # By a sample the row of it says so; without one it is said so long after the last.
        age_ns = now_ns - (kernel.since_ns if isinstance(edge.event, Sampled) else _last_known_ns(edge))
        if age_ns > OFF_VERIFIED_NS and not said:
            yield f"off is not verified after {age_ns} ns, and nothing is said"
        if now_ns - kernel.off_ns >= OFF_AGAIN_NS:
            yield f"off was last sent {now_ns - kernel.off_ns} ns ago, and its output is not known to be off"
        if now_ns - kernel.since_ns > GIVEN_UP_NS:
            yield "an end without a word for more than 5 s"
    if not isinstance(edge.event, Sampled):
        return
    for number, (was, now) in enumerate(zip(edge.before.kernel.channels, kernel.channels, strict=True), start=1):
        late = was.phase in OFF_VERIFYING and now_ns - was.off_ns > OFF_VERIFIED_NS
        output = has_output(edge.event.reading.channels[number - 1])
        if late and output and now.phase is was.phase and now.since_ns == was.since_ns and not said:
            yield f"channel {number} has an output {now_ns - was.off_ns} ns after off, and nothing is said"


def _last_known_ns(edge: Edge) -> int:
    return max(edge.after.kernel.since_ns, edge.after.kernel.received_ns)


def unknown_enables_nothing(edge: Edge) -> Iterator[str]:
    """I6: before the first reading, on a sample that is not a number, or an old one, nothing is energised."""
    energising = [effect for effect in edge.effects if isinstance(effect, ENERGISING)]
    kernel, event = edge.after.kernel, edge.event
    if energising and kernel.reading is None:
        yield f"{type(energising[0]).__name__} before the first reading"
    if any(isinstance(effect, (Fire, SetAmplitude)) for effect in energising):
        age_ns = edge.after.now_ns - kernel.received_ns
        if age_ns > FRESH_NS and any(isinstance(effect, Fire) for effect in energising):
            yield f"fired by a sample {age_ns} ns old"
    if isinstance(event, Sampled):
        for number, (was, measured) in enumerate(
            zip(edge.before.kernel.channels, event.reading.channels, strict=True), start=1
        ):
            if measured.temperature_c == measured.temperature_c or was.phase not in ON_SITE:
                continue
            now = kernel.channels[number - 1].phase
            if now in ON_SITE and edge.before.kernel.stage is Stage.TREATING:
                yield f"channel {number} goes on in {now} by a temperature that is not a number"


def only_narrower(edge: Edge) -> Iterator[str]:
    """I7: what is written and permitted lies within the envelope of the durable intent, and a limit only falls."""
    for effect in edge.effects:
        if isinstance(effect, Grant):
            permit = effect.permit
            yield from _within(permit.channel, edge, envelope_values(permit.envelope), "a permit")
            if permit.expires_ns > edge.after.now_ns + FRESH_NS:
                yield f"a permit of channel {permit.channel} outlives its sample"
        elif isinstance(effect, Configure):
            settings, envelope = effect.settings, edge.after.ports[effect.channel - 1].envelope
            if (
                envelope is None
                or settings.set_temperature_c > envelope.temperature_c
                or settings.power_limit_w > envelope.power_w
                or settings.max_on_s > envelope.duration_s
            ):
                yield f"channel {effect.channel} is set beyond its intent"
        elif isinstance(effect, SetAmplitude):
            yield from _amplitude(edge.before.ports[effect.channel - 1], effect)
        elif isinstance(effect, SetOutput):
            envelope = edge.after.ports[effect.channel - 1].envelope
            most = 0.0
            if envelope is not None:
                most = envelope.voltage_v_rms if effect.set_point is SetPoint.VOLTAGE else envelope.power_w
            if not effect.value <= most:
                yield f"channel {effect.channel} is told {effect.value}, its intent covers {most}"
        elif isinstance(effect, LowerLimit):
            before = edge.before.kernel.channels[effect.channel - 1].power_limit_w
            if not effect.power_limit_w <= before:
                yield f"the power limit of channel {effect.channel} rises from {before} to {effect.power_limit_w} W"


def _within(number: int, edge: Edge, values: tuple[float, ...], what: str) -> Iterator[str]:
    port: Port = edge.after.ports[number - 1]
    if port.envelope is None or not port.durable:
        yield f"{what} of channel {number} without a durable intent"
    elif any(not value <= most for value, most in zip(values, envelope_values(port.envelope), strict=True)):
        yield f"{what} of channel {number} is wider than its intent"


def _amplitude(port: Port, effect: SetAmplitude) -> Iterator[str]:
    most = max(port.envelope.stimulation_v, port.envelope.stimulation_ma) if port.envelope else 0.0
    if not effect.amplitude <= most + ROUNDED or not effect.amplitude >= 0.0:
        yield f"channel {effect.channel} is told {effect.amplitude}, its intent covers {most}"
    if effect.amplitude > port.amplitude + 0.1 + ROUNDED:
        yield f"the amplitude of channel {effect.channel} jumps from {port.amplitude} to {effect.amplitude}"


def off_comes_first(edge: Edge) -> Iterator[str]:
    """I8: the first act of all is off, and where off is among the effects it is before anything else."""
    effects = edge.effects
    if edge.before.kernel.stage is Stage.UNKNOWN and not (effects and isinstance(effects[0], Off)):
        yield "the first act is not off"
    offs = [place for place, effect in enumerate(effects) if isinstance(effect, Off)]
    if offs and any(_acts(effect) for effect in effects[: offs[0]]):
        yield "something is done before off"
    if edge.before.owner == SESSION and edge.after.owner != SESSION and edge.before.kernel.stage not in CLOSED:
        yield "ownership is given back before off is verified"


def _acts(effect: Effect) -> bool:
    return not isinstance(effect, (Note, Off, ChannelOff))


INVARIANTS = {
    "I1": rf_only_when_all_is_well,
    "I2": trip_is_off,
    "I3": latch_holds,
    "I4": never_both,
    "I5": off_is_followed_up,
    "I6": unknown_enables_nothing,
    "I7": only_narrower,
    "I8": off_comes_first,
}
"""By the numbers of the safety plan."""


def broken(edge: Edge) -> list[str]:
    """What this decision breaks, in words that begin with the invariant's number."""
    return [f"{name}: {what}" for name, holds in INVARIANTS.items() for what in holds(edge)]
