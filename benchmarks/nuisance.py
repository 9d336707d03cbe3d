"""Normal procedures in all their variants through the real kernel: no interlock may trip. ``make nuisance N=2000``.

Each procedure has a number, and everything about it follows from that: electrodes of the table, set temperature, ramp,
hold, start temperature, noise, resolution, series resistance, conductivity, matter of the tissue, anaesthetic, one or
four channels, a second lesion at the site while it is warm, who controls the temperature, what the timer counts from.
Tissue and generator are benchmarks/nuisance_plant.py; the kernel's own table decides, whatever rows it has.

A run goes on where it was broken off: build/nuisance.jsonl has a line a procedure, of the sources whose hash it names.
When all are done, benchmarks/nuisance.json has the result.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks.nuisance_plant import MATTERS, RATED_W, Around, FieldOutput, Response, responses
from rfctl.clock import NS_PER_S, wall_ns
from rfctl.kernel.effects import Level, Note, Outcome
from rfctl.kernel.expected import USUAL, allowed_power_w, fluid_factor, hold_power_w, tissue_power_w
from rfctl.kernel.limits import ROWS, SERIES_RESISTANCE_MAX_OHM
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import Setup, Stage
from rfctl.model.capability import SetPoint
from rfctl.model.electrode import electrode_table
from rfctl.model.plan import Anaesthetic, Lesion, Medium, Move, OrderOfWork, Plan, Site, TimerDefinition, Use
from tests.unit.kernel.bench import MOTOR, SENSORY, SESSION, Bench, Person

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rfctl.kernel.effects import Effect
    from rfctl.kernel.events import Event
    from rfctl.kernel.state import KernelState

ROOT = Path(__file__).parents[1]
STATE, RESULT = ROOT / "build" / "nuisance.jsonl", ROOT / "benchmarks" / "nuisance.json"
PROVES = ("rfctl/kernel/*.py", "rfctl/model/*.py", "rfctl/model/electrodes.toml", "benchmarks/nuisance*.py",
          "benchmarks/field_responses.json", "simulators/rfctl_sim/regulator.py")  # fmt: skip
PORTION = 64
LONGEST_S = 3600.0
IN_VAIN = 1000
"""After so many answers in one instant nothing that this operator can say leads on."""
CAP_OVER_EXPECTED = 1.8 * 1.01
"""A plan is refused when it is armed where what rating and time budget leave is below 1.8 times what holds; the
station's mean of the impedance has an error."""
MOST_FLUID = 0.4
"""Of the tissue's impedance. Where an injection takes more, R_series and f are too wrong for the model check
(docs/decisions/0012-nuisance-campaign.md)."""
NOT_USED = {"use": Use.NOT_USED, "reason": "nuisance campaign"}
FOUR_AT_ONCE = frozenset({22, 23})
FOUR_TIPS_MM = 5.0
"""Gauges and longest tips of which four at once stay below what a pad is expected to take in any tissue."""
SPACINGS = (0.0, 0.06)
"""Share of an electrode's slow rise that its neighbours have: far apart, or about 10 mm."""


