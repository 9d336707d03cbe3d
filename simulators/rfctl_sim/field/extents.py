"""How far a quantity reaches above a value: isotherms, and how wide and long they are.

Between cell centres, surface and axis it is interpolated by piecewise cubics that hardly overshoot. Only tissue counts:
the metal is in nobody's lesion.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import Akima1DInterpolator

from rfctl_sim.field.mesh import Array, Mesh

# Each interval between two cells is cut into so many; what is left is interpolated in straight lines.
FINER = 4


class Tissue:
    """The tissue beside and ahead of one needle, in half a plane through its axis, finely divided.

    Attributes:
        rho_m: Of each point, distance from the axis (s, r); column 0 is the needle's surface, row 0 the axis ahead.
        z_m: Height of each point above the tip's end, ahead of it negative (s, r).
    """

    __slots__ = ("_along", "_along_fine", "_at_surface", "_mesh", "_r", "_r_fine", "rho_m", "z_m")

    def __init__(self, mesh: Mesh, metal_conductivity: float, tissue_conductivity: float) -> None:
        self._mesh = mesh
        a = mesh.radius_m
        angle = np.concatenate([[0.0], mesh.theta, np.full(len(mesh.row_z_m), np.pi / 2.0)])[:, None]
        height = np.concatenate([np.zeros(1 + mesh.end), mesh.row_z_m - a])[:, None]
        self._r = np.concatenate([[a], mesh.r_m[mesh.metal :]])
        self._r_fine = _divided(self._r)
        # Along each line of equal distance: the quarter circle round the end, then up the shaft.
        self._along = angle * self._r + height
        self._along_fine = _divided(self._along)
        along = _divided(angle * self._r_fine + height)
        angle = np.minimum(along / self._r_fine, np.pi / 2.0)
        straight = np.maximum(along - self._r_fine * np.pi / 2.0, 0.0)
        self.rho_m = np.sin(angle) * self._r_fine
        self.z_m = a - np.cos(angle) * self._r_fine + straight
        # The flow of heat is the same on both sides of the surface.
        metal = metal_conductivity / mesh.outward[:, mesh.metal - 1]
        tissue = tissue_conductivity / mesh.inward[:, mesh.metal]
        self._at_surface = metal / (metal + tissue)

    def everywhere(self, cells: Array) -> Array:
        """At each point, of a temperature or a rise in all cells (s, r)."""
        metal = self._mesh.metal
        share = self._at_surface
        surface = share * cells[:, metal - 1] + (1.0 - share) * cells[:, metal]
        return self._finely(np.column_stack([surface, cells[:, metal:]]))

    def of_tissue(self, cells: Array) -> Array:
        """At each point, of a quantity that only the tissue's cells have (s, r beyond the metal)."""
        step = (self._r[0] - self._r[1]) / (self._r[2] - self._r[1])
        return self._finely(np.column_stack([cells[:, 0] + step * (cells[:, 1] - cells[:, 0]), cells]))

    def _finely(self, values: Array) -> Array:
        on_axis = 1.125 * values[0] - 0.125 * values[1]  # even about it
        values = np.vstack([on_axis, values])
        lines = [
            Akima1DInterpolator(self._along[:, column], values[:, column], method="makima")(self._along_fine[:, column])
            for column in range(len(self._r))
        ]
        fine: Array = Akima1DInterpolator(self._r, np.column_stack(lines), axis=1, method="makima")(self._r_fine)
        return fine

    def width_and_length_mm(self, values: Array, edge: float) -> tuple[float, float]:
        """Of where ``values`` (of each point) exceed ``edge``: across the axis and along it, mm; 0 where none does."""
        inside = values >= edge
        if not inside.any():
            return 0.0, 0.0
        rho, z = [self.rho_m[inside]], [self.z_m[inside]]
        for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
            crossing = inside[here] != inside[there]
            low, high = values[here][crossing], values[there][crossing]
            part = (edge - low) / (high - low)
            for place, found in ((self.rho_m, rho), (self.z_m, z)):
                found.append(place[here][crossing] + part * (place[there][crossing] - place[here][crossing]))
        heights = np.concatenate(z)
        return 2e3 * float(np.concatenate(rho).max()), 1e3 * float(heights.max() - heights.min())


def _divided(at: Array) -> Array:
    """``at`` with each interval of its first axis cut into FINER."""
    part = np.arange(FINER).reshape((1, FINER, *(1,) * (at.ndim - 1))) / FINER
    cut = at[:-1, None] + part * (at[1:, None] - at[:-1, None])
    return np.concatenate([cut.reshape((-1, *at.shape[1:])), at[-1:]])
