"""The mesh: lines of equal distance from the needle's axis and lines across them, which meet at right angles.

Around the hemispherical end the lines are spheres and cones about its centre, along the shaft cylinders and planes;
both meet in the plane of the centre. So faces lie exactly on the metal's surface, hemisphere included, a five-point
scheme is consistent everywhere, and the resistance of each half cell is that of the exact one-dimensional flow. Cells
are numbered (s, r): s from the tip's end along the surface and up the shaft, r from the axis outwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Of the mesh with fineness 1.
END_CELLS = 6
METAL_CELLS = 3
SURFACE_CELL_M = 0.07e-3
EDGE_CELL_M = 0.06e-3
GROWTH_ACROSS = 0.24
GROWTH_ALONG = 0.40

FAR_M = 60e-3


@dataclass(frozen=True, slots=True)
class Mesh:
    """One needle in its tissue.

    Attributes:
        radius_m: Of the needle.
        tip_m: Active tip, its hemispherical end included.
        r_m: Cell centres, distance from axis or centre (r).
        z_m: Cell centres along the axis (s, r); 0 at the tip's end, positive up the shaft.
        rho_m: Cell centres, distance from the axis (s, r).
        theta: Angle of the rows at the end, from the axis ahead of the tip, rad.
        row_z_m: Height of the rows along the shaft, from the tip's end.
        volume_m3: Of each cell (s, r).
        inward, outward, backward, forward: Resistance of the half cell towards each face, times the conductivity, 1/m.
        end: Number of rows at the end.
        metal: Number of columns in the metal.
        active: Number of rows along the active tip, the end's included.
    """

    radius_m: float
    tip_m: float
    r_m: Array
    z_m: Array
    rho_m: Array
    theta: Array
    row_z_m: Array
    volume_m3: Array
    inward: Array
    outward: Array
    backward: Array
    forward: Array
    end: int
    metal: int
    active: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows along s, columns along r."""
        rows, columns = self.volume_m3.shape
        return rows, columns


def graded(length: float, first: float, last: float, growth: float) -> Array:
    """Faces from 0 to ``length``: cells of about ``first`` and ``last`` at the ends, growing towards the middle."""
    at = np.linspace(0.0, length, 4001)
    size = np.minimum(first + growth * at, last + growth * (length - at))
    count = np.concatenate([[0.0], np.cumsum(0.5 * (1.0 / size[1:] + 1.0 / size[:-1]) * np.diff(at))])
    cells = max(2, int(np.ceil(count[-1])))
    faces: Array = np.interp(np.arange(cells + 1) * (count[-1] / cells), count, at)
    return faces


def needle_mesh(diameter_m: float, tip_m: float, fineness: float = 1.0, far_m: float = FAR_M) -> Mesh:
    """The mesh around a needle of ``diameter_m`` with an active tip of ``tip_m``, out to ``far_m`` on every side."""
    a = diameter_m / 2.0
    metal = max(2, round(METAL_CELLS * fineness))
    end = max(3, round(END_CELLS * fineness))
    across = graded(far_m - a, SURFACE_CELL_M / fineness, far_m, GROWTH_ACROSS / fineness)
    r_face = np.concatenate([np.linspace(0.0, a, metal + 1)[:-1], a + across])
    arc = a * pi / 2.0 / end
    edge = EDGE_CELL_M / fineness
    growth = GROWTH_ALONG / fineness
    tip = graded(tip_m - a, arc, edge, growth)
    shaft = graded(far_m, edge, far_m, growth) + (tip_m - a)
    z_face = np.concatenate([tip[:-1], shaft])
    theta_face = np.linspace(0.0, pi / 2.0, end + 1)

    r1, r2 = r_face[:-1], r_face[1:]
    rc = 0.5 * (r1 + r2)
    dz = np.diff(z_face)
    zc = 0.5 * (z_face[:-1] + z_face[1:])
    theta = 0.5 * (theta_face[:-1] + theta_face[1:])
    rows = end + len(dz)
    columns = len(rc)

    volume = np.empty((rows, columns))
    inward = np.empty((rows, columns))
    outward = np.empty((rows, columns))
    backward = np.empty((rows, columns))
    forward = np.empty((rows, columns))

    solid = 2.0 * pi * (np.cos(theta_face[:-1]) - np.cos(theta_face[1:]))
    volume[:end] = np.outer(solid, (r2**3 - r1**3) / 3.0)
    volume[end:] = np.outer(dz, pi * (r2**2 - r1**2))
    with np.errstate(divide="ignore"):  # the axis has no area: nothing flows through it
        inward[:end] = np.outer(1.0 / solid, 1.0 / r1 - 1.0 / rc)
        inward[end:] = np.outer(1.0 / dz, np.log(rc / r1) / (2.0 * pi))
        turn = np.log(np.tan(theta_face / 2.0))
    outward[:end] = np.outer(1.0 / solid, 1.0 / rc - 1.0 / r2)
    outward[end:] = np.outer(1.0 / dz, np.log(r2 / rc) / (2.0 * pi))
    middle = np.log(np.tan(theta / 2.0))
    backward[:end] = np.outer(middle - turn[:-1], 1.0 / (2.0 * pi * (r2 - r1)))
    forward[:end] = np.outer(turn[1:] - middle, 1.0 / (2.0 * pi * (r2 - r1)))
    backward[end:] = forward[end:] = np.outer(dz / 2.0, 1.0 / (pi * (r2**2 - r1**2)))

    z = np.empty((rows, columns))
    rho = np.empty((rows, columns))
    z[:end] = a - np.outer(np.cos(theta), rc)
    z[end:] = (a + zc)[:, None]
    rho[:end] = np.outer(np.sin(theta), rc)
    rho[end:] = rc[None, :]
    return Mesh(
        radius_m=a,
        tip_m=tip_m,
        r_m=rc,
        z_m=z,
        rho_m=rho,
        theta=theta,
        row_z_m=a + zc,
        volume_m3=volume,
        inward=inward,
        outward=outward,
        backward=backward,
        forward=forward,
        end=end,
        metal=metal,
        active=end + len(tip) - 1,
    )