@dataclass(frozen=True)
class Variant:
    """One normal procedure.

    Attributes:
        number: Everything else follows from it.
        electrodes: Gauge and tip, mm, of each channel.
        set_c: Set temperature, degC.
        hold_s: Hold, s.
        ramp_c_per_s: Ramp rate.
        start_c: Temperature before any heat.
        noise_k: Of the thermocouple.
        resolution_k: Of what it shows.
        lag_s: Of the thermocouple.
        series_ohm: Body, pad and leads.
        sigma: Electric conductivity of the tissue, S/m.
        matter: Of the tissue, one of nuisance_plant.MATTERS.
        fluid: Share of the impedance that the anaesthetic takes; 0: none is given.
        lesions: At each site.
        neighbours: Share of an electrode's slow rise that its neighbours have.
        control: Who controls the temperature: the device, or the host by voltage or power.
        timer: What the hold counts from.
        stimulation: The checks are made.
    """

    number: int
    electrodes: tuple[tuple[int, float], ...]
    set_c: float
    hold_s: float
    ramp_c_per_s: float
    start_c: float
    noise_k: float
    resolution_k: float
    lag_s: float
    series_ohm: float
    sigma: float
    matter: str
    fluid: float
    lesions: int
    neighbours: float
    control: str
    timer: TimerDefinition
    stimulation: bool

    @property
    def cap_over_expected(self) -> float:
        """The least of its channels: what rating and time budget leave, over the power that is expected to hold.

        Series resistance and fluid are those that a station takes from the impedance, as limits.md has it.
        """
        least = math.inf
        warm = 1.0 + 0.02 * (self.start_c - 37.0)
        for electrode in map(electrode_table().__getitem__, self.electrodes):
            tissue_ohm = electrode.impedance_ohm * 0.45 / self.sigma / warm
            before_ohm = tissue_ohm + self.series_ohm
            after_ohm = tissue_ohm * (1.0 - self.fluid) + self.series_ohm
            series_ohm = min(max(before_ohm - electrode.impedance_ohm / warm, 0.0), SERIES_RESISTANCE_MAX_OHM)
            rating_w = tissue_power_w(RATED_W, after_ohm, series_ohm)
            fluid = fluid_factor(before_ohm, after_ohm, series_ohm)
            expected_w = hold_power_w(electrode, self.set_c - self.start_c, fluid)
            budget_w = allowed_power_w(electrode, self.set_c, expected_w, USUAL)
            least = min(least, min(electrode.power_cap_w, rating_w, budget_w) / expected_w)
        return least


