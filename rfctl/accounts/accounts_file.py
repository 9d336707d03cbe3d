"""The accounts file: names, roles and hashes of passwords; strict to read, replaced as a whole to write."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from rfctl.accounts import passwords
from rfctl.accounts.roles import Role
from rfctl.errors import ConfigError
from rfctl.model import strict_toml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
MODE = 0o600
LARGEST_BYTES = 1 << 20
MOST_ACCOUNTS = 1000
NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")
_HEAD = "# Accounts of an rfctl station. Written by rfctl accounts; passwords are hashed by argon2id.\n"


class _AccountSection(strict_toml.Strict):
    name: str = Field(pattern=rf"^{NAME.pattern}$")
    roles: tuple[Role, ...] = Field(min_length=1)
    disabled: bool = Field(default=False, strict=True)
    password: str

    @field_validator("roles", mode="before")
    @classmethod
    def _roles(cls, value: object) -> object:
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            if len(set(value)) < len(value):
                raise ValueError("a role twice")
            return tuple(Role(each) if each in set(Role) else each for each in value)
        return value

    @field_validator("password")
    @classmethod
    def _password(cls, value: str) -> str:
        if not passwords.is_hash(value):
            raise ValueError("not an argon2id hash that can be checked; set it with rfctl accounts passwd")
        return value


class _FileSection(strict_toml.Strict):
    format: Literal[1]


class _AccountsFile(strict_toml.Strict):
    accounts: _FileSection
    account: tuple[_AccountSection, ...] = Field(default=(), max_length=MOST_ACCOUNTS)

    @field_validator("account", mode="before")
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Account:
    """One account.

    Attributes:
        name: Lower-case letters, digits, ``.``, ``_`` and ``-``; never used again for somebody else.
        roles: At least one.
        password_hash: argon2id.
        disabled: It cannot log in any more, and its name stays taken.
    """

    name: str
    roles: frozenset[Role]
    password_hash: str
    disabled: bool = False


Accounts = dict[str, Account]
"""By name."""


def load(path: Path) -> Accounts:
    """Read an accounts file.

    Raises:
        ConfigError: It cannot be read, is somebody else's or open to others, or is not as it must be.
    """
    where = str(path)
    try:
        found = path.stat()
    except OSError as problem:
        raise ConfigError(
            f"cannot be read: {problem.strerror}", where=where, remedy="rfctl accounts add makes one."
        ) from None
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_BYTES:
        raise ConfigError(f"not a file of at most {LARGEST_BYTES} bytes", where=where, remedy="Check the path.")
    if found.st_uid not in {os.geteuid(), 0}:
        raise ConfigError(
            f"belongs to user {found.st_uid}", where=where, remedy="Whoever owns it can log in as anyone."
        )
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise ConfigError(f"has mode {mode:04o}, open to others", where=where, remedy=f"chmod 600 {path}")
    file = strict_toml.read(path, _AccountsFile)
    accounts: Accounts = {}
    for each in file.account:
        if each.name in accounts:
            raise ConfigError(f"two accounts {each.name!r}", where=where, remedy="Take one out.")
        accounts[each.name] = Account(each.name, frozenset(each.roles), each.password, each.disabled)
    return accounts


def add(path: Path, account: Account) -> None:
    """Add an account; the file is made when there is none.

    Raises:
        ConfigError: The name is taken or is none, or as ``load``.
    """
    if NAME.fullmatch(account.name) is None:
        raise ConfigError(
            f"{account.name!r} is no name of an account",
            remedy="Use 1 to 32 of a to z, 0 to 9, '.', '_' and '-', beginning with a letter.",
        )
    if not account.roles:
        raise ConfigError(f"{account.name!r} without a role", remedy=f"Roles: {', '.join(Role)}.")
    with _changing(path, may_make=True) as accounts:
        if account.name in accounts:
            raise ConfigError(
                f"there is an account {account.name!r} already",
                where=str(path),
                remedy="A name stays one person's for ever: choose another one, or change it with passwd or role.",
            )
        if len(accounts) >= MOST_ACCOUNTS:
            raise ConfigError(f"has {MOST_ACCOUNTS} accounts, the most there can be", where=str(path))
        accounts[account.name] = account


def change(
    path: Path,
    name: str,
    *,
    roles: frozenset[Role] | None = None,
    password_hash: str | None = None,
    disabled: bool | None = None,
) -> Account:
    """Change what is given of one account.

    Returns:
        The account as it is now.

    Raises:
        ConfigError: There is none, or as ``load``.
    """
    with _changing(path, may_make=False) as accounts:
        account = named(accounts, name, path)
        if roles:
            account = replace(account, roles=roles)
        if password_hash is not None:
            account = replace(account, password_hash=password_hash)
        if disabled is not None:
            account = replace(account, disabled=disabled)
        accounts[name] = account
    return account


def named(accounts: Accounts, name: str, path: Path) -> Account:
    """The account of that name.

    Raises:
        ConfigError: There is none.
    """
    try:
        return accounts[name]
    except KeyError:
        known = ", ".join(accounts) or "none"
        raise ConfigError(f"no account {name!r}", where=str(path), remedy=f"There is: {known}.") from None


@contextmanager
def _changing(path: Path, *, may_make: bool) -> Iterator[Accounts]:
    """Read, let the caller change, write; one change at a time, and after a crash the old file or the new one."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, MODE)
    except OSError as problem:
        raise ConfigError(
            f"cannot be written: {problem.strerror}", where=str(path), remedy="Check the folder."
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        accounts = {} if may_make and not path.exists() else load(path)
        yield accounts
        _write(path, accounts)
    finally:
        os.close(descriptor)


def _write(path: Path, accounts: Accounts) -> None:
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE), "w") as file:
            file.write(_text(accounts))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as problem:
        raise ConfigError(
            f"cannot be written: {problem.strerror}", where=str(path), remedy="Check the folder and the disk."
        ) from None


def _text(accounts: Accounts) -> str:
    """TOML by hand: names, roles and hashes have no character that needs an escape."""
    parts = [_HEAD, f"[accounts]\nformat = {FORMAT}\n"]
    for each in accounts.values():
        roles = ", ".join(f'"{role}"' for role in sorted(each.roles))
        disabled = "disabled = true\n" if each.disabled else ""
        parts.append(
            f'[[account]]\nname = "{each.name}"\nroles = [{roles}]\n{disabled}password = "{each.password_hash}"\n'
        )
    return "\n".join(parts)
