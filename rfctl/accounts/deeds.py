"""What people did, as the record keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rfctl.accounts.roles import UNNAMED

if TYPE_CHECKING:
    from rfctl.accounts.roles import Person

KIND = "person"
"""Of the lines in the record."""


class Deed(StrEnum):
    """What a line says; answers and stops stand in the decisions that they led to, with the same name and roles."""

    LOGIN = "login"
    LOGIN_REFUSED = "login_refused"
    LOGOUT = "logout"
    START = "start"
    OVERRIDE_REFUSED = "override_refused"
    ALARM_HEARD = "alarm_heard"
    """The alarm's test tone has sounded before the start, and was heard."""
    ACKNOWLEDGE = "acknowledge"
    """Alarms were silenced for a time; the codes stand as the reason."""


@dataclass(frozen=True, slots=True)
class Done:
    """One act.

    Attributes:
        deed: What.
        actor: The name of an account; where nobody proved one, what was claimed, or UNNAMED.
        roles: Of the account; none where no name was proved.
        reason: Why, in words; empty where nobody is asked for one.
    """

    deed: Deed
    actor: str = UNNAMED
    roles: tuple[str, ...] = ()
    reason: str = ""

    @classmethod
    def by(cls, person: Person | None, deed: Deed, reason: str = "") -> Done:
        """The act of a person; None: nobody proved a name."""
        if person is None:
            return cls(deed, reason=reason)
        return cls(deed, person.name, tuple(sorted(person.roles)), reason)

    def __str__(self) -> str:
        """Who, as every record names its actor."""
        return f"{self.actor} ({', '.join(self.roles)})" if self.roles else self.actor

    def members(self) -> dict[str, object]:
        """For the record."""
        return {"deed": str(self.deed), "actor": self.actor, "roles": list(self.roles), "reason": self.reason}
