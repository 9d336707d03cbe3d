"""What a plan will ask for, site by site and pad by pad, and whether a station can do it. No device is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.errors import ConfigError
from rfctl.guard.decoder import require_decodable
from rfctl.kernel.expected import POWER_OVER_EXPECTED, USUAL, allowed_power_w, hold_power_w
from rfctl.kernel.rows_supervision import PAD_HEATING_PLANNED_A2S
from rfctl.model.heating import REST_C, Prediction, pad_heating_a2s, predict
from rfctl.model.plan import Medium, OrderOfWork

if TYPE_CHECKING:
    from rfctl.model.electrode import Electrode
    from rfctl.model.plan import Lesion, Plan, Site
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.station_file import Station

START_C = {Medium.TISSUE: REST_C, Medium.PHANTOM: 22.0, Medium.LOAD: 22.0}
"""Where a tip begins, in each medium, degC."""


class PadLoad(NamedTuple):
    """What one dispersive electrode is to bear.

    Attributes:
        pad: Its number.
        sites: Those that heat together on it.
        heating_a2s: Integral of the squared sum of their currents over the worst 60 s, A2s.
    """

    pad: int
    sites: tuple[Site, ...]
    heating_a2s: float


def prediction_of(plan: Plan, site: Site, lesion: Lesion) -> Prediction:
    """One lesion of the plan."""
    return predict(site.electrode, lesion, START_C[plan.medium])


def pad_loads(plan: Plan, *, multiplexed: bool = False) -> list[PadLoad]:
    """The heaviest load of each pad, by number. In batch the first lesions of all sites begin together, then the second
    ones of those that have one, and so on; else each lesion is alone. A load has no pad.

    Args:
        plan: The plan.
        multiplexed: The generator's outputs take turns.
    """
    if plan.medium is Medium.LOAD:
        return []
    together: list[list[tuple[Site, Lesion]]] = []
    if plan.order is OrderOfWork.BATCH:
        rounds = max(len(site.lesions) for site in plan.sites)
        together = [[(s, s.lesions[n]) for s in plan.sites if len(s.lesions) > n] for n in range(rounds)]
    else:
        together = [[(site, lesion)] for site in plan.sites for lesion in site.lesions]
    heaviest: dict[int, PadLoad] = {}
    for begun in together:
        for pad in {site.pad for site, _ in begun}:
            on_it = [(site, lesion) for site, lesion in begun if site.pad == pad]
            predicted = [prediction_of(plan, site, lesion) for site, lesion in on_it]
            load = PadLoad(pad, tuple(s for s, _ in on_it), pad_heating_a2s(predicted, multiplexed=multiplexed))
            if pad not in heaviest or load.heating_a2s > heaviest[pad].heating_a2s:
                heaviest[pad] = load
    return [heaviest[pad] for pad in sorted(heaviest)]


def require_cool_pads(plan: Plan, *, where: str, multiplexed: bool = False) -> None:
    """No dispersive electrode is planned to become warmer than a pad is expected to take.

    Args:
        plan: The plan.
        where: Its file, for the message.
        multiplexed: The generator's outputs take turns.

    Raises:
        ConfigError: One would.
    """
    for load in pad_loads(plan, multiplexed=multiplexed):
        if load.heating_a2s > PAD_HEATING_PLANNED_A2S:
            electrodes = ", ".join(f"{s.name} {s.electrode.name}" for s in load.sites)
            raise ConfigError(
                f"site.pad = {load.pad}: {len(load.sites)} electrodes heated together ({electrodes}) are predicted to "
                f"put {load.heating_a2s:.1f} A2s into this dispersive electrode within 60 s, limit "
                f"{PAD_HEATING_PLANNED_A2S:g} A2s",
                where=where,
                remedy="Give some of the sites a second dispersive electrode (pad = 2), heat fewer at once "
                "(plan.order = 'site by site'), or use thinner electrodes.",
            )


def time_budget_w(electrode: Electrode, set_temperature_c: float, start_c: float) -> tuple[float, float]:
    """What the time from a fault to RF off leaves near the set temperature, and what control needs, W in the tissue.

    Args:
        electrode: Of the table.
        set_temperature_c: Planned, degC.
        start_c: Where the tip begins, degC.
    """
    expected_w = hold_power_w(electrode, set_temperature_c - start_c, 0.0)
    allowed_w = allowed_power_w(electrode, set_temperature_c, expected_w, USUAL)
    return min(allowed_w, electrode.power_cap_w), POWER_OVER_EXPECTED * expected_w


def require_time_budget(plan: Plan, *, where: str) -> None:
    """No lesion is planned that would be refused when it is armed, as far as that can be told before anything is
    measured: the tissue's own temperature, resistance in series and injected fluid change the numbers.

    Raises:
        ConfigError: One would.
    """
    if plan.medium is Medium.LOAD:
        return
    start_c = START_C[plan.medium]
    for site in plan.sites:
        for lesion in site.lesions:
            left_w, needed_w = time_budget_w(site.electrode, lesion.set_temperature_c, start_c)
            if left_w < needed_w:
                planned = f"{site.electrode.name} at {lesion.set_temperature_c:g} degC from {start_c:g} degC"
                raise ConfigError(
                    f"site {site.name!r}: {planned} would be refused when it is armed: the time from a fault to RF off "
                    f"({USUAL.total_s:.2f} s) leaves {left_w:.2f} W in the tissue, and the control needs "
                    f"{POWER_OVER_EXPECTED:g} x the expected power, {needed_w:.2f} W",
                    where=where,
                    remedy="Plan a lower set temperature, a thicker cannula or a longer tip (docs/interlocks.md).",
                )


def require_station(plan: Plan, station: Station, profile: AnyProfile, *, where: str) -> None:
    """The station is one for this plan, as far as its files tell.

    Raises:
        ConfigError: Another medium, too few channels, no way to turn one channel off, too warm a pad, or a guard that
            cannot follow this generator.
    """
    if station.guard is not None:
        require_decodable(profile.path)
    require_medium(plan, station, where=where)
    channels = profile.channels
    for site in plan.sites:
        if site.channel > channels:
            raise ConfigError(
                f"site {site.name!r}: site.channel is {site.channel}, a generator of profile {profile.name} has at "
                f"most {channels}",
                where=where,
                remedy="Correct the plan, or choose another station.",
            )
    require_cool_pads(plan, where=where, multiplexed=profile.multiplexed)


def require_medium(plan: Plan, station: Station, *, where: str) -> None:
    """A plan is run in the medium that it was written for; what is for a patient is for tissue.

    Raises:
        ConfigError: The station's is another.
    """
    if plan.medium is not station.medium:
        raise ConfigError(
            f"plan.medium is {str(plan.medium)!r}, station.medium of {station.id} is {str(station.medium)!r}",
            where=where,
            remedy=f"Run it on a station with medium = {str(plan.medium)!r}, or write a plan for this one.",
        )
