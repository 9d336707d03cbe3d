"""The mesh of the finite-element reference: half a plane (r, z) around one electrode, curved where the tip is.

Lines run along the surface of the electrode, round its hemispherical end and up the shaft, and across it: into the
metal as far as the axis, and out into the tissue. The end is at z = 0. Element edges on the end, and on what surrounds
it, are arcs about the centre of the hemisphere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from skfem import MeshTri, MeshTri2

if TYPE_CHECKING:
    from collections.abc import Sequence

Vector = npt.NDArray[np.float64]

AROUND, OUT, IN = 8, 44, 4
GROWTH = 1.13
FINEST_MM = 0.02
REACH_MM = 60.0


@dataclass(frozen=True, slots=True)
class ElectrodeMesh:
    """Quadratic triangles, mm.

    Attributes:
        mesh: Tissue and metal.
        metal: Which elements are metal.
        radius_mm: Of the cannula.
        tip_mm: Length of the active tip, the end included.
    """

    mesh: MeshTri2
    metal: npt.NDArray[np.bool_]
    radius_mm: float
    tip_mm: float


def electrode_mesh(radius_mm: float, tip_mm: float, *, finer: float = 1.0, reach_mm: float = REACH_MM) -> ElectrodeMesh:
    """The mesh of one electrode.

    Args:
        radius_mm: Of the cannula, mm.
        tip_mm: Length of the active tip, mm; at least the radius.
        finer: Divides every edge by about this much.
        reach_mm: From the surface of the electrode to the far boundary, mm.
    """
    finest, growth = FINEST_MM / finer, GROWTH ** (1.0 / finer)
    around, inside = round(AROUND * finer), round(IN * finer)
    edge = _both_ends(tip_mm - radius_mm, 4 * finest, growth)
    up = _one_end(reach_mm, 4 * finest, growth)
    heights = np.concatenate([radius_mm + edge, tip_mm + up[1:]])
    out = _one_end(reach_mm, 2 * finest, growth)
    across = np.concatenate([np.linspace(-radius_mm, 0.0, inside + 1), out[1:]])
    angles = np.linspace(0.0, np.pi / 2, around + 1)
    bottom = [(np.sin(a) * (radius_mm + across), radius_mm - np.cos(a) * (radius_mm + across)) for a in angles[:-1]]
    top = [(radius_mm + across, np.full_like(across, z)) for z in heights]
    points = np.array(bottom + top)
    lines, crossings = len(points), len(across)
    index = np.arange(lines * crossings).reshape(lines, crossings)
    index[:around, 0] = index[around, 0]  # the centre of the hemisphere belongs to all its rays
    flat = points.transpose(0, 2, 1).reshape(-1, 2).T
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    triangles = np.concatenate([np.stack(t).reshape(3, -1) for t in ((a, b, c), (a, c, d))], axis=1)
    inner = np.broadcast_to(np.arange(crossings - 1) < inside, a.shape).ravel()
    metal = np.concatenate([inner, inner])
    whole = np.array([len(set(t)) == 3 for t in triangles.T])
    used, renumbered = np.unique(triangles[:, whole], return_inverse=True)
    straight = MeshTri(flat[:, used], renumbered.reshape(3, -1), sort_t=False)
    return ElectrodeMesh(_curved(straight, radius_mm), metal[whole], radius_mm, tip_mm)


def _one_end(length: float, first: float, growth: float) -> Vector:
    """From 0 to ``length`` in steps that grow from ``first``."""
    count = int(np.ceil(np.log1p(length * (growth - 1.0) / first) / np.log(growth)))
    steps = growth ** np.arange(count)
    return np.concatenate([[0.0], np.cumsum(steps)]) * length / steps.sum()


def _both_ends(length: float, first: float, growth: float) -> Vector:
    """From 0 to ``length`` in steps that grow from both ends to the middle."""
    half = _one_end(length / 2, first, growth)
    return np.concatenate([half, length - half[-2::-1]])


def _curved(straight: MeshTri, radius_mm: float) -> MeshTri2:
    """The same elements with the edges below the centre of the hemisphere bent to arcs."""
    curved = MeshTri2.from_mesh(straight)
    ends = straight.p[:, straight.facets] - np.array([0.0, radius_mm]).reshape(2, 1, 1)
    distance = np.hypot(*ends)
    angle = np.arctan2(ends[0], -ends[1])
    below = (angle <= np.pi / 2 + 1e-9).all(axis=0) & (distance > 1e-9).all(axis=0)
    middle_distance, middle_angle = distance.mean(axis=0), angle.mean(axis=0)
    middles = np.stack([np.sin(middle_angle), -np.cos(middle_angle)]) * middle_distance
    middles[1] += radius_mm
    places = np.array(curved.doflocs)
    at = straight.p.shape[1] + np.flatnonzero(below)
    places[:, at] = middles[:, below]
    return MeshTri2(places, straight.t, sort_t=False)


def nodes_between(mesh: MeshTri2, chosen: Sequence[bool] | npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The nodes of the chosen elements."""
    return np.unique(mesh.dofs.element_dofs[:, np.asarray(chosen)])
