"""The kernel between a generator that does as it is told and everything that may happen: the world that is explored.

Nothing here decides: ``tell`` hands one event to the real ``step`` and lets the generator follow the effects. A signal
has its usual value but in the samples that an action twists.
"""

from __future__ import annotations

from dataclasses import replace
from math import nan, sqrt
from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel.effects import (
    Arm,
    ChannelOff,
    Claim,
    Configure,
    ConfigureSetPoint,
    ConfigureStimulation,
    Finish,
    Fire,
    MakeDurable,
    Off,
    Release,
    Renew,
    SetAmplitude,
    SetOutput,
    StartStimulation,
)
from rfctl.kernel.events import Command, Completed, Durable, Failed, Guarded
from rfctl.kernel.phase import HEATING, Phase
from rfctl.kernel.state import KernelState, Setup, initial
from rfctl.kernel.step import step
from rfctl.model.capability import SetPoint
from rfctl.model.electrode import find_electrode
from rfctl.model.plan import (
    Anaesthetic,
    FaultPolicy,
    Lesion,
    Medium,
    Move,
    OrderOfWork,
    Plan,
    Site,
    StimulationCheck,
    TimerDefinition,
    Use,
)
from rfctl.model.reading import ChannelReading, Mode, PadStatus, Reading

if TYPE_CHECKING:
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.events import Event
    from rfctl.model.permit import Envelope

SESSION, TOKEN = 4711, 77
LEASE_MS = 500
BODY_C, SET_C, RAMP_C_PER_S, HOLD_S = 37.0, 50.0, 5.0, 1.6
PROBED_C = BODY_C + 3.0
VALID_S = 20.0
SERIES_OHM = 100.0
BEGIN_NS = 1_000_000_000
POWER_W = 2.0
"""In the tissue while RF is on, half of it in a probe."""
ELECTRODE = find_electrode(18, 10)
ELECTRODE_ID = 0x1810


class Port(NamedTuple):
    """One output of the generator, as the effects have left it.

    Attributes:
        rf: RF is on.
        stimulating: The stimulator is on.
        amplitude: As delivered, V.
        set_point: In force.
        check: Rate, Hz, and width, us, of the stimulator.
        intent: Number of the last intent of the channel, 0 before the first.
        envelope: What it covers.
        durable: It is on disk.
    """

    rf: bool = False
    stimulating: bool = False
    amplitude: float = 0.0
    set_point: float = 0.0
    check: tuple[float, int] = (0.0, 0)
    intent: int = 0
    envelope: Envelope | None = None
    durable: bool = False


class World(NamedTuple):
    """Kernel and generator at one moment.

    Attributes:
        kernel: The kernel's state.
        now_ns: The station's clock.
        ports: The generator's outputs.
        owner: Session that owns the generator.
        counter: Its sample counter.
        renewed_ns: When its lease was last renewed.
        pending: Commands that it has been given and not answered: command, channel, value of the answer.
        writing: Numbers of the intents that are being written.
        closed: The guard holds the enable loop.
    """

    kernel: KernelState
    now_ns: int
    ports: tuple[Port, ...]
    owner: int = 0
    counter: int = 0
    renewed_ns: int = 0
    pending: tuple[tuple[Command, int, int], ...] = ()
    writing: tuple[int, ...] = ()
    closed: bool = False


class Edge(NamedTuple):
    """One decision.

    Attributes:
        before: The world before the event.
        event: What happened.
        effects: What the kernel wants done.
        after: The world after they were carried out.
    """

    before: World
    event: Event
    effects: tuple[Effect, ...]
    after: World


# what is planned


def _site(number: int, lesions: int, sensory: StimulationCheck, motor: StimulationCheck, wait: Anaesthetic) -> Site:
    first = Lesion(SET_C, HOLD_S, RAMP_C_PER_S, TimerDefinition.SET_TEMPERATURE)
    further = (replace(first, after=Move.ROTATION),) * (lesions - 1)
    return Site(f"site {number}", number, ELECTRODE, sensory, motor, wait, (first, *further), 1, VALID_S)


