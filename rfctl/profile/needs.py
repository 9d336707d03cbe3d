"""What a profile must have for what it says the generator can do, so that nothing is found missing in mid-procedure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl.model.capability import Capability

if TYPE_CHECKING:
    from rfctl.profile.schema import ProfileFile

LESION = (("max_on_s",), ("power_limit_w",))
STIMULATION = (("stimulation_rate_hz",), ("stimulation_width_us",))
NEEDS: dict[Capability, tuple[tuple[str, ...], ...]] = {
    Capability.THERMAL: (*LESION, ("set_temperature_c",), ("ramp_c_per_s",)),
    Capability.VOLTAGE_SET_POINT: (*LESION, ("voltage_set_point_v_rms",)),
    Capability.POWER_SET_POINT: (*LESION, ("power_set_point_w",)),
    Capability.STIMULATION_V: (
        *STIMULATION,
        ("stimulation_limit", "stimulation_limit_v"),
        ("stimulation_amplitude", "stimulation_amplitude_v"),
    ),
    Capability.STIMULATION_MA: (
        *STIMULATION,
        ("stimulation_limit", "stimulation_limit_ma"),
        ("stimulation_amplitude", "stimulation_amplitude_ma"),
    ),
}
"""For each capability the quantities that must be writable; of several names one."""

MODES = {
    Capability.THERMAL: "lesion_temperature",
    Capability.VOLTAGE_SET_POINT: "lesion_voltage",
    Capability.POWER_SET_POINT: "lesion_power",
    Capability.STIMULATION_V: "stimulation_voltage",
    Capability.STIMULATION_MA: "stimulation_current",
}
"""The mode in which the generator does it."""

STIMULATING = ("stimulating", "stimulation_amplitude")


def check(file: ProfileFile, where: str) -> None:
    """Refuse a profile that claims more than it can do.

    Raises:
        ConfigError: A quantity, a mode or a part of the status is missing; the message says what needs it.
    """
    can = file.identity.capabilities.possible
    lesions = can & {Capability.THERMAL, Capability.VOLTAGE_SET_POINT, Capability.POWER_SET_POINT}
    if not lesions:
        raise _missing(where, "identity.capabilities", "none that makes a lesion", "Name at least one.")
    for capability in sorted(can):
        for names in NEEDS[capability]:
            if not any(name in file.write for name in names):
                raise _missing(where, f"write.{' or write.'.join(names)}", f"needed for {capability}", "Add it.")
        mode = file.write.get("mode")
        if mode is not None and MODES[capability] not in (mode.values or {}):
            raise _missing(where, f"write.mode.values: {MODES[capability]!r}", f"needed for {capability}", "Add it.")
        if capability.startswith("stimulation"):
            for name in STIMULATING:
                if getattr(file.status.channel, name) is None:
                    raise _missing(where, f"status.channel.{name}", f"needed for {capability}", "Add it.")
    channel = file.status.channel
    tip = channel.temperature_c
    if channel.thermocouple_open is None and not tip.invalid and not tip.kind.real:
        raise _missing(
            where, "status.channel.thermocouple_open", "and no temperature stands for an open one", "Add one."
        )
    if "lease_renew" not in file.write:
        raise _missing(where, "write.lease_renew", "a lease that cannot be renewed", "Add it.")
    renewal = file.write["lease_renew"]
    key = file.lease.key
    if key is not None and key not in {renewal.value, *(renewal.values or {}).values(), None}:
        raise ConfigError(
            f"lease.key: {key} is not the value of write.lease_renew", where=where, remedy="Make the two agree."
        )


def _missing(where: str, path: str, what: str, remedy: str) -> ConfigError:
    return ConfigError(f"{path}: missing, {what}", where=where, remedy=remedy)
