"""Write docs/validation.md and its picture: what the field model gives beside what is known. Run by ``make docs``.

Finite elements come from benchmarks/fem_lesion.json (``python -m benchmarks.fem_lesion --all`` in .venv-bench).
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, pi
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from validation_published import BENCH_C, EDGE, STEP_K, Fact, computed_elsewhere, measured, stepped

from rfctl_sim.field.current import Current
from rfctl_sim.field.lesion import Heating, make_lesion
from rfctl_sim.field.matter import OUTER_DIAMETER_MM, Matter
from rfctl_sim.field.mesh import FAR_M, needle_mesh
from rfctl_sim.field.needle import NeedleField

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).with_suffix(".md")
PICTURE = PAGE.parent / "pictures" / "validation.svg"
REFERENCE = PAGE.parents[1] / "benchmarks" / "fem_lesion.json"

FEM_SURE_C = 95.0
"""Finite elements do not boil: where their tissue gets hotter, peaks differ by that."""

NAMES = {
    "width_mm": "width",
    "length_mm": "length",
    "power_w": "power at the end",
    "impedance_ohm": "impedance at the end",
    "impedance_start_ohm": "impedance at the start",
}
WIDTH = 120
HEADS = ("what", "T0 degC", "published", "model", "")

TEXT = """\
# Validation of the simulated lesion

`make docs` wrote this page from the field model as it is (`simulators/rfctl_sim/field`). Parameters are those of
the first table everywhere; nothing is tuned to a row. A size means nothing without the temperature at the start (T0)
and the edge that was read, so each says both. What the model misses is marked **miss**.

None of this shows that a lesion in a patient has the size computed: tissue is neither homogeneous nor dead, and the
field's own scatter is 10 % and more. The simulator is for testing generators, stations and procedures.

## Parameters

{parameters}

The cannula is insulated electrically outside the active tip, and thermally nowhere. No perfusion and no resistance in
series unless said. Far boundary {far:g} mm away.

## Beside finite elements

`benchmarks/fem_lesion.py` solves the same equations another way: scikit-fem, quadratic curved triangles, no shared
line, vaporisation left out. Its numbers are kept in `benchmarks/fem_lesion.json`. Each case: a ramp of 10 s, then the
hold. Differences of this model in %; goals are 2 % for width, length and impedance, 3 % for power. A size counts from
edges at least 4 K below the set temperature: an edge at the set temperature itself hangs on hundredths of a kelvin.

{elements}

{worst}

Peaks in brackets are of cases whose tissue passes {sure:g} degC in the finite elements: it boils here and not there.
Finite elements themselves move by at most {moved}
when their mesh is refined or coarsened by up to two, or their steps doubled.

![Steps, finite elements, sizes](pictures/validation.svg)

## Checks that need no data

{closed}

Prolate spheroids, the other bodies with a closed form, are no shapes of a needle; on confocal meshes of their own the
same solver meets them within 1 % (`tests/unit/sim/field/test_closed_forms.py`).

## Beside what is published

T0 is 37 degC for what was computed or done in the body, and {bench:g} degC for all that was done to meat on a bench,
whether or not the source as we know it says so. The edge is {edge} degC for every size. Where the electrode is not
stated it is 18 G, 10 mm. A computed number has 3 % on each side.

Computed by others with the same parameters:

{computed}

Measured, by Haines 1990 in canine hearts, Goldberg 1995 in liver and muscle, Provenzano 2013 (Reg Anesth Pain Med
38:112) and Ortiz 2022 in chicken, Cosman, Dolensky and Hoffman 2014 (Pain Medicine) in animal tissue ex vivo:

{measured}

Misses, and what we know of them:

{missed}

Fluid that was injected is part of two of these studies and of none of these rows. "Within 10 % of published means" is
the most that the scatter of such measurements allows anyone to claim.
"""


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """In Markdown."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parameters() -> str:
    """What everything is computed with."""
    matter = Matter()
    rows = [
        ("density and heat capacity of tissue", f"{matter.density:g} kg/m3, {matter.heat_capacity:g} J/kgK"),
        ("thermal conductivity of tissue", f"{matter.conductivity:g} W/mK"),
        ("electric conductivity at 37 degC", f"{matter.sigma_37:g} S/m, {100 * matter.sigma_per_k:g} %/K of it"),
        ("metal", f"{matter.metal_conductivity:g} W/mK, {matter.metal_heat:.2g} J/m3K"),
        (
            "vaporisation",
            f"{matter.latent_heat:.3g} J/m3 over the {matter.boiling_width_k:g} K below {matter.boiling_c:g} degC, "
            f"then conductivity x {matter.dry_conductivity:g}",
        ),
        ("damage", f"Arrhenius, A {matter.damage_frequency:g} 1/s, Ea {matter.damage_energy:g} J/mol"),
        ("cannula", ", ".join(f"{gauge} G {wide:g} mm" for gauge, wide in sorted(OUTER_DIAMETER_MM.items()))),
    ]
    return table(("what", "value"), rows)


