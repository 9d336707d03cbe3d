"""rfctl accounts: who may do what at a station."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rfctl.cli.password import PASSWORD_FILE, read_password

if TYPE_CHECKING:
    from rfctl.accounts.accounts_file import Account
    from rfctl.accounts.roles import Role

ROLES = ("viewer", "operator", "engineer", "second-person")
FILE = click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("accounts.toml"),
    show_default=True,
    help="The accounts file, as station.accounts names it.",
)
NAME = click.argument("name")


@click.group()
def accounts() -> None:
    """Who may do what at a station: names, roles, passwords.

    A station whose file has accounts = "accounts.toml" under [station] lets nobody energise who has not proved a name;
    on a device it has to. STOP needs no name. A name stays one person's for ever: disable it, the record knows it.

    \b
    operator       procedures
    engineer       procedures where there is no patient: simulator, load, phantom
    second-person  stands beside another account where one person is not enough
    viewer         nothing but looking

    Example: rfctl accounts add anna --role operator
    """  # noqa: D301 - click's own mark


@accounts.command()
@NAME
@click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help="May be repeated.")
@FILE
@PASSWORD_FILE
def add(*, name: str, roles: tuple[str, ...], file: Path, password_file: Path | None) -> None:
    """Add an account; the first one makes the file.

    Example: rfctl accounts add anna --role operator --role second-person
    """
    from rfctl.accounts import accounts_file, passwords

    if file.exists() and name in accounts_file.load(file):
        accounts_file.add(file, accounts_file.Account(name, _roles(roles), ""))  # refuses, before anything is typed
    password = read_password(password_file, f"New password of {name}", twice=True)
    accounts_file.add(file, accounts_file.Account(name, _roles(roles), passwords.hash_of(password)))
    click.echo(f"{name}: {', '.join(sorted(set(roles)))} in {file}")


@accounts.command("list")
@FILE
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def list_accounts(*, file: Path, as_json: bool) -> None:
    """List the accounts.

    Example: rfctl accounts list --file /etc/rfctl/accounts.toml
    """
    from rfctl.accounts import accounts_file

    found = accounts_file.load(file).values()
    if as_json:
        click.echo(json.dumps({"path": str(file.resolve()), "accounts": [_members(each) for each in found]}))
        return
    width = max((len(each.name) for each in found), default=0)
    for each in found:
        disabled = "  disabled" if each.disabled else ""
        click.echo(f"{each.name:{width}}  {', '.join(sorted(each.roles))}{disabled}")


@accounts.command()
@NAME
@FILE
@PASSWORD_FILE
def passwd(*, name: str, file: Path, password_file: Path | None) -> None:
    """Set another password.

    Example: rfctl accounts passwd anna
    """
    from rfctl.accounts import accounts_file, passwords

    accounts_file.named(accounts_file.load(file), name, file)
    password = read_password(password_file, f"New password of {name}", twice=True)
    accounts_file.change(file, name, password_hash=passwords.hash_of(password))
    click.echo(f"{name}: the password is another one now")


@accounts.command()
@NAME
@click.argument("roles", type=click.Choice(ROLES), nargs=-1, required=True)
@FILE
def role(*, name: str, roles: tuple[str, ...], file: Path) -> None:
    """Give an account these roles, and no others.

    Example: rfctl accounts role anna operator second-person
    """
    from rfctl.accounts import accounts_file

    changed = accounts_file.change(file, name, roles=_roles(roles))
    click.echo(f"{name}: {', '.join(sorted(changed.roles))}")


@accounts.command()
@NAME
@click.option("--undo", is_flag=True, help="Let the account log in again.")
@FILE
def disable(*, name: str, undo: bool, file: Path) -> None:
    """Let an account log in no more. It is never deleted: records name it.

    Example: rfctl accounts disable anna
    """
    from rfctl.accounts import accounts_file

    accounts_file.change(file, name, disabled=not undo)
    click.echo(f"{name}: {'enabled' if undo else 'disabled'}")


def _roles(names: tuple[str, ...]) -> frozenset[Role]:
    from rfctl.accounts.roles import Role

    return frozenset(Role(name) for name in names)


def _members(account: Account) -> dict[str, object]:
    return {"name": account.name, "roles": sorted(account.roles), "disabled": account.disabled}
