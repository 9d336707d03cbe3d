"""What a reset leaves to the procedures that follow: the first of them tells of it, and a channel whose latch was of
class R3a is checked by stimulation anew before it is heated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from rfctl.accounts.resets import ResetClass
from rfctl.errors import RefusedError
from rfctl.model.plan import Use
from rfctl.station.latches import keep, kept

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.kernel.state import KernelState
    from rfctl.model.plan import Plan
    from rfctl.station.latches import Standing

FILE = "after-reset.json"


@dataclass(frozen=True, slots=True)
class Left:
    """One reset.

    Attributes:
        channel: Of the latch, 0 for the whole generator.
        check_due: No site of the channel is heated before it was checked by stimulation.
        told: A record of a procedure has it.
        members: For that record: the latch, who reset it, and why.
    """

    channel: int
    check_due: bool
    told: bool
    members: dict[str, Any]


def left_by(latch: Standing, members: dict[str, Any], at: str) -> Left:
    """What the reset of a latch leaves.

    Args:
        latch: That stood.
        members: Of the reset, as its own record has them.
        at: UTC, a label.
    """
    return Left(latch.channel, latch.must is ResetClass.R3A, told=False, members={**members, "at": at})


def load(state_folder: Path) -> tuple[Left, ...]:
    """What earlier resets left.

    Raises:
        ConfigError: The file is there and cannot be read.
    """
    return kept(state_folder / FILE, Left, says="which resets came before")


def store(state_folder: Path, left: tuple[Left, ...]) -> None:
    """Keep exactly these, durably.

    Raises:
        RecordError: The disk refused.
    """
    keep(state_folder / FILE, [asdict(each) for each in left])


def require_checks(left: tuple[Left, ...], plan: Plan, *, where: str) -> None:
    """A plan checks by stimulation what a reset left unchecked.

    Raises:
        RefusedError: It does not.
    """
    for each in left:
        for site in plan.sites:
            if not each.check_due or each.channel not in {0, site.channel}:
                continue
            for name, check in (("sensory", site.sensory), ("motor", site.motor)):
                if check.use is not Use.REQUIRED:
                    raise RefusedError(
                        f"site {site.name!r}: {name}.use is '{check.use}', and a reset of class R3a on channel "
                        f"{site.channel} demands a new stimulation check ({each.members.get('latch')})",
                        where=where,
                        remedy=f"Use a plan with {name} = {{ use = 'required' }} there.",
                    )


def settle(state_folder: Path, left: tuple[Left, ...], state: KernelState) -> None:
    """A procedure that told of these resets has ended: what it has not checked stays due.

    Raises:
        RecordError: The disk refused.
    """
    if not left:
        return
    plan = state.setup.plan
    checked = {plan.sites[result.site].channel for result in state.results if result.sensory and result.motor}
    checked |= {number for number, each in enumerate(state.channels, 1) if each.sensory and each.motor}
    planned = {site.channel for site in plan.sites}
    due = [
        replace(each, told=True)
        for each in left
        if each.check_due and not ({each.channel} if each.channel else planned) <= checked
    ]
    store(state_folder, tuple(due))