def compare(case: dict[str, Any]) -> dict[str, float]:
    """Relative difference of one lesion to finite elements, %, by quantity; sizes as the worst of their edges."""
    asked = {name: case[name] for name in ("gauge", "tip_mm", "set_c", "hold_s", "ramp_s", "start_c")}
    made = make_lesion(Heating(**asked))
    edges = [edge for edge in case["width_mm"] if edge == "arrhenius" or float(edge) <= case["set_c"] - 4.0]
    off = {
        name: max((100.0 * (getattr(made, name)[edge] / case[name][edge] - 1.0) for edge in edges), key=abs)
        for name in ("width_mm", "length_mm")
    }
    for name in ("power_w", "peak_power_w", "voltage_v_rms", "impedance_ohm", "impedance_start_ohm"):
        off[name] = 100.0 * (getattr(made, name) / case[name] - 1.0)
    off["energy_j"] = 100.0 * (made.field.energy.delivered / case["energy_j"] - 1.0)
    return off


def elements(reference: dict[str, Any], found: list[dict[str, float]]) -> str:
    """The table of all cases."""
    heads = ("G", "tip mm", "set degC", "hold s", "T0 degC", "width 50 mm", "width", "length", "power", "peak")
    rows = []
    for case, off in zip(reference["cases"], found, strict=True):
        peak = f"{off['peak_power_w']:+.1f}"
        rows.append(
            [case["gauge"], *(f"{case[name]:g}" for name in ("tip_mm", "set_c", "hold_s", "start_c"))]
            + [f"{case['width_mm']['50']:.2f}", *(f"{off[name]:+.1f}" for name in ("width_mm", "length_mm", "power_w"))]
            + [peak if case["tissue_max_c"] < FEM_SURE_C else f"({peak})"]
            + [f"{off[name]:+.1f}" for name in ("voltage_v_rms", "impedance_ohm", "impedance_start_ohm", "energy_j")]
        )
    return table((*heads, "volts", "Z at the end", "Z at the start", "energy"), rows)


def moved(reference: dict[str, Any]) -> str:
    """The most by which a finer, coarser or slower finite-element solution differs from the one compared with."""
    width_mm = power = 0.0
    for other in reference["finer"]:
        same = next(
            case
            for case in reference["cases"]
            if all(case[name] == other[name] for name in ("gauge", "tip_mm", "set_c", "hold_s", "start_c"))
        )
        width_mm = max(width_mm, *(abs(other["width_mm"][edge] - same["width_mm"][edge]) for edge in same["width_mm"]))
        power = max(power, abs(other["power_w"] / same["power_w"] - 1.0))
    return f"{width_mm:.3f} mm in width and {100 * power:.1f} % in power"


def insulated(gauge: int, tip_mm: float) -> float:
    """Largest deviation from T - T0 = sigma/k (V0 phi - phi^2/2) in the steady state, as a share of the largest rise.

    It holds where the electrode takes no heat, whatever its shape.
    """
    matter = Matter(sigma_per_k=0.0, metal_conductivity=1e-9)
    field, power_w = NeedleField(gauge, tip_mm, 37.0, matter), 0.1
    for _ in range(20):
        field.advance(1e5, power_w)
    solved = Current(field.mesh, field.sigma())
    phi, square = solved.potential, power_w * solved.resistance_ohm
    rise = matter.sigma_37 / matter.conductivity * square * (phi - phi**2 / 2.0)
    return float(np.abs(field.rise[:, field.mesh.metal :] - rise).max() / rise.max())


def sphere(diameter_mm: float) -> float:
    """Resistance of a sphere by the solver over that by its formula, minus 1: the end of a needle, mirrored."""
    mesh = needle_mesh(diameter_mm * 1e-3, 10e-3)
    end, sigma = mesh.end, Matter().sigma_37
    forward = mesh.forward[:end].copy()
    forward[-1] = inf  # nothing flows through the plane of the mirror
    sides = {name: getattr(mesh, name)[:end] for name in ("z_m", "rho_m", "volume_m3", "inward", "outward", "backward")}
    half = replace(mesh, **sides, forward=forward, active=end)
    solved = Current(half, np.full((end, mesh.shape[1] - mesh.metal), sigma)).resistance_ohm / 2.0
    return solved * 4.0 * pi * sigma / (1.0 / mesh.radius_m - 1.0 / FAR_M) - 1.0


