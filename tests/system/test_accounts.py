"""Accounts as a user meets them: the command, and procedures that somebody has to answer for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from rfctl.accounts.deeds import KIND
from rfctl.cli.main import main
from rfctl.kernel.events import Stopped
from rfctl.kernel.state import KernelState
from rfctl.record.keys import load_public_key
from rfctl.record.segments import entries
from rfctl.record.verify import verify
from rfctl.station.attended import AttendedOperator
from tests.commands import Done
from tests.station_bench import answers_text, plan_text, station_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.accounts.door import Login
    from rfctl.kernel.state import Setup

NOBODY = "tcp:127.0.0.1:1"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def run(*arguments: str | Path) -> Done:
        with pytest.raises(SystemExit) as ended:
            main([str(each) for each in arguments])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("correct horse\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def accounts(tmp_path: Path, password: Path, command: Callable[..., Done]) -> Path:
    path = tmp_path / "accounts.toml"
    for name, role in (("anna", "operator"), ("vera", "viewer")):
        done = command("accounts", "add", name, "--role", role, "--file", path, "--password-file", password)
        assert (done.exit_code, done.err) == (0, "")
    return path


def station(accounts: Path | None, link: str, *, backend: str = "simulated", medium: str = "tissue") -> str:
    text = station_text(link, backend=backend, medium=medium)
    return text if accounts is None else text.replace("[station]", f'[station]\naccounts = "{accounts.name}"', 1)


def files(folder: Path, station: str) -> list[str]:
    arguments = []
    for name, text in (("station", station), ("plan", plan_text(hold_s=20)), ("answers", answers_text())):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        arguments += [f"--{name}", str(folder / f"{name}.toml")]
    return [*arguments, "--out", str(folder / "out")]


def test_accounts_are_listed_changed_and_disabled(accounts: Path, password: Path, command: Callable[..., Done]) -> None:
    assert command("accounts", "role", "vera", "engineer", "second-person", "--file", accounts).exit_code == 0
    assert command("accounts", "disable", "anna", "--file", accounts).exit_code == 0
    before = accounts.read_text(encoding="ascii")
    assert command("accounts", "passwd", "vera", "--file", accounts, "--password-file", password).exit_code == 0
    assert accounts.read_text(encoding="ascii") != before
    listed = command("accounts", "list", "--file", accounts)
    assert listed.out == "anna  operator  disabled\nvera  engineer, second-person\n"
    document = command("accounts", "list", "--file", accounts, "--json").document
    assert document["accounts"][0] == {"name": "anna", "roles": ["operator"], "disabled": True}
    assert command("accounts", "disable", "anna", "--undo", "--file", accounts).exit_code == 0
    assert "disabled" not in command("accounts", "list", "--file", accounts).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "anna", "--role", "viewer"), "account 'anna' already"),
        (("add", "Otto", "--role", "viewer", "--password-file", "PASSWORD"), "no name of an account"),
        (("add", "otto", "--role", "boss"), "'boss' is not one of"),
        (("add", "otto"), "Missing option '--role'"),
        (("add", "otto", "--role", "viewer"), "--password-file FILE"),
        (("passwd", "otto"), "no account 'otto'"),
        (("role", "otto", "viewer"), "There is: anna, vera"),
    ],
)
def test_what_the_command_cannot_do_is_refused_with_a_remedy(
    accounts: Path, password: Path, command: Callable[..., Done], arguments: tuple[str, ...], words: str
) -> None:
    before = accounts.read_bytes()
    given = [str(password) if each == "PASSWORD" else each for each in arguments]
    done = command("accounts", *given, "--file", accounts)
    assert done.exit_code == 2
    assert words in done.err
    assert accounts.read_bytes() == before


@pytest.mark.parametrize("arguments", [("run",), ("serve",), ("check", "generator", "--energise")], ids=" ".join)
def test_a_device_without_accounts_is_refused(
    tmp_path: Path, command: Callable[..., Done], arguments: tuple[str, ...]
) -> None:
    given = files(tmp_path, station(None, NOBODY, backend="device", medium="load"))
    done = command(*arguments, *(given if arguments == ("run",) else given[:2]))
    assert done.exit_code == 2
    assert "station.accounts is missing" in done.err
    assert "rfctl accounts add" in done.err


def test_a_procedure_is_refused_without_password_role_or_name_and_leaves_no_record(
    tmp_path: Path, accounts: Path, password: Path, command: Callable[..., Done]
) -> None:
    given = ["run", *files(tmp_path, station(accounts, "sim:reference")), "--fast"]
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong horse\n", encoding="utf-8")
    wrong.chmod(0o600)
    for options, code, words in (
        (("--operator", "anna"), 2, "--password-file"),
        (("--operator", "anna", "--password-file", wrong), 3, "name or password is wrong"),
        (("--operator", "otto", "--password-file", password), 3, "name or password is wrong"),
        (("--operator", "vera", "--password-file", password), 3, "start takes the role engineer or operator"),
    ):
        done = command(*given, *options)
        assert (done.exit_code, done.out) == (code, "")
        assert words in done.err
    assert not (tmp_path / "out").exists()


def test_a_password_for_a_station_without_accounts_is_refused(
    tmp_path: Path, password: Path, command: Callable[..., Done]
) -> None:
    given = ["run", *files(tmp_path, station(None, "sim:reference")), "--fast"]
    done = command(*given, "--password-file", password)
    assert done.exit_code == 2
    assert "without accounts" in done.err


class Expires:
    """A login that holds until told otherwise."""

    over = False

    def expired(self, _now_ns: int) -> bool:
        return self.over


def test_a_procedure_whose_operator_has_gone_is_stopped() -> None:
    login, nothing_asked = Expires(), KernelState(cast("Setup", None))
    operator = AttendedOperator("anna (operator)", cast("Login", login))
    assert operator.decide(nothing_asked, 6) is None
    login.over = True
    assert operator.decide(nothing_asked, 7) == Stopped(7, "the station: the login of anna (operator) has expired")


def test_who_does_not_prove_a_name_resets_nothing_and_is_recorded(
    tmp_path: Path, accounts: Path, command: Callable[..., Done]
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong horse\n", encoding="utf-8")
    wrong.chmod(0o600)
    text = station(accounts, NOBODY).replace("[record]", '[record]\nfolder = "records"')
    given = files(tmp_path, text)[:2]
    reset = ("reset", *given, "--reason", "lead was plugged in again", "--operator", "anna", "--password-file", wrong)
    done = command(*reset)
    assert (done.exit_code, "name or password is wrong" in done.err) == (3, True)
    (record,) = tmp_path.glob("**/*-reset/record")
    assert verify(record, load_public_key(record.with_suffix(".pub"))).verdict.good
    (said,) = [entry.members for entry in entries(record) if entry.kind == KIND]
    assert (said["deed"], said["actor"], said["roles"]) == ("login_refused", "anna", [])
