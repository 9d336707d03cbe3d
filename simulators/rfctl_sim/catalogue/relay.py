"""Faults of a relay board, as of every relay on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl_sim.catalogue.kinds import FaultKind, Hold, Scope, Site
from rfctl_sim.relay_board import Fault

if TYPE_CHECKING:
    from rfctl_sim.catalogue.parameters import Parameters

HAZARDS = {
    Fault.WELDED: ("HZ-44",),
    Fault.STUCK_OPEN: ("HZ-44",),
    Fault.MUTE: ("HZ-17",),
    Fault.READBACK_LIES: ("HZ-43", "HZ-44"),
}
DESCRIPTIONS = {
    Fault.WELDED: "A contact that is closed does not open any more.",
    Fault.STUCK_OPEN: "A contact that is open does not close any more.",
    Fault.MUTE: "Orders are obeyed and not answered.",
    Fault.READBACK_LIES: "The second contact shows what was ordered, whatever the first one does.",
}


def _row(fault: Fault) -> FaultKind:
    def begin(site: Site, parameters: Parameters) -> Hold:
        board = site.board
        return lambda: board.faults.add(fault)

    def end(site: Site) -> None:
        site.board.faults.discard(fault)

    def check(site: Site, parameters: Parameters) -> None:
        _ = site.board

    return FaultKind(fault.value, DESCRIPTIONS[fault], Scope.RELAY, HAZARDS[fault], begin, check=check, end=end)


RELAY_FAULTS = tuple(_row(fault) for fault in Fault)
