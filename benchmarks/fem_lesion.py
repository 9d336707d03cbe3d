"""An independent finite-element solution of one lesion: ``python -m benchmarks.fem_lesion`` prints a case as JSON.

Written from the equations and the parameters of docs/validation.md, it shares no line with the simulator and is no part
of the product. scikit-fem, quadratic isoparametric triangles, axisymmetric: the quasi-static field
``div(sigma(T) grad phi) = 0`` in the tissue and ``rho c dT/dt = div(k grad T) + sigma |grad phi|^2`` in tissue and
metal. The active tip is at one potential, the shaft is insulated electrically and not thermally, far away potential
and rise are 0. Time goes by L-stable second-order Runge-Kutta steps (Alexander's SDIRK2). Over each control step the
voltage is constant, and such that the thermocouple ends where ideal regulation wants it; conductivity is that of its
middle.

Control steps shorter than about 0.15 s have no solution to speak of with a thick needle: the thermocouple sits in
metal that the tissue heats from outside, and power that makes it follow a corner of the ramp at once oscillates
without bound.
``--all`` writes the cases of CASES, and the convergence of FINER, to benchmarks/fem_lesion.json.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import MISSING, asdict, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.sparse.linalg import splu
from skfem import Basis, BilinearForm, ElementTriP2, LinearForm, condense
from skfem.helpers import dot, grad

from benchmarks.fem_mesh import ElectrodeMesh, electrode_mesh, nodes_between

if TYPE_CHECKING:
    from collections.abc import Iterator

Vector = npt.NDArray[np.float64]

DIAMETER_MM = {23: 0.635, 22: 0.711, 20: 0.902, 18: 1.270, 17: 1.473, 16: 1.651}
TISSUE_K, TISSUE_RHO_C = 0.50, 1090.0 * 3500.0  # W/mK, J/m3K
METAL_K, METAL_RHO_C = 10.0, 3.3e6
SIGMA_37, SIGMA_PER_K = 0.45, 0.020  # S/m, 1/K
ARRHENIUS_PER_S, ARRHENIUS_J_PER_MOL, GAS_J_PER_MOL_K = 7.39e39, 2.577e5, 8.314462618
THERMOCOUPLE_MM = 1.0
DEFAULTS = {"gauge": 18, "tip_mm": 10.0, "set_c": 80.0, "hold_s": 90.0}
RESULTS = Path(__file__).with_suffix(".json")
EDGES_C = (50.0, 55.0, 60.0)
STEP_S, STEPS_BETWEEN = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0), 6
GAMMA = 1.0 - 0.5**0.5


@dataclass(frozen=True, slots=True)
class Case:
    """One lesion, and how finely it is computed.

    Attributes:
        gauge: Of the cannula.
        tip_mm: Active tip, mm.
        set_c: Set temperature, degC.
        hold_s: From set temperature reached, s.
        start_c: Of everything at the start, degC.
        ramp_s: From start to set temperature, s.
        finer: Divides the edges of the mesh.
        step_s: Control step of the ramp, s; it grows to ten times that in the hold.
        substeps: Steps of time in each.
        reach_mm: From the electrode to the far boundary, mm.
    """

    gauge: int
    tip_mm: float
    set_c: float
    hold_s: float
    start_c: float = 37.0
    ramp_s: float = 10.0
    finer: float = 0.7
    step_s: float = 0.25
    substeps: int = 2
    reach_mm: float = 60.0


_GRID = """
18 10 80 90 37; 22 10 80 90 37; 20 10 80 90 37; 16 10 80 90 37; 22 5 80 90 37; 18 5 80 90 37; 16 5 80 90 37
22 15 80 90 37; 18 15 80 90 37; 16 15 80 90 37; 18 10 60 90 37; 18 10 90 90 37; 18 10 80 60 37; 18 10 80 180 37
22 5 60 60 37; 16 15 90 180 37; 20 10 80 90 22; 18 10 60 90 22; 18 10 90 180 22; 22 5 90 60 22; 16 15 60 60 22
20 5 80 120 22"""
CASES = [
    Case(int(gauge), *map(float, numbers))
    for gauge, *numbers in (case.split() for line in _GRID.strip().split("\n") for case in line.split(";"))
]
FINER = [
    replace(case, finer=finer, step_s=step_s)
    for case in (CASES[0], CASES[4], CASES[9])
    for finer, step_s in ((0.5, 0.25), (1.0, 0.25), (1.4, 0.25), (0.7, 0.5))
]


class Lesion:
    """The discretised problem of one electrode, and its state."""

    def __init__(self, case: Case) -> None:
        self._case = case
        shape = electrode_mesh(DIAMETER_MM[case.gauge] / 2, case.tip_mm, finer=case.finer, reach_mm=case.reach_mm)
        mesh = shape.mesh.scaled(1e-3)
        self.places_mm = shape.mesh.doflocs
        everywhere = np.arange(len(shape.metal))
        self._tissue = Basis(mesh, ElementTriP2(), intorder=4, elements=everywhere[~shape.metal])
        metal = Basis(mesh, ElementTriP2(), intorder=4, elements=everywhere[shape.metal])
        self._mass = (TISSUE_RHO_C * _mass.assemble(self._tissue) + METAL_RHO_C * _mass.assemble(metal)).tocsc()
        self._stiffness = (TISSUE_K * _stiff.assemble(self._tissue) + METAL_K * _stiff.assemble(metal)).tocsc()
        self.tissue_nodes, self._tip_nodes, far, inside = _node_sets(shape)
        self._free = np.setdiff1d(np.arange(self.places_mm.shape[1]), far)
        self._unit_volts = np.zeros(self.places_mm.shape[1])
        self._unit_volts[self._tip_nodes] = 1.0
        self._given = np.unique(np.concatenate([self._tip_nodes, far, inside]))
        middles = mesh.nvertices + np.arange(mesh.facets.shape[1])
        ends = [np.stack([mesh.facets[0], middles]), np.stack([middles, mesh.facets[1]])]
        self._edges = np.concatenate(ends, axis=1)
        self._in_tissue = np.isin(self._edges, self.tissue_nodes).all(axis=0)
        self._factors: dict[float, Any] = {}
        self._sensor = _sensor(self.places_mm)
        self.rise_k = np.zeros(self.places_mm.shape[1])
        self._slope_k_per_s = np.zeros_like(self.rise_k)
        self.highest_k = np.zeros_like(self.rise_k)
        self.damage = np.zeros_like(self.rise_k)

    def conductance(self, rise_k: Vector) -> tuple[float, Vector]:
        """Siemens, and the heat source of 1 V as a load vector."""
        sigma = SIGMA_37 * (1.0 + SIGMA_PER_K * (self._case.start_c - 37.0 + rise_k))
        field = self._tissue.interpolate(sigma)
        matrix = _conduct.assemble(self._tissue, sigma=field)
        small, load, potential, kept = condense(matrix, x=self._unit_volts, D=self._given)
        potential[kept] = splu(small.tocsc()).solve(load)
        heat = _heat.assemble(self._tissue, sigma=field, potential=self._tissue.interpolate(potential))
        return float(potential @ (matrix @ potential)), heat

    @property
    def sensor_k(self) -> float:
        """The thermocouple's rise."""
        return float(self._sensor @ self.rise_k)

    def advance(self, step_s: float, wanted_k: float) -> tuple[float, float]:
        """One step that ends with the thermocouple at this rise. The square of its volts, and its siemens."""
        siemens, heat = self.conductance(self.rise_k + 0.5 * step_s * self._slope_k_per_s)
        without = self._diffuse(step_s, self.rise_k, np.zeros_like(heat))
        of_one = self._diffuse(step_s, np.zeros_like(heat), heat)
        square = (wanted_k - self._sensor @ without) / (self._sensor @ of_one)
        self._arrive(step_s, without + square * of_one)
        return float(square), siemens

    def apply(self, step_s: float, volts: float) -> None:
        """One step at this voltage."""
        _, heat = self.conductance(self.rise_k + 0.5 * step_s * self._slope_k_per_s)
        self._arrive(step_s, self._diffuse(step_s, self.rise_k, volts**2 * heat))

    def _arrive(self, step_s: float, after: Vector) -> None:
        self._slope_k_per_s = (after - self.rise_k) / step_s
        self.damage += 0.5 * step_s * (self._rate(self.rise_k) + self._rate(after))
        self.rise_k = after
        np.maximum(self.highest_k, after, out=self.highest_k)

    def _diffuse(self, step_s: float, before: Vector, heat: Vector) -> Vector:
        """The rise after a step with this source, which is constant over it."""
        part_s = step_s / self._case.substeps
        solve, free = self._solver(part_s), self._free
        load, ahead = GAMMA * part_s * heat, (1.0 - GAMMA) / GAMMA
        for _ in range(self._case.substeps):
            first, second = np.zeros_like(before), np.zeros_like(before)
            first[free] = solve((self._mass @ before + load)[free])
            second[free] = solve((self._mass @ (before + ahead * (first - before)) + load)[free])
            before = second
        return before

    def extents_mm(self, values: Vector, edge: float, *, metal_too: bool = False) -> tuple[float, float]:
        """Width and length of where ``values`` exceed ``edge``, mm; 0 where nothing does."""
        edges = self._edges if metal_too else self._edges[:, self._in_tissue]
        low, high = values[edges]
        crossing = (low < edge) != (high < edge)
        if not crossing.any():
            return 0.0, 0.0
        part = (edge - low[crossing]) / (high[crossing] - low[crossing])
        begin, end = self.places_mm[:, edges[0, crossing]], self.places_mm[:, edges[1, crossing]]
        inside = self.places_mm[:, np.unique(edges[values[edges] >= edge])]
        r, z = np.concatenate([begin + part * (end - begin), inside], axis=1)
        return float(2.0 * r.max()), float(z.max() - z.min())

    def _rate(self, rise_k: Vector) -> Vector:
        kelvin = 273.15 + self._case.start_c + rise_k
        return ARRHENIUS_PER_S * np.exp(-ARRHENIUS_J_PER_MOL / (GAS_J_PER_MOL_K * kelvin))

    def _solver(self, step_s: float) -> Any:
        if step_s not in self._factors:
            matrix = (self._mass + GAMMA * step_s * self._stiffness)[self._free][:, self._free]
            self._factors[step_s] = splu(matrix.tocsc()).solve
        return self._factors[step_s]