def closed_forms() -> str:
    """The table of checks that need no data."""
    widths, powers, energies = [], [], []
    for gauge, tip_mm, start_c in ((22, 5.0, 37.0), (18, 10.0, 37.0), (16, 15.0, 22.0)):
        heating = Heating(gauge, tip_mm, 80.0, 90.0, start_c=start_c)
        made, finer = make_lesion(heating), make_lesion(replace(heating, fineness=2.0, quicker=1.5))
        widths += [abs(finer.width_mm[edge] - made.width_mm[edge]) for edge in made.width_mm]
        powers.append(abs(finer.power_w / made.power_w - 1.0))
        energy = make_lesion(replace(heating, perfusion=0.0008)).field
        kept_j = energy.stored_j + energy.energy.boundary + energy.energy.perfused
        energies.append(abs(kept_j / energy.energy.delivered - 1.0))
    worst = max(insulated(gauge, tip) for gauge, tip in ((22, 5.0), (18, 10.0), (16, 15.0)))
    spheres = max(abs(sphere(wide)) for wide in (0.711, 1.27, 1.651))
    rows = [
        ("resistance of a sphere", "1 %", f"{100 * spheres:.1g} %"),
        ("steady state around a thermally insulated electrode, everywhere", "1 %", f"{100 * worst:.1f} %"),
        ("energy in = stored + boundary + blood, perfused", "0.5 %", f"{100 * max(energies):.1g} %"),
        ("mesh halved, steps two thirds: width", "0.1 mm", f"{max(widths):.2f} mm"),
        ("the same: power at the end", "1 %", f"{100 * max(powers):.1f} %"),
    ]
    return table(("check", "goal", "found"), rows)


def misses(facts: list[Fact]) -> str:
    """Why, as far as known; one reason for rows that share it."""
    reasons: dict[str, list[str]] = {}
    for fact in facts:
        if fact.missed:
            reasons.setdefault(fact.why or "not known", []).append(fact.what)
    bullets = [f"- {'; '.join(whats)}: {why}." for why, whats in reasons.items()]
    return "\n".join(fill(bullet, WIDTH, subsequent_indent="  ", break_on_hyphens=False) for bullet in bullets)


def draw(reference: dict[str, Any]) -> None:
    """The picture: step, sizes beside finite elements, growth of the width."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "validation", "font.size": 9.0}):
        figure = Figure(figsize=(12.0, 4.0), layout="constrained")
        FigureCanvasAgg(figure)
        step, fem, growth = figure.subplots(1, 3)
        rises = stepped()
        step.plot(list(rises), list(rises.values()), label="this model")
        known = reference["voltage_step"]
        step.plot(known["s"], known["k"], "x", label="finite elements")
        step.plot(list(STEP_K), list(STEP_K.values()), "o", fillstyle="none", label="published")
        step.set(xscale="log", xlim=(0.2, 150), xlabel="s after 11 V rms", ylabel="rise of the tip, K")
        step.set_title("18 G, 10 mm, T0 37 °C")
        for name, mark in (("width_mm", "o"), ("length_mm", "s")):
            known, told = [], []
            for case in reference["cases"]:
                asked = {k: case[k] for k in ("gauge", "tip_mm", "set_c", "hold_s", "ramp_s", "start_c")}
                known.append(case[name][EDGE])
                told.append(getattr(make_lesion(Heating(**asked)), name)[EDGE])
            fem.plot(known, told, mark, fillstyle="none", label=name.removesuffix("_mm"))
        fem.plot([0, 30], [0, 30], linewidth=0.6, color="grey")
        fem.set(xlabel="finite elements, mm", ylabel="this model, mm", aspect="equal", title="edge 50 °C, all cases")
        holds = (10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0)
        for start_c, style in ((37.0, "-"), (BENCH_C, "--")):
            lesions = [make_lesion(Heating(18, 10.0, 80.0, hold_s, start_c=start_c)) for hold_s in holds]
            for edge, colour in (("50", "tab:blue"), ("60", "tab:red"), ("arrhenius", "tab:green")):
                label = f"T0 {start_c:g} °C, {edge if edge == 'arrhenius' else edge + ' °C'}"
                growth.plot(holds, [made.width_mm[edge] for made in lesions], style, color=colour, label=label)
        growth.set(xlabel="hold, s", ylabel="width, mm", ylim=(0, None), title="18 G, 10 mm, 80 °C: T0 and edge decide")
        for axes in (step, fem, growth):
            axes.legend(fontsize=7.5)
            axes.grid(alpha=0.25)
        figure.savefig(PICTURE, metadata={"Date": None, "Title": "Validation of the simulated lesion"})


def main() -> None:
    """Write page and picture."""
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    found = [compare(case) for case in reference["cases"]]
    worst = {name: max((off[name] for off in found), key=abs) for name in NAMES}
    told = ", ".join(f"{NAMES[name]} {off:+.1f} %" for name, off in worst.items())
    draw(reference)
    others, studies = computed_elsewhere(), measured()
    page = TEXT.format(
        parameters=parameters(),
        far=1e3 * FAR_M,
        elements=elements(reference, found),
        worst=fill(f"The worst of them: {told}.", WIDTH),
        sure=FEM_SURE_C,
        moved=moved(reference),
        closed=closed_forms(),
        bench=BENCH_C,
        edge=EDGE,
        computed=table(HEADS, (fact.cells() for fact in others)),
        measured=table(HEADS, (fact.cells() for fact in studies)),
        missed=misses([*others, *studies]),
    )
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
