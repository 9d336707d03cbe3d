"""A bipolar pair: one current through two electrodes, and no pad."""

from __future__ import annotations

import pytest

from rfctl.errors import ConfigError
from rfctl_sim.bipolar import BipolarTissue
from rfctl_sim.field.electrode import ElectrodeTissue
from rfctl_sim.generator import Generator
from rfctl_sim.setups import Setup

STEP_NS = 20_000_000


def pair(tissue: str = "field", *, bipolar: bool = True, spacing_mm: float = 10.0, channels: int = 2) -> Generator:
    setup = Setup(title="pair", tissue=tissue, bipolar=bipolar, spacing_mm=spacing_mm)
    return Generator(channels, 1, 0, setup)


def heat(generator: Generator, seconds: float, power_w: float = 6.0) -> None:
    stage = generator.channels[0].stage
    stage.switch_rf(0, on=True)
    stage.regulate(power_w)
    for step in range(1, round(seconds * 1e9 / STEP_NS) + 1):
        stage.regulate(power_w)
        for channel in generator.channels:
            channel.tick(step * STEP_NS, STEP_NS / 1e9)


@pytest.mark.parametrize(("spacing_mm", "share"), [(6.0, 0.737), (10.0, 0.843), (15.0, 0.901)])
def test_the_two_in_series_have_less_than_the_sum_as_in_three_dimensions(spacing_mm: float, share: float) -> None:
    two = pair(spacing_mm=spacing_mm).channels[0].tissue.impedance_ohm
    one = pair(spacing_mm=spacing_mm, bipolar=False).channels[0].tissue.impedance_ohm
    assert two / (2.0 * one) == pytest.approx(share, rel=0.03)


@pytest.mark.parametrize("tissue", ["field", "poles"])
def test_one_current_warms_both_tips_alike(tissue: str) -> None:
    generator = pair(tissue)
    heat(generator, 10.0)
    first, second = (channel.tissue.tip_temperature_c for channel in generator.channels)
    assert first > 42.0
    assert second == pytest.approx(first, abs=0.2)
    monopolar = pair(tissue, bipolar=False)
    heat(monopolar, 10.0)
    assert monopolar.channels[1].tissue.tip_temperature_c == pytest.approx(37.0, abs=0.01)


def test_each_is_warmed_by_the_current_as_it_would_be_alone() -> None:
    generator = pair()
    heat(generator, 5.0)
    stage, both = generator.channels[0].stage, generator.channels[0].tissue
    assert isinstance(both, BipolarTissue)
    fields = [each.field for each in (both.first, both.back.tissue) if isinstance(each, ElectrodeTissue)]
    delivered_j = sum(field.energy.delivered for field in fields)
    in_series_ohm = sum(field.impedance_ohm for field in fields)
    alone_j = stage.energy_j(5 * 10**9) * in_series_ohm / (both.impedance_ohm + stage.series_ohm)
    assert len(fields) == 2
    assert delivered_j == pytest.approx(alone_j, rel=0.03)


def test_a_pair_needs_two_channels() -> None:
    with pytest.raises(ConfigError, match="bipolar set-up on one channel"):
        pair(channels=1)