def _setup(*sites: Site, guarded: bool = False, set_point: SetPoint | None = None) -> Setup:
    order = OrderOfWork.BATCH if len(sites) > 1 else OrderOfWork.SITE_BY_SITE
    plan = Plan("explored", ("explored",), sites, "0" * 64, order, FaultPolicy.DROP)
    count = max(len(sites), 1)
    return Setup(
        plan, Medium.TISSUE, SESSION, count, 50.0, simulated=True, channel_off=True, resolution_k=(0.1,) * count,
        guarded=guarded, set_point=set_point,
    )  # fmt: skip


_WHY = "explored apart"
_NO_CHECK = StimulationCheck(Use.NOT_USED, _WHY, 50.0, 1000, 0.1, 0.2)
_NO_WAIT = Anaesthetic(Use.NOT_USED, _WHY, "none", 0.5, 6.0)
_SENSORY = StimulationCheck(Use.REQUIRED, "", 50.0, 1000, 0.1, 0.3)
_MOTOR = StimulationCheck(Use.REQUIRED, "", 2.0, 1000, 0.2, 0.4)
_WAIT = Anaesthetic(Use.REQUIRED, "", "lidocaine 2 %", 0.5, 6.0)

SETUPS: dict[str, Setup] = {
    "nothing planned": _setup(),
    "one channel, unchecked": _setup(_site(1, 1, _NO_CHECK, _NO_CHECK, _NO_WAIT)),
    "one channel, checked, guarded": _setup(_site(1, 1, _SENSORY, _MOTOR, _WAIT), guarded=True),
    "one channel, checks optional, two lesions": _setup(
        _site(1, 2, replace(_SENSORY, use=Use.OPTIONAL), replace(_MOTOR, use=Use.OPTIONAL), _NO_WAIT)
    ),
    "two channels in batch, station in control": _setup(
        *(_site(number, 1, _NO_CHECK, _NO_CHECK, _NO_WAIT) for number in (1, 2)), set_point=SetPoint.VOLTAGE
    ),
}
"""Short procedures, by name: everything that takes time takes as little of it as the kernel lets it. The
least comes first, so that what it leaves of a bound is for the others."""


def begin(setup: Setup) -> World:
    """Before the first event."""
    return World(initial(setup), BEGIN_NS, (Port(),) * setup.channels)


# one decision


def tell(world: World, event: Event) -> Edge:
    """One decision; the generator does what it is told."""
    kernel, effects = step(world.kernel, event)
    after = world._replace(kernel=kernel, now_ns=event.now_ns)
    if isinstance(event, Durable):
        after = _written(after, event.intent)
    elif isinstance(event, Guarded):
        after = after._replace(closed=event.closed)
    elif isinstance(event, (Completed, Failed)) and world.pending[:1] and _answers(event, world.pending[0]):
        after = after._replace(pending=world.pending[1:])
    for effect in effects:
        after = _follow(after, effect)
    return Edge(world, event, effects, after)


def _answers(event: Completed | Failed, asked: tuple[Command, int, int]) -> bool:
    return event.command is asked[0] and event.channel == asked[1]


def _written(world: World, intent: int) -> World:
    ports = tuple([port._replace(durable=port.durable or port.intent == intent) for port in world.ports])
    return world._replace(ports=ports, writing=tuple([each for each in world.writing if each != intent]))