@BilinearForm
def _mass(u: Any, v: Any, w: Any) -> Any:
    return 2.0 * np.pi * w.x[0] * u * v


@BilinearForm
def _stiff(u: Any, v: Any, w: Any) -> Any:
    return 2.0 * np.pi * w.x[0] * dot(grad(u), grad(v))


@BilinearForm
def _conduct(u: Any, v: Any, w: Any) -> Any:
    return 2.0 * np.pi * w.x[0] * w.sigma * dot(grad(u), grad(v))


@LinearForm
def _heat(v: Any, w: Any) -> Any:
    return 2.0 * np.pi * w.x[0] * w.sigma * dot(grad(w.potential), grad(w.potential)) * v


def _node_sets(shape: ElectrodeMesh) -> tuple[npt.NDArray[np.int64], ...]:
    """Nodes of the tissue, of the active tip's surface, of the far boundary, and of nothing but metal."""
    mesh = shape.mesh
    tissue, metal = nodes_between(mesh, ~shape.metal), nodes_between(mesh, shape.metal)
    surface = np.intersect1d(tissue, metal)
    tip = surface[mesh.doflocs[1, surface] <= shape.tip_mm + 1e-9]
    boundary = mesh.boundary_facets()
    ends = mesh.facets[:, boundary]
    off_axis = boundary[(mesh.doflocs[0, ends] > 1e-9).any(axis=0)]
    far = np.unique(np.concatenate([mesh.facets[:, off_axis].ravel(), mesh.nvertices + off_axis]))
    return tissue, tip, far, np.setdiff1d(metal, tissue)


