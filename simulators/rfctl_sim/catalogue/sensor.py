"""Faults of the thermocouple and of the meters of one channel."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl_sim.answers import COLD_JUNCTION_C
from rfctl_sim.catalogue.kinds import BLIND, SEEN, FaultKind, Hold, Scope, Site
from rfctl_sim.catalogue.parameters import Name, Number, Parameters, number, text
from rfctl_sim.control import ChannelFault
from rfctl_sim.firmware import SAMPLE_S
from rfctl_sim.thermocouple import NOISE_LENGTH, PICK_UP_K_PER_V2, noise_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl_sim.fault_effects import Reading

METERS = ("temperature_c", "voltage_v_rms", "current_ma_rms", "power_w", "impedance_ohm")
BAD_VALUES = {"nan": nan, "inf": inf, "minus_inf": -inf, "negative": -1.0, "huge": 3.0e38}


def _reads(make: Callable[[Site, Parameters], Reading]) -> Callable[[Site, Parameters], Hold]:
    """A fault that changes what the thermocouple reads; it keeps its state as long as it lasts."""

    def begin(site: Site, parameters: Parameters) -> Hold:
        reading = make(site, parameters)
        return lambda: site.channel.effects.readings.append(reading)

    return begin


def _open(site: Site, parameters: Parameters) -> Reading:
    return lambda _, __: nan


def _short(site: Site, parameters: Parameters) -> Reading:
    ambient_c = number(parameters, "ambient_c")
    return lambda _, __: ambient_c


def _reversed(site: Site, parameters: Parameters) -> Reading:
    return lambda _, celsius: 2.0 * COLD_JUNCTION_C - celsius


def _frozen(site: Site, parameters: Parameters) -> Reading:
    held_c: list[float] = []

    def read(_: int, celsius: float) -> float:
        if not held_c:
            held_c.append(celsius)
        return held_c[0]

    return read


def _offset(site: Site, parameters: Parameters) -> Reading:
    kelvin = number(parameters, "kelvin")
    return lambda _, celsius: celsius + kelvin


def _drift(site: Site, parameters: Parameters) -> Reading:
    first = site.generator.firmware.sample_counter(site.now_ns)
    kelvin_per_sample = number(parameters, "k_per_s") * SAMPLE_S
    return lambda sample, celsius: celsius + kelvin_per_sample * (sample - first)


def _lag(site: Site, parameters: Parameters) -> Hold:
    return lambda: setattr(site.channel.thermocouple, "lag_s", number(parameters, "lag_s"))


def _end_of_lag(site: Site) -> None:
    site.channel.thermocouple.lag_s = site.generator.setup.thermocouple.lag_s


def _not_seated(site: Site, parameters: Parameters) -> Hold:
    return lambda: setattr(site.channel.thermocouple, "seated", number(parameters, "share"))


def _seated(site: Site) -> None:
    site.channel.thermocouple.seated = 1.0


def _noise(site: Site, parameters: Parameters) -> Reading:
    noise_k = noise_table(site.random, number(parameters, "kelvin"))
    return lambda sample, celsius: celsius + noise_k[sample % NOISE_LENGTH]


def _pick_up(site: Site, parameters: Parameters) -> Hold:
    k_per_v2 = number(parameters, "kelvin") / number(parameters, "at_v_rms") ** 2
    return lambda: setattr(site.channel.thermocouple, "pick_up_k_per_v2", k_per_v2)


def _end_of_pick_up(site: Site) -> None:
    site.channel.thermocouple.pick_up_k_per_v2 = PICK_UP_K_PER_V2


def _check_other(site: Site, parameters: Parameters) -> None:
    channels, other = len(site.generator.channels), number(parameters, "with_channel")
    if other != int(other) or other > channels or other == site.channel_number:
        raise ConfigError(
            f"with_channel of the fault channels_swapped is {other:g} for channel {site.channel_number}",
            remedy=f"Give another one of the channels 1 to {channels}.",
        )


def _swapped(site: Site, parameters: Parameters) -> Hold:
    one, another = site.channel, site.generator.channels[int(number(parameters, "with_channel")) - 1]

    def hold() -> None:
        one.effects.readings.append(lambda sample, _: another.thermocouple.measured_c(sample))
        another.effects.readings.append(lambda sample, _: one.thermocouple.measured_c(sample))

    return hold


def _bad_value(site: Site, parameters: Parameters) -> Hold:
    meter, value = text(parameters, "meter"), BAD_VALUES[text(parameters, "value")]

    def hold() -> None:
        site.channel.effects.shown[meter] = lambda _: value

    return hold


def _meter_wrong(site: Site, parameters: Parameters) -> Hold:
    meter, factor = text(parameters, "meter"), number(parameters, "factor")

    def hold() -> None:
        site.channel.effects.shown[meter] = lambda value: factor * value

    return hold


HOT = ChannelFault.OVER_TEMPERATURE
OPEN = ChannelFault.THERMOCOUPLE_OPEN
ELECTRIC = ChannelFault.IMPEDANCE_HIGH | ChannelFault.IMPEDANCE_LOW | ChannelFault.OVERPOWER

SENSOR_FAULTS = (
    FaultKind(
        "thermocouple_open",
        "The thermocouple's lead is broken: not-a-number is read.",
        Scope.CHANNEL,
        ("HZ-02",),
        _reads(_open),
        BLIND,
        unseen_bits=OPEN,
    ),
    FaultKind(
        "thermocouple_short",
        "The lead is shorted at the connector: its ambient is read, whatever the tip does.",
        Scope.CHANNEL,
        ("HZ-03",),
        _reads(_short),
        {"ambient_c": Number(COLD_JUNCTION_C, 0.0, 50.0, "degC"), **SEEN},
        unseen_bits=HOT,
    ),
    FaultKind(
        "thermocouple_reversed",
        "The lead's wires are swapped: a warming tip reads colder.",
        Scope.CHANNEL,
        ("HZ-04",),
        _reads(_reversed),
        SEEN,
        unseen_bits=HOT,
    ),
    FaultKind(
        "temperature_frozen",
        "The reading stands still at the value it had, while samples go on being counted.",
        Scope.CHANNEL,
        ("HZ-05",),
        _reads(_frozen),
        SEEN,
        unseen_bits=HOT,
    ),
    FaultKind(
        "over_temperature",
        "The reading is off by so much: above the tip, or with a negative number below it.",
        Scope.CHANNEL,
        ("HZ-01",),
        _reads(_offset),
        {"kelvin": Number(20.0, -200.0, 1000.0, "K"), **BLIND},
        unseen_bits=HOT,
    ),
    FaultKind(
        "temperature_drift",
        "The reading drifts away from the tip; downwards the tip becomes hotter than it reads.",
        Scope.CHANNEL,
        ("HZ-01",),
        _reads(_drift),
        {"k_per_s": Number(-0.5, -50.0, 50.0, "K/s"), **SEEN},
        unseen_bits=HOT,
    ),
    FaultKind(
        "temperature_lag",
        "The reading follows the tip late.",
        Scope.CHANNEL,
        ("HZ-01",),
        _lag,
        {"lag_s": Number(2.0, 0.05, 60.0, "s")},
        end=_end_of_lag,
    ),
    FaultKind(
        "electrode_not_seated",
        "The electrode is not seated in its cannula: a share of the rise is read, and the control adds power.",
        Scope.CHANNEL,
        ("HZ-06",),
        _not_seated,
        {"share": Number(0.5, 0.0, 1.0)},
        end=_seated,
    ),
    FaultKind(
        "temperature_noise",
        "The reading is noisy, which alone must end no lesion.",
        Scope.CHANNEL,
        ("HZ-50",),
        _reads(_noise),
        {"kelvin": Number(0.2, 0.0, 50.0, "K"), **SEEN},
        unseen_bits=HOT,
    ),
    FaultKind(
        "rf_pickup",
        "RF couples into the thermocouple: an offset that goes with the square of the voltage.",
        Scope.CHANNEL,
        ("HZ-07",),
        _pick_up,
        {"kelvin": Number(5.0, -100.0, 100.0, "K"), "at_v_rms": Number(20.0, 1.0, 200.0, "V")},
        end=_end_of_pick_up,
    ),
    FaultKind(
        "channels_swapped",
        "Two channels' thermocouples are on each other's connector: power here, heat there.",
        Scope.CHANNEL,
        ("HZ-52",),
        _swapped,
        {"with_channel": Number(2.0, 1.0, 4.0), **SEEN},
        check=_check_other,
        unseen_bits=HOT,
    ),
    FaultKind(
        "bad_value",
        "A meter shows what is no measurement.",
        Scope.CHANNEL,
        ("HZ-48",),
        _bad_value,
        {"meter": Name("temperature_c", METERS), "value": Name("nan", tuple(BAD_VALUES)), **BLIND},
        unseen_bits=HOT | OPEN | ELECTRIC,
    ),
    FaultKind(
        "meter_wrong",
        "A meter shows so many times what it measures.",
        Scope.CHANNEL,
        ("HZ-05", "HZ-30"),
        _meter_wrong,
        {"meter": Name("current_ma_rms", METERS), "factor": Number(0.5, 0.0, 100.0), **BLIND},
        unseen_bits=HOT | ELECTRIC,
    ),
)
