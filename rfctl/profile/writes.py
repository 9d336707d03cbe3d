"""From the [write] and [energise] tables of a profile to the gate's table, refusing what would leave a hole in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

from rfctl.errors import ConfigError
from rfctl.kernel.limits import DURATION_MAX_S, TEMPERATURE_MAX_C
from rfctl.link.registers import RegisterType, Space
from rfctl.link.write_table import MODE, Act, Energising, Limit, Writable, WriteTable
from rfctl.model.permit import Intent, PermitKind
from rfctl.model.reading import Mode

if TYPE_CHECKING:
    from rfctl.profile.schema import ProfileFile
    from rfctl.profile.write_schema import Energise, Write

# Quantities of a known name do what the name says, in every profile. An intent of None: it depends on the value. A
# named value "off" turns off, whatever the quantity.
MEANING: dict[str, tuple[Intent | None, Limit | None]] = {
    "all_off": (Intent.OFF, None),
    "owner": (Intent.CONFIG, None),
    "lease_ms": (Intent.CONFIG, None),
    "lease_renew": (Intent.RENEW, None),
    "lease_clear": (Intent.CONFIG, None),
    "command": (None, None),
    "arm": (Intent.ENERGISE, None),
    "response": (Intent.ENERGISE, None),
    "fire": (Intent.ENERGISE, None),
    "stimulate": (Intent.ENERGISE, None),
    "mode": (Intent.CONFIG, None),
    "set_temperature_c": (Intent.CONFIG, Limit.TEMPERATURE_C),
    "max_on_s": (Intent.CONFIG, Limit.DURATION_S),
    "power_limit_w": (Intent.CONFIG, Limit.POWER_W),
    "stimulation_amplitude": (Intent.ENERGISE, Limit.STIMULATION),
    "stimulation_amplitude_v": (Intent.ENERGISE, Limit.STIMULATION_V),
    "stimulation_amplitude_ma": (Intent.ENERGISE, Limit.STIMULATION_MA),
    "stimulation_limit": (Intent.CONFIG, Limit.STIMULATION),
    "stimulation_limit_v": (Intent.CONFIG, Limit.STIMULATION_V),
    "stimulation_limit_ma": (Intent.CONFIG, Limit.STIMULATION_MA),
    "voltage_set_point_v_rms": (Intent.ENERGISE, Limit.VOLTAGE_V_RMS),
    "power_set_point_w": (Intent.ENERGISE, Limit.POWER_W),
}
PERMITS = {
    "arm": PermitKind.LESION,
    "response": PermitKind.LESION,
    "fire": PermitKind.LESION,
    "stimulate": PermitKind.STIMULATION,
    "stimulation_amplitude": PermitKind.STIMULATION,
    "stimulation_amplitude_v": PermitKind.STIMULATION,
    "stimulation_amplitude_ma": PermitKind.STIMULATION,
    "voltage_set_point_v_rms": PermitKind.LESION,
    "power_set_point_w": PermitKind.LESION,
}
COMMANDS = {
    "off": (Intent.OFF, None),
    "enable": (Intent.CONFIG, None),
    "clear_faults": (Intent.CONFIG, None),
    "fire": (Intent.ENERGISE, PermitKind.LESION),
    "arm": (Intent.ENERGISE, PermitKind.LESION),
    "stimulate": (Intent.ENERGISE, PermitKind.STIMULATION),
}
# A permit's envelope binds only through set points: each part of it needs one that must have been written. Where the
# station controls the temperature there is no set temperature to bound; the set point is bounded with each write of it.
BOUNDED_BY = {
    PermitKind.LESION: {
        Mode.LESION_TEMPERATURE: frozenset({Limit.TEMPERATURE_C, Limit.POWER_W, Limit.DURATION_S}),
        Mode.LESION_VOLTAGE: frozenset({Limit.POWER_W, Limit.DURATION_S}),
        Mode.LESION_POWER: frozenset({Limit.POWER_W, Limit.DURATION_S}),
    },
    PermitKind.STIMULATION: {
        Mode.STIMULATION_VOLTAGE: frozenset({Limit.STIMULATION_V}),
        Mode.STIMULATION_CURRENT: frozenset({Limit.STIMULATION_MA}),
    },
}
EITHER = frozenset({Limit.STIMULATION_V, Limit.STIMULATION_MA})
"""What ``Limit.STIMULATION`` bounds, by the mode."""

# The highest that a profile may allow: a machine's own range may be narrower, never wider.
HARD = {
    Limit.TEMPERATURE_C: (TEMPERATURE_MAX_C, "degC"),
    Limit.DURATION_S: (DURATION_MAX_S, "s"),
    Limit.STIMULATION: (10.0, "V or mA"),
    Limit.STIMULATION_V: (10.0, "V"),
    Limit.STIMULATION_MA: (10.0, "mA"),
}


def write_table(file: ProfileFile, where: str) -> WriteTable:
    """Compile the gate's table.

    Args:
        file: The profile.
        where: Its path, for messages.

    Raises:
        ConfigError: A table that contradicts itself or leaves a hole; the message names the dotted path.
    """
    writables: list[Writable] = []
    for name, write in file.write.items():
        acts = _acts(name, write, where)
        _check_meaning(name, write, acts, where)
        writables += _expanded(name, write, acts, file)
    _check_registers(writables, where)
    if not any(_is_all_off(writable, file) for writable in writables):
        _refuse(where, "write", "no register turns everything off", 'Add one without stride and with intent = "off".')
    energising = tuple(_energising(kind, rule, file, where) for kind, rule in file.energise.items())
    known = {rule.kind for rule in energising}
    for writable in writables:
        for _, act in writable.acts:
            if act.permit is not None and act.permit not in known:
                _refuse(
                    where,
                    f"write.{writable.quantity}",
                    f"needs a {act.permit.value} permit, of which energise.{act.permit.value} is missing",
                    "Add that table.",
                )
    return WriteTable(file.profile.unit, tuple(writables), energising)


def _acts(name: str, write: Write, where: str) -> tuple[tuple[int | None, Act], ...]:
    path = f"write.{name}"
    if (write.intent is None) == (write.intents is None):
        _refuse(where, path, "needs either intent or intents", "Give one of the two.")
    if write.value is not None and write.values is not None:
        _refuse(where, path, "has both value and values", "Give one of the two.")
    if write.type.real and (write.value is not None or write.values is not None):
        _refuse(where, path, "value and values need a whole number", "Use a whole type, or maximum.")
    if write.add and (write.value is not None or write.values is not None):
        _refuse(where, path, "value and values are numbers in the register, and add is none", "Leave add out.")
    if (write.table == "coil") != (write.type is RegisterType.BIT):
        _refuse(where, f"{path}.type", f"a {write.type.value} in the table {write.table}", "Coils are of type bit.")
    low, high = write.type.range if not write.type.real else (-math.inf, math.inf)
    for value in (write.value, *(write.values or {}).values()):
        if value is not None and not low <= value <= high:
            _refuse(where, path, f"{value} does not fit a {write.type.value}", "Correct it.")
    values = write.values or {}
    if len(set(values.values())) < len(values):
        _refuse(where, f"{path}.values", "two names for one value", "Give each value one name.")
    if write.intents is not None and set(write.intents) != set(values):
        _refuse(where, f"{path}.intents", "does not name exactly the values", f"Name each of: {', '.join(values)}.")
    if write.permits is not None and not set(write.permits) <= set(values):
        _refuse(where, f"{path}.permits", "names something that is no value", f"Values: {', '.join(values)}.")
    acts: list[tuple[int | None, Act]] = []
    for value_name, value in values.items() or [("", write.value)]:
        intent = write.intent if write.intents is None else write.intents[value_name]
        permit = (write.permits or {}).get(value_name, write.permit)
        if intent is None or (intent is Intent.ENERGISE) != (permit is not None):
            _refuse(where, path, "an intent of energise needs a permit, and no other intent has one", "Correct it.")
        acts.append((value, Act(intent, permit, value_name)))
    return tuple(acts)


def _check_meaning(name: str, write: Write, acts: tuple[tuple[int | None, Act], ...], where: str) -> None:
    path = f"write.{name}"
    intents = {act.intent for _, act in acts}
    if name in MEANING:
        intent, limit = MEANING[name]
        done = {act.intent for _, act in acts if act.name not in {"off", "end"}}
        if intent is not None and done != {intent}:
            _refuse(where, path, f"a write of it is {intent.value}, not {write.intent or write.intents}", "Correct it.")
        if write.limit is not limit:
            needed = f'limit = "{limit.value}"' if limit else "no limit"
            _refuse(where, f"{path}.limit", f"it is bounded by {needed}", "Correct it.")
    for _, act in acts:
        if act.name == "off" and act.intent is not Intent.OFF:
            _refuse(where, path, f"value 'off' does {act.intent.value}", "Its intent is off.")
        if act.name == "end" and act.intent not in {Intent.OFF, Intent.CONFIG}:
            _refuse(where, path, f"value 'end' does {act.intent.value}", "Its intent is config.")
        if act.permit is not None and PERMITS.get(name, act.permit) is not act.permit:
            _refuse(where, path, f"it needs a {PERMITS[name].value} permit, not {act.permit.value}", "Correct it.")
    if name == "command":
        for _, act in acts:
            if COMMANDS.get(act.name) != (act.intent, act.permit):
                _refuse(where, path, f"value {act.name!r} does not do what its name says", f"Valid: {_commands()}.")
    if name == MODE:
        valid = {mode.name.lower() for mode in Mode}
        for _, act in acts:
            if act.name not in valid:
                _refuse(where, f"{path}.values", f"unknown mode {act.name!r}", f"Valid: {', '.join(sorted(valid))}.")
    if write.limit is not None and write.maximum is not None and write.limit in HARD:
        hard, unit = HARD[write.limit]
        if write.maximum > hard:
            _refuse(where, f"{path}.maximum", f"{write.maximum:g} is looser than the hard {hard:g} {unit}", "Lower it.")
    if write.minimum is not None and write.maximum is not None and write.minimum > write.maximum:
        _refuse(where, f"{path}.minimum", "above the maximum", "Correct it.")
    if write.stride is None and (write.limit is not None or Intent.ENERGISE in intents or name == MODE):
        _refuse(where, path, "it energises or bounds a channel, and has no stride", "Give the stride of its channels.")


def _expanded(name: str, write: Write, acts: tuple[tuple[int | None, Act], ...], file: ProfileFile) -> list[Writable]:
    channels = [None] if write.stride is None else range(1, file.profile.channels + 1)
    return [
        Writable(
            quantity=name,
            channel=channel,
            address=write.address + (write.stride or 0) * ((channel or 1) - 1),
            type=write.type,
            order=write.order or file.profile.word_order,
            acts=acts,
            scale=write.scale,
            maximum=write.maximum,
            limit=write.limit,
            space=Space(write.table),
            shift=write.add / write.scale,
            minimum=write.minimum,
        )
        for channel in channels
    ]


def _check_registers(writables: list[Writable], where: str) -> None:
    taken: dict[tuple[Space, int], Writable] = {}
    for writable in writables:
        for register in range(writable.address, writable.address + writable.type.registers):
            if register > 0xFFFF:
                _refuse(where, f"write.{writable.quantity}", f"register {register} is above 65535", "Correct it.")
            other = taken.setdefault((writable.space, register), writable)
            if other is not writable:
                _refuse(
                    where,
                    f"write.{writable.quantity}",
                    f"register {register} is that of {other.place} and of {writable.place}",
                    "Correct address, type or stride.",
                )


def _is_all_off(writable: Writable, file: ProfileFile) -> bool:
    whole = writable.channel is None or file.profile.channels == 1
    return whole and any(act.intent is Intent.OFF for _, act in writable.acts)


def _energising(kind: PermitKind, rule: Energise, file: ProfileFile, where: str) -> Energising:
    path = f"energise.{kind.value}"
    bounded_by: dict[str, frozenset[Limit]] = {}
    for index, name in enumerate(rule.requires):
        write = file.write.get(name)
        if write is None or write.stride is None or write.intent is not Intent.CONFIG:
            _refuse(where, f"{path}.requires[{index}]", f"{name!r} is no set point of a channel", "Correct the name.")
        limit = write.limit
        bounded_by[name] = EITHER if limit is Limit.STIMULATION else frozenset({limit} if limit else ())
    settable = file.write.get(MODE)
    names = (settable.values or {}) if settable is not None else {mode.name.lower(): mode.value for mode in Mode}
    for name in rule.modes:
        if name not in names:
            _refuse(where, f"{path}.mode", f"{name!r} is no value of write.mode", f"Valid: {', '.join(names)}.")
    modes = tuple(Mode[name.upper()] for name in rule.modes)
    if settable is None and len(modes) != 1:
        _refuse(where, f"{path}.mode", "several modes, and none can be set", "Name the one that it is always in.")
    needs = {mode: BOUNDED_BY[kind].get(mode) for mode in modes}
    bounded = frozenset[Limit]().union(*bounded_by.values())
    for mode, needed in needs.items():
        if needed is None:
            _refuse(where, f"{path}.mode", f"{mode.name.lower()} is no mode of a {kind.value}", "Correct it.")
        missing = ", ".join(sorted(limit.value for limit in needed - bounded))
        if missing:
            _refuse(where, f"{path}.requires", f"nothing required is bounded by {missing}", "Require such a set point.")
    # A set point that bounds something in some of the modes only is required in these.
    apart = {
        name: [mode for mode, needed in needs.items() if limits & (needed or frozenset())]
        for name, limits in bounded_by.items()
    }
    apart = {name: those for name, those in apart.items() if 0 < len(those) < len(modes)}
    return Energising(
        kind,
        tuple(name for name in rule.requires if name not in apart),
        modes,
        tuple((mode, tuple(name for name, those in apart.items() if mode in those)) for mode in modes) if apart else (),
        settable is not None,
    )


def _commands() -> str:
    return ", ".join(f"{name} ({intent.value})" for name, (intent, _) in COMMANDS.items())


def _refuse(where: str, path: str, what: str, remedy: str) -> NoReturn:
    raise ConfigError(f"{path}: {what}", where=where, remedy=remedy)
