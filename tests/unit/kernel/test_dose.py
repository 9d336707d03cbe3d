"""What a lesion is said to have delivered, sample by sample, and what counts where a number is missing."""

from __future__ import annotations

import math

import pytest

from rfctl.kernel.dose import cooled, with_sample
from rfctl.kernel.phase import LESION, Phase
from rfctl.kernel.state import ChannelState, Figures, Reference
from tests.unit.kernel.acts import FIGURES, REFERENCE, SAMPLE, S, state_of

NAN = math.nan
CAP_W = 11.73
BEFORE = FIGURES._replace(
    peak_c=70.0, energy_j=100.0, generator_energy_j=200.0, held_s=1.0, held_k_s=80.0, within_2c_s=0.5,
    impedance_min_ohm=60.0, last_ns=10 * S, above_45_k_s=7.0,
)  # fmt: skip
USUAL = SAMPLE._replace(now_ns=10 * S + S // 20, temperature_c=80.0, power_tissue_w=4.0, impedance_half_ohm=65.0)


def summed(
    phase: Phase = Phase.HOLD,
    power_w: float = 6.0,
    before: Figures = BEFORE,
    reference: Reference | None = None,
    **fields: object,
) -> Figures:
    channel = ChannelState(phase=phase, power_limit_w=30.0, reference=reference)
    return with_sample(before, state_of(channel), 1, USUAL._replace(**fields), power_w)


def test_a_sample_of_the_hold_counts_for_the_time_since_the_one_before() -> None:
    expected = BEFORE._replace(
        peak_c=80.0, energy_j=100.2, generator_energy_j=200.3, held_s=1.05, held_k_s=84.0, within_2c_s=0.55,
        impedance_min_ohm=60.0, last_ns=USUAL.now_ns, above_45_k_s=8.75,
    )  # fmt: skip
    assert summed() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("phase", sorted(LESION))
@pytest.mark.parametrize("temperature_c", [80.0, NAN])
def test_only_the_hold_is_held_and_only_with_a_temperature(phase: Phase, temperature_c: float) -> None:
    after = summed(phase, temperature_c=temperature_c)
    held = phase is Phase.HOLD and temperature_c == 80.0
    assert (after.held_s > 1.0, after.held_k_s > 80.0, after.within_2c_s > 0.5) == (held, held, held)
    assert after.peak_c == (80.0 if temperature_c == 80.0 else 70.0)
    assert after.energy_j == pytest.approx(100.2)


@pytest.mark.parametrize(("temperature_c", "within"), [(77.99, False), (78.0, True), (82.0, True), (82.01, False)])
def test_two_degrees_beside_the_set_temperature_are_within(temperature_c: float, *, within: bool) -> None:
    after = summed(temperature_c=temperature_c)
    assert after.within_2c_s == pytest.approx(0.55 if within else 0.5)
    assert after.held_s == pytest.approx(1.05)


@pytest.mark.parametrize(
    ("ms", "power_w", "joules"),
    [(50, 4.0, 0.2), (75, 4.0, 0.3), (100, 4.0, 0.3 + 0.025 * CAP_W), (50, NAN, 0.05 * CAP_W), (0, 4.0, 0.0)],
)
def test_power_that_nobody_saw_counts_at_the_electrode_s_cap(ms: int, power_w: float, joules: float) -> None:
    after = summed(now_ns=10 * S + ms * S // 1000, power_tissue_w=power_w)
    assert after.energy_j == pytest.approx(100.0 + joules)


@pytest.mark.parametrize(("power_w", "joules"), [(6.0, 0.3), (0.0, 0.0), (NAN, 1.5)])
def test_power_without_a_number_at_the_terminals_counts_at_the_limit(power_w: float, joules: float) -> None:
    assert summed(power_w=power_w).generator_energy_j == pytest.approx(200.0 + joules)


@pytest.mark.parametrize(("temperature_c", "k_s"), [(44.0, 0.0), (45.0, 0.0), (45.1, 0.005), (65.0, 1.0), (NAN, 0.0)])
def test_warmth_counts_above_45_degc_with_rf_on_and_after(temperature_c: float, k_s: float) -> None:
    assert summed(temperature_c=temperature_c).above_45_k_s == pytest.approx(7.0 + k_s)
    sample = USUAL._replace(temperature_c=temperature_c)
    after = cooled(BEFORE, sample, USUAL.now_ns - S // 10)
    assert after == BEFORE._replace(above_45_k_s=pytest.approx(7.0 + 2 * k_s))


@pytest.mark.parametrize(
    ("least_ohm", "half_ohm", "after_ohm"),
    [
        (60.0, 59.0, 59.0),
        (60.0, 61.0, 60.0),
        (0.0, 61.0, 61.0),
        (0.0, 0.05, 0.05),
        (60.0, 0.0, 60.0),
        (60.0, -5.0, 60.0),
        (60.0, NAN, 60.0),
        (60.0, None, 60.0),
        (0.0, None, 0.0),
        (0.0, NAN, 0.0),
    ],
)
@pytest.mark.parametrize("reference", [None, REFERENCE._replace(fluid=0.0)])
def test_the_least_impedance_is_kept(
    least_ohm: float, half_ohm: float | None, after_ohm: float, reference: Reference | None
) -> None:
    before = BEFORE._replace(impedance_min_ohm=least_ohm)
    assert summed(before=before, impedance_half_ohm=half_ohm, reference=reference).impedance_min_ohm == after_ohm


@pytest.mark.parametrize(("half_ohm", "after_ohm"), [(None, 60.5), (60.6, 60.5), (60.4, 60.4)])
def test_what_injected_fluid_gives_back_is_added_to_the_least_impedance(
    half_ohm: float | None, after_ohm: float
) -> None:
    """A half of the tissue's impedance comes back within two minutes."""
    reference = REFERENCE._replace(fluid=0.5)
    after = summed(now_ns=11 * S, impedance_half_ohm=half_ohm, reference=reference)
    assert after.impedance_min_ohm == pytest.approx(after_ohm)
