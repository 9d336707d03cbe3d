"""The sequences of a profile, checked: each step exists, does what its sequence may do, and gets around no permit."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl.model.permit import Intent, PermitKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rfctl.link.write_table import Act, Writable, WriteTable
    from rfctl.profile.schema import ProfileFile
    from rfctl.profile.write_schema import Step, Steps

WORDS = {
    "token": frozenset({"arm", "fire", "stimulate"}),
    "session": frozenset({"claim"}),
    "duration": frozenset({"claim"}),
}
"""Values that a step may name beside those of its quantity, and in which sequences."""

WHOLE = frozenset({"claim", "release", "clear_faults", "off"})
"""Sequences of the whole generator; the others are of one channel."""

ALLOWED = {
    "claim": {Intent.CONFIG},
    "release": {Intent.CONFIG, Intent.OFF},
    "clear_faults": {Intent.CONFIG},
    "arm": {Intent.CONFIG, Intent.ENERGISE},
    "fire": {Intent.ENERGISE},
    "stimulate": {Intent.CONFIG, Intent.ENERGISE},
    "off": {Intent.OFF},
    "channel_off": {Intent.OFF},
}
"""What the writes of a sequence may do. The lease has its own rule, so that no sequence renews it."""

PERMIT = {"arm": PermitKind.LESION, "fire": PermitKind.LESION, "stimulate": PermitKind.STIMULATION}
HARMLESS = "enable"
"""The only named value that may be a setting in a sequence that ends with an output on."""


def check(file: ProfileFile, table: WriteTable, where: str) -> None:
    """Refuse sequences that cannot be carried out, or that would do more than their name says.

    Args:
        file: The profile.
        table: Its table for the gate.
        where: Its path, for messages.

    Raises:
        ConfigError: The message names the step by its dotted path.
    """
    checker = _Checker(file, table, where)
    for name, steps in file.sequence:
        checker.sequence(name, steps)
    checker.last("fire", file.sequence.fire)
    if any(capability.startswith("stimulation") for capability in file.identity.capabilities.possible):
        checker.last("stimulate", file.sequence.stimulate)
    if any(step.value == "token" for step in file.sequence.fire) and not any(s.read for s in file.sequence.arm):
        raise checker.refuse("sequence.fire", "writes a token that arm does not read", "Read it in sequence.arm.")


def target(file: ProfileFile, table: WriteTable, name: str, step: Step, channel: int | None) -> Writable | None:
    """What a step of the sequence ``name`` writes; None where there is none of that name for that channel."""
    quantity = step.write or step.set
    write = file.write.get(quantity or "")
    if write is None:
        return None
    wanted = None
    if write.stride is not None:
        wanted = channel if name not in WHOLE else step.channel or (1 if file.profile.channels == 1 else None)
    found = (each for each in table.writables if each.quantity == quantity and each.channel == wanted)
    return next(found, None)


def act_of(writable: Writable, value: float | None) -> Act | None:
    """What writing a number does; None where it is not a listed one. ``value`` None stands for any."""
    for meant, act in writable.acts:
        if meant is None or meant == value:
            return act
    return None


class _Checker:
    def __init__(self, file: ProfileFile, table: WriteTable, where: str) -> None:
        self.file = file
        self.table = table
        self.where = where

    def sequence(self, name: str, steps: Steps) -> None:
        for at, step in enumerate(steps):
            path = f"sequence.{name}[{at}]"
            for quantity in (step.read, step.wait, step.unless):
                if quantity is not None and not self._readable(quantity):
                    self._unknown(path, quantity, [*self.file.read, *self._status_names()], "read")
            if step.write is not None or step.set is not None:
                self._write(name, path, step)
            elif name == "off":
                raise self.refuse(path, "an off awaits nothing", "It is made of writes alone.")
        if name == "off":
            self._off(steps)

    def last(self, name: str, steps: Steps) -> None:
        """The last write of a sequence that ends with an output on needs the permit of that output."""
        writes = [step for step in steps if step.write is not None]
        act = self._act(name, writes[-1]) if writes else None
        if act is None or act.permit is not PERMIT[name]:
            raise self.refuse(
                f"sequence.{name}",
                f"its last write needs no {PERMIT[name].value} permit",
                "That one turns the output on.",
            )

    def refuse(self, path: str, what: str, remedy: str) -> ConfigError:
        return ConfigError(f"{path}: {what}", where=self.where, remedy=remedy)

    def _write(self, name: str, path: str, step: Step) -> None:
        quantity = step.write or step.set or ""
        write = self.file.write.get(quantity)
        if write is None:
            self._unknown(path, quantity, list(self.file.write), "write")
        writable = target(self.file, self.table, name, step, 1)
        if writable is None:
            raise self.refuse(path, f"{quantity} is of one channel", "Say which: channel = 1.")
        if isinstance(step.value, str):
            words = {word for word, where in WORDS.items() if name in where}
            valid = [*((write.values if write else None) or {}), *sorted(words)]
            if step.value not in valid:
                raise self.refuse(
                    f"{path}.value", f"{quantity} has no value {step.value!r}", f"Valid: {', '.join(valid)}."
                )
        act = self._act(name, step)
        if act is None:
            raise self.refuse(f"{path}.value", f"{step.value} is not a listed value of {quantity}", "Correct it.")
        if act.intent not in ALLOWED[name]:
            raise self.refuse(path, f"does {act.intent.value} in {name}", f"It may: {_shown(ALLOWED[name])}.")
        if name in PERMIT and act.intent is Intent.CONFIG and act.name != HARMLESS:
            raise self.refuse(
                path,
                f"a setting in {name}: {quantity} needs no permit",
                f"What leads to an output is energise with a permit; only a value named {HARMLESS!r} is not.",
            )
        if name in PERMIT and act.permit not in {None, PERMIT[name]}:
            raise self.refuse(path, f"{quantity} needs another permit than {name}", "Correct the permit or the step.")

    def _act(self, name: str, step: Step) -> Act | None:
        writable = target(self.file, self.table, name, step, 1)
        if writable is None:
            return None
        write = self.file.write[writable.quantity]
        named = (write.values or {}).get(step.value) if isinstance(step.value, str) else step.value
        if named is None and len({act.intent for _, act in writable.acts}) > 1:
            return None  # a word, where what is done depends on the number
        return act_of(writable, named) if named is not None else writable.acts[0][1]

    def _off(self, steps: Steps) -> None:
        first = target(self.file, self.table, "off", steps[0], None)
        if first is not None and first.channel is not None and self.file.profile.channels > 1:
            raise self.refuse(
                "sequence.off[0]", f"turns only {first.place} off", "The first write turns every channel off."
            )

    def _status_names(self) -> Iterable[str]:
        status = self.file.status
        return (name for table in (status, status.channel) for name in type(table).model_fields)

    def _readable(self, quantity: str) -> bool:
        status = self.file.status
        return quantity in self.file.read or any(
            getattr(table, quantity, None) is not None
            for table in (status, status.channel)
            if quantity in type(table).model_fields
        )

    def _unknown(self, path: str, quantity: str, valid: list[str], kind: str) -> None:
        near = difflib.get_close_matches(quantity, valid, n=1, cutoff=0.5)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Add [{kind}.{quantity}]."
        raise self.refuse(path, f"there is no {kind}.{quantity}", remedy)


def _shown(intents: set[Intent]) -> str:
    return ", ".join(sorted(intent.value for intent in intents))
