"""Every row of the interlock table against a fault of the simulated generator, with the row and without it.

What an entry looks like stands in tests/faults/proofs.py.
"""

from __future__ import annotations

import asyncio
import json
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from unittest.mock import patch

import pytest

from rfctl.clock import NS_PER_S
from rfctl.kernel.effects import Note
from rfctl.kernel.limits import ROWS, Row
from rfctl.kernel.state import Setup
from rfctl.station import session
from rfctl.virtual import VirtualClock, run_virtual
from tests.faults.proofs import PROOFS, Ends, Proof, Since
from tests.faults.station_faults import OF_THE_STATION
from tests.station_bench import Bench, answers_text, plan_text, station_bench, station_text
from tests.unit.kernel.test_limits import CASES

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.station.session import Result
    from tests.proofs import Show

CARRIED_OUT_S = 0.001  # virtual: whatever the decision asked for is on the generator
LOOK_S = 0.01
BEHIND_S = 10.0
GIVE_UP_S = 400.0
"""A session that has not ended so long after the fault, or its begin, does not end by it."""
LESION_1 = {"set_temperature_c": 60, "ramp_c_per_s": 5.0, "hold_s": 8}
NO_ANAESTHETIC = 'anaesthetic = { use = "not used", reason = "bench" }'
ANAESTHETIC = 'result_valid_min = 5\nanaesthetic = {{ agent = "lidocaine 2 %", volume_ml = 0.5, wait_s = {wait_s} }}'
FURTHER = """
[[site.further]]
after = "rotation"
set_temperature_c = 60
hold_s = 8
"""
ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "interlock-times"
PAGE = ROOT / "docs" / "interlock-times.md"


class Struck(NamedTuple):
    """A session that something went wrong in.

    Attributes:
        codes: Verdicts, the cause first.
        warned: Codes of warnings.
        s: From the cause to what the proof counts to; infinity when it never came.
        edge: Limit and value of the first verdict.
    """

    codes: tuple[str, ...]
    warned: tuple[str, ...]
    s: float
    edge: tuple[float, float] | None


def plan_of(proof: Proof) -> str:
    """The plan, with the same site on as many channels as are heated together."""
    plan = plan_text(**{**LESION_1, **proof.plan})
    if proof.anaesthetic_s:
        plan = plan.replace(NO_ANAESTHETIC, ANAESTHETIC.format(wait_s=proof.anaesthetic_s))
    order = "batch" if proof.sites > 1 else "site by site"
    head, site = plan.replace("[plan]\n", f'[plan]\nmedium = "{proof.medium}"\norder = "{order}"\n').split("[[site]]")
    others = [site.replace('"bench"\nchannel = 1', f'"bench {n}"\nchannel = {n}') for n in range(2, proof.sites + 1)]
    return "[[site]]".join([head, site + FURTHER * proof.further, *others])


def script_of(proof: Proof) -> str:
    """Answers for it."""
    return answers_text() + "".join(f'\n[[site]]\nname = "bench {n}"\n' for n in range(2, proof.sites + 1))


def stated(wins: dict[str, Any], **members: Any) -> Setup:
    """The kernel's set-up, with what a proof states of it."""
    return Setup(**members | wins)


def begin_faults(bench: Bench, proof: Proof, patch: pytest.MonkeyPatch) -> None:
    for fault in proof.faults:
        if begin := OF_THE_STATION.get(fault.name):
            begin(bench, fault.parameters, patch)
        else:
            bench.simulator.faults.start(fault.name, **fault.parameters)


class Watch:
    """When a code was first said, be it as a verdict or as a warning."""

    def __init__(self, code: str, clock: Clock) -> None:
        self.code = code
        self.clock = clock
        self.warned: list[str] = []
        self.codes: tuple[str, ...] = ()
        self.edge: tuple[float, float] | None = None
        self.said_ns: int | None = None
        self.said = asyncio.Event()

    def __call__(self, state: KernelState, effects: tuple[Effect, ...]) -> None:
        self.codes = tuple(trip.code for trip in state.trips)
        self.edge = (state.trips[0].limit, state.trips[0].measured) if state.trips else None
        notes = [effect.code for effect in effects if isinstance(effect, Note)]
        self.warned += notes
        if self.said_ns is None and self.code in notes:
            self.said_ns = self.clock.monotonic_ns()
            self.said.set()


def set_up(folder: Path, proof: Proof) -> str:
    """The name, or the file, of the proof's set-up."""
    if not proof.setup:
        return "tissue-37"
    path = folder / "setup.toml"
    path.write_text(f'title = "of one proof"\n{proof.setup}\n', encoding="utf-8")
    return str(path)


async def strike(folder: Path, code: str, proof: Proof) -> Struck:
    """Run one session, and have the fault in it."""
    made = {"setup": set_up(folder, proof), "channels": max(proof.sites, 2), "guarded": proof.guarded}
    with pytest.MonkeyPatch.context() as patch:
        async with station_bench(folder, VirtualClock.running(), **made) as bench:
            watch = bench.watch = Watch(code, bench.clock)
            station = station_text(bench.simulator.address, control=proof.control, medium=proof.medium)
            order = bench.order(station=station + bench.guard_text, plan=plan_of(proof), script=script_of(proof))
            if proof.at is None:
                begin_faults(bench, proof, patch)
            running = bench.begin(order)
            if proof.at is not None:
                await bench.until(lambda state: in_phase(state, proof))
                await asyncio.sleep(CARRIED_OUT_S)
                begin_faults(bench, proof, patch)
            fault_ns = 0 if proof.at is None else bench.clock.monotonic_ns()
            if proof.full_j is not None or proof.full_a2s is not None:
                fault_ns = await delivered(bench, running, proof)
            waits = {running} if proof.ends is Ends.OFF else {running, asyncio.ensure_future(watch.said.wait())}
            await asyncio.wait(waits, timeout=patience_s(proof), return_when=asyncio.FIRST_COMPLETED)
            for wait in waits - {running}:
                wait.cancel()
            return measured(bench, watch, proof, fault_ns)


