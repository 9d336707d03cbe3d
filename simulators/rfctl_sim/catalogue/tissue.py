"""Faults of what lies between a channel's terminals: tissue, electrode, coolant, leads, dispersive electrode."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError
from rfctl_sim.catalogue.kinds import BLIND, FaultKind, Hold, Scope, Site, nothing
from rfctl_sim.catalogue.parameters import Number, Parameters, number
from rfctl_sim.control import ChannelFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl_sim.fault_effects import Path

IMPEDANCE_BITS = ChannelFault.IMPEDANCE_HIGH | ChannelFault.IMPEDANCE_LOW

# More than any meter sees: nothing is connected.
OPEN_OHM = 1e6


def _load(site: Site, ohm: float) -> Hold:
    def hold() -> None:
        site.channel.effects.load_ohm = ohm

    return hold


def _path(site: Site, path: Path) -> Hold:
    return lambda: site.channel.effects.paths.append(path)


def _charring(site: Site, parameters: Parameters) -> Hold:
    rate, most = number(parameters, "per_s"), number(parameters, "most")

    def path(now_ns: int, tissue_ohm: float, series_ohm: float) -> tuple[float, float]:
        return tissue_ohm * min(exp(rate * (now_ns - site.now_ns) / NS_PER_S), most), series_ohm

    return _path(site, path)


def _moved(site: Site, parameters: Parameters) -> Hold:
    site.channel.tissue.move(number(parameters, "distance_mm"))
    factor = number(parameters, "factor")
    return _path(site, lambda _, tissue_ohm, series_ohm: (factor * tissue_ohm, series_ohm))


def _fluid(site: Site, parameters: Parameters) -> Hold:
    site.channel.tissue.inject(number(parameters, "share"))
    return nothing


def _wrong_electrode(site: Site, parameters: Parameters) -> Hold:
    electrode = site.channel.electrode
    other = electrode.model_copy(update={"tip_mm": number(parameters, "tip_mm")})
    return lambda: setattr(site.channel, "electrode", other)


def _end_of_wrong_electrode(site: Site) -> None:
    site.channel.electrode = site.generator.setup.electrode_of(site.channel_number)


def _pad_loosening(site: Site, parameters: Parameters) -> Hold:
    rate, most = number(parameters, "ohm_per_s"), number(parameters, "most_ohm")

    def path(now_ns: int, tissue_ohm: float, series_ohm: float) -> tuple[float, float]:
        return tissue_ohm, series_ohm + min(rate * (now_ns - site.now_ns) / NS_PER_S, most)

    def hold() -> None:
        site.generator.pad.contact_ohm = number(parameters, "contact_ohm")
        site.generator.pad.unseen = bool(parameters["firmware_blind"])
        for channel in site.generator.channels:
            channel.effects.paths.append(path)

    return hold


def _pad_detached(site: Site, parameters: Parameters) -> Hold:
    def hold() -> None:
        site.generator.pad.contact_ohm = OPEN_OHM
        site.generator.pad.unseen = bool(parameters["firmware_blind"])
        for channel in site.generator.channels:
            channel.effects.load_ohm = OPEN_OHM
            channel.effects.unseen_bits |= ChannelFault.IMPEDANCE_HIGH if parameters["firmware_blind"] else 0

    return hold


def _pad_is_back(site: Site) -> None:
    site.generator.pad.contact_ohm = site.generator.setup.pad.contact_ohm
    site.generator.pad.unseen = False


def _check_pump(site: Site, parameters: Parameters) -> None:
    if site.channel.pump is None:
        raise ConfigError(
            f"channel {site.channel_number} has no pump", remedy="Choose a set-up with one: rfctl sim setups."
        )


def _flow(share: Callable[[Parameters], float]) -> Callable[[Site, Parameters], Hold]:
    def begin(site: Site, parameters: Parameters) -> Hold:
        def hold() -> None:
            if site.channel.pump is not None:
                site.channel.pump.ratio = share(parameters)

        return hold

    return begin


def _end_of_flow(site: Site) -> None:
    if site.channel.pump is not None:
        site.channel.pump.ratio = 1.0


TISSUE_FAULTS = (
    FaultKind(
        "impedance",
        "So much is between the terminals: above the path an opening in series, below it a short beside.",
        Scope.CHANNEL,
        ("HZ-10", "HZ-11"),
        lambda site, parameters: _load(site, number(parameters, "ohm")),
        {"ohm": Number(5000.0, 1.0, 1e6, "Ohm"), **BLIND},
        unseen_bits=IMPEDANCE_BITS,
    ),
    FaultKind(
        "lead_open",
        "The electrode's lead is off.",
        Scope.CHANNEL,
        ("HZ-10",),
        lambda site, _: _load(site, OPEN_OHM),
        BLIND,
        unseen_bits=ChannelFault.IMPEDANCE_HIGH,
    ),
    FaultKind(
        "lead_shorted",
        "The electrode's lead is shorted.",
        Scope.CHANNEL,
        ("HZ-11",),
        lambda site, parameters: _load(site, number(parameters, "ohm")),
        {"ohm": Number(5.0, 1.0, 30.0, "Ohm"), **BLIND},
        unseen_bits=ChannelFault.IMPEDANCE_LOW,
    ),
    FaultKind(
        "charring",
        "The tissue chars: its impedance grows by this share of itself each second.",
        Scope.CHANNEL,
        ("HZ-12",),
        _charring,
        {"per_s": Number(0.3, 0.001, 100.0, "1/s"), "most": Number(20.0, 1.0, 10_000.0), **BLIND},
        unseen_bits=IMPEDANCE_BITS,
    ),
    FaultKind(
        "electrode_moved",
        "The electrode was moved into colder tissue, of so many times the impedance.",
        Scope.CHANNEL,
        ("HZ-08",),
        _moved,
        {"distance_mm": Number(5.0, 0.1, 50.0, "mm"), "factor": Number(1.3, 0.1, 10.0), **BLIND},
        unseen_bits=IMPEDANCE_BITS,
    ),
    FaultKind(
        "fluid_injected",
        "Conducting fluid is injected at the tip: it takes this share of the tissue's impedance, and spreads.",
        Scope.CHANNEL,
        ("HZ-11",),
        _fluid,
        {"share": Number(0.4, 0.0, 0.6)},
        instant=True,
    ),
    FaultKind(
        "wrong_electrode",
        "Another electrode is connected than was planned, with a tip of this length.",
        Scope.CHANNEL,
        ("HZ-09",),
        _wrong_electrode,
        {"tip_mm": Number(5.0, 1.0, 20.0, "mm")},
        end=_end_of_wrong_electrode,
        reference_only=True,
    ),
    FaultKind(
        "pad_loosening",
        "The dispersive electrode comes loose: the impedance of every channel grows.",
        Scope.GENERATOR,
        ("HZ-13",),
        _pad_loosening,
        {
            "ohm_per_s": Number(10.0, 0.1, 1000.0, "Ohm/s"),
            "most_ohm": Number(300.0, 1.0, 1e5, "Ohm"),
            "contact_ohm": Number(190.0, 1.0, 5000.0, "Ohm"),
            **BLIND,
        },
        end=_pad_is_back,
    ),
    FaultKind(
        "pad_detached",
        "The dispersive electrode is off: every channel is open.",
        Scope.GENERATOR,
        ("HZ-10", "HZ-13"),
        _pad_detached,
        BLIND,
        end=_pad_is_back,
    ),
    FaultKind(
        "coolant_flow_low",
        "Less coolant flows than the pump is told: this share of it.",
        Scope.CHANNEL,
        ("HZ-53",),
        _flow(lambda parameters: number(parameters, "share")),
        {"share": Number(0.5, 0.0, 1.0), **BLIND},
        check=_check_pump,
        end=_end_of_flow,
        unseen_bits=ChannelFault.COOLING,
    ),
    FaultKind(
        "pump_stopped",
        "The pump stands still.",
        Scope.CHANNEL,
        ("HZ-53",),
        _flow(lambda _: 0.0),
        BLIND,
        check=_check_pump,
        end=_end_of_flow,
        unseen_bits=ChannelFault.COOLING,
    ),
)
