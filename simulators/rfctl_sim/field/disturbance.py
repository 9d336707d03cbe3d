"""What is done to the tissue around a needle: fluid injected, the needle moved, its tip cooled, a neighbour's heat."""

from __future__ import annotations

from math import exp

import numpy as np

from rfctl_sim.field.current import Current
from rfctl_sim.field.mesh import Array, Mesh

# Injected fluid surrounds the tip: its conductivity falls off with this distance from the surface, m.
FLUID_REACH_M = 4e-3

# What it takes of the impedance is found to this share.
FLUID_FOUND = 1e-4


def distance_m(mesh: Mesh) -> Array:
    """Of each tissue cell from the surface of the active tip, m (s, r beyond the metal)."""
    z, rho = mesh.z_m[:, mesh.metal :], mesh.rho_m[:, mesh.metal :]
    axis = np.clip(z, mesh.radius_m, mesh.tip_m)
    away: Array = np.hypot(rho, z - axis) - mesh.radius_m
    return away


def fluid_profile(mesh: Mesh) -> Array:
    """How much of the fluid is in each tissue cell: 1 at the tip's surface (s, r beyond the metal)."""
    profile: Array = np.exp(-((distance_m(mesh) / FLUID_REACH_M) ** 2))
    return profile


def fluid_gain(mesh: Mesh, profile: Array, sigma: Array, share: float) -> float:
    """By how much the conductivity must rise at the tip for the fluid to take ``share`` of the impedance.

    Args:
        mesh: Of the needle.
        profile: Of the fluid.
        sigma: Without the fluid, S/m.
        share: Of the impedance, 0 to 0.6.
    """
    current = Current(mesh, sigma)
    wanted_ohm = current.resistance_ohm * (1.0 - share)
    low, high = 0.0, 1.0
    while True:
        current.solve(sigma * (1.0 + high * profile))
        if current.resistance_ohm <= wanted_ohm or high > 1e4:
            break
        low, high = high, 2.0 * high
    while high - low > FLUID_FOUND * high:
        middle = 0.5 * (low + high)
        current.solve(sigma * (1.0 + middle * profile))
        low, high = (middle, high) if current.resistance_ohm > wanted_ohm else (low, middle)
    return high


def beside_the_tip(mesh: Mesh, distance_mm: float) -> tuple[Array, Array]:
    """Numbers and weights of the cells (flat) that give a value beside the middle of the tip, at a distance from the
    axis.
    """
    row = int(np.abs(mesh.row_z_m - mesh.tip_m / 2.0).argmin()) + mesh.end
    columns = mesh.shape[1]
    at = float(np.clip(distance_mm * 1e-3, mesh.r_m[0], mesh.r_m[-1]))
    outer = int(np.clip(np.searchsorted(mesh.r_m, at), 1, columns - 1))
    near, far = mesh.r_m[outer - 1], mesh.r_m[outer]
    weight = (at - near) / (far - near)
    return row * columns + np.array([outer - 1, outer]), np.array([1.0 - weight, weight])


def shifted(mesh: Mesh, tissue: Array, distance_mm: float) -> Array:
    """Values of the tissue cells as a needle finds them that was pushed on by ``distance_mm`` (s, r beyond the metal).

    What was beside its shaft or tip stays where it was in the tissue.
    """
    from scipy.interpolate import LinearNDInterpolator

    # Where the metal is, what lies beside it; and all of it again on the other side of the axis, so that no cell is at
    # the edge of what is known.
    whole = np.concatenate([np.repeat(tissue[:, :1], mesh.metal, axis=1), tissue], axis=1).ravel()
    z, rho = mesh.z_m.ravel(), mesh.rho_m.ravel()
    known = np.concatenate([np.column_stack([z, rho]), np.column_stack([z, -rho])])
    found = LinearNDInterpolator(known, np.concatenate([whole, whole]), fill_value=0.0)
    wanted = np.column_stack([z - distance_mm * 1e-3, rho])
    values: Array = found(wanted).reshape(mesh.shape)[:, mesh.metal :]
    return np.maximum(values, 0.0)


def active_metal(mesh: Mesh) -> Array:
    """True for the cells of the metal within the active tip (s, r)."""
    inside = np.zeros(mesh.shape, dtype=bool)
    inside[: mesh.active, : mesh.metal] = True
    return inside


def drawn_w(conductance_w_per_k: float, capacity_j_per_k: float, above_k: float, dt_s: float) -> float:
    """What a coolant takes from a body within one step, W: never more than brings it to the coolant's temperature."""
    if conductance_w_per_k <= 0.0:
        return 0.0
    return above_k * capacity_j_per_k / dt_s * (1.0 - exp(-conductance_w_per_k * dt_s / capacity_j_per_k))
