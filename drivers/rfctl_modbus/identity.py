"""Who answers: the identity of a profile, every expected value checked, and the traits of the channels."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from rfctl.errors import WrongDevice
from rfctl.generator import ChannelTraits, Identity
from rfctl.link.registers import RegisterType, WordOrder, decode
from rfctl.model.told_date import date_of

if TYPE_CHECKING:
    from datetime import date

    from rfctl.model.capability import Capability
    from rfctl.profile.item import Item
    from rfctl.profile.profile import Profile
    from rfctl.profile.schema import Expect

_PROFILE_REMEDY = "Check the address, the unit and the profile of the station file."


def identity_of(
    profile: Profile, block: bytes, traits: tuple[ChannelTraits, ...], days: dict[str, date | None], where: str
) -> Identity:
    """Read the identity.

    Args:
        profile: The register map.
        block: The image of the identity, checked already.
        traits: Traits of the channels.
        days: Of the calibration, as ``calibration_of``.
        where: The generator's place, for messages.

    Raises:
        WrongDevice: The backend register has a value that stands for nothing.
    """
    return Identity(
        map_id=int(_number(profile, block, "map_id")),
        map_version=version_of(profile, block),
        simulated=_simulated(profile, block, where),
        model=_text(profile, block, "model"),
        serial=_text(profile, block, "serial"),
        firmware=_text(profile, block, "firmware"),
        channels=channels_of(profile, block, where),
        rated_power_w=_number(profile, block, "rated_power_w"),
        reply_ms=int(_number(profile, block, "reply_ms")),
        sample_period_ms=int(_number(profile, block, "sample_period_ms")),
        pad_monitored=bool(_number(profile, block, "pad_monitored")),
        traits=traits,
        capabilities=_capabilities(profile, block),
        time_scale=_time_scale(profile, block),
        channel_off=bool(profile.file.sequence.channel_off),
        calibration_done=days.get("done"),
        calibration_due=days.get("due"),
    )


def version_of(profile: Profile, block: bytes) -> tuple[int, int]:
    """Version of the map, major and minor."""
    version = int(_number(profile, block, "map_version"))
    return version >> 8, version & 0xFF


def check(profile: Profile, block: bytes, where: str) -> None:
    """Refuse a generator that is not the profile's.

    Raises:
        WrongDevice: An expected value, or the major version of the map, differs.
    """
    schema = profile.file.identity
    for index, expect in enumerate(schema.expect):
        name = f"expect[{index}]"
        problem = _differs(profile, block, name, expect)
        if problem:
            swapped = _in_another_order(profile, block, name, expect)
            place = profile.identity_places[name]
            raise WrongDevice(
                f"{expect.name} in register {profile.layout.number(place.space, place.address)} is {problem} "
                f"by profile {profile.name}" + (f"; in word order {swapped} it is that" if swapped else ""),
                where=where,
                remedy=_PROFILE_REMEDY,
                keys=("profile.word_order",) if swapped else (f"identity.{name}",),
            )
    major, minor = version_of(profile, block)
    if major != schema.map_version.major:
        raise WrongDevice(
            f"map version {major}.{minor}, expected {schema.map_version.major}.x by profile {profile.name}",
            where=where,
            remedy="Use a profile of that version.",
            keys=("identity.map_version",),
        )


def channels_of(profile: Profile, block: bytes, where: str) -> int:
    """Number of channels.

    Raises:
        WrongDevice: None, or more than the profile knows.
    """
    channels = int(_number(profile, block, "channels"))
    most = profile.file.profile.channels
    if not 1 <= channels <= most:
        raise WrongDevice(
            f"{channels} channels, expected 1 to {most} by profile {profile.name}",
            where=where,
            remedy=_PROFILE_REMEDY,
            keys=("identity.channels",),
        )
    return channels


def traits_of(profile: Profile, data: bytes, channels: int) -> tuple[ChannelTraits, ...]:
    """Traits of each channel, from the image of the traits."""
    image = profile.traits(channels)
    items = profile.file.traits.items
    found = []
    for places in profile.trait_places(channels):
        values = {"temperature_noise_k": math.nan}
        for name, item in items.items():
            place = places.get(name)
            values[name] = _stated(item) if place is None else _value(item, image.data(place, data), place.order)
        found.append(ChannelTraits(**values))
    return tuple(found)


def calibration_of(profile: Profile, data: bytes, where: str) -> dict[str, date | None]:
    """Day of the calibration and last day on which it holds, from the image of the calibration; None where not known.

    Raises:
        WrongDevice: A number that is no date.
    """
    days: dict[str, date | None] = {}
    for name, place in profile.calibration_places.items():
        number = _value(place.item, profile.calibration.data(place, data), place.order)
        try:
            days[name] = None if math.isnan(number) else date_of(int(number))
        except ValueError as problem:
            raise WrongDevice(
                f"calibration {name} in register {profile.layout.number(place.space, place.address)} is {number:.0f}, "
                f"which is no date: {problem}",
                where=where,
                remedy="A date is year x 10000 + month x 100 + day, or 0. Check the profile, or have the date set.",
                keys=(f"calibration.{name}",),
            ) from None
    return days


def _simulated(profile: Profile, block: bytes, where: str) -> bool:
    backend = profile.file.identity.backend
    got = int(_number(profile, block, "backend"))
    if got not in {backend.device, backend.simulated}:
        place = profile.identity_places.get("backend")
        number = "" if place is None else f" {profile.layout.number(place.space, place.address)}"
        raise WrongDevice(
            f"backend register{number} is {got}, expected {backend.device} (device) or {backend.simulated} (simulator)",
            where=where,
            remedy="A generator must say which of the two it is.",
            keys=("identity.backend",),
        )
    return got == backend.simulated


def _differs(profile: Profile, block: bytes, name: str, expect: Expect) -> str:
    """What is there and what was expected; empty where the two agree."""
    if expect.text is not None:
        text = _text(profile, block, name)
        return "" if text == expect.text else f"{text!r}, expected {expect.text!r}"
    got = _number(profile, block, name)
    if expect.value is not None:
        return "" if got == expect.value else f"{_shown(got, expect)}, expected {_shown(expect.value, expect)}"
    low = -math.inf if expect.minimum is None else expect.minimum
    high = math.inf if expect.maximum is None else expect.maximum
    return "" if low <= got <= high else f"{got:.9g}, expected {low:g} to {high:g}"


def _in_another_order(profile: Profile, block: bytes, name: str, expect: Expect) -> WordOrder | None:
    """The word order in which the expected value would be there."""
    if expect.text is not None or expect.value is None:
        return None
    data = profile.identity.data(profile.identity_places[name], block)
    return next((order for order in WordOrder if _value(expect, data, order) == expect.value), None)


def _number(profile: Profile, block: bytes, name: str) -> float:
    place = profile.identity_places.get(name)
    if place is None:
        return _stated(profile.file.identity.items[name])
    return _value(place.item, profile.identity.data(place, block), place.order)


def _stated(item: Item) -> float:
    return float(item.stated) if isinstance(item.stated, bool | int | float) else math.nan


def _value(item: Item, data: bytes, order: WordOrder) -> float:
    return float(item.meaning(decode(data, item.kind, order)))


def _capabilities(profile: Profile, block: bytes) -> frozenset[Capability]:
    item = profile.file.identity.capabilities
    if item.stated is not None:
        return item.possible
    word = int(_number(profile, block, "capabilities"))
    return frozenset(capability for capability, bit in item.bits.items() if word >> bit & 1)


def _time_scale(profile: Profile, block: bytes) -> float:
    """1 where the generator does not say, or says 0."""
    return 1.0 if profile.file.identity.time_scale is None else _number(profile, block, "time_scale") or 1.0


def _text(profile: Profile, block: bytes, name: str) -> str:
    """A text, or a number as text."""
    place = profile.identity_places.get(name)
    if place is None:
        return str(profile.file.identity.items[name].stated)
    data = profile.identity.data(place, block)
    if not place.item.type.startswith("text:"):
        return f"{_value(place.item, data, place.order):.9g}"
    return data.split(b"\0", 1)[0].decode("ascii", errors="replace").strip()


def _shown(value: float, item: Item) -> str:
    if not item.kind.real and value.is_integer() and item.plain and item.scale == 1.0 and value >= 0:
        return f"0x{int(value):0{4 * item.registers}x}"
    if item.kind is not RegisterType.F32 or math.isfinite(value):
        return f"{value:.9g}"
    return f"{value} ({struct.pack('>f', value).hex()})"
