"""A profile's map as rows that a person reads: what lies where, and what reading or writing it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.link.registers import Space
from rfctl.profile.schema import Capabilities, Expect, items_of
from rfctl.profile.status import CHANNEL, HEAD

if TYPE_CHECKING:
    from rfctl.model.permit import Intent
    from rfctl.profile.blocks import Layout
    from rfctl.profile.item import Item
    from rfctl.profile.known import Known
    from rfctl.profile.schema import ProfileFile
    from rfctl.profile.write_schema import Step, Write


class MapRow(NamedTuple):
    """One line of the register map, for a table that a person reads.

    Attributes:
        quantity: Name, with its table in front.
        address: First register, as on the wire; of channel 1 where there are several. None where no register has it.
        stride: Registers from channel to channel; None when it concerns the whole generator.
        type: How it lies in the registers.
        intent: What reading or writing it does, by value where that matters.
        limit: What bounds it; empty for nothing.
        table: Address space.
        number: The address as the generator's document has it.
    """

    quantity: str
    address: int | None
    stride: int | None
    type: str
    intent: str
    limit: str
    table: str
    number: str


def map_rows(file: ProfileFile, layout: Layout) -> tuple[MapRow, ...]:
    """The whole map: what it was tried on, identity, traits, status, reads, writes."""
    status, traits = file.status, file.traits
    rows = [*known_rows(file.known)]
    rows += [_row(f"identity.{name}", item, layout) for name, item in file.identity.items.items()]
    rows += [
        _row(f"traits.{name}", item, layout, traits.table, traits.address or 0, traits.stride)
        for name, item in traits.items.items()
    ]
    stated = file.calibration
    if stated is not None:
        days = {"done": stated.done, "due": stated.due}
        rows += [
            _row(f"calibration.{name}", day, layout, stated.table) for name, day in days.items() if day is not None
        ]
    start = status.address or 0
    for table, names, path, base, stride in (
        (status, HEAD, "status", start, None),
        (status.channel, CHANNEL, "status.channel", start + (status.head or 0), status.stride),
    ):
        for name, items in zip(names, items_of(table, names), strict=True):
            rows += [_row(f"{path}.{name}", item, layout, status.table, base, stride) for item in items]
            if not items:
                rows.append(MapRow(f"{path}.{name}", None, None, "", "", "not there", "", ""))
    rows += [_row(f"read.{name}", item, layout) for name, item in file.read.items()]
    if file.refusals is not None:
        space, address = Space(file.refusals.table or "input"), file.refusals.address
        rows.append(MapRow("refusals", address, None, "u16", "read", "", space, layout.number(space, address)))
    rows += [
        MapRow(
            f"write.{name}",
            write.address,
            write.stride,
            _coded(write.type.value, write.order, write.scale, write.add),
            _intent(write),
            _limit(write),
            write.table,
            layout.number(Space(write.table), write.address),
        )
        for name, write in file.write.items()
    ]
    return tuple(rows)


def known_rows(known: tuple[Known, ...]) -> tuple[MapRow, ...]:
    """A row for each model that the profile was tried on."""
    return tuple(
        MapRow(f"known[{index}]", None, None, "", "", f"tried on {each.in_words}", "", "")
        for index, each in enumerate(known)
    )


def sequence_lines(file: ProfileFile) -> tuple[str, ...]:
    """Each sequence in a line: ``arm: command = arm, read arm_token``."""
    return tuple(f"{name}: {', '.join(map(_step, steps)) or 'nothing'}" for name, steps in file.sequence)


def _row(
    path: str, item: Item, layout: Layout, table: str | None = None, base: int = 0, stride: int | None = None
) -> MapRow:
    if isinstance(item, Capabilities) and item.stated is not None:
        return MapRow(path, None, None, "", "", f"stated: {', '.join(sorted(item.possible))}", "", "")
    if item.stated is not None:
        return MapRow(path, None, None, "", "", f"stated: {item.stated}", "", "")
    place = layout.place(path, item, base=base, table=table)
    parts = [_coded(item.type, item.order, item.scale, item.add)]
    parts += [f"bit {item.bit}"] if item.bit is not None else []
    parts += [f"bits {item.span[0]} to {item.span[1]}"] if item.span is not None else []
    parts += ["inverted"] if item.invert else []
    parts += ["BCD"] if item.bcd else []
    limits = [_expected(item)] if isinstance(item, Expect) else []
    if item.mask is not None:
        limits.append(f"mask {item.mask:#x}")
    if item.invalid:
        limits.append("no value: " + ", ".join(f"{number:g}" for number in item.invalid))
    if item.values:
        limits.append(", ".join(f"{number} {name}" for name, number in item.values.items()))
    return MapRow(
        path,
        place.address,
        item.stride or stride,
        " ".join(parts),
        "read",
        "; ".join(limits),
        place.space,
        layout.number(place.space, place.address),
    )


def _coded(kind: str, order: str | None, scale: float, add: float) -> str:
    text = kind if order is None else f"{kind} {order}"
    if scale != 1.0:
        text += f" x {scale:g}"
    return f"{text} {add:+g}" if add else text


def _expected(item: Expect) -> str:
    if item.text is not None:
        return f"only {item.text!r} ({item.name})"
    if item.value is not None:
        return f"only {item.value:.15g} ({item.name})"
    low, high = item.minimum, item.maximum
    parts = [f"at least {low:g}"] if low is not None else []
    parts += [f"at most {high:g}"] if high is not None else []
    return f"{', '.join(parts)} ({item.name})"


def _intent(write: Write) -> str:
    if write.intents is not None:
        return ", ".join(f"{name}: {_with_permit(write, name, intent)}" for name, intent in write.intents.items())
    return _with_permit(write, "", write.intent)


def _with_permit(write: Write, name: str, intent: Intent | None) -> str:
    permit = (write.permits or {}).get(name, write.permit if intent == "energise" else None)
    shown = intent.value if intent is not None else ""
    return f"{shown} ({permit.value})" if permit is not None else shown


def _limit(write: Write) -> str:
    parts = [f"permit's {write.limit.value}"] if write.limit is not None else []
    if write.minimum is not None:
        parts.append(f"at least {write.minimum:g}")
    if write.maximum is not None:
        parts.append(f"at most {write.maximum:g}")
    if write.value is not None:
        parts.append(f"only {write.value}")
    if write.values is not None:
        parts.append("only " + ", ".join(f"{value} {name}" for name, value in write.values.items()))
    return "; ".join(parts)


def _step(step: Step) -> str:
    if step.read is not None:
        return f"read {step.read}"
    if step.wait is not None:
        return f"wait {step.within_ms} ms for {step.wait} = {step.equals}"
    change = f" xor {step.xor:#x}" if step.xor is not None else ""
    change += f" plus {step.add}" if step.add is not None else ""
    change += " complemented" if step.complement else ""
    checked = ", read back" if step.set is not None else ""
    return f"{step.write or step.set} = {step.value}{change}{checked}"
