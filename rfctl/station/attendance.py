"""Who owns the station of a session, and lets others reach it: the desk where anyone local stops it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rfctl.record.pointer import StateFolder
from rfctl.station.stop_desk import StopDesk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.station.connection import Connection
    from rfctl.station.stop_desk import Stoppable


class Attendant(Protocol):
    """Runs a session: owns the station's state folder, and can stop it."""

    @property
    def state_folder(self) -> StateFolder:
        """Owned."""
        ...

    def attend(self, procedure: Stoppable, connection: Connection) -> None:
        """The procedure can be stopped from now on. Must not wait."""
        ...

    def completed(self) -> None:
        """The poll loop has completed a cycle. Must not wait."""
        ...

    def leave(self, *, off_measured: bool, text: str) -> None:
        """The session is over, whatever came of it. Must not wait."""
        ...


class Bedside:
    """Attends one session that is a command of its own."""

    def __init__(self, state_folder: StateFolder, desk: StopDesk | None) -> None:
        self.state_folder = state_folder
        self._desk = desk

    def attend(self, procedure: Stoppable, connection: Connection) -> None:
        if self._desk is not None:
            self._desk.attend(procedure, connection)

    def completed(self) -> None:
        """Nobody counts."""

    def leave(self, *, off_measured: bool, text: str) -> None:
        if self._desk is not None:
            self._desk.leave(off_measured=off_measured, text=text)


@contextmanager
def at_the_bedside(state_folder: Path, clock: Clock) -> Iterator[Bedside]:
    """Own a state folder for one session. In virtual time, over in a moment and with no device, there is no desk.

    Raises:
        ConfigError: Another process owns the folder, or it cannot be used.
    """
    with StateFolder.claim(state_folder) as owned:
        if clock.scale != "real":
            yield Bedside(owned, None)
            return
        with StopDesk(state_folder) as desk:
            yield Bedside(owned, desk)
