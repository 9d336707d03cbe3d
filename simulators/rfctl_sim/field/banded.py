"""Symmetric positive definite systems with few diagonals, by LAPACK."""

from __future__ import annotations

from scipy.linalg import lapack

from rfctl_sim.field.mesh import Array


def factorised(band: Array) -> Array:
    """The Cholesky factor of a matrix.

    Args:
        band: Its upper diagonals in Fortran order, the main one last; column j holds column j of the matrix.

    Raises:
        ArithmeticError: It is not positive definite: a coefficient is not a positive number.
    """
    factor: Array
    factor, info = lapack.dpbtrf(band)
    if info:
        raise ArithmeticError(f"the matrix is not positive definite in row {info} of {band.shape[1]}")
    return factor


def solved(factor: Array, right: Array, *, in_place: bool = False) -> Array:
    """Solution for one right-hand side, which is given up if ``in_place``."""
    solution: Array = lapack.dpbtrs(factor, right, overwrite_b=in_place)[0]
    return solution
