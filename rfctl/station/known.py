"""Whether generator and profile are those that were tried together: by any other nothing is planned or energised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.errors import ConfigError, WrongDevice
from rfctl.profile.known import in_words, key_of, knows

if TYPE_CHECKING:
    from rfctl.generator import Identity
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.station_file import Station


def is_known(profile: AnyProfile, identity: Identity) -> bool:
    """Model and firmware stand in ``[[known]]`` of the profile."""
    return knows(profile.known, identity.model, identity.firmware)


def require_map(station: Station, profile: AnyProfile) -> None:
    """The profile is the one whose digest the station file states, if it states one.

    Raises:
        ConfigError: It was changed since, or is another one.
    """
    if station.profile_sha256 not in {None, profile.sha256}:
        raise ConfigError(
            f"profile {profile.name} is not the one that {station.id} was set up with: its digest is {profile.sha256}, "
            f"generator.profile_sha256 is {station.profile_sha256}",
            where=str(profile.path),
            remedy="Take the profile back to what it was. Or try it on a load with rfctl check generator, then state "
            "its digest.",
        )


def require(profile: AnyProfile, identity: Identity) -> None:
    """The generator may be energised by this profile, as far as its model and firmware are concerned.

    Raises:
        WrongDevice: Its model or firmware is not in ``[[known]]``: it may be watched, and no more.
    """
    if not is_known(profile, identity):
        raise WrongDevice(
            f"profile {profile.name} was not tried on {identity.model!r} with firmware {identity.firmware!r}; "
            f"it knows {in_words(profile.known)}",
            where=str(profile.path),
            remedy="Such a generator is only watched. Try it on a load with rfctl check generator, then add model and "
            "firmware to [[known]] of a copy of the profile.",
            keys=(key_of(profile.known, identity.model),),
        )
