"""The document that a procedure ends in: what was asked for, what was delivered, how it ended."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfctl.kernel.state import CheckResult, Figures, KernelState, SiteResult, Trip
    from rfctl.kernel.stimulation import Override
    from rfctl.model.plan import Lesion, Site, StimulationCheck

OPTIONAL = ("report", "telemetry_published", "telemetry_received", "mqtt", "temperature_control", "set_point")
"""Keys of the document that stay null where there is no such part: no report, no broker, no subscriber."""


def of_state(state: KernelState) -> dict[str, Any]:
    """Outcome, sites and trips of a finished procedure, ready for JSON."""
    return {
        "outcome": str(state.outcome),
        "ending": state.ending,
        "off_verified": state.off_verified,
        "temperature_control": "device" if state.setup.set_point is None else "host",
        "set_point": state.setup.set_point,
        "sites": [
            _site(state.setup.plan.sites[result.site], result)
            for result in sorted(state.results, key=lambda result: result.site)
        ],
        "trips": [_trip(trip, state.started_ns) for trip in state.trips],
    }


def _trip(trip: Trip, started_ns: int) -> dict[str, Any]:
    return {
        "code": trip.code,
        "hazard": trip.hazard,
        "channel": trip.channel or None,
        "measured": _number(trip.measured),
        "limit": _number(trip.limit),
        "unit": trip.unit,
        "t_s": round((trip.t_ns - started_ns) / 1e9, 3),
        "text": trip.text,
    }


def _number(value: float) -> float | None:
    """The value, or null where there is none: not-a-number has no JSON form."""
    return value if math.isfinite(value) else None


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _check(result: CheckResult | None, plan: StimulationCheck, amplitude: str) -> dict[str, Any]:
    performed = result is not None and result.performed
    return {
        "performed": performed,
        amplitude: result.amplitude if result and performed else None,
        "unit": plan.unit,
        "width_us": plan.width_us if performed else None,
        "reason": (result.reason if result else "") or plan.reason or None,
    }


def _in_volts(check: dict[str, Any], amplitude: str) -> float | None:
    value: float | None = check[amplitude]
    return value if check["unit"] == "V" else None


def _override(override: Override) -> dict[str, Any]:
    return {
        "check": str(override.check),
        "found": override.found,
        "by": override.by,
        "reason": override.reason,
        "physician": override.physician or None,
    }


def _site(site: Site, result: SiteResult) -> dict[str, Any]:
    sensory = _check(result.sensory, site.sensory, "threshold")
    motor = _check(result.motor, site.motor, "negative_to")
    reference = result.reference
    lesions = [_lesion(plan, figures) for plan, figures in zip_longest(site.lesions, result.lesions)]
    return {
        "site": site.name,
        "channel": site.channel,
        "sensory": sensory,
        "motor": motor,
        "sensory_threshold_v": _in_volts(sensory, "threshold"),
        "motor_negative_to_v": _in_volts(motor, "negative_to"),
        "overrides": [_override(override) for override in result.overrides],
        **lesions[0],
        "lesions": lesions,
        "impedance_start_ohm": _rounded(reference.impedance_ohm, 1) if reference else None,
        "end_reason": result.end_reason,
    }


DELIVERED = (
    "peak_temperature_c",
    "mean_hold_temperature_c",
    "seconds_within_2c",
    "overshoot_c",
    "ramp_s",
    "energy_j",
    "generator_energy_j",
    "degree_seconds_above_45c",
    "interruptions",
    "predicted",
)


def _lesion(lesion: Lesion, figures: Figures | None) -> dict[str, Any]:
    """What was planned, and what was delivered as far as it was begun."""
    delivered: dict[str, Any] = dict.fromkeys(DELIVERED)
    if figures is not None:
        delivered |= {
            "peak_temperature_c": _rounded(figures.peak_c, 2),
            "mean_hold_temperature_c": _rounded(figures.held_k_s / figures.held_s, 2) if figures.held_s else None,
            "seconds_within_2c": round(figures.within_2c_s, 2),
            "overshoot_c": _rounded(max(figures.peak_c - lesion.set_temperature_c, 0.0), 2),
            "ramp_s": round(figures.ramp_s, 2) if figures.hold_ns else None,
            "energy_j": _rounded(figures.energy_j, 1),
            "generator_energy_j": _rounded(figures.generator_energy_j, 1),
            "degree_seconds_above_45c": _rounded(figures.above_45_k_s, 1),
            "interruptions": figures.pauses + figures.ended_early,
            "predicted": {
                "ramp_s": _rounded(figures.predicted_ramp_s, 2),
                "hold_power_w": _rounded(figures.predicted_hold_w, 2),
                "energy_j": _rounded(figures.predicted_energy_j, 1),
            },
        }
    return {
        "set_temperature_c": lesion.set_temperature_c if lesion.power_w is None else None,
        "power_w": lesion.power_w,
        "hold_s": lesion.hold_s,
        "after": lesion.after,
        **delivered,
        "timer_definition": str(lesion.timer),
    }