def _sensor(places_mm: Vector) -> Vector:
    """Weights that make the thermocouple's temperature of the nodes'."""
    axis = np.flatnonzero(np.abs(places_mm[0]) < 1e-9)
    axis = axis[np.argsort(places_mm[1, axis])]
    above = int(np.searchsorted(places_mm[1, axis], THERMOCOUPLE_MM))
    low, high = places_mm[1, axis[above - 1 : above + 1]]
    weights = np.zeros(places_mm.shape[1])
    part = (THERMOCOUPLE_MM - low) / (high - low)
    weights[axis[above - 1]], weights[axis[above]] = 1.0 - part, part
    return weights


def steps(case: Case) -> Iterator[tuple[float, float]]:
    """Time and length of each step: even in the ramp and for as long after it, then growing to ten times that."""
    count = max(1, round(case.ramp_s / case.step_s))
    even = case.ramp_s / count
    for index in range(count):
        yield even * index, even
    for begin_s, end_s, times in ((0.0, 5.0, 1.0), (5.0, 20.0, 2.5), (20.0, np.inf, 10.0)):
        length = min(end_s, case.hold_s) - begin_s
        if length > 1e-9:
            count = int(np.ceil(length / (times * case.step_s) - 1e-9))
            for index in range(count):
                yield case.ramp_s + begin_s + length / count * index, length / count


