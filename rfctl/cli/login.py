"""The login of whoever runs a procedure in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.cli.password import read_password

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.accounts.deeds import Done
    from rfctl.accounts.door import Login
    from rfctl.accounts.roles import Person
    from rfctl.station.station_file import Station


def asked_password(station: Station, name: str, file: Path | None, option: str = "--password-file") -> str | None:
    """A password; None where the station has no accounts. ``option`` is by which a file can be given.

    Raises:
        ConfigError: As read_password, or a password for a station without accounts.
    """
    from rfctl.errors import ConfigError

    if station.accounts is not None:
        return read_password(file, f"Password of {name}", option=option)
    if file is not None:
        raise ConfigError(
            f"{option} for a station without accounts",
            where=station.id,
            remedy="Leave it out, or set station.accounts.",
        )
    return None


def log_in(station: Station, name: str, file: Path | None) -> Login | None:
    """Have the operator prove a name that may begin a procedure; None where the station has no accounts.

    Raises:
        ConfigError: As asked_password, or the accounts file cannot be used.
        RefusedError: Name or password is wrong, or no role of the account allows it.
    """
    from rfctl.accounts.door import Door
    from rfctl.accounts.roles import Act, require
    from rfctl.clock import RealClock

    password = asked_password(station, name, file)
    if password is None or station.accounts is None:
        return None
    login = Door(station.accounts, RealClock()).log_in(name, password)
    require(login.person, Act.START, patient=station.patient)
    return login


def prove(station: Station, name: str, file: Path | None, *, option: str = "--password-file") -> Person | None:
    """Have somebody prove a name, whatever it may do; None where the station has no accounts.

    Raises:
        ConfigError: As asked_password, or the accounts file cannot be used.
        RefusedError: Name or password is wrong.
    """
    from rfctl.accounts.door import Door
    from rfctl.clock import RealClock

    password = asked_password(station, name, file, option)
    if password is None or station.accounts is None:
        return None
    return Door(station.accounts, RealClock()).log_in(name, password).person


def began(login: Login | None, title: str, *, alarm_heard: bool = False) -> tuple[Done, ...]:
    """What the record of a procedure begins with: who logged in, heard the alarm's test tone, and started it."""
    from rfctl.accounts.deeds import Deed, Done

    person = login.person if login is not None else None
    deeds = [(Deed.LOGIN, login is not None), (Deed.ALARM_HEARD, alarm_heard), (Deed.START, True)]
    return tuple(Done.by(person, deed, title if deed is Deed.START else "") for deed, done in deeds if done)
