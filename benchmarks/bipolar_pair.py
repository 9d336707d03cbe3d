"""How good the simulator's approximation of a bipolar pair is: beside a three-dimensional solution on a graded grid.

Two parallel needles of 18 G, 10 mm. The grid's steps at the round needles cancel: what the approximation leaves out is
left out on the same grid. Run by hand: ``python -m benchmarks.bipolar_pair`` (some minutes); its
table stands in docs/decisions/0009-bipolar-pairs.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import cg

from rfctl_sim.field.mesh import Array, graded
from rfctl_sim.field.needle import NeedleField

GAUGE, TIP_MM, RADIUS_M = 18, 10.0, 0.635e-3
SIGMA, CONDUCTIVITY, HEAT = 0.45, 0.50, 1090.0 * 3500.0
FAR_M, FINE_M, GROWTH = 60e-3, 0.2e-3, 0.25
POWER_W, HEATED_S, STEP_S = 2.0, 60.0, 2.0


class Grid(NamedTuple):
    """Faces of the cells along each axis, m; the needles lie along z, side by side in x."""

    x: Array
    y: Array
    z: Array


def _both_sides(centre: float, low: float, high: float) -> Array:
    up = graded(high - centre, FINE_M, high, GROWTH) + centre
    down = centre - graded(centre - low, FINE_M, high, GROWTH)[::-1] if centre > low else np.array([centre])
    return np.concatenate([down[:-1], up])


def grid_of(spacing_m: float) -> Grid:
    """A quarter: the planes between the needles and through both are those of symmetry."""
    half = spacing_m / 2.0
    y = graded(FAR_M, FINE_M, FAR_M, GROWTH)
    ends = [_both_sides(0.0, -FAR_M, TIP_MM * 0.5e-3), _both_sides(TIP_MM * 1e-3, TIP_MM * 0.5e-3, FAR_M)]
    return Grid(_both_sides(half, 0.0, FAR_M), y, np.concatenate([ends[0][:-1], ends[1]]))


def _middles(faces: Array) -> Array:
    return 0.5 * (faces[1:] + faces[:-1])


class Box:
    """Conductances between the cells of a grid, for unit conductivity."""

    def __init__(self, grid: Grid, spacing_m: float) -> None:
        sizes = [np.diff(faces) for faces in grid]
        self.shape = tuple(len(size) for size in sizes)
        self.volume = sizes[0][:, None, None] * sizes[1][None, :, None] * sizes[2][None, None, :]
        x, y, z = (_middles(faces) for faces in grid)
        away = np.hypot(x[:, None, None] - spacing_m / 2.0, y[None, :, None])
        self.needle = (away <= RADIUS_M) & (z[None, None, :] >= 0.0)
        self.active = self.needle & (z[None, None, :] <= TIP_MM * 1e-3)
        self.z = z
        self.links: list[tuple[Array, Array]] = []
        for axis in range(3):
            distance = np.diff(_middles(grid[axis]))
            shape = [1, 1, 1]
            shape[axis] = -1
            others = [sizes[other] for other in range(3) if other != axis]
            area = np.multiply.outer(*others)
            self.links.append((distance.reshape(shape), np.expand_dims(area, axis)))
        # The far faces, and the plane between the needles.
        self.far = np.zeros(self.shape)
        for axis, at in ((0, -1), (1, -1), (2, -1), (2, 0)):
            index: list[slice | int] = [slice(None)] * 3
            index[axis] = at
            others = [sizes[other] for other in range(3) if other != axis]
            self.far[tuple(index)] += np.multiply.outer(*others) / (sizes[axis][at] / 2.0)
        self.middle = np.zeros(self.shape)
        self.middle[0] = np.multiply.outer(sizes[1], sizes[2]) / (sizes[0][0] / 2.0)

    def conductances(self, of_cells: Array) -> list[Array]:
        """Between neighbours along each axis: half of each cell in series, W/K or S."""
        found = []
        for axis, (distance, area) in enumerate(self.links):
            low = np.take(of_cells, range(self.shape[axis] - 1), axis)
            high = np.take(of_cells, range(1, self.shape[axis]), axis)
            found.append(area / distance * 2.0 * low * high / np.maximum(low + high, 1e-300))
        return found

    def matrix(self, links: list[Array], diagonal: Array) -> coo_matrix:
        numbers = np.arange(diagonal.size).reshape(self.shape)
        rows, columns, values = [], [], []
        whole = diagonal.copy()
        for axis, link in enumerate(links):
            low = np.take(numbers, range(self.shape[axis] - 1), axis)
            high = np.take(numbers, range(1, self.shape[axis]), axis)
            np.add.at(whole.reshape(-1), low.ravel(), link.ravel())
            np.add.at(whole.reshape(-1), high.ravel(), link.ravel())
            rows += [low.ravel(), high.ravel()]
            columns += [high.ravel(), low.ravel()]
            values += [-link.ravel(), -link.ravel()]
        rows.append(numbers.ravel())
        columns.append(numbers.ravel())
        values.append(whole.ravel())
        return coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))).tocsr()


def _solve(matrix: coo_matrix, right: Array, start: Array | None = None) -> Array:
    found, failed = cg(matrix, right, x0=start, rtol=1e-8, maxiter=20_000, M=diags(1.0 / matrix.diagonal()))
    assert not failed
    return np.asarray(found)


def current(box: Box, *, opposed: bool) -> tuple[float, Array]:
    """Resistance of one needle against the plane between (opposed) or its far boundary with a twin of its own sign, and
    where its power goes, W in each cell for 1 V.
    """
    sigma = np.where(box.needle & ~box.active, 0.0, SIGMA)
    sigma[box.active] = SIGMA * 1e4
    links = box.conductances(sigma)
    held = box.active * 1e3
    diagonal = SIGMA * box.far + held + (SIGMA * box.middle * (sigma > 0.0) if opposed else 0.0)
    diagonal[box.needle & ~box.active] += 1e-12
    phi = _solve(box.matrix(links, diagonal), held.ravel()).reshape(box.shape)
    power = np.zeros(box.shape)
    for axis, link in enumerate(links):
        each = link * np.diff(phi, axis=axis) ** 2 / 2.0
        pad = [(0, 0)] * 3
        pad[axis] = (0, 1)
        power += np.pad(each, pad)
        pad[axis] = (1, 0)
        power += np.pad(each, pad)
    drawn = float((held * (1.0 - phi)).sum())
    return 1.0 / drawn, power


def heated(box: Box, watts: Array) -> Array:
    """Rise of every cell after HEATED_S of these watts, K."""
    k = np.where(box.needle, 10.0, CONDUCTIVITY)
    capacity = np.where(box.needle, 3.3e6, HEAT) * box.volume / STEP_S
    matrix = box.matrix(box.conductances(k), CONDUCTIVITY * box.far + capacity)
    rise = np.zeros(box.volume.size)
    for _ in range(round(HEATED_S / STEP_S)):
        rise = _solve(matrix, capacity.ravel() * rise + watts.ravel(), rise)
    return rise.reshape(box.shape)


def compare(spacing_mm: float) -> str:
    """One row of the table: ours, and in three dimensions."""
    spacing_m = spacing_mm * 1e-3
    grid = grid_of(spacing_m)
    box = Box(grid, spacing_m)
    opposed_ohm, opposed_w = current(box, opposed=True)
    alike_ohm, alike_w = current(box, opposed=False)
    alone = NeedleField(GAUGE, TIP_MM, 37.0)
    ours = 1.0 - alone.mutual_ohm(spacing_mm) / alone.impedance_ohm
    theirs = 2.0 * opposed_ohm / (opposed_ohm + alike_ohm)
    # At 1 A, what needles of opposite and of the same sign dissipate differs by the cross term alone, which the
    # approximation leaves out: their mean is what it takes for true.
    added_w = 0.5 * (opposed_w * opposed_ohm**2 + alike_w * alike_ohm**2)
    current_2 = POWER_W / 4.0 / (float(opposed_w.sum()) * opposed_ohm**2)
    rises = [heated(box, added_w * current_2), heated(box, opposed_w * (POWER_W / 4.0 / float(opposed_w.sum())))]
    middle = int(np.abs(box.z - TIP_MM * 0.5e-3).argmin())
    needle = int(np.abs(_middles(grid.x) - spacing_m / 2.0).argmin())
    shown = [f"{spacing_mm:g}", f"{ours:.3f}", f"{theirs:.3f}", f"{100.0 * (ours / theirs - 1.0):+.1f} %"]
    for column in (needle, 0):
        approximate_k, true_k = (float(rise[column, 0, middle]) for rise in rises)
        shown += [f"{approximate_k:.1f}", f"{true_k:.1f}", f"{100.0 * (approximate_k / true_k - 1.0):+.1f} %"]
    return f"| {' | '.join(shown)} |"


if __name__ == "__main__":
    print("| spacing, mm | R / 2 R1 | true | off | tip, K | true | off | midway, K | true | off |")
    print(f"|{10 * '---|'}")
    for each in (6.0, 10.0, 15.0):
        print(compare(each), flush=True)
