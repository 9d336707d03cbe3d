"""The electric current of the active tip: potential, resistance, and where the power goes."""

from __future__ import annotations

import numpy as np

from rfctl_sim.field.banded import factorised, solved
from rfctl_sim.field.mesh import Array, Mesh


class Current:
    """The quasi-static field of one needle, ``div(sigma grad phi) = 0``, with 1 V on the active tip.

    Attributes:
        potential: Of the tissue cells (s, r beyond the metal), for 1 V on the tip.
        resistance_ohm: From the tip to the far boundary.
        share: Of the power, in each tissue cell; sums to 1.
        sigma: For which it was solved, S/m.
    """

    __slots__ = ("_band", "_mesh", "potential", "resistance_ohm", "share", "sigma")

    def __init__(self, mesh: Mesh, sigma: Array) -> None:
        rows, columns = mesh.shape
        self._mesh = mesh
        self._band = np.zeros((columns - mesh.metal + 1, rows * (columns - mesh.metal)), order="F")
        self.solve(sigma)

    def solve(self, sigma: Array) -> None:
        """Solve for the conductivity ``sigma`` of the tissue cells, S/m."""
        mesh = self._mesh
        tissue = np.s_[:, mesh.metal :]
        resistivity = 1.0 / sigma
        inward = mesh.inward[tissue] * resistivity
        outward = mesh.outward[tissue] * resistivity
        backward = mesh.backward[tissue] * resistivity
        forward = mesh.forward[tissue] * resistivity
        across = 1.0 / (outward[:, :-1] + inward[:, 1:])
        along = 1.0 / (forward[:-1] + backward[1:])
        surface = 1.0 / inward[: mesh.active, 0]
        far = 1.0 / outward[:, -1]
        top = 1.0 / forward[-1]

        diagonal = np.zeros_like(sigma)
        diagonal[:, :-1] += across
        diagonal[:, 1:] += across
        diagonal[:-1] += along
        diagonal[1:] += along
        diagonal[: mesh.active, 0] += surface
        diagonal[:, -1] += far
        diagonal[-1] += top

        rows, columns = sigma.shape
        band = self._band
        band[columns] = diagonal.ravel()
        beside = np.zeros_like(sigma)
        beside[:, 1:] = -across
        band[columns - 1] = beside.ravel()
        band[0, columns:] = -along.ravel()
        source = np.zeros_like(sigma)
        source[: mesh.active, 0] = surface
        phi = solved(factorised(band), source.ravel()).reshape(rows, columns)

        # Each half cell dissipates what its current and its own resistance say.
        power = np.zeros_like(sigma)
        current = across * (phi[:, :-1] - phi[:, 1:])
        current *= current
        power[:, :-1] += current * outward[:, :-1]
        power[:, 1:] += current * inward[:, 1:]
        current = along * (phi[:-1] - phi[1:])
        current *= current
        power[:-1] += current * forward[:-1]
        power[1:] += current * backward[1:]
        drop = 1.0 - phi[: mesh.active, 0]
        power[: mesh.active, 0] += surface * drop * drop
        power[:, -1] += far * phi[:, -1] ** 2
        power[-1] += top * phi[-1] ** 2
        total = float(surface @ drop)  # at 1 V the current is the conductance
        self.potential = phi
        self.resistance_ohm = 1.0 / total
        self.share = power / power.sum()
        self.sigma = sigma.copy()
