"""What each reset class demands before a latched trip is reset: a table, and one function that finds what is missing.

docs/accounts.md has the same table in words. R3 has two forms: before anaesthetic and heat, the set-up and the
stimulation check can be made anew (R3a); afterwards a check says nothing any more, and a physician takes it over (R3b).
On a load or a phantom nobody is hurt by a wrong position: R3 is R2 there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rfctl.accounts.roles import WITH_PATIENT, WITHOUT_PATIENT, Act, Person, Role
from rfctl.clock import NS_PER_S
from rfctl.kernel.stimulation import IMPEDANCE_WITHIN, SHORTEST_REASON
from rfctl.model.plan import Medium

SECOND_PERSON_NS = 300 * NS_PER_S
"""A second person proves to be there: logged in within the last 5 minutes, not in the morning."""


TOLD_AS = "reset_before"
"""Kind of the lines that tell of a reset in the record of the procedure that follows."""


class Latch(StrEnum):
    """The class of a hazard, as the table of hazards gives it."""

    R0 = "R0"
    R1 = "R1"
    R2 = "R2"
    R3 = "R3"
    R4 = "R4"


class ResetClass(StrEnum):
    """The class that holds for a channel now."""

    R0 = "R0"
    R1 = "R1"
    R2 = "R2"
    R3A = "R3a"
    R3B = "R3b"
    R4 = "R4"


class Demand(StrEnum):
    """One thing that must be there."""

    CAUSE_GONE = "the cause is gone"
    ACKNOWLEDGED = "acknowledged by somebody whose role allows it"
    REASON = f"a typed reason of at least {SHORTEST_REASON} characters"
    SELF_TEST = "a self-test with relay proof, passed since the trip"
    NEW_SETUP = "a new set-up"
    NEW_STIMULATION_CHECK = "a new stimulation check"
    IMAGING = "imaging confirmed by a named physician"
    IMPEDANCE = f"an impedance within {IMPEDANCE_WITHIN:.0%} of the reference"
    ON_REPORT = "the reset on the report"
    SERVICE = "what was changed in service or configuration"
    SECOND_PERSON = "a second person with that role, another account, logged in within 5 minutes"


_R1 = (Demand.CAUSE_GONE, Demand.ACKNOWLEDGED)
_R2 = (*_R1, Demand.REASON, Demand.SELF_TEST)
DEMANDS: dict[ResetClass, tuple[Demand, ...]] = {
    ResetClass.R0: (),
    ResetClass.R1: _R1,
    ResetClass.R2: _R2,
    ResetClass.R3A: (*_R2, Demand.NEW_SETUP, Demand.NEW_STIMULATION_CHECK),
    ResetClass.R3B: (*_R2, Demand.IMAGING, Demand.IMPEDANCE, Demand.ON_REPORT),
    ResetClass.R4: (*_R2, Demand.SERVICE, Demand.SECOND_PERSON),
}


@dataclass(frozen=True, slots=True)
class Given:
    """What there is for a reset; by default nothing.

    Attributes:
        cause_gone: The interlock that tripped does not trip any more.
        by: Who acknowledges.
        reason: As typed.
        self_test_passed: A self-test with relay proof has passed since the trip.
        new_setup: The set-up was confirmed anew since the trip.
        stimulation_checked: The stimulation check was made anew since the trip.
        physician: Who confirmed the electrode's position by imaging.
        impedance_ohm: Now.
        reference_ohm: Of the channel before the trip.
        on_report: The report will carry it.
        service: What was changed in service or configuration.
        second: Who stands beside.
    """

    cause_gone: bool = False
    by: Person | None = None
    reason: str = ""
    self_test_passed: bool = False
    new_setup: bool = False
    stimulation_checked: bool = False
    physician: str = ""
    impedance_ohm: float = float("nan")
    reference_ohm: float = float("nan")
    on_report: bool = False
    service: str = ""
    second: Person | None = None


def class_in_force(latch: Latch, medium: Medium, *, anaesthetic_or_heat: bool) -> ResetClass:
    """The reset class of a latch on one channel.

    Args:
        latch: Of the hazard.
        medium: What the electrode stands in.
        anaesthetic_or_heat: The channel has had either, so that a stimulation check says nothing any more.
    """
    if latch is not Latch.R3:
        return ResetClass(latch)
    if medium is not Medium.TISSUE:
        return ResetClass.R2
    return ResetClass.R3B if anaesthetic_or_heat else ResetClass.R3A


def missing(reset_class: ResetClass, given: Given, now_ns: int, *, patient: bool) -> tuple[Demand, ...]:
    """What a reset still lacks, in the order of the table; nothing: it may be done.

    Args:
        reset_class: In force.
        given: What there is.
        now_ns: On the clock on which the people proved their names, ns.
        patient: A device in tissue, as in rfctl.accounts.roles.require.
    """
    return tuple(demand for demand in DEMANDS[reset_class] if not _met(demand, given, now_ns, patient))


def members_of(reset_class: ResetClass, given: Given) -> dict[str, object]:
    """A reset for the record: who, in which roles, why, and who stood beside."""
    by, second = given.by, given.second
    return {
        "class": str(reset_class),
        **(by.members() if by is not None else {"actor": None, "roles": []}),
        "reason": given.reason.strip(),
        "physician": given.physician.strip() or None,
        "service": given.service.strip() or None,
        "second": second.members() if second is not None else None,
    }


def _met(demand: Demand, given: Given, now_ns: int, patient: bool) -> bool:
    match demand:
        case Demand.CAUSE_GONE:
            return given.cause_gone
        case Demand.ACKNOWLEDGED:
            allowed = (WITH_PATIENT if patient else WITHOUT_PATIENT)[Act.RESET]
            return given.by is not None and not allowed.isdisjoint(given.by.roles)
        case Demand.REASON:
            return len(given.reason.strip()) >= SHORTEST_REASON
        case Demand.SELF_TEST:
            return given.self_test_passed
        case Demand.NEW_SETUP:
            return given.new_setup
        case Demand.NEW_STIMULATION_CHECK:
            return given.stimulation_checked
        case Demand.IMAGING:
            return bool(given.physician.strip())
        case Demand.IMPEDANCE:  # not-a-number is within nothing
            return abs(given.impedance_ohm - given.reference_ohm) <= IMPEDANCE_WITHIN * given.reference_ohm
        case Demand.ON_REPORT:
            return given.on_report
        case Demand.SERVICE:
            return len(given.service.strip()) >= SHORTEST_REASON
        case Demand.SECOND_PERSON:
            return _stands_beside(given.by, given.second, now_ns)


def _stands_beside(by: Person | None, second: Person | None, now_ns: int) -> bool:
    return (
        by is not None
        and second is not None
        and second.name != by.name
        and Role.SECOND_PERSON in second.roles
        and 0 <= now_ns - second.proved_ns <= SECOND_PERSON_NS
    )
