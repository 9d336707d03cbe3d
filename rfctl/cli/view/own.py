"""The view of the session that runs in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rfctl.accounts.deeds import Deed, Done
from rfctl.cli.view.keys import Acknowledge, Answer, Stop
from rfctl.cli.view.screen import FRAME_S
from rfctl.cli.view.show import show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rfctl.cli.lines import Lines
    from rfctl.clock import Clock
    from rfctl.station.attended import AttendedOperator
    from rfctl.station.onlooker import Onlooker
    from rfctl.station.session import Begun
    from rfctl.station.snapshot import Snapshot


class OwnView:
    """Shows what the onlooker sees, and reaches the procedure for the person at the keys.

    Args:
        onlooker: Watches the session.
        terminal: Descriptors of keyboard and screen.
        operator: Hears the answers; None where a file answers.
        lines: Log lines that would end on the same terminal; they are kept back meanwhile. None where there are none.
    """

    def __init__(
        self, onlooker: Onlooker, terminal: tuple[int, int], operator: AttendedOperator | None, lines: Lines | None
    ) -> None:
        self._onlooker = onlooker
        self._terminal = terminal
        self._operator = operator
        self._lines = lines
        self._begun: Begun | None = None
        self._clock: Clock | None = None

    def begun(self, begun: Begun) -> None:
        """The procedure can be reached from now on."""
        self._begun = begun
        self._onlooker.procedure_id = begun.procedure_id
        self._onlooker.services = begun.services

    async def run(self, clock: Clock, pace: float) -> None:
        """Show the session until it is over. Without its view, nobody could stop it here: so it is stopped then.

        Args:
            clock: The session's clock.
            pace: Its seconds per second on the wall.
        """
        self._onlooker.time_scale = clock.scale
        self._clock = clock
        if self._lines is not None:
            self._lines.hold()
        try:
            await show(
                self._snapshots(clock, FRAME_S * pace),
                self._act,
                terminal=self._terminal,
                ours=True,
                answers=self._operator is not None,
            )
        except Exception as problem:
            self._act(Stop(f"the loss of its view ({problem})"))

    async def _snapshots(self, clock: Clock, period_s: float) -> AsyncIterator[Snapshot]:
        while not self._onlooker.over:
            if self._onlooker.begun:
                yield self._onlooker.snapshot(clock.monotonic_ns())
            await asyncio.sleep(period_s)

    def _act(self, meant: Answer | Stop | Acknowledge) -> None:
        if isinstance(meant, Acknowledge):
            self._acknowledge()
        elif isinstance(meant, Answer):
            if self._operator is not None:
                self._operator.answer(meant.channel, meant.question, meant.choice, meant.reason, meant.physician)
        elif self._begun is not None:
            self._begun.stop(meant.by)

    def _acknowledge(self) -> None:
        silenced = self._onlooker.acknowledge(self._clock.monotonic_ns()) if self._clock is not None else ()
        if silenced and self._begun is not None:
            login = self._operator.login if self._operator is not None else None
            person = login.person if login is not None else None
            self._begun.record(Done.by(person, Deed.ACKNOWLEDGE, ", ".join(silenced)))