def solve(case: Case) -> dict[str, Any]:
    """The lesion, with the members that ``rfctl sim lesion --json`` has, and how it was computed."""
    begun = time.perf_counter()
    lesion = Lesion(case)
    start_siemens, _ = lesion.conductance(lesion.rise_k)
    energy_j, powers, tissue_max_c = 0.0, [], case.start_c
    for at_s, step_s in steps(case):
        part = min(1.0, (at_s + step_s) / case.ramp_s)
        square, siemens = lesion.advance(step_s, part * (case.set_c - case.start_c))
        powers.append((at_s + step_s, square * siemens))
        energy_j += square * siemens * step_s
        tissue_max_c = max(tissue_max_c, case.start_c + float(lesion.rise_k[lesion.tissue_nodes].max()))
    ramp = [power for end_s, power in powers if end_s <= case.ramp_s + 1e-9]
    peak_w = max(*ramp[len(ramp) // 4 :], _at_the_end(ramp))
    power_w = _at_the_end([power for _, power in powers])
    siemens, _ = lesion.conductance(lesion.rise_k)
    result: dict[str, Any] = asdict(case)
    outputs = [(f"{edge:g}", lesion.highest_k, edge - case.start_c) for edge in EDGES_C]
    outputs.append(("arrhenius", np.log(np.maximum(lesion.damage, 1e-300)), 0.0))
    for key, both in (("", False), ("_with_metal", True)):
        found = {name: lesion.extents_mm(values, edge, metal_too=both) for name, values, edge in outputs}
        result["width_mm" + key] = {name: size[0] for name, size in found.items()}
        result["length_mm" + key] = {name: size[1] for name, size in found.items()}
    return result | {
        "power_w": power_w,
        "peak_power_w": peak_w,
        "voltage_v_rms": (power_w / siemens) ** 0.5,
        "impedance_ohm": 1.0 / siemens,
        "impedance_start_ohm": 1.0 / start_siemens,
        "energy_j": energy_j,
        "simulated_s": case.ramp_s + case.hold_s,
        "tissue_max_c": tissue_max_c,
        "nodes": int(lesion.rise_k.size),
        "wall_s": time.perf_counter() - begun,
    }


def voltage_step(case: Case, volts: float) -> dict[str, Any]:
    """What the thermocouple does after ``volts`` rms are switched on across the tissue."""
    lesion = Lesion(case)
    shown: dict[str, Any] = {"gauge": case.gauge, "tip_mm": case.tip_mm, "volts": volts, "s": [], "k": [], "w": []}
    for begin_s, end_s in pairwise((0.0, *STEP_S)):
        for _ in range(STEPS_BETWEEN):
            lesion.apply((end_s - begin_s) / STEPS_BETWEEN, volts)
        shown["s"].append(end_s)
        shown["k"].append(lesion.sensor_k)
        shown["w"].append(volts**2 * lesion.conductance(lesion.rise_k)[0])
    return shown


def _at_the_end(powers: list[float]) -> float:
    """Each is the mean of its step; this is where the last two lead, at the end of the last."""
    return powers[-1] + 0.5 * (powers[-1] - powers[-2])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fem_lesion", description="One lesion, as JSON.")
    parser.add_argument("--all", action="store_true", help=f"every case, into {RESULTS.name}; some ten minutes")
    for each in fields(Case):
        given = {"default": each.default} if each.default is not MISSING else {"default": DEFAULTS[each.name]}
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=type(given["default"]), **given)
    options = vars(parser.parse_args())
    if not options.pop("all"):
        print(json.dumps(solve(Case(**options)), indent=1))
        return
    found = {
        "cases": [solve(case) for case in CASES],
        "finer": [solve(case) for case in FINER],
        "voltage_step": voltage_step(CASES[0], 11.0),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
