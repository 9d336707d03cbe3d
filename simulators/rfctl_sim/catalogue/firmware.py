"""Faults of the firmware: what it obeys, what it remembers, what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS
from rfctl_sim.catalogue.kinds import FaultKind, Hold, Scope, Site, nothing
from rfctl_sim.catalogue.parameters import REGISTER, RULE, Name, Number, Parameters, number, text
from rfctl_sim.control import Control, Mode
from rfctl_sim.firmware import RestartCause
from rfctl_sim.generator import CALIBRATION_DUE
from rfctl_sim.inputs import BOOT_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rfctl_sim.conventions import Write

SETTINGS = (
    "set_temperature_c",
    "ramp_c_per_s",
    "max_on_s",
    "power_limit_w",
    "stimulation_rate_dhz",
    "stimulation_width_us",
    "stimulation_limit",
    "stimulation_amplitude",
    "voltage_set_point_v_rms",
    "power_set_point_w",
    "pulse_width_us",
    "pulse_rate_dhz",
    "pulse_voltage_v_peak",
    "pump_flow_ml_min",
)
WHOLE_SETTINGS = {"stimulation_rate_dhz", "stimulation_width_us", "pulse_width_us", "pulse_rate_dhz"}

OTHER_MODEL = b"another generator"
OTHER_FIRMWARE = b"sim 9.9"
BACKEND_DEVICE = 1


def _firmware(effect: str, value: object = True) -> Callable[[Site, Parameters], Hold]:
    return lambda site, _: lambda: setattr(site.generator.effects, effect, value)


def _wire(effect: str, value: object = True) -> Callable[[Site, Parameters], Hold]:
    return lambda site, _: lambda: setattr(site.wire, effect, value)


def _says(**identity: object) -> Callable[[Site, Parameters], Hold]:
    return lambda site, _: lambda: site.wire.identity.update(identity)


def _hang(site: Site, parameters: Parameters) -> Hold:
    def hold() -> None:
        site.wire.silent = True
        site.generator.effects.hung = True

    return hold


def _frozen(site: Site, parameters: Parameters) -> Hold:
    return lambda: setattr(site.wire, "frozen_ns", site.now_ns)


def _clock_rate(site: Site, parameters: Parameters) -> Hold:
    rate = number(parameters, "rate")

    def own_ns(now_ns: int) -> int:
        passed_ns = now_ns - site.now_ns
        return site.now_ns + round(passed_ns * rate) if passed_ns > 0 else now_ns

    return lambda: setattr(site.generator.effects, "clock", own_ns)


def _refuse(site: Site, parameters: Parameters) -> Hold:
    return lambda: setattr(site.wire, "refused_register", text(parameters, "register"))


def _hears(filtered: Callable[[Site, Parameters, Sequence[Write]], Sequence[Write]]) -> Callable[..., Hold]:
    def begin(site: Site, parameters: Parameters) -> Hold:
        return lambda: site.generator.effects.heard.append(lambda writes: filtered(site, parameters, writes))

    return begin


def _without_one(site: Site, parameters: Parameters, writes: Sequence[Write]) -> Sequence[Write]:
    return [write for write in writes if write.name != parameters["register"]]


def _without_off(site: Site, parameters: Parameters, writes: Sequence[Write]) -> Sequence[Write]:
    is_off = site.generator.firmware.conventions.is_off
    return [write for write in writes if not is_off(write.name, write.value)]


def _first_half(site: Site, parameters: Parameters, writes: Sequence[Write]) -> Sequence[Write]:
    is_off = site.generator.firmware.conventions.is_off
    kept = len(writes) // 2
    return [write for at, write in enumerate(writes) if at < kept or is_off(write.name, write.value)]


def _remembers(spoil: Callable[[Site, Parameters], Callable[[], None]]) -> Callable[[Site, Parameters], Hold]:
    """A fault that befalls the memory now and after each write."""

    def begin(site: Site, parameters: Parameters) -> Hold:
        spoiling = spoil(site, parameters)
        spoiling()
        return lambda: site.generator.effects.remembered.append(spoiling)

    return begin


def _corrupt(site: Site, parameters: Parameters) -> Callable[[], None]:
    setting, factor = text(parameters, "register"), number(parameters, "factor")
    spoiled: object = None

    def spoiling() -> None:
        nonlocal spoiled
        memory = site.generator.firmware.control.channels[site.channel_number - 1]
        value = getattr(memory, setting)
        if value and value != spoiled:
            spoiled = round(value * factor) if setting in WHOLE_SETTINGS else value * factor
            setattr(memory, setting, spoiled)

    return spoiling


def _stuck(setting: str, parameter: str, scale: float) -> Callable[[Site, Parameters], Hold]:
    def spoil(site: Site, parameters: Parameters) -> Callable[[], None]:
        def spoiling() -> None:
            memory = site.generator.firmware.control.channels[site.channel_number - 1]
            if getattr(memory, setting) is not None:
                setattr(memory, setting, round(number(parameters, parameter) * scale))

        return spoiling

    return _remembers(spoil)


def _wrong_unit(site: Site, parameters: Parameters) -> Callable[[], None]:
    def spoiling() -> None:
        memory = site.generator.firmware.control.channels[site.channel_number - 1]
        if memory.mode is Mode.STIMULATION_VOLTAGE:
            memory.mode = Mode.STIMULATION_CURRENT

    return spoiling


def _changes(change: Callable[[Site, Parameters, Control], None]) -> Callable[[Site, Parameters], Hold]:
    """Something happens to the memory once, from within."""

    def begin(site: Site, parameters: Parameters) -> Hold:
        site.generator.firmware.by_hand(lambda control: change(site, parameters, control), site.now_ns)
        return nothing

    return begin


def _end_lease(site: Site, parameters: Parameters) -> Hold:
    site.generator.firmware.end_lease(site.now_ns)
    return nothing


def _owned(site: Site, parameters: Parameters, control: Control) -> None:
    # No client has this number.
    control.owner, control.owner_connection = int(number(parameters, "session")), -1


def _set(site: Site, parameters: Parameters, control: Control) -> None:
    setting, value = text(parameters, "register"), number(parameters, "value")
    memory = control.channels[site.channel_number - 1]
    setattr(memory, setting, round(value) if setting in WHOLE_SETTINGS else value)


def _mode(site: Site, parameters: Parameters, control: Control) -> None:
    control.channels[site.channel_number - 1].mode = Mode(int(number(parameters, "mode")))


def _reset(site: Site, parameters: Parameters) -> Hold:
    site.generator.restart(site.now_ns, RestartCause.WATCHDOG)
    site.wire.booting_until_ns = site.now_ns + BOOT_MS * NS_PER_MS
    return nothing


def _stop_unwired(site: Site, parameters: Parameters) -> Hold:
    def hold() -> None:
        site.generator.inputs.stop_unwired = True

    return hold


def _stop_wired(site: Site) -> None:
    site.generator.inputs.stop_unwired = False
    site.generator.interrupt(site.now_ns if site.until_ns is None else site.until_ns)


def _calibration(site: Site, parameters: Parameters) -> Hold:
    return lambda: setattr(site.generator, "calibration_due", int(number(parameters, "due")))


def _end_of_calibration(site: Site) -> None:
    site.generator.calibration_due = CALIBRATION_DUE


FIRMWARE_FAULTS = (
    FaultKind(
        "firmware_hang",
        "The firmware hangs: no answers, no control, no own safety, no lease; outputs stay as they are.",
        Scope.GENERATOR,
        ("HZ-15", "HZ-16", "HZ-17"),
        _hang,
    ),
    FaultKind(
        "firmware_reset",
        "The firmware starts anew: outputs off, nothing remembered, no answers until it has booted.",
        Scope.GENERATOR,
        ("HZ-17", "HZ-50"),
        _reset,
        instant=True,
    ),
    FaultKind(
        "emergency_stop_ignored",
        "The emergency stop is connected to nothing.",
        Scope.GENERATOR,
        ("HZ-43",),
        _stop_unwired,
        end=_stop_wired,
    ),
    FaultKind(
        "calibration_expired",
        "The calibration was due on this date: year, month and day in one number.",
        Scope.GENERATOR,
        ("HZ-34",),
        _calibration,
        {"due": Number(2020_01_31, 2000_01_01, 2099_12_31)},
        end=_end_of_calibration,
        reference_only=True,
    ),
    FaultKind(
        "counter_frozen",
        "Everything that changes is answered as it was at the first request, the counter with it.",
        Scope.GENERATOR,
        ("HZ-05", "HZ-18"),
        _frozen,
    ),
    FaultKind(
        "clock_rate",
        "The firmware's own clock runs so many times as fast.",
        Scope.GENERATOR,
        ("HZ-24",),
        _clock_rate,
        {"rate": Number(1.05, 0.0, 10.0)},
    ),
    FaultKind(
        "lease_dead",
        "A running lease ends now.",
        Scope.GENERATOR,
        ("HZ-17",),
        _end_lease,
        instant=True,
    ),
    FaultKind(
        "lease_endless",
        "The lease does not run out: whoever hangs leaves outputs on.",
        Scope.GENERATOR,
        ("HZ-20", "HZ-21", "HZ-22"),
        _firmware("lease_endless"),
    ),
    FaultKind(
        "lesion_timer_dead",
        "The lesion timer does not run out.",
        Scope.GENERATOR,
        ("HZ-29",),
        _firmware("timer_endless"),
    ),
    FaultKind(
        "refuse_write",
        "Writes of one register are refused; an off is one of them where it is asked for.",
        Scope.GENERATOR,
        ("HZ-15", "HZ-32"),
        _refuse,
        {"register": REGISTER},
    ),
    FaultKind(
        "write_ignored",
        "Writes of one register are acknowledged and not carried out.",
        Scope.GENERATOR,
        ("HZ-32",),
        _hears(_without_one),
        {"register": RULE},
    ),
    FaultKind(
        "write_partial",
        "Of the values of one request the first half is carried out (of one value nothing), and all acknowledged.",
        Scope.GENERATOR,
        ("HZ-32",),
        _hears(_first_half),
    ),
    FaultKind(
        "off_ignored",
        "Off is acknowledged and not carried out, of a channel and of all; the lease still ends outputs.",
        Scope.GENERATOR,
        ("HZ-15",),
        _hears(_without_off),
    ),
    FaultKind(
        "set_point_corrupted",
        "A setting is held as so many times what was written.",
        Scope.CHANNEL,
        ("HZ-31",),
        _remembers(_corrupt),
        {"register": Name("set_temperature_c", SETTINGS), "factor": Number(1.1, 0.0, 100.0)},
    ),
    FaultKind(
        "stimulation_wrong_rate",
        "The stimulator runs at another rate than was written.",
        Scope.CHANNEL,
        ("HZ-27",),
        _stuck("stimulation_rate_dhz", "rate_hz", 10.0),
        {"rate_hz": Number(2.0, 0.1, 1000.0, "Hz")},
    ),
    FaultKind(
        "stimulation_wrong_width",
        "The stimulator's pulses have another width than was written.",
        Scope.CHANNEL,
        ("HZ-55",),
        _stuck("stimulation_width_us", "width_us", 1.0),
        {"width_us": Number(100.0, 1.0, 10_000.0, "us")},
    ),
    FaultKind(
        "stimulation_wrong_unit",
        "The stimulator takes volts for milliamperes.",
        Scope.CHANNEL,
        ("HZ-55",),
        _remembers(_wrong_unit),
    ),
    FaultKind(
        "other_controller",
        "Somebody else takes the generator over.",
        Scope.GENERATOR,
        ("HZ-25",),
        _changes(_owned),
        {"session": Number(4711.0, 1.0, 65_535.0)},
        instant=True,
        reference_only=True,
    ),
    FaultKind(
        "setting_changed",
        "A setting changes without the host, as by a hand at the panel.",
        Scope.CHANNEL,
        ("HZ-25", "HZ-31"),
        _changes(_set),
        {"register": Name("set_temperature_c", SETTINGS), "value": Number(90.0, 0.0, 65_535.0)},
        instant=True,
    ),
    FaultKind(
        "mode_changed",
        "A channel goes into another of the modes of a lesion (3 temperature, 4 voltage, 5 power) without the host.",
        Scope.CHANNEL,
        ("HZ-25",),
        _changes(_mode),
        {"mode": Number(5.0, 3.0, 5.0)},
        instant=True,
    ),
    FaultKind(
        "wrong_map_id",
        "The generator gives itself out for another make.",
        Scope.GENERATOR,
        ("HZ-33",),
        _wire("wrong_map_id"),
    ),
    FaultKind(
        "wrong_model",
        "The identity names another model.",
        Scope.GENERATOR,
        ("HZ-33",),
        _says(model=OTHER_MODEL),
        reference_only=True,
    ),
    FaultKind(
        "wrong_firmware",
        "The identity names a firmware that nobody has tried.",
        Scope.GENERATOR,
        ("HZ-33",),
        _says(firmware=OTHER_FIRMWARE),
        reference_only=True,
    ),
    FaultKind(
        "poses_as_device",
        "The simulator gives itself out for a device.",
        Scope.GENERATOR,
        ("HZ-47",),
        _says(backend=BACKEND_DEVICE),
        reference_only=True,
    ),
)
