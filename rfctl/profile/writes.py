"""From the [write] and [energise] tables of a profile to the gate's table, refusing what would leave a hole in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from rfctl.errors import ConfigError
from rfctl.link.registers import RegisterType
from rfctl.link.write_table import MODE, Act, Energising, Limit, Writable, WriteTable
from rfctl.model.permit import Intent, PermitKind
from rfctl.model.reading import Mode

if TYPE_CHECKING:
    from rfctl.profile.schema import Energise, ProfileFile, Write

# Quantities of a known name do what the name says, in every profile. An intent of None: it depends on the value.
MEANING: dict[str, tuple[Intent | None, Limit | None]] = {
    "all_off": (Intent.OFF, None),
    "owner": (Intent.CONFIG, None),
    "lease_ms": (Intent.CONFIG, None),
    "lease_renew": (Intent.RENEW, None),
    "lease_clear": (Intent.CONFIG, None),
    "command": (None, None),
    "fire": (Intent.ENERGISE, None),
    "mode": (Intent.CONFIG, None),
    "set_temperature_c": (Intent.CONFIG, Limit.TEMPERATURE_C),
    "max_on_s": (Intent.CONFIG, Limit.DURATION_S),
    "power_limit_w": (Intent.CONFIG, Limit.POWER_W),
    "stimulation_amplitude": (Intent.ENERGISE, Limit.STIMULATION),
    "stimulation_limit": (Intent.CONFIG, Limit.STIMULATION),
    "voltage_set_point_v_rms": (Intent.ENERGISE, Limit.VOLTAGE_V_RMS),
    "power_set_point_w": (Intent.ENERGISE, Limit.POWER_W),
}
COMMANDS = {
    "off": (Intent.OFF, None),
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
        Mode.STIMULATION_VOLTAGE: frozenset({Limit.STIMULATION}),
        Mode.STIMULATION_CURRENT: frozenset({Limit.STIMULATION}),
    },
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
    if not any(_is_all_off(writable) for writable in writables):
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
    if write.type is RegisterType.F32 and (write.value is not None or write.values is not None):
        _refuse(where, path, "value and values need a whole number", "Use u16 or u32, or maximum.")
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
        if intent is not None and intents != {intent}:
            _refuse(where, path, f"a write of it is {intent.value}, not {write.intent or write.intents}", "Correct it.")
        if write.limit is not limit:
            needed = f'limit = "{limit.value}"' if limit else "no limit"
            _refuse(where, f"{path}.limit", f"it is bounded by {needed}", "Correct it.")
    if name == "command":
        for _, act in acts:
            if COMMANDS.get(act.name) != (act.intent, act.permit):
                _refuse(where, path, f"value {act.name!r} does not do what its name says", f"Valid: {_commands()}.")
    if name == MODE:
        valid = {mode.name.lower() for mode in Mode}
        for _, act in acts:
            if act.name not in valid:
                _refuse(where, f"{path}.values", f"unknown mode {act.name!r}", f"Valid: {', '.join(sorted(valid))}.")
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
            order=file.profile.word_order,
            acts=acts,
            scale=write.scale,
            maximum=write.maximum,
            limit=write.limit,
        )
        for channel in channels
    ]


def _check_registers(writables: list[Writable], where: str) -> None:
    taken: dict[int, Writable] = {}
    for writable in writables:
        for register in range(writable.address, writable.address + writable.type.registers):
            if register > 0xFFFF:
                _refuse(where, f"write.{writable.quantity}", f"register {register} is above 65535", "Correct it.")
            other = taken.setdefault(register, writable)
            if other is not writable:
                _refuse(
                    where,
                    f"write.{writable.quantity}",
                    f"register {register} is that of {other.place} and of {writable.place}",
                    "Correct address, type or stride.",
                )


def _is_all_off(writable: Writable) -> bool:
    return writable.channel is None and any(act.intent is Intent.OFF for _, act in writable.acts)


def _energising(kind: PermitKind, rule: Energise, file: ProfileFile, where: str) -> Energising:
    path = f"energise.{kind.value}"
    bounded_by: dict[str, Limit | None] = {}
    for index, name in enumerate(rule.requires):
        write = file.write.get(name)
        if write is None or write.stride is None or write.intent is not Intent.CONFIG:
            _refuse(where, f"{path}.requires[{index}]", f"{name!r} is no set point of a channel", "Correct the name.")
        bounded_by[name] = write.limit
    write = file.write.get(MODE)
    names = (write.values or {}) if write is not None else {}
    for name in rule.modes:
        if name not in names:
            _refuse(where, f"{path}.mode", f"{name!r} is no value of write.mode", f"Valid: {', '.join(names)}.")
    modes = tuple(Mode[name.upper()] for name in rule.modes)
    needs = {mode: BOUNDED_BY[kind].get(mode) for mode in modes}
    for mode, needed in needs.items():
        if needed is None:
            _refuse(where, f"{path}.mode", f"{mode.name.lower()} is no mode of a {kind.value}", "Correct it.")
        missing = ", ".join(sorted(limit.value for limit in needed - set(bounded_by.values())))
        if missing:
            _refuse(where, f"{path}.requires", f"nothing required is bounded by {missing}", "Require such a set point.")
    # A set point that bounds something in some of the modes only is required in these.
    apart = {
        name: [mode for mode, needed in needs.items() if limit in (needed or ())] for name, limit in bounded_by.items()
    }
    apart = {name: those for name, those in apart.items() if 0 < len(those) < len(modes)}
    return Energising(
        kind,
        tuple(name for name in rule.requires if name not in apart),
        modes,
        tuple((mode, tuple(name for name, those in apart.items() if mode in those)) for mode in modes) if apart else (),
    )


def _commands() -> str:
    return ", ".join(f"{name} ({intent.value})" for name, (intent, _) in COMMANDS.items())


def _refuse(where: str, path: str, what: str, remedy: str) -> NoReturn:
    raise ConfigError(f"{path}: {what}", where=where, remedy=remedy)
