"""How the constants of the three poles were found: ``python -m rfctl_sim.fit_three_pole`` prints them again.

The time constants are chosen (2, 5, 30 s: the computed step has nothing faster, and a slower far pole would keep the
tip above 45 degC for a minute after a lesion). Rises and conductances are a weighted least-squares fit, damped
Gauss-Newton on their logarithms, to the targets of ``residuals``. What the weights trade: the step alone asks for a far
pole of 130 s, with which the tip is at 53 degC 40 s after a lesion; with the cooling among the targets every point of
the step is met within 5 %.
"""

from __future__ import annotations

from itertools import pairwise

import click
import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

DT_S = 0.02
TIME_CONSTANTS_S = np.array([2.0, 5.0, 30.0])
REST_OHM = 85.0
STEP_V_RMS = 11.0
STEP_S = (1, 5, 10, 30, 60, 120)
STEP_RISE_K = np.array([2.0, 7.8, 12.0, 20.8, 27.7, 35.6])
SET_K, RAMP_S, HOLD_S = 43.0, 10.0, 90.0
DECAY = 1.0 - np.exp(-DT_S / TIME_CONSTANTS_S)


def step(rises: Vector, conductances: Vector) -> tuple[Vector, float]:
    """Rise of the tip at STEP_S after a step of the voltage, K, and the power at the end, W."""
    parts_k = np.zeros(3)
    shown = []
    for begin_s, end_s in pairwise((0, *STEP_S)):
        for _ in range(round((end_s - begin_s) / DT_S)):
            power_w = STEP_V_RMS**2 / REST_OHM * (1.0 + conductances @ parts_k)
            parts_k += (power_w * rises - parts_k) * DECAY
        shown.append(parts_k.sum())
    return np.array(shown), float(STEP_V_RMS**2 / REST_OHM * (1.0 + conductances @ parts_k))


def lesion(rises: Vector, conductances: Vector) -> tuple[Vector, Vector, float]:
    """Impedance ratio and power over a perfectly regulated ramp and hold, and the rise 40 s after it, K."""
    parts_k = np.zeros(3)
    ratio, power_w = [], []
    for index in range(round((RAMP_S + HOLD_S) / DT_S)):
        wanted_k = min(SET_K, SET_K / RAMP_S * (index + 1) * DT_S)
        kept_k = parts_k * (1.0 - DECAY)
        power_w.append((wanted_k - kept_k.sum()) / (rises @ DECAY))
        parts_k = kept_k + power_w[-1] * rises * DECAY
        ratio.append(1.0 / (1.0 + conductances @ parts_k))
    return np.array(ratio), np.array(power_w), float(parts_k @ np.exp(-40.0 / TIME_CONSTANTS_S))


def residuals(logarithms: Vector) -> Vector:
    """Distance from every target, each divided by what it may be missed by."""
    rises, conductances = np.exp(logarithms[:3]), np.exp(logarithms[3:])
    rise_k, end_w = step(rises, conductances)
    ratio, power_w, cooled_k = lesion(rises, conductances)
    ramp_end = round(RAMP_S / DT_S) - 1
    return np.concatenate(
        (
            np.log(rise_k / STEP_RISE_K) / 0.03,
            [
                np.log(end_w / 2.1) / 0.05,
                (1.0 - ratio[ramp_end] - 0.28) / 0.015,
                (1.0 - ratio[-1] - 0.31) / 0.015,
                np.log(power_w[ramp_end - 1] / 8.0) / 0.2,
                np.log(power_w[-1] / 2.06) / 0.3,
                (cooled_k - 8.0) / 0.5,
            ],
            # Without evidence for it, no part counts for nothing: tissue conducts about 1.2 % better for each kelvin.
            np.log(conductances / 0.012) * 0.3,
        )
    )


def fit(logarithms: Vector) -> Vector:
    """The nearest least-squares solution."""
    damping, distances = 1e-2, residuals(logarithms)
    while damping < 1e8:
        moves = np.eye(len(logarithms)) * 1e-4
        slopes = np.stack([(residuals(logarithms + move) - distances) / 1e-4 for move in moves], axis=1)
        wanted = np.linalg.solve(slopes.T @ slopes + damping * np.eye(len(moves)), -slopes.T @ distances)
        tried = logarithms + np.clip(wanted, -0.5, 0.5)
        there = residuals(tried)
        gain = distances @ distances - there @ there
        if gain <= 0.0:
            damping *= 8.0
            continue
        logarithms, distances, damping = tried, there, damping / 4.0
        if gain < 1e-4 * (distances @ distances):
            break
    return logarithms


def main() -> None:
    """Fit, and print constants and what they reach."""
    found = fit(np.log([1.0, 4.0, 13.0, 0.007, 0.007, 0.013]))
    rises, conductances = np.exp(found[:3]), np.exp(found[3:])
    rise_k, end_w = step(rises, conductances)
    ratio, power_w, cooled_k = lesion(rises, conductances)
    click.echo(f"rise_k_per_w {rises.round(3)}, conductance_per_k {conductances.round(4)}")
    click.echo(f"step {rise_k.round(2)} K, {(rise_k / STEP_RISE_K - 1.0).round(3)} off; {end_w:.2f} W at its end")
    fall = 1.0 - ratio[[round(RAMP_S / DT_S) - 1, -1]]
    click.echo(f"impedance falls by {fall[0]:.1%} at the end of the ramp, by {fall[1]:.1%} at the end of the hold")
    click.echo(
        f"power peaks at {power_w.max():.2f} W, ends at {power_w[-1]:.2f} W; {37 + cooled_k:.1f} degC 40 s later"
    )


if __name__ == "__main__":
    main()
