"""The field against what is known without any computer."""

from math import log, pi, sqrt

import numpy as np
import pytest

from rfctl_sim.field.current import Current
from rfctl_sim.field.heat import Heat
from rfctl_sim.field.matter import OUTER_DIAMETER_MM, Matter
from rfctl_sim.field.mesh import Mesh, needle_mesh

SIGMA = 0.45
FAR_M = 60e-3


def spheroid_mesh(long_m, short_m, columns=40, rows=12):
    """Confocal shells round an electrode of semi-axes ``long_m`` and ``short_m``, one column of it metal."""
    focus_m = sqrt(long_m**2 - short_m**2)
    mu = np.linspace(np.arctanh(short_m / long_m), np.arcsinh(FAR_M / focus_m), columns + 1)
    mu = np.concatenate([[mu[0] / 2.0], mu])
    nu = np.linspace(0.0, pi, rows + 1)
    mu_mid, nu_mid = 0.5 * (mu[1:] + mu[:-1]), 0.5 * (nu[1:] + nu[:-1])
    share = 2.0 * pi * focus_m * -np.diff(np.cos(nu))[:, None]
    reach = 2.0 * pi * focus_m * np.diff(np.cosh(mu))[None, :]
    across = np.log(np.tanh(mu / 2.0))
    across_mid = np.log(np.tanh(mu_mid / 2.0))
    with np.errstate(divide="ignore"):
        around = np.log(np.tan(nu / 2.0))
    around[-1] = np.inf  # no area there: half a turn and all
    around_mid = np.log(np.tan(nu_mid / 2.0))
    nothing = np.zeros((rows, columns + 1))
    return Mesh(
        radius_m=short_m,
        tip_m=2.0 * long_m,
        r_m=mu_mid,
        z_m=nothing,
        rho_m=nothing,
        theta=nu_mid,
        row_z_m=nu_mid[:0],
        volume_m3=nothing,
        inward=(across_mid - across[:-1]) / share,
        outward=(across[1:] - across_mid) / share,
        backward=(around_mid - around[:-1])[:, None] / reach,
        forward=(around[1:] - around_mid)[:, None] / reach,
        end=rows,
        metal=1,
        active=rows,
    )


def resistance_ohm(mesh):
    return Current(mesh, np.full((mesh.shape[0], mesh.shape[1] - mesh.metal), SIGMA)).resistance_ohm


def test_a_sphere_has_the_resistance_of_the_closed_form():
    a = 1e-3
    assert resistance_ohm(spheroid_mesh(a, a * (1.0 - 1e-6))) == pytest.approx(
        (1.0 / a - 1.0 / FAR_M) / (4.0 * pi * SIGMA), rel=0.01
    )


@pytest.mark.parametrize(("gauge", "published_ohm"), [(22, 118.3), (18, 98.2), (16, 89.2)])
def test_a_prolate_spheroid_has_the_resistance_of_the_closed_form(gauge, published_ohm):
    b, a = 5e-3, OUTER_DIAMETER_MM[gauge] / 2e3
    c = sqrt(b * b - a * a)
    assert log((b + c) / (b - c)) / (8.0 * pi * SIGMA * c) == pytest.approx(published_ohm, abs=0.06)
    beyond_ohm = 1.0 / (4.0 * pi * SIGMA * FAR_M)
    assert resistance_ohm(spheroid_mesh(b, a)) + beyond_ohm == pytest.approx(published_ohm, rel=0.01)


@pytest.mark.parametrize(("gauge", "tip_mm"), [(22, 5.0), (18, 10.0), (16, 15.0)])
def test_beside_a_thermally_insulated_needle_temperature_follows_the_potential(gauge, tip_mm):
    matter = Matter(metal_conductivity=1e-9)
    mesh = needle_mesh(OUTER_DIAMETER_MM[gauge] * 1e-3, tip_mm * 1e-3)
    current = Current(mesh, np.full((mesh.shape[0], mesh.shape[1] - mesh.metal), SIGMA))
    volts = 10.0
    watts = np.zeros(mesh.shape)
    watts[:, mesh.metal :] = current.share * volts**2 / current.resistance_ohm
    steady_k = Heat(mesh, matter).implicit_step(np.zeros(watts.size), watts.ravel(), 1e12).reshape(mesh.shape)
    phi = volts * current.potential
    expected_k = SIGMA / matter.conductivity * (volts * phi - phi**2 / 2.0)
    highest_k = SIGMA * volts**2 / (2.0 * matter.conductivity)
    assert steady_k[:, mesh.metal :] == pytest.approx(expected_k, abs=0.01 * highest_k)
    assert steady_k[:, mesh.metal :].max() == pytest.approx(highest_k, rel=0.01)


@pytest.mark.parametrize(
    ("gauge", "tip_mm", "known_ohm"),
    [(22, 5, 165), (22, 15, 77), (20, 10, 96), (18, 5, 130), (18, 10, 85), (16, 10, 77), (16, 15, 59)],
)
def test_a_needle_has_the_resistance_that_others_computed(gauge, tip_mm, known_ohm):
    assert resistance_ohm(needle_mesh(OUTER_DIAMETER_MM[gauge] * 1e-3, tip_mm * 1e-3)) == pytest.approx(
        known_ohm, rel=0.025
    )
