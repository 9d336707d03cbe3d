"""Faults of the output stage of one channel, RF and stimulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl_sim.catalogue.kinds import BLIND, FaultKind, Hold, Scope, Site
from rfctl_sim.catalogue.parameters import Number, Parameters, number
from rfctl_sim.control import ChannelFault

if TYPE_CHECKING:
    from collections.abc import Callable


def _sets(effect: str) -> Callable[[Site, Parameters], Hold]:
    """A fault that is a field of the channel's effects, true while it lasts."""
    return lambda site, _: lambda: setattr(site.channel.effects, effect, True)


def _takes(effect: str, parameter: str) -> Callable[[Site, Parameters], Hold]:
    """A fault that is a field of the channel's effects with a parameter's value."""
    return lambda site, parameters: lambda: setattr(site.channel.effects, effect, number(parameters, parameter))


OUTPUT_FAULTS = (
    FaultKind(
        "ignore_off",
        "The output is stuck: RF that is on stays on, whoever turns it off.",
        Scope.CHANNEL,
        ("HZ-15", "HZ-16"),
        _sets("stuck_on"),
        BLIND,
        unseen_bits=ChannelFault.UNCOMMANDED_RF,
    ),
    FaultKind(
        "rf_without_command",
        "RF is on by itself, with this power into the tissue.",
        Scope.CHANNEL,
        ("HZ-14",),
        _takes("self_on_w", "power_w"),
        {"power_w": Number(5.0, 0.1, 100.0, "W"), **BLIND},
        unseen_bits=ChannelFault.UNCOMMANDED_RF,
    ),
    FaultKind(
        "rf_does_not_start",
        "RF does not come, or drops out, while the firmware means it to be on.",
        Scope.CHANNEL,
        ("HZ-50",),
        _sets("blocked"),
    ),
    FaultKind(
        "wrong_power",
        "The output delivers so many times the power that the firmware wants.",
        Scope.CHANNEL,
        ("HZ-30", "HZ-51"),
        _takes("power_factor", "factor"),
        {"factor": Number(1.5, 0.01, 20.0), **BLIND},
        unseen_bits=ChannelFault.OVERPOWER,
    ),
    FaultKind(
        "power_over_limit",
        "While RF is on the output delivers this power into the tissue, whatever it is told.",
        Scope.CHANNEL,
        ("HZ-01", "HZ-30", "HZ-51"),
        _takes("overpower_w", "power_w"),
        {"power_w": Number(25.0, 0.1, 100.0, "W"), **BLIND},
        unseen_bits=ChannelFault.OVERPOWER,
    ),
    FaultKind(
        "power_limit_ignored",
        "The firmware regulates as if no power limit were set.",
        Scope.CHANNEL,
        ("HZ-01", "HZ-30"),
        _sets("limit_ignored"),
        BLIND,
        unseen_bits=ChannelFault.OVERPOWER,
    ),
    FaultKind(
        "wide_pulse",
        "Pulses are so many times as wide as they are told to be, at most until the next one begins.",
        Scope.CHANNEL,
        ("HZ-54",),
        _takes("pulse_width_ratio", "factor"),
        {"factor": Number(2.0, 0.01, 1e6), **BLIND},
        unseen_bits=ChannelFault.PULSE,
    ),
    FaultKind(
        "stimulation_too_strong",
        "The stimulator delivers so many times its set amplitude.",
        Scope.CHANNEL,
        ("HZ-26",),
        _takes("stimulation_factor", "factor"),
        {"factor": Number(2.0, 0.0, 20.0)},
    ),
    FaultKind(
        "stimulation_without_command",
        "The stimulator is on by itself, with RF or without it.",
        Scope.CHANNEL,
        ("HZ-28",),
        _takes("self_stimulation", "amplitude"),
        {"amplitude": Number(1.0, 0.0, 10.0, "V or mA")},
    ),
)
