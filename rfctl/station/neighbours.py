"""The other units on the generator's line, as the station file names them: asked between cycles, and recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import ConfigError
from rfctl.link.bus import Bus, Neighbour
from rfctl.link.modbus import bits_in, read, registers_in
from rfctl.link.registers import Space
from rfctl.profile.any_profile import DeclaredProfile

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.link.bus import Heard
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.record.writer import RecordWriter
    from rfctl.station.station_file import Station


def bus_of(station: Station, profile: AnyProfile, record: RecordWriter, clock: Clock) -> Bus | None:
    """Whoever asks the neighbours and puts what they say in the record; None where the station file names none.

    Raises:
        ConfigError: A neighbour has the generator's own unit identifier, or the profile's protocol has no units.
    """
    if not station.neighbours:
        return None
    if isinstance(profile, DeclaredProfile):
        raise ConfigError(
            f"generator.neighbours with profile {profile.name!r}, whose protocol knows no units",
            where=station.id,
            remedy="Only a Modbus line carries several units; remove them.",
        )
    counts = {}
    for section in station.neighbours:
        if section.unit == profile.unit:
            raise ConfigError(
                f"neighbour {section.name!r} has unit {section.unit}, which is the generator's",
                where=station.id,
                remedy="Each unit on a line needs an identifier of its own.",
            )
        space = Space(section.space)
        neighbour = Neighbour(
            section.name,
            section.unit,
            read(space, section.address, section.count),
            section.reply_ms * NS_PER_MS,
            round(section.every_s * NS_PER_S),
        )
        counts[neighbour] = (section.count, space.of_bits)

    def heard(heard: Heard) -> None:
        members: dict[str, object] = {"name": heard.neighbour.name, "unit": heard.neighbour.unit}
        if heard.reply:
            count, of_bits = counts[heard.neighbour]
            data = bits_in(heard.reply, count) if of_bits else registers_in(heard.reply)
            members["values"] = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        else:
            members |= {"problem": heard.problem, "failures": heard.failures}
        record.append("neighbour", heard.at_ns, members)

    return Bus(tuple(counts), clock, heard)
