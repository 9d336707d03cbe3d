"""Logins of one process: a password opens one, time ends it, and guessing becomes slow."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl.accounts import accounts_file, passwords
from rfctl.accounts.roles import Person
from rfctl.clock import NS_PER_S
from rfctl.errors import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock

LIFE_NS = 12 * 3600 * NS_PER_S
"""A login ends after a long working day, whatever was done."""
IDLE_NS = 3600 * NS_PER_S
"""It ends an hour after the last act: somebody else may sit there. Longer than any lesion."""
FREE_TRIES = 3
"""Wrong passwords in a row that cost nothing: fingers slip."""
FIRST_DELAY_NS = 2 * NS_PER_S
LONGEST_DELAY_NS = 60 * NS_PER_S
"""From the fourth on the name waits, twice as long each time. It never waits longer: nobody is locked out for good by
somebody else's guessing, and a minute a guess is enough against all but the worst passwords."""
MOST_NAMES = 1000


class Login:
    """A person who is logged in, until the login expires."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._used_ns = person.proved_ns

    def used(self, now_ns: int) -> None:
        """The person has just acted."""
        self._used_ns = now_ns

    def expired(self, now_ns: int) -> bool:
        """It holds no more."""
        return now_ns - self._used_ns > IDLE_NS or now_ns - self.person.proved_ns > LIFE_NS

    def require_valid(self, now_ns: int) -> None:
        """Let an act of the person pass.

        Raises:
            RefusedError: The login has expired.
        """
        if self.expired(now_ns):
            raise RefusedError(
                f"the login of {self.person.name} has expired: it lasts {LIFE_NS // NS_PER_S // 3600} h, and "
                f"{IDLE_NS // NS_PER_S // 60} min after the last act",
                remedy="Log in again. STOP needs no login.",
            )


@dataclass(slots=True)
class _Failures:
    count: int = 0
    not_before_ns: int = 0


class Door:
    """Lets people in. Any thread may use it; one password is looked at at a time."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Nothing is read yet.

        Args:
            path: The accounts file; read anew at each login, so that a change counts at once.
            clock: Of the station.
        """
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def log_in(self, name: str, password: str) -> Login:
        """Prove a name. Takes about 40 ms of a processor: never in the loop's thread.

        Raises:
            ConfigError: The accounts file cannot be used.
            RefusedError: Name or password is wrong (which of them is not said), the account is disabled, or the last
                wrong password is too short a time ago.
        """
        with self._lock:
            accounts = accounts_file.load(self._path)
            failures = self._failures.setdefault(name, _Failures())
            self._failures.move_to_end(name)
            self._forget_the_unknown(accounts)
            left_ns = failures.not_before_ns - self._clock.monotonic_ns()
            if left_ns > 0:
                raise RefusedError(
                    f"{failures.count} wrong passwords in a row for {name!r}; the next may be tried in "
                    f"{-(-left_ns // NS_PER_S)} s",
                    remedy="Wait. STOP needs no login.",
                )
            account = accounts.get(name)
            right = passwords.matches(password, account.password_hash if account is not None else None)
            now_ns = self._clock.monotonic_ns()
            if account is None or not right:
                failures.count += 1
                if failures.count >= FREE_TRIES:
                    doublings = min(failures.count - FREE_TRIES, 10)
                    failures.not_before_ns = now_ns + min(FIRST_DELAY_NS << doublings, LONGEST_DELAY_NS)
                raise RefusedError("name or password is wrong", where=f"login of {name!r}", remedy="Try again.")
            del self._failures[name]
            if account.disabled:
                raise RefusedError("the account is disabled", where=f"login of {name!r}")
            return Login(Person(name, account.roles, now_ns))

    def require_unchanged(self, login: Login) -> None:
        """Let somebody go on who logged in a while ago. Reads the file: a millisecond.

        Raises:
            ConfigError: The accounts file cannot be used.
            RefusedError: The login has expired, or the account was disabled or given other roles since.
        """
        login.require_valid(self._clock.monotonic_ns())
        account = accounts_file.load(self._path).get(login.person.name)
        if account is None or account.disabled or account.roles != login.person.roles:
            raise RefusedError(
                f"the account of {login.person.name} was changed since the login", remedy="Log in again."
            )

    def _forget_the_unknown(self, accounts: accounts_file.Accounts) -> None:
        """However many names are tried, memory is bounded, and no account's failures are forgotten by it."""
        if len(self._failures) > MOST_NAMES:
            oldest = next((name for name in self._failures if name not in accounts), None)
            if oldest is not None:
                del self._failures[oldest]
