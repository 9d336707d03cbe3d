"""Who answers: the identity block of a profile, every expected value checked, and the traits of the channels."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from rfctl.errors import WrongDevice
from rfctl.generator import ChannelTraits, Identity
from rfctl.link.registers import RegisterType, WordOrder, decode

if TYPE_CHECKING:
    from rfctl.model.capability import Capability
    from rfctl.profile.profile import Profile
    from rfctl.profile.schema import Expect, Measured, Real, Text

_PROFILE_REMEDY = "Check the address, the unit and the profile of the station file."


def identity_of(profile: Profile, block: bytes, traits: tuple[ChannelTraits, ...], where: str) -> Identity:
    """Read the identity block.

    Args:
        profile: The register map.
        block: Registers of the block, checked already.
        traits: Traits of the channels.
        where: The generator's place, for messages.

    Raises:
        WrongDevice: The backend register has a value that stands for nothing.
    """
    schema = profile.file.identity
    version = int(_number(profile, block, schema.map_version))
    return Identity(
        map_id=int(_number(profile, block, schema.map_id)),
        map_version=(version >> 8, version & 0xFF),
        simulated=_simulated(profile, block, where),
        model=_text(profile, block, schema.model),
        serial=_text(profile, block, schema.serial),
        firmware=_text(profile, block, schema.firmware),
        channels=channels_of(profile, block, where),
        rated_power_w=_number(profile, block, schema.rated_power_w),
        reply_ms=int(_number(profile, block, schema.reply_ms)),
        sample_period_ms=int(_number(profile, block, schema.sample_period_ms)),
        pad_monitored=bool(_number(profile, block, schema.pad_monitored)),
        traits=traits,
        capabilities=_capabilities(profile, block),
    )


def check(profile: Profile, block: bytes, where: str) -> None:
    """Refuse a generator that is not the profile's.

    Raises:
        WrongDevice: An expected value, or the major version of the map, differs.
    """
    schema = profile.file.identity
    for index, expect in enumerate(schema.expect):
        got = _number(profile, block, expect)
        if got != expect.value:
            swapped = _in_another_order(profile, block, expect)
            raise WrongDevice(
                f"{expect.name} in register {expect.address} is {_shown(got, expect)}, "
                f"expected {_shown(expect.value, expect)} by profile {profile.name}"
                + (f"; in word order {swapped} it is that" if swapped else ""),
                where=where,
                remedy=_PROFILE_REMEDY,
                keys=("profile.word_order",) if swapped else (f"identity.expect[{index}]",),
            )
    version = int(_number(profile, block, schema.map_version))
    if version >> 8 != schema.map_version.major:
        raise WrongDevice(
            f"map version {version >> 8}.{version & 0xFF}, expected {schema.map_version.major}.x "
            f"by profile {profile.name}",
            where=where,
            remedy="Use a profile of that version.",
            keys=("identity.map_version",),
        )


def channels_of(profile: Profile, block: bytes, where: str) -> int:
    """Number of channels.

    Raises:
        WrongDevice: None, or more than the profile knows.
    """
    channels = int(_number(profile, block, profile.file.identity.channels))
    most = profile.file.profile.channels
    if not 1 <= channels <= most:
        raise WrongDevice(
            f"{channels} channels, expected 1 to {most} by profile {profile.name}",
            where=where,
            remedy=_PROFILE_REMEDY,
            keys=("identity.channels",),
        )
    return channels


def traits_of(profile: Profile, data: bytes, channel: int) -> ChannelTraits:
    """Traits of one channel, from the registers of all of them."""
    traits = profile.file.traits
    start = 2 * traits.stride * (channel - 1)
    order = profile.file.profile.word_order
    return ChannelTraits(
        temperature_resolution_k=_field(data, start, traits.temperature_resolution_k, order),
        temperature_noise_k=_field(data, start, traits.temperature_noise_k, order),
    )


def _simulated(profile: Profile, block: bytes, where: str) -> bool:
    backend = profile.file.identity.backend
    got = int(_number(profile, block, backend))
    if got not in {backend.device, backend.simulated}:
        raise WrongDevice(
            f"backend register {backend.address} is {got}, expected {backend.device} (device) or "
            f"{backend.simulated} (simulator)",
            where=where,
            remedy="A generator must say which of the two it is.",
            keys=("identity.backend",),
        )
    return got == backend.simulated


def _in_another_order(profile: Profile, block: bytes, expect: Expect) -> WordOrder | None:
    """The word order in which the expected value would be there."""
    start = 2 * (expect.address - profile.file.identity.address)
    data = block[start : start + 2 * expect.registers]
    return next((order for order in WordOrder if decode(data, expect.type, order) == expect.value), None)


def _number(profile: Profile, block: bytes, place: Real) -> float:
    start = 2 * (place.address - profile.file.identity.address)
    return decode(block[start : start + 2 * place.registers], place.type, profile.file.profile.word_order)


def _capabilities(profile: Profile, block: bytes) -> frozenset[Capability]:
    place = profile.file.identity.capabilities
    word = int(_number(profile, block, place))
    return frozenset(capability for capability, bit in place.bits.items() if word >> bit & 1)


def _text(profile: Profile, block: bytes, place: Text) -> str:
    start = 2 * (place.address - profile.file.identity.address)
    data = block[start : start + 2 * place.registers].split(b"\0", 1)[0]
    return data.decode("ascii", errors="replace").strip()


def _field(data: bytes, start: int, field: Measured, order: WordOrder) -> float:
    at = start + 2 * field.offset
    return decode(data[at : at + 2 * field.type.registers], field.type, order) * field.scale


def _shown(value: float, place: Real) -> str:
    if place.type is not RegisterType.F32:
        return f"0x{int(value):0{4 * place.registers}x}"
    return f"{value:g}" if math.isfinite(value) else f"{value} ({struct.pack('>f', value).hex()})"
