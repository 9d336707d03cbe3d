"""Every state of a procedure struck by every fault of the catalogue, judged at the output stage, in virtual time.

A guard holds the enable loop, so that faults of the relay have something to break. Nothing is believed of the kernel:
when RF or stimulation went off is what the simulator's own output stage logged, and how hot the tissue became is what
its field says.
"""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rfctl.clock import NS_PER_S
from rfctl.errors import RfctlError
from rfctl.kernel.phase import LESION, STIMULATION, STIMULATION_STARTING, Phase
from rfctl.kernel.state import Stage
from rfctl.virtual import VirtualClock, run_virtual
from tests.faults.expected import BOILING_C, EXPECTED, UNWANTED_S, Expected
from tests.intents import noted_syncs
from tests.station_bench import Bench, station_bench, station_text

if TYPE_CHECKING:
    from rfctl.kernel.state import KernelState
    from rfctl_sim.simulator import Simulator

HEAD = '[plan]\ntitle = "{title}"\norder = "{order}"\nchecklist = ["electrodes stand"]\n'
SITE = """
[[site]]
name = "S{n}"
channel = {n}
electrode = {{ gauge = 18, tip_mm = 10 }}
sensory = {{ use = "{checks}", reason = "bench" }}
motor = {{ use = "{checks}", reason = "bench" }}
anaesthetic = {{ {anaesthetic} }}
lesion = {{ set_temperature_c = 60, hold_s = 6, ramp_c_per_s = 4.3 }}
"""
LOOK_S = 0.1
IN_STATE_S = 0.3
"""Into the state the fault comes, so that what the state begins with is over."""
CARRIED_OUT_S = 0.001
"""And right after a sample was decided on, so that the next one is as late as it can be."""
LOOKED_ON_S = 50.0
"""Then it is stopped by hand: a tip that never cools by its own reading is waited for, 300 s."""
STOPPED_S = 20.0


class Work(NamedTuple):
    """A plan, as short as it can be.

    Attributes:
        sites: Each on a channel of its own.
        order: Of work.
        checks: Whether sensory and motor checks are made.
        anaesthetic: What is given.
    """

    sites: int = 1
    order: str = "site by site"
    checks: str = "not used"
    anaesthetic: str = 'use = "not used", reason = "bench"'

    @property
    def plan(self) -> str:
        sites = [SITE.format(n=n, checks=self.checks, anaesthetic=self.anaesthetic) for n in range(1, self.sites + 1)]
        return HEAD.format(title=self.order, order=self.order) + "".join(sites)

    @property
    def script(self) -> str:
        sites = [f'\n[[site]]\nname = "S{n}"\nfelt_at_v = 0.3\n' for n in range(1, self.sites + 1)]
        return '[answers]\noperator = "bench"\n' + "".join(sites)


class State(NamedTuple):
    """A state of a procedure.

    Attributes:
        work: The plan that comes by it.
        reached: It is there; None for before the station has begun.
        for_s: How long it must have been there.
        channel: The one that is at work, or will be next.
    """

    work: Work
    reached: Callable[[KernelState], bool] | None
    for_s: float = IN_STATE_S
    channel: int = 1


def _in(*phases: Phase) -> Callable[[KernelState], bool]:
    return lambda state: any(channel.phase in phases for channel in state.channels)


def _stimulating(phase: Phase) -> Callable[[KernelState], bool]:
    return lambda state: any(c.phase is phase and c.amplitude >= 0.2 for c in state.channels)


def _between_sites(state: KernelState) -> bool:
    return len(state.results) == 1 and state.stage is Stage.TREATING


CHECKED = Work(checks="required")
STATES: dict[str, State] = {
    "idle before": State(CHECKED, None),
    "checklist": State(CHECKED, lambda state: state.stage is Stage.CHECKLIST, 0.1),
    "impedance": State(CHECKED, _in(Phase.IMPEDANCE)),
    "sensory stimulation": State(CHECKED, _stimulating(Phase.SENSORY), 0.1),
    "motor stimulation": State(CHECKED, _stimulating(Phase.MOTOR), 0.1),
    "anaesthetic wait": State(
        Work(anaesthetic='agent = "lidocaine 2 %", volume_ml = 0.5, wait_s = 60.0'), _in(Phase.ANAESTHETIC_WAIT)
    ),
    "armed": State(Work(), _in(Phase.ARMED), 0.1),
    "probe": State(Work(2, "batch"), _in(Phase.PROBE), 0.0),
    "ramp": State(Work(), _in(Phase.RAMP), 3.0),
    "hold": State(Work(), _in(Phase.HOLD), 3.0),
    "cooling": State(Work(), _in(Phase.COOLING)),
    "between sites": State(Work(2), _between_sites, channel=2),
    "ending": State(Work(), lambda state: state.stage in {Stage.ENDING, Stage.RELEASING}, 0.0),
}