def _follow(world: World, effect: Effect) -> World:
    """The generator carries out one effect."""
    match effect:
        case Off():
            off = [port._replace(rf=False, stimulating=False, amplitude=0.0) for port in world.ports]
            return world._replace(ports=tuple(off), pending=())
        case ChannelOff():
            world = _port(world, effect.channel, rf=False, stimulating=False, amplitude=0.0)
            rest = tuple([each for each in world.pending if each[1] != effect.channel])
            return world._replace(pending=(*rest, (Command.CHANNEL_OFF, effect.channel, 0)))
        case Claim():
            world = world._replace(owner=SESSION, renewed_ns=world.now_ns)
            return _asked(world, Command.CLAIM, 0) if effect.clear_faults else world
        case Release():
            return _asked(world._replace(owner=0), Command.RELEASE, 0)
        case Renew():
            return world._replace(owner=SESSION, renewed_ns=world.now_ns)
        case MakeDurable():
            world = _port(world, effect.channel, intent=effect.intent, envelope=effect.envelope, durable=False)
            return world._replace(writing=(*world.writing, effect.intent))
        case Configure() | ConfigureSetPoint():
            return _asked(world, Command.CONFIGURE, effect.channel)
        case ConfigureStimulation():
            check = (effect.settings.rate_hz, effect.settings.width_us)
            world = _port(world, effect.channel, amplitude=0.0, check=check)
            return _asked(world, Command.CONFIGURE, effect.channel)
        case Arm():
            return _asked(world, Command.ARM, effect.channel, TOKEN)
        case Fire():
            return _asked(_port(world, effect.channel, rf=True, set_point=0.0), Command.FIRE, effect.channel)
        case StartStimulation():
            world = _port(world, effect.channel, stimulating=True)
            return _asked(world, Command.START_STIMULATION, effect.channel)
        case SetAmplitude():
            return _port(world, effect.channel, amplitude=effect.amplitude)
        case SetOutput():
            return _port(world, effect.channel, set_point=effect.value)
        case Finish():
            return world._replace(pending=(), writing=())
        case _:
            return world


def _asked(world: World, command: Command, channel: int, value: int = 0) -> World:
    return world._replace(pending=(*world.pending, (command, channel, value)))


def _port(world: World, channel: int, **changes: object) -> World:
    ports = world.ports
    changed = ports[channel - 1]._replace(**changes)  # type: ignore[arg-type]
    return world._replace(ports=(*ports[: channel - 1], changed, *ports[channel:]))


# what is measured


def reading(world: World, now_ns: int) -> Reading:
    """What the generator answers then, when nothing is wrong."""
    lease_ms = max(LEASE_MS - (now_ns - world.renewed_ns) // 1_000_000, 1) if world.owner else 0
    channels = tuple([_measured(world, number, port) for number, port in enumerate(world.ports, start=1)])
    return Reading(
        now_ns, now_ns // 1_000_000, world.counter + 1, world.owner, lease_ms, 0, PadStatus.OK, 10.0, channels
    )


def usual_c(kernel: KernelState, number: int, port: Port) -> float:
    """Where the tip is when nothing is wrong: half-way at the first sample of a ramp, at the set temperature then."""
    channel = kernel.channels[number - 1]
    if not port.rf or channel.phase not in HEATING:
        return BODY_C
    if channel.phase is Phase.PROBE:
        return PROBED_C
    last_c = channel.history[-1].temperature_c if channel.history else BODY_C
    return SET_C if last_c > BODY_C + 1.0 else (BODY_C + SET_C) / 2


def _measured(world: World, number: int, port: Port) -> ChannelReading:
    setup = world.kernel.setup
    temperature_c = usual_c(world.kernel, number, port)
    tissue_ohm = ELECTRODE.impedance_ohm * (1.0 - 0.29 * (temperature_c - BODY_C) / 43.0)
    power_w = 0.0
    if port.rf:
        power_w = POWER_W / 2 if world.kernel.channels[number - 1].probing else POWER_W
    current_a = sqrt(power_w / tissue_ohm)
    total_ohm = tissue_ohm + SERIES_OHM
    mode = Mode.NONE
    if port.rf:
        mode = Mode.LESION_VOLTAGE if setup.set_point is SetPoint.VOLTAGE else Mode.LESION_TEMPERATURE
    elif port.stimulating:
        mode = Mode.STIMULATION_VOLTAGE
    return ChannelReading(
        temperature_c, 22.0, current_a * total_ohm, current_a * 1e3, current_a * 1e3,
        current_a * current_a * total_ohm, total_ohm, True, False, port.rf, port.stimulating, True,  # noqa: FBT003
        mode, port.check[1], port.check[0], port.amplitude, ELECTRODE_ID, 0, 0, 0,
        port.set_point if setup.set_point else nan,
    )  # fmt: skip