def variant(number: int) -> Variant:
    """The procedure of this number. Electrode, set and start temperature go round, the rest is drawn."""
    random = Random(f"nuisance {number}")
    electrodes = sorted(electrode_table())
    gauge, tip_mm = electrodes[number % len(electrodes)]
    set_c = (60.0, 80.0, 90.0)[number // len(electrodes) % 3]
    start_c = (37.0, 22.0)[number // (3 * len(electrodes)) % 2]
    channels = 4 if gauge in FOUR_AT_ONCE and tip_mm <= FOUR_TIPS_MM and random.random() < 0.5 else 1
    fluid = random.uniform(0.05, MOST_FLUID) if random.random() < 0.3 else 0.0
    most_ramp = 2.0 if gauge == 16 and set_c == 90.0 else 5.0
    return Variant(
        number,
        ((gauge, tip_mm),) * channels,
        set_c,
        random.choice((20.0, 45.0, 90.0)),
        random.uniform(1.0, most_ramp),
        start_c,
        random.choice((0.02, 0.05, 0.1, 0.2)),
        random.choice((0.1, 1.0)),
        random.uniform(0.1, 0.5),
        random.uniform(50.0, 200.0) if fluid else random.uniform(0.0, 200.0),
        random.uniform(0.36, 0.60),
        random.choice(sorted(MATTERS)),
        fluid,
        2 if random.random() < 0.2 else 1,
        random.choice(SPACINGS) if channels > 1 else 0.0,
        random.choice(("device", "device", "voltage", "power")),
        random.choice(tuple(TimerDefinition)),
        random.random() < 0.1,
    )


def setup_of(what: Variant) -> Setup:
    """The plan, and the generator that it is carried out with."""
    lesion = Lesion(what.set_c, what.hold_s, what.ramp_c_per_s, what.timer)
    again = replace(lesion, after=Move.ROTATION)
    checks = (SENSORY, MOTOR) if what.stimulation else (replace(SENSORY, **NOT_USED), replace(MOTOR, **NOT_USED))
    anaesthetic = Anaesthetic(Use.REQUIRED, "", "lidocaine 2 %", 0.5, 10.0)
    if not what.fluid:
        anaesthetic = replace(anaesthetic, **NOT_USED)
    sites = tuple(
        Site(f"site {n}", n, electrode_table()[e], *checks, anaesthetic, (lesion, again)[: what.lesions])
        for n, e in enumerate(what.electrodes, start=1)
    )
    channels = len(sites)
    order = OrderOfWork.BATCH if channels > 1 else OrderOfWork.SITE_BY_SITE
    return Setup(
        Plan("nuisance", ("simulated",), sites, "0" * 64, order),
        Medium.TISSUE if what.start_c > 30.0 else Medium.PHANTOM,
        SESSION,
        channels,
        RATED_W,
        simulated=True,
        set_point=None if what.control == "device" else SetPoint[what.control.upper()],
        channel_off=True,
        resolution_k=(what.resolution_k,) * channels,
        rows=ROWS,
    )


@dataclass
class Procedure(Bench):
    """A bench whose channels heat tissue of the field model; it keeps warnings, not decisions."""

    what: Variant = field(kw_only=True)
    field_responses: dict[tuple[str, int, float], Response] = field(kw_only=True)
    warnings: Counter[str] = field(default_factory=Counter, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        what, random = self.what, Random(f"plant {self.what.number}")
        self.outputs = [
            FieldOutput(
                electrode=electrode_table()[gauge, tip_mm],
                around=Around(
                    self.field_responses[what.matter, gauge, tip_mm], what.start_c, what.sigma, what.series_ohm,
                    what.noise_k, what.resolution_k, what.lag_s, what.fluid,
                ),
                random=random,
                host_controls_voltage=None if what.control == "device" else what.control == "voltage",
            )
            for gauge, tip_mm in what.electrodes
        ]  # fmt: skip

    def feed(self, event: Event) -> tuple[Effect, ...]:
        before = self.state
        effects = super().feed(event)
        self.decisions.clear()
        for effect in effects:
            if isinstance(effect, Note) and effect.level is Level.WARNING:
                self.warnings[effect.code] += 1
        self._follow(before)
        return effects

    def _follow(self, before: KernelState) -> None:
        """What people and neighbours do to the tissue."""
        outputs = [output for output in self.outputs if isinstance(output, FieldOutput)]
        for old, new, output in zip(before.channels, self.state.channels, outputs, strict=True):
            if new.phase is Phase.ANAESTHETIC_WAIT and old.phase is not new.phase:
                output.inject()
        if self.what.neighbours:
            far_k = sum(output.far_k for output in outputs)
            for output in outputs:
                output.warmed_k = self.what.neighbours * (far_k - output.far_k)


@cache
def _responses() -> dict[tuple[str, int, float], Response]:
    return responses()


def run(number: int, without: str = "") -> dict[str, Any]:
    """Carry out one procedure.

    Args:
        number: Of the variant.
        without: Code of a row that is left out.

    Returns:
        ``outcome`` (complete, refused, tripped), and of a refusal or trip its code, numbers, phases and variant.
    """
    what = variant(number)
    setup = setup_of(what)
    if without:
        setup = replace(setup, rows=tuple(row for row in ROWS if row.code != without))
    bench = Procedure(setup, Person(), what=what, field_responses=_responses())
    phases: tuple[Phase, ...] = ()
    end_ns = bench.now_ns + round(LONGEST_S * 1e9)
    in_vain = 0
    while bench.state.stage is not Stage.ENDED and bench.now_ns < end_ns and in_vain < IN_VAIN:
        if bench.state.stage is not Stage.ENDING:
            phases = bench.phases
        now_ns = bench.now_ns
        bench.advance()
        in_vain = in_vain + 1 if bench.now_ns == now_ns else 0
    return {"number": number, **_told(bench, phases), "warnings": dict(bench.warnings)}


def _told(bench: Procedure, phases: tuple[Phase, ...]) -> dict[str, Any]:
    state = bench.state
    if state.stage is Stage.ENDED and state.outcome is Outcome.COMPLETE:
        return {"outcome": "complete"}
    cause = state.trips[0] if state.trips else None
    refused = state.outcome is Outcome.REFUSED
    return {
        "outcome": "refused" if refused else "tripped",
        "code": cause.code if cause else "",
        "text": cause.text if cause else f"not over after {bench.now_ns / 1e9:g} s, in {bench.phases}",
        "phases": [phase.name for phase in phases],
        "cap_over_expected": round(bench.what.cap_over_expected, 3),
        "variant": asdict(bench.what),
    }


def sources() -> str:
    """Hash of what a result proves."""
    digest = hashlib.sha256()
    for pattern in PROVES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_nuisance(result: dict[str, Any]) -> bool:
    """A trip, or a refusal of a plan that limits.md does not refuse."""
    if result["outcome"] == "refused":
        return bool(result["cap_over_expected"] >= CAP_OVER_EXPECTED)
    return bool(result["outcome"] != "complete")


def summary(results: Iterable[dict[str, Any]], digest: str) -> dict[str, Any]:
    """What is kept of a run that began on the sources of this hash."""
    results = sorted(results, key=lambda result: result["number"])
    refused = [r["code"] for r in results if r["outcome"] == "refused" and not is_nuisance(r)]
    rows = {row.code: 0 for row in ROWS} | Counter(r["code"] for r in results if is_nuisance(r))
    return {
        "sources_sha256": digest,
        "procedures": len(results),
        "outcomes": dict(Counter(result["outcome"] for result in results)),
        "nuisance_trips": sum(rows.values()),
        "by_row": rows,
        "refused_by_plan": dict(Counter(refused)),
        "warned": dict(Counter(code for result in results for code in result["warnings"])),
        "nuisances": [result for result in results if is_nuisance(result)][:20],
    }


def committed() -> dict[str, Any] | None:
    """The newest result of the whole campaign; None where there is none, or these are not its sources any more."""
    if not RESULT.exists():
        return None
    told: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))
    return told if told["sources_sha256"] == sources() else None


def _kept(numbers: Iterable[int], digest: str) -> dict[int, dict[str, Any]]:
    """Results of an earlier run on the same sources."""
    if not STATE.exists():
        return {}
    lines = map(json.loads, STATE.read_text(encoding="utf-8").splitlines())
    wanted = set(numbers)
    return {line["number"]: line for line in lines if line.pop("sources", "") == digest and line["number"] in wanted}


def _carried_out(numbers: list[int], jobs: int, end_ns: int) -> Iterator[dict[str, Any]]:
    """In portions, of which none is begun after the end."""
    with ProcessPoolExecutor(jobs) as pool:
        for at in range(0, len(numbers), PORTION):
            if wall_ns() >= end_ns:
                return
            yield from pool.map(run, numbers[at : at + PORTION], chunksize=4)


def main() -> None:
    parser = argparse.ArgumentParser(description="Normal procedures in all variants: no interlock may trip.")
    parser.add_argument("procedures", type=int, nargs="?", default=2000)
    parser.add_argument("--minutes", type=float, default=600.0, help="none is begun later")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--number", type=int, help="only this one, shown")
    given = parser.parse_args()
    if given.number is not None:
        print(json.dumps({"variant": asdict(variant(given.number)), **run(given.number)}, indent=1))
        return
    digest, numbers = sources(), range(given.procedures)
    results = _kept(numbers, digest)
    missing = [number for number in numbers if number not in results]
    end_ns = wall_ns() + round(given.minutes * 60 * NS_PER_S)
    STATE.parent.mkdir(exist_ok=True)
    with STATE.open("a", encoding="utf-8") as state:
        for result in _carried_out(missing, given.jobs, end_ns):
            results[result["number"]] = result
            state.write(json.dumps({"sources": digest, **result}) + "\n")
            state.flush()
            if is_nuisance(result):
                print(f"{result['number']}: {result['text']} {result['variant']}", file=sys.stderr)
    told = summary(results.values(), digest)
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    trips = told["nuisance_trips"]
    print(f"{told['procedures']} procedures: {told['outcomes']}, {trips} nuisance trips", file=sys.stderr)
    sys.exit(bool(trips) or len(results) < given.procedures)


if __name__ == "__main__":
    main()
