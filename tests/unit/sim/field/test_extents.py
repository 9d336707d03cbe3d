"""How wide and long: against a quantity whose size is known, put into the cells."""

import numpy as np
import pytest

from rfctl_sim.field.extents import Tissue
from rfctl_sim.field.mesh import needle_mesh


@pytest.mark.parametrize(("diameter_mm", "tip_mm"), [(0.711, 5.0), (1.27, 10.0), (1.651, 15.0)])
@pytest.mark.parametrize(("long_mm", "short_mm"), [(7.0, 4.0), (5.0, 5.0), (3.0, 6.0)])
def test_the_size_of_a_spheroid_about_the_tips_end_is_measured(diameter_mm, tip_mm, long_mm, short_mm):
    mesh = needle_mesh(diameter_mm * 1e-3, tip_mm * 1e-3)
    part = np.hypot(mesh.rho_m / (short_mm * 1e-3), mesh.z_m / (long_mm * 1e-3))
    values = np.exp(-part)
    tissue = Tissue(mesh, 1.0, 1.0)
    for measured in (tissue.everywhere(values), tissue.of_tissue(values[:, mesh.metal :])):
        width_mm, length_mm = tissue.width_and_length_mm(measured, float(np.exp(-1.0)))
        assert width_mm == pytest.approx(2.0 * short_mm, abs=0.03)
        # Up the shaft the spheroid ends at the needle's surface, not on its axis.
        above_mm = long_mm * np.sqrt(1.0 - (diameter_mm / 2.0 / short_mm) ** 2)
        assert length_mm == pytest.approx(long_mm + above_mm, abs=0.06)


def test_what_exceeds_nothing_has_no_size():
    mesh = needle_mesh(1.27e-3, 10e-3)
    tissue = Tissue(mesh, 10.0, 0.5)
    assert tissue.width_and_length_mm(tissue.everywhere(np.ones(mesh.shape)), 1.5) == (0.0, 0.0)
