"""Conduction of heat: constant matrices, factorised once for each length of step."""

from __future__ import annotations

from math import sqrt

import numpy as np

from rfctl_sim.field.banded import factorised, solved
from rfctl_sim.field.matter import Matter
from rfctl_sim.field.mesh import Array, Mesh

# Two implicit stages of one matrix, of second order, and stiff cells are damped (L-stable): Alexander 1977.
GAMMA = 1.0 - sqrt(0.5)
SECOND = (1.0 - GAMMA) / GAMMA

# Steps of so many lengths are remembered; each takes a quarter of a megabyte and a fifth of a millisecond.
KEPT_FACTORS = 12


class Heat:
    """``rho c dT/dt = div(k grad T) + q`` with the rise 0 at the far boundary, in tissue and metal.

    Attributes:
        capacity: Heat capacity of each cell, J/K (flat).
        loss: Conductance of each cell to the far boundary, W/K (flat).
    """

    __slots__ = ("_band", "_factors", "capacity", "loss", "shape")

    def __init__(self, mesh: Mesh, matter: Matter) -> None:
        rows, columns = self.shape = mesh.shape
        k = np.full(mesh.shape, matter.conductivity)
        k[:, : mesh.metal] = matter.metal_conductivity
        heat = np.full(mesh.shape, matter.tissue_heat)
        heat[:, : mesh.metal] = matter.metal_heat
        self.capacity = (heat * mesh.volume_m3).ravel()
        across = 1.0 / (mesh.outward[:, :-1] / k[:, :-1] + mesh.inward[:, 1:] / k[:, 1:])
        along = 1.0 / (mesh.forward[:-1] / k[:-1] + mesh.backward[1:] / k[1:])
        loss = np.zeros(mesh.shape)
        loss[:, -1] += k[:, -1] / mesh.outward[:, -1]
        loss[-1] += k[-1] / mesh.forward[-1]
        self.loss = loss.ravel()
        diagonal = loss.copy()
        diagonal[:, :-1] += across
        diagonal[:, 1:] += across
        diagonal[:-1] += along
        diagonal[1:] += along
        self._band = np.zeros((columns + 1, rows * columns), order="F")
        self._band[columns] = diagonal.ravel()
        beside = np.zeros(mesh.shape)
        beside[:, 1:] = -across
        self._band[columns - 1] = beside.ravel()
        self._band[0, columns:] = -along.ravel()
        self._factors: dict[float, tuple[Array, Array]] = {}

    def step(self, rise: Array, watts: Array | None, dt_s: float) -> tuple[Array, float]:
        """Two stages of second order, for a power that is known: the rise after ``dt_s`` with ``watts`` into each cell.

        Returns:
            The rise, K, and what left at the boundary, J. All arrays are flat.
        """
        factor, weight = self._factor(GAMMA * dt_s)
        right = weight * rise
        if watts is not None:
            right += watts
        middle = solved(factor, right, in_place=True)
        right = middle * SECOND
        right -= (SECOND - 1.0) * rise
        right *= weight
        if watts is not None:
            right += watts
        end = solved(factor, right, in_place=True)
        return end, dt_s * ((1.0 - GAMMA) * float(self.loss @ middle) + GAMMA * float(self.loss @ end))

    def response(self, watts: Array, dt_s: float) -> Array:
        """What ``watts`` into each cell add to the rise within one ``step`` of ``dt_s``, K."""
        return self.step(np.zeros_like(watts), watts, dt_s)[0]

    def implicit_step(self, rise: Array, watts: Array | None, dt_s: float) -> Array:
        """One stage of first order, for a power that is sought: there a second stage would make it oscillate."""
        factor, weight = self._factor(dt_s)
        right = weight * rise
        if watts is not None:
            right += watts
        return solved(factor, right, in_place=True)

    def implicit_response(self, watts: Array, dt_s: float) -> Array:
        """What ``watts`` into each cell add to the rise within one ``implicit_step`` of ``dt_s``, K."""
        return solved(self._factor(dt_s)[0], watts)

    def _factor(self, span_s: float) -> tuple[Array, Array]:
        known = self._factors.get(span_s)
        if known is None:
            if len(self._factors) == KEPT_FACTORS:
                self._factors.clear()
            weight = self.capacity / span_s
            band = self._band.copy(order="F")
            band[-1] += weight
            known = self._factors[span_s] = (factorised(band), weight)
        return known