class Shown(NamedTuple):
    """What one fault did in one state.

    Attributes:
        state: Name of the state.
        fault: Name of the fault.
        rf_s: Longest time that RF was on under the fault, from the fault or from RF on, whichever was later; s.
        stimulation_s: Likewise of stimulation.
        unwanted_s: Longest time of either output while no lesion or check was on, s.
        hottest_c: The tissue, from the fault on.
        stopped_s: From the fault to the decision to end; infinite where the procedure went on to its own end.
        code: Of the first trip.
        outcome: Of the procedure.
        error: What it said.
        left_on: An output was on when everything was over.
        off_verified: The station says that off was measured.
        raised: An error that nobody handled.
    """

    state: str
    fault: str
    rf_s: float = 0.0
    stimulation_s: float = 0.0
    unwanted_s: float = 0.0
    hottest_c: float = 0.0
    stopped_s: float = inf
    code: str = ""
    outcome: str = ""
    error: str = ""
    left_on: bool = False
    off_verified: bool = False
    raised: str = ""


def strike(state: str, fault: str, look_s: float = LOOKED_ON_S) -> Shown:
    """Run a procedure to the state, start the fault, and look on until it is over, or stop it by hand after a time."""
    with tempfile.TemporaryDirectory(prefix="rfctl-state-") as folder, noted_syncs():
        return run_virtual(_strike(Path(folder), state, EXPECTED[fault], look_s))


async def _strike(folder: Path, name: str, fault: Expected, look_s: float) -> Shown:
    state = STATES[name]
    unhandled: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: unhandled.append(f"{context['message']}: {context.get('exception')!r}")
    )
    async with station_bench(folder, VirtualClock.running(), guarded=True) as bench:
        station = station_text(bench.simulator.address) + bench.guard_text
        order = bench.order(station=station, plan=state.work.plan, script=state.work.script)
        ending_ns: list[int] = []
        wanted = {"rf": Wanted(LESION), "stimulation": Wanted(STIMULATION | STIMULATION_STARTING)}

        def watch(kernel: KernelState, _effects: object) -> None:
            now_ns = bench.clock.monotonic_ns()
            for each in wanted.values():
                each.look(kernel, now_ns)
            if kernel.stage is Stage.ENDING and not ending_ns:
                ending_ns.append(now_ns)

        bench.watch = watch
        if state.reached is None:
            began_ns = _begin(bench, fault, state.channel)
            session = bench.begin(order)
        else:
            session = bench.begin(order)
            await bench.until(state.reached)
            await asyncio.sleep(state.for_s + CARRIED_OUT_S)
            began_ns = _begin(bench, fault, state.channel)
        looking = asyncio.create_task(_hottest_c(bench.simulator, session))
        done, _ = await asyncio.wait({session}, timeout=look_s)
        if not done:
            signal.raise_signal(signal.SIGTERM)
            done, _ = await asyncio.wait({session}, timeout=STOPPED_S)
        hottest_c = await looking
        over_ns = bench.clock.monotonic_ns()
        channels: Any = bench.simulator.truth()["channels"]
        shown = Shown(
            name,
            fault.name,
            rf_s=longest_s(bench.simulator, "rf", began_ns, over_ns),
            stimulation_s=longest_s(bench.simulator, "stimulation", began_ns, over_ns),
            unwanted_s=max(each.longest_s(bench.simulator, output, over_ns) for output, each in wanted.items()),
            hottest_c=round(hottest_c, 2),
            stopped_s=(ending_ns[0] - began_ns) / NS_PER_S if ending_ns and ending_ns[0] >= began_ns else inf,
            left_on=any(channel["rf_on"] or channel["stimulating"] for channel in channels),
            raised="; ".join(unhandled),
        )
        if not done:
            return shown._replace(raised=f"still running {STOPPED_S:g} s after it was stopped")
        problem = session.exception()
        if problem is not None:
            known = isinstance(problem, RfctlError)
            return shown._replace(outcome="refused", error=str(problem), raised="" if known else repr(problem))
        document = session.result().document
        return shown._replace(
            code=next((trip["code"] for trip in document.get("trips") or ()), ""),
            outcome=document["outcome"],
            error=session.result().error,
            off_verified=bool(document.get("off_verified")),
        )


