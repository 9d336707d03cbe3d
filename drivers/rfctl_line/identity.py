"""Who answers: what IDENT and TRAITS tell, every value checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rfctl.errors import WrongDevice
from rfctl.generator import ChannelTraits, Identity
from rfctl.model.capability import Capability
from rfctl.model.told_date import date_of
from rfctl_line.table import MOST_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

PROTOCOL = "rfctl-line"
PROTOCOL_ID = 0x52464C4E  # "RFLN"; it has no number on the wire
MAJOR = 1
PROBE = "1234.5"
BACKENDS = {"device": False, "simulator": True}

_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})", re.ASCII)
_NUMBER = re.compile(r"\d{1,10}(\.\d{1,6})?|nan", re.ASCII)
_DAY = re.compile(r"\d{8}", re.ASCII)
_REMEDY = "Check the address and the profile of the station file."


def pairs(text: str, where: str) -> dict[str, str]:
    """``name=value`` words, by name.

    Raises:
        WrongDevice: Something else, or the same name twice.
    """
    words = [word.partition("=") for word in text.split(" ")]
    named = {name: value for name, _, value in words}
    if len(named) < len(words) or not all(name and sign and value for name, sign, value in words):
        raise WrongDevice(f"{text[:80]!r} is not a list of name=value", where=where, remedy=_REMEDY)
    return named


def check(told: Mapping[str, str], where: str) -> None:
    """Refuse what is not a generator of this protocol.

    Raises:
        WrongDevice: Protocol, major version or probe differ.
    """
    for name, expected in (("protocol", PROTOCOL), ("probe", PROBE)):
        if told.get(name) != expected:
            raise WrongDevice(f"{name} is {told.get(name)}, expected {expected}", where=where, remedy=_REMEDY)
    if _version(told, where)[0] != MAJOR:
        raise WrongDevice(
            f"version {told.get('version')} of the protocol, expected {MAJOR}.x",
            where=where,
            remedy="Use a driver of that version.",
        )


def channels_of(told: Mapping[str, str], where: str) -> int:
    """Number of channels.

    Raises:
        WrongDevice: None, or more than the protocol knows.
    """
    channels = int(_number(told, "channels", where))
    if not 1 <= channels <= MOST_CHANNELS:
        raise WrongDevice(f"{channels} channels, expected 1 to {MOST_CHANNELS}", where=where, remedy=_REMEDY)
    return channels


def identity_of(told: Mapping[str, str], traits: tuple[ChannelTraits, ...], where: str) -> Identity:
    """What IDENT told, checked already.

    Raises:
        WrongDevice: Something is missing or is not of its form.
    """
    backend = told.get("backend", "")
    if backend not in BACKENDS:
        raise WrongDevice(
            f"backend is {backend!r}, expected {' or '.join(BACKENDS)}",
            where=where,
            remedy="A generator must say which of the two it is.",
        )
    known = {capability.value: capability for capability in Capability}
    return Identity(
        map_id=PROTOCOL_ID,
        map_version=_version(told, where),
        simulated=BACKENDS[backend],
        model=told.get("model", "").replace("_", " "),
        serial=told.get("serial", ""),
        firmware=told.get("firmware", "").replace("_", " "),
        channels=channels_of(told, where),
        rated_power_w=_number(told, "rated_power_w", where),
        reply_ms=int(_number(told, "reply_ms", where)),
        sample_period_ms=int(_number(told, "sample_period_ms", where)),
        pad_monitored=bool(_number(told, "pad_monitored", where)),
        traits=traits,
        capabilities=frozenset(known[name] for name in told.get("capabilities", "").split(",") if name in known),
        time_scale=_number(told, "time_scale", where) if "time_scale" in told else 1.0,
        channel_off=True,
        calibration_done=_day(told, "calibration_done", where),
        calibration_due=_day(told, "calibration_due", where),
    )


def traits_of(told: Mapping[str, str], where: str) -> ChannelTraits:
    """What TRAITS told of one channel.

    Raises:
        WrongDevice: Something is missing or is no number.
    """
    return ChannelTraits(
        temperature_resolution_k=_number(told, "temperature_resolution_k", where),
        temperature_noise_k=_number(told, "temperature_noise_k", where, known=False),
    )


def _version(told: Mapping[str, str], where: str) -> tuple[int, int]:
    found = _VERSION.fullmatch(told.get("version", ""))
    if found is None:
        raise WrongDevice(f"version is {told.get('version')!r}", where=where, remedy=_REMEDY)
    return int(found[1]), int(found[2])


def _day(told: Mapping[str, str], name: str, where: str) -> date | None:
    """A date, YYYYMMDD; None where it is not told."""
    text = told.get(name)
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text) is None:
            raise ValueError("eight digits, YYYYMMDD")
        return date_of(int(text))
    except ValueError as problem:
        raise WrongDevice(
            f"{name} is {text!r}, which is no date: {problem}",
            where=where,
            remedy="Have the date set anew, or left out where it is not known.",
        ) from None


def _number(told: Mapping[str, str], name: str, where: str, *, known: bool = True) -> float:
    text = told.get(name, "")
    if _NUMBER.fullmatch(text) is None or (known and text == "nan"):
        raise WrongDevice(f"{name} is {text!r}, which is no number", where=where, remedy=_REMEDY)
    return float(text)
