"""Energy that normal lesions show beside what was predicted, in tissue that conducts better or worse than usual.

``python -m benchmarks.energy`` prints the ratios of decision 0013. The field model of the simulator, its tip following
ramp and set temperature; the power in the tissue as a station measures it at its terminals, I^2 (Z - R_series), with
R_series as what is left of Z_pre after the table's impedance.
"""

from __future__ import annotations

from rfctl.kernel.limits import SERIES_RESISTANCE_MAX_OHM
from rfctl.model.electrode import find_electrode
from rfctl.model.heating import SIGMA_PER_K, predict
from rfctl.model.plan import Lesion, TimerDefinition
from rfctl_sim.field.matter import Matter
from rfctl_sim.field.needle import NeedleField

ELECTRODES = ((18, 10.0), (22, 10.0), (16, 15.0))
SIGMAS = (0.36, 0.45, 0.60)
STARTS_C = (37.0, 22.0)
SERIES_OHM = 100.0
SET_C, RAMP_S, HOLD_S = 80.0, 10.0, 20.0
STEP_S = 0.1


def ratio(electrode: tuple[int, float], sigma: float, start_c: float) -> float:
    """Energy in the tissue as a station measures it, over the predicted one."""
    row = find_electrode(*electrode)
    field = NeedleField(*electrode, start_c, Matter(sigma_37=sigma))
    at_start_ohm = row.impedance_ohm / (1.0 + SIGMA_PER_K * (start_c - 37.0))
    taken_ohm = min(max(field.impedance_ohm + SERIES_OHM - at_start_ohm, 0.0), SERIES_RESISTANCE_MAX_OHM)
    energy_j = 0.0
    for step in range(1, round((RAMP_S + HOLD_S) / STEP_S) + 1):
        aim_c = min(start_c + (SET_C - start_c) * step * STEP_S / RAMP_S, SET_C)
        true_w = field.advance_to(STEP_S, aim_c)
        energy_j += true_w * (field.impedance_ohm + SERIES_OHM - taken_ohm) / field.impedance_ohm * STEP_S
    lesion = Lesion(SET_C, HOLD_S, (SET_C - start_c) / RAMP_S, TimerDefinition.SET_TEMPERATURE)
    return energy_j / predict(row, lesion, start_c).energy_j


def main() -> None:
    print("| electrode | from |", " | ".join(f"{sigma:g} S/m" for sigma in SIGMAS), "|")
    print("|---|---|" + "---|" * len(SIGMAS))
    for electrode in ELECTRODES:
        for start_c in STARTS_C:
            ratios = [f"{ratio(electrode, sigma, start_c):.2f}" for sigma in SIGMAS]
            print(f"| {electrode[0]} G {electrode[1]:g} mm | {start_c:g} degC |", " | ".join(ratios), "|", flush=True)


if __name__ == "__main__":
    main()