def patience_s(proof: Proof) -> float:
    """How long a session is looked at: what stands behind a row that says something has some seconds to show."""
    if proof.ends is Ends.OFF or proof.at is None:
        return GIVE_UP_S
    return proof.full_s + proof.limit_s + BEHIND_S


async def delivered(bench: Bench, running: asyncio.Task[Result], proof: Proof) -> int:
    """When so much had come out of the output stages, to 10 ms; or when the session ended before."""
    heating_a2s = 0.0
    while not running.done():
        channels = cast("list[dict[str, float]]", bench.simulator.truth()["channels"])
        if proof.full_j is not None and channels[0]["energy_j"] >= proof.full_j:
            break
        currents = [each["power_w"] / each["voltage_v_rms"] for each in channels if each["rf_on"] and each["power_w"]]
        heating_a2s += sum(currents) ** 2 * LOOK_S
        if proof.full_a2s is not None and heating_a2s >= proof.full_a2s:
            break
        await asyncio.sleep(LOOK_S)
    return bench.clock.monotonic_ns()


def in_phase(state: KernelState, proof: Proof) -> bool:
    channel = state.channels[0]
    return channel.phase is proof.at and state.received_ns - channel.since_ns >= proof.for_s * NS_PER_S


def measured(bench: Bench, watch: Watch, proof: Proof, fault_ns: int) -> Struck:
    """The time from the cause to the end, by the log of the output stage."""
    events = [event for event in bench.simulator.events if event.detail.get("channel") == 1]
    ons = [event.monotonic_ns for event in events if event.kind == "rf_on"]
    since_ns: float = fault_ns
    if proof.since is Since.RF_ON:
        since_ns = ons[-1] if ons else inf
    elif proof.since is Since.OFF:
        since_ns = bench.event_ns("phase", channel=1, was="rf_on", now="off")
    if proof.ends is Ends.OFF:
        offs = [
            event.monotonic_ns
            for event in events
            if event.kind in {"rf_off", "stimulation_off"} and event.monotonic_ns >= since_ns
        ]
        end_ns: float = offs[0] if offs else inf
    else:
        end_ns = inf if watch.said_ns is None else watch.said_ns
    return Struck(watch.codes, tuple(watch.warned), (end_ns - since_ns) / NS_PER_S - proof.full_s, watch.edge)


def check(code: str, proof: Proof, struck: Struck) -> None:
    """The proof itself."""
    if proof.ends is Ends.WARNED:
        assert code in struck.warned
    else:
        assert struck.codes[:1] == (code,)
    assert struck.s <= proof.limit_s, proof.source


ROW = {row.code: row for row in ROWS}


def test_every_row_has_a_proof_and_every_proof_a_row() -> None:
    assert set(PROOFS) == set(ROW), "see the head of tests/faults/proofs.py"


def test_the_page_has_the_line_of_every_row() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line.split("`")[1] for line in lines if line.startswith("| `")] == list(ROW), "run: make docs"


@pytest.mark.parametrize("code", PROOFS)
def test_the_row_acts_in_time_and_without_it_the_proof_fails(
    code: str, tmp_path: Path, shows: Show, request: pytest.FixtureRequest
) -> None:
    proof, row = PROOFS[code], ROW[code]
    (tmp_path / "with").mkdir()
    with patch.object(session, "Setup", partial(stated, dict(proof.told))):
        struck = run_virtual(strike(tmp_path / "with", code, proof))
    check(code, proof, struck)
    (tmp_path / "without").mkdir()
    without = tuple(other for other in ROWS if other.code != code)
    with patch.object(session, "Setup", partial(stated, {**proof.told, "rows": without})):
        left = run_virtual(strike(tmp_path / "without", code, proof))
    with pytest.raises(AssertionError):
        check(code, proof, left)
    row_id, line = f"row.{code}", {**numbers(row, proof, struck), "without": left.codes[0] if left.codes else ""}
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{code}.json").write_text(json.dumps(line), encoding="utf-8")
    shows(row_id, **{name: line[name] for name in ("fault", "t_measured_s", "t_limit_s", "below", "above")})
    shows(row_id, kills=request.node.nodeid)


def numbers(row: Row, proof: Proof, struck: Struck) -> dict[str, object]:
    """One line of the table."""
    case = CASES.get(row.code)
    below, above = (case.below, case.above) if case and case.below is not None else struck.edge or (None, None)
    return {
        "hazard": row.hazard,
        "action": row.action,
        "fault": "; ".join(str(fault) for fault in proof.faults),
        "counted": f"{proof.since} to {proof.ends}",
        "t_measured_s": round(struck.s, 3),
        "t_limit_s": round(proof.limit_s, 3),
        "source": proof.source,
        "below": below,
        "above": above,
        "unit": row.unit,
    }
