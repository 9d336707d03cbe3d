"""What the model is made of: tissue, metal and cannulas. All in SI units unless the name says so."""

from __future__ import annotations

from dataclasses import dataclass

# Outer diameter by gauge, mm; as made, +-0.02.
OUTER_DIAMETER_MM = {16: 1.651, 17: 1.473, 18: 1.270, 20: 0.902, 22: 0.711, 23: 0.635}

# The thermocouple sits on the axis, this far behind the tip's end.
THERMOCOUPLE_DEPTH_M = 1e-3

ZERO_CELSIUS_K = 273.15
GAS_CONSTANT = 8.314462618


@dataclass(frozen=True, slots=True)
class Matter:
    """Properties of tissue and metal.

    Attributes:
        density: Of tissue, kg/m3.
        heat_capacity: Of tissue, J/kg/K.
        conductivity: Thermal, of tissue, W/m/K.
        sigma_37: Electric conductivity at 37 degC, S/m.
        sigma_per_k: Its rise for each kelvin, as a share of sigma_37, 1/K.
        metal_conductivity: Thermal, of cannula and electrode taken as one solid, W/m/K.
        metal_heat: Volumetric heat capacity of the same, J/m3/K.
        perfusion: Blood flow at rest, 1/s (volume of blood per volume of tissue).
        blood_heat: Volumetric heat capacity of blood, J/m3/K.
        warm_perfusion: Flow in warm living tissue, as a multiple of the flow at rest.
        damage_frequency: Arrhenius A, 1/s.
        damage_energy: Arrhenius Ea, J/mol.
        boiling_c: Where the last water leaves, degC.
        boiling_width_k: The latent heat is spread over so many kelvin below it.
        latent_heat: Of the tissue's water, J/m3 of tissue.
        dry_conductivity: Electric conductivity of dry tissue, as a share.
    """

    density: float = 1090.0
    heat_capacity: float = 3500.0
    conductivity: float = 0.50
    sigma_37: float = 0.45
    sigma_per_k: float = 0.02
    metal_conductivity: float = 10.0
    metal_heat: float = 3.3e6
    perfusion: float = 0.0
    blood_heat: float = 1060.0 * 3617.0
    warm_perfusion: float = 4.5
    damage_frequency: float = 7.39e39
    damage_energy: float = 2.577e5
    boiling_c: float = 100.0
    boiling_width_k: float = 1.0
    latent_heat: float = 2.26e6 * 0.74 * 1090.0
    dry_conductivity: float = 1e-2

    @property
    def tissue_heat(self) -> float:
        """Volumetric heat capacity of tissue, J/m3/K."""
        return self.density * self.heat_capacity
