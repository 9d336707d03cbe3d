"""Roles, the acts each of them allows, and a person who has proved a name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rfctl.errors import RefusedError

UNNAMED = "unnamed (simulation)"
"""Actor of what happens at a simulated station that has no accounts: nobody proved a name."""


class Role(StrEnum):
    """What an account is for; it may have several."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    SECOND_PERSON = "second-person"


class Act(StrEnum):
    """What takes a role. STOP takes none, and no login: it is open to everybody, always."""

    CONTROL = "control"
    START = "start"
    ANSWER = "answer"
    OVERRIDE = "override"
    RESET = "reset"
    COUNTERSIGN = "countersign"


_ENGINEERS_TOO = frozenset({Role.OPERATOR, Role.ENGINEER})
WITHOUT_PATIENT: dict[Act, frozenset[Role]] = {
    Act.CONTROL: _ENGINEERS_TOO,
    Act.START: _ENGINEERS_TOO,
    Act.ANSWER: _ENGINEERS_TOO,
    Act.OVERRIDE: _ENGINEERS_TOO,
    Act.RESET: _ENGINEERS_TOO,
    Act.COUNTERSIGN: frozenset({Role.SECOND_PERSON}),
}
"""One of these roles allows the act on a simulator, a load or a phantom."""
WITH_PATIENT: dict[Act, frozenset[Role]] = {
    **dict.fromkeys(WITHOUT_PATIENT, frozenset({Role.OPERATOR})),
    Act.COUNTERSIGN: frozenset({Role.SECOND_PERSON}),
}
"""The same in the tissue of somebody: an engineer services the station, and treats nobody."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has proved a name by password.

    Attributes:
        name: Of the account.
        roles: What the account is for.
        proved_ns: When, on the station's monotonic clock, ns.
    """

    name: str
    roles: frozenset[Role]
    proved_ns: int

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(sorted(self.roles))})"

    def members(self) -> dict[str, object]:
        """For the record."""
        return {"actor": self.name, "roles": sorted(self.roles)}


def require(person: Person, act: Act, *, patient: bool) -> None:
    """Let an act pass that one of the person's roles allows.

    Args:
        person: Who acts.
        act: What they want to do.
        patient: A device in tissue; False on a simulator, a load or a phantom.

    Raises:
        RefusedError: None does.
    """
    allowed = (WITH_PATIENT if patient else WITHOUT_PATIENT)[act]
    if allowed.isdisjoint(person.roles):
        where = " in tissue" if patient else ""
        raise RefusedError(
            f"{act}{where} takes the role {' or '.join(sorted(allowed))}, and {person} has not",
            remedy="Log in as somebody who has, or change it with rfctl accounts role.",
        )