def _begin(bench: Bench, fault: Expected, channel: int) -> int:
    parameters = dict(fault.parameters)
    if fault.on_channel:
        parameters |= {"channel": channel}
    if fault.name == "channels_swapped":
        parameters |= {"with_channel": 3 - channel}
    bench.simulator.faults.start(fault.name, **parameters)
    return bench.clock.monotonic_ns()


async def _hottest_c(simulator: Simulator, session: asyncio.Task[Any]) -> float:
    hottest_c = 0.0
    while not session.done():
        channels: Any = simulator.truth()["channels"]
        hottest_c = max([hottest_c, *(channel["tissue_max_c"] for channel in channels)])
        await asyncio.wait({session}, timeout=LOOK_S)
    return hottest_c


class Wanted:
    """When an output was wanted on some channel: the last time before each instant."""

    def __init__(self, phases: frozenset[Phase]) -> None:
        self._phases = phases
        self._since_ns: dict[int, list[int]] = {}

    def look(self, kernel: KernelState, now_ns: int) -> None:
        """The channel has been in such a phase until now."""
        for number, channel in enumerate(kernel.channels, start=1):
            spans = self._since_ns.setdefault(number, [])
            if (channel.phase in self._phases) != (len(spans) % 2 == 1):
                spans.append(now_ns)

    def longest_s(self, simulator: Simulator, output: str, over_ns: int) -> float:
        """Longest time that the output was on and not wanted, s."""
        longest_ns = 0
        for number, from_ns, until_ns in intervals(simulator, output, over_ns):
            spans = [*self._since_ns.get(number, []), over_ns + 1]
            edges = [0, *spans]
            for at in range(0, len(edges) - 1, 2):  # from an end of what was wanted to the next beginning
                longest_ns = max(longest_ns, min(until_ns, edges[at + 1]) - max(from_ns, edges[at]))
        return longest_ns / NS_PER_S


def longest_s(simulator: Simulator, output: str, began_ns: int, over_ns: int) -> float:
    """The longest time that any channel's output was on from an instant on, by the log of its output stage, s."""
    spans = intervals(simulator, output, over_ns)
    return max((until - max(since, began_ns) for _, since, until in spans if until > began_ns), default=0) / NS_PER_S


def intervals(simulator: Simulator, output: str, over_ns: int) -> list[tuple[int, int, int]]:
    """Channel, from when and until when an output was on."""
    found: list[tuple[int, int, int]] = []
    on_ns: dict[int, int] = {}
    for event in simulator.events:
        if event.kind == f"{output}_on":
            on_ns[event.detail["channel"]] = event.monotonic_ns
        elif event.kind == f"{output}_off" and event.detail["channel"] in on_ns:
            number = event.detail["channel"]
            found.append((number, on_ns.pop(number), event.monotonic_ns))
    return found + [(number, since_ns, over_ns) for number, since_ns in on_ns.items()]


def violations(shown: Shown) -> list[str]:
    """What did not hold, in words."""
    fault = EXPECTED[shown.fault]
    found = [shown.raised] if shown.raised else []
    if shown.state not in fault.borne_in:
        if shown.rf_s > fault.rf_s:
            found.append(f"RF on for {shown.rf_s:.3f} s, limit {fault.rf_s:g} s: {fault.source}")
        if shown.stimulation_s > fault.stimulation_s:
            found.append(
                f"stimulation for {shown.stimulation_s:.3f} s, limit {fault.stimulation_s:g} s: {fault.source}"
            )
    if shown.unwanted_s > UNWANTED_S:
        found.append(f"an output on and unwanted for {shown.unwanted_s:.3f} s, limit {UNWANTED_S:g} s")
    if not shown.hottest_c < BOILING_C:
        found.append(f"tissue at {shown.hottest_c:g} degC, limit {BOILING_C:g} degC")
    if shown.left_on:
        found.append("an output is on when everything is over")
    return found


def as_json(shown: Shown) -> str:
    """One line."""
    return json.dumps(shown._asdict())
