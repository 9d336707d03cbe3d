"""One needle in tissue: temperature, damage, current and energy, moved on by steps of time and power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfctl_sim.field.current import Current
from rfctl_sim.field.disturbance import active_metal, beside_the_tip, drawn_w, shifted
from rfctl_sim.field.heat import Heat
from rfctl_sim.field.matter import (
    GAS_CONSTANT,
    OUTER_DIAMETER_MM,
    THERMOCOUPLE_DEPTH_M,
    ZERO_CELSIUS_K,
    Matter,
)
from rfctl_sim.field.mesh import Array, Mesh, needle_mesh

# The current is solved again when, weighted by where the power goes, the conductivity has changed by this share since.
# In between the paths of the current are kept, which is exact where conductivity follows the potential.
# Coarser than this, paths gone stale show as a percent or two of width and energy; finer than this, nothing changes.
RESOLVE_AT = 0.01

# Living tissue opens its vessels between these two temperatures.
WARM_FROM_C, WARM_AT_C = 39.0, 43.0

# Tissue at rest mends itself; by the constants of Matter alone it would be dead after an hour at 37 degC.
DAMAGE_FROM_K = 1.0

# So much below counts as about to boil.
NEARLY_K = 2.0

# Once the water is gone, conductivity falls to that of dry tissue over this much, K.
DRYING_K = 1.0


@dataclass(slots=True)
class Energy:
    """Where the energy went, J.

    Attributes:
        delivered: Into the tissue, by the current.
        boundary: Out at the far boundary.
        perfused: Carried away by blood and coolant.
    """

    delivered: float = 0.0
    boundary: float = 0.0
    perfused: float = 0.0


class NeedleField:
    """Temperature and current around one electrode.

    Attributes:
        mesh: Its cells.
        matter: What they are made of.
        rest_c: Temperature at the start, of the blood, and far away, degC.
        rise: Of each cell above ``rest_c``, K (s, r).
        background_k: What others add, the same in the whole neighbourhood of the tip, K.
        watts_each: Into each cell, of 1 W (flat).
        peak_rise: The running maximum of it, K (s, r).
        damage: Arrhenius integral of the tissue cells; 1 is 63 % denatured (s, r beyond the metal).
        fluid: By how much injected fluid raises the conductivity of each tissue cell; None without any.
        coolant: Conductance from the active tip's metal to what flows through it, W/K, and its temperature, degC.
        energy: Its balance.
        solves: How often the current was solved.
    """

    def __init__(
        self,
        gauge: int,
        tip_mm: float,
        rest_c: float,
        matter: Matter | None = None,
        *,
        fineness: float = 1.0,
    ) -> None:
        self.matter = matter = matter or Matter()
        self.mesh: Mesh = needle_mesh(OUTER_DIAMETER_MM[gauge] * 1e-3, tip_mm * 1e-3, fineness)
        self.rest_c = rest_c
        self._heat = Heat(self.mesh, matter)
        self._tissue = np.s_[:, self.mesh.metal :]
        self.background_k = 0.0
        self.rise = np.zeros(self.mesh.shape)
        self.peak_rise = np.zeros(self.mesh.shape)
        rows, columns = self.mesh.shape
        self.damage = np.zeros((rows, columns - self.mesh.metal))
        self.energy = Energy()
        self.fluid: Array | None = None
        self.coolant = (0.0, rest_c)
        self._cooled = active_metal(self.mesh).ravel()
        self._cooled_j_per_k = self._heat.capacity[self._cooled]
        self._latent: Array | None = None
        self._boiling_j = matter.latent_heat * self.mesh.volume_m3[self._tissue]
        self._thermocouple = _thermocouple(self.mesh)
        self._current = Current(self.mesh, self.sigma())
        self.solves = 1
        self.watts_each = np.zeros(rows * columns)
        self._source = self.watts_each.reshape(self.mesh.shape)[self._tissue]
        self._source[:] = self._current.share
        self.impedance_ohm = self._current.resistance_ohm

    @property
    def tip_temperature_c(self) -> float:
        """At the thermocouple, degC."""
        return self.rest_c + self.background_k + self.at_thermocouple(self.rise.ravel())

    @property
    def tissue_max_c(self) -> float:
        """Hottest tissue, degC."""
        return self.rest_c + self.background_k + float(self.rise[self._tissue].max())

    @property
    def boils(self) -> bool:
        """Some tissue is about to boil, or holds vapour."""
        if self._latent is not None and self._latent.any():
            return True
        return self.tissue_max_c > self.matter.boiling_c - self.matter.boiling_width_k - NEARLY_K

    @property
    def temperature_c(self) -> Array:
        """Of each cell, degC (s, r)."""
        return self.rest_c + self.background_k + self.rise

    @property
    def peak_c(self) -> Array:
        """Running maximum of each cell, degC (s, r)."""
        return self.rest_c + self.peak_rise

    def mutual_ohm(self, spacing_mm: float) -> float:
        """What 1 A of this electrode raises in the tissue at a distance, beside the middle of the tip, ohm."""
        cells, weights = beside_the_tip(self.mesh, spacing_mm)
        rows, columns = np.divmod(cells, self.mesh.shape[1])
        per_volt = float(weights @ self._current.potential[rows, columns - self.mesh.metal])
        return per_volt * self._current.resistance_ohm

    @property
    def stored_j(self) -> float:
        """Heat in tissue and metal above rest, J; that of vapour included."""
        stored = float(self._heat.capacity @ self.rise.ravel())
        return stored if self._latent is None else stored + float(self._latent.sum())

    def sigma(self) -> Array:
        """Electric conductivity of the tissue cells now, S/m (s, r beyond the metal)."""
        matter = self.matter
        temperature = self.rise[self._tissue] + (self.rest_c + self.background_k)
        sigma: Array = matter.sigma_37 * (1.0 + matter.sigma_per_k * (temperature - 37.0))
        if self.fluid is not None:
            sigma *= 1.0 + self.fluid
        if self._latent is not None:
            dried = np.clip((temperature - matter.boiling_c) / DRYING_K, 0.0, 1.0)
            sigma *= matter.dry_conductivity**dried
        return sigma

    def advance(self, dt_s: float, power_w: float) -> None:
        """Let ``dt_s`` seconds pass with ``power_w`` watts, the mean over that time, going into the tissue."""
        watts = self._losses(dt_s)
        if power_w:
            source = power_w * self.watts_each
            watts = source if watts is None else watts + source
        flat, lost_j = self._heat.step(self.rise.ravel(), watts, dt_s)
        self.arrive(flat, lost_j, dt_s, power_w)

    def advance_to(self, dt_s: float, tip_c: float) -> float:
        """Let ``dt_s`` pass with the power, at least 0, that brings the thermocouple to ``tip_c``; that power, W."""
        flat = self._heat.implicit_step(self.rise.ravel(), self._losses(dt_s), dt_s)
        response = self._heat.implicit_response(self.watts_each, dt_s)
        missing = tip_c - self.rest_c - self.background_k - self.at_thermocouple(flat)
        power_w = max(0.0, missing / self.at_thermocouple(response))
        flat += power_w * response
        self.arrive(flat, dt_s * float(self._heat.loss @ flat), dt_s, power_w)
        return power_w

    def coast(self, dt_s: float) -> tuple[Array, float]:
        """The rise of each cell after ``dt_s`` without power, K (flat), and what would leave at the boundary, J."""
        return self._heat.step(self.rise.ravel(), self._losses(dt_s), dt_s)

    def unit_response(self, dt_s: float) -> Array:
        """What 1 W for ``dt_s`` adds to the rise of each cell at the end of it, K/W (flat)."""
        return self._heat.response(self.watts_each, dt_s)

    def arrive(self, flat: Array, lost_j: float, dt_s: float, power_w: float) -> None:
        """Take ``flat`` for the rises after ``dt_s`` with ``power_w``, and everything that follows from them."""
        self.energy.delivered += dt_s * power_w
        self.energy.boundary += lost_j
        before = self.rise
        self.rise = flat.reshape(self.mesh.shape)
        self._boil()
        np.maximum(self.peak_rise, self.rise, out=self.peak_rise)
        self._harm(before, dt_s)
        self._conduct()

    def conducted(self, rise: Array, watts: Array, dt_s: float) -> Array:
        """Any ``rise`` after ``dt_s`` of conduction with ``watts`` into each cell, K; this field stays (flat)."""
        return self._heat.step(rise, watts, dt_s)[0]

    def hottest(self, rise: Array) -> int:
        """Number of the hottest cell of the tissue, were the rises these (flat)."""
        tissue = rise.reshape(self.mesh.shape)[self._tissue]
        row, column = divmod(int(tissue.argmax()), tissue.shape[1])
        return int(row * self.mesh.shape[1] + column + self.mesh.metal)

    def impedance_fall_per_k(self) -> Array:
        """By what share the impedance falls for each kelvin in each cell, 1/K (flat)."""
        weights = np.zeros(self.mesh.shape)
        slope = self.matter.sigma_37 * self.matter.sigma_per_k
        weights[self._tissue] = self._source * (slope / self.sigma())
        return weights.ravel()

    def pushed_on(self, distance_mm: float) -> None:
        """The needle is pushed on by ``distance_mm``: heat, damage and fluid stay in the tissue where they were."""
        mesh, tissue = self.mesh, self._tissue
        before_j = self.stored_j
        self.rise[tissue] = shifted(mesh, self.rise[tissue], distance_mm)
        self.peak_rise[tissue] = shifted(mesh, self.peak_rise[tissue], distance_mm)
        self.damage = shifted(mesh, self.damage, distance_mm)
        self._latent = None
        if self.fluid is not None:
            self.fluid = shifted(mesh, self.fluid, distance_mm)
        self.energy.boundary += before_j - self.stored_j
        self.follow()

    def follow(self) -> None:
        """Conductivity was changed from outside: solve for the current again."""
        self._current.solve(self.sigma())
        self.solves += 1
        self._source[:] = self._current.share
        self.impedance_ohm = self._current.resistance_ohm

    def rest(self) -> None:
        """Let what is left of the heat go: everything has the temperature of rest again."""
        self.energy.boundary += self.stored_j
        self.rise = np.zeros(self.mesh.shape)
        self._latent = None
        self._conduct()

    def at_thermocouple(self, rise: Array) -> float:
        """The rise (flat) at the thermocouple, K."""
        return float(self._thermocouple @ rise)

    def _losses(self, dt_s: float) -> Array | None:
        """What blood and coolant take from each cell, as watts (negative)."""
        matter = self.matter
        cooled = self._cooling(dt_s) if self.coolant[0] else None
        if matter.perfusion == 0.0:
            return cooled
        rise = self.rise[self._tissue]
        warm = np.clip((rise + (self.rest_c + self.background_k - WARM_FROM_C)) / (WARM_AT_C - WARM_FROM_C), 0.0, 1.0)
        flow = matter.perfusion * (1.0 + (matter.warm_perfusion - 1.0) * warm) * np.exp(-self.damage)
        taken = flow * rise
        taken *= matter.blood_heat
        taken *= self.mesh.volume_m3[self._tissue]
        self.energy.perfused += dt_s * float(taken.sum())
        watts = np.zeros(self.mesh.shape)
        watts[self._tissue] = -taken
        return watts.ravel() if cooled is None else watts.ravel() + cooled

    def _cooling(self, dt_s: float) -> Array:
        """What the coolant takes from the metal of the tip, as watts (negative, flat)."""
        conductance, coolant_c = self.coolant
        capacity = self._cooled_j_per_k
        whole = float(capacity.sum())
        above_k = float(capacity @ self.rise.ravel()[self._cooled]) / whole + (
            self.rest_c + self.background_k - coolant_c
        )
        taken_w = drawn_w(conductance, whole, above_k, dt_s)
        self.energy.perfused += dt_s * taken_w
        watts = np.zeros(self.rise.size)
        watts[self._cooled] = -taken_w / whole * capacity
        return watts

    def _boil(self) -> None:
        """Move heat between warmth and vapour where tissue is near boiling, so that both agree."""
        matter = self.matter
        begins = matter.boiling_c - matter.boiling_width_k - self.rest_c - self.background_k
        rise = self.rise[self._tissue]
        if self._latent is None:
            if rise.max() <= begins:
                return
            self._latent = np.zeros_like(rise)
        capacity = self._heat.capacity.reshape(self.mesh.shape)[self._tissue]
        total = capacity * (rise - begins) + self._latent
        slope = self._boiling_j / matter.boiling_width_k
        vapour = np.clip(total * (slope / (capacity + slope)), 0.0, self._boiling_j)
        rise += (self._latent - vapour) / capacity
        self._latent = vapour

    def _harm(self, before: Array, dt_s: float) -> None:
        """Add the Arrhenius damage of one step, by the temperature in its middle."""
        middle = 0.5 * (before[self._tissue] + self.rise[self._tissue])
        hot = middle > DAMAGE_FROM_K - self.background_k
        kelvin = middle[hot] + (self.rest_c + self.background_k + ZERO_CELSIUS_K)
        if kelvin.size:
            matter = self.matter
            self.damage[hot] += (dt_s * matter.damage_frequency) * np.exp(
                (-matter.damage_energy / GAS_CONSTANT) / kelvin
            )

    def _conduct(self) -> None:
        """Follow the change of conductivity: by the known paths of the current, or by solving for it again."""
        sigma = self.sigma()
        current = self._current
        ratio = current.sigma / sigma
        spread = current.share * ratio
        total = float(spread.sum())
        change = np.abs(ratio - total)
        if float(current.share.ravel() @ change.ravel()) > RESOLVE_AT or (
            self._latent is not None and change.max() > 0.5
        ):
            current.solve(sigma)
            self.solves += 1
            spread, total = current.share, 1.0
        self.impedance_ohm = current.resistance_ohm * total
        np.divide(spread, total, out=self._source)


def _thermocouple(mesh: Mesh) -> Array:
    """Weights of all cells (flat) that give the temperature on the axis at the thermocouple.

    Cubic along the axis; across it the even parabola through the two innermost columns.
    """
    heights = mesh.z_m[:, 0]
    first = int(np.clip(np.searchsorted(heights, THERMOCOUPLE_DEPTH_M) - 2, 0, len(heights) - 4))
    rows = np.arange(first, first + 4)
    along = np.ones(4)
    for i in range(4):
        for j in range(4):
            if i != j:
                along[i] *= (THERMOCOUPLE_DEPTH_M - heights[rows[j]]) / (heights[rows[i]] - heights[rows[j]])
    inner, outer = mesh.r_m[0] ** 2, mesh.r_m[1] ** 2
    weights = np.zeros(mesh.shape)
    weights[rows, 0] = along * outer / (outer - inner)
    weights[rows, 1] = -along * inner / (outer - inner)
    return weights.ravel()
