"""Logins: who gets in, for how long, and what guessing costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from rfctl.accounts import accounts_file, door, passwords
from rfctl.accounts.accounts_file import Account
from rfctl.accounts.door import Door
from rfctl.accounts.roles import Act, Person, Role, require
from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse"


@dataclass
class StillClock:
    """Stands where it is put."""

    now_ns: int = 1_000 * NS_PER_S

    def monotonic_ns(self) -> int:
        return self.now_ns


@pytest.fixture(scope="module")
def hashed() -> str:
    return passwords.hash_of(PASSWORD)


@pytest.fixture
def file(tmp_path: Path, hashed: str) -> Path:
    path = tmp_path / "accounts.toml"
    accounts_file.add(path, Account("anna", frozenset({Role.OPERATOR}), hashed))
    accounts_file.add(path, Account("ben", frozenset({Role.VIEWER}), hashed))
    return path


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def entrance(file: Path, clock: StillClock) -> Door:
    return Door(file, cast("Any", clock))


def test_the_right_password_proves_the_name_with_its_roles(entrance: Door, clock: StillClock) -> None:
    person = entrance.log_in("anna", PASSWORD).person
    assert person == Person("anna", frozenset({Role.OPERATOR}), clock.now_ns)
    assert str(person) == "anna (operator)"


@pytest.mark.parametrize("name", ["anna", "nobody"])
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(entrance: Door, name: str) -> None:
    with pytest.raises(RefusedError, match="name or password is wrong"):
        entrance.log_in(name, "wrong horse")


def test_a_disabled_account_is_told_so_only_with_its_password(entrance: Door, file: Path) -> None:
    accounts_file.change(file, "anna", disabled=True)
    with pytest.raises(RefusedError, match="name or password is wrong"):
        entrance.log_in("anna", "wrong horse")
    with pytest.raises(RefusedError, match="disabled"):
        entrance.log_in("anna", PASSWORD)


@pytest.mark.parametrize("name", ["anna", "nobody"])
def test_guessing_becomes_slow_and_never_impossible(
    entrance: Door, clock: StillClock, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    looked = []
    monkeypatch.setattr(passwords, "matches", lambda password, hashed: looked.append(password) or password == PASSWORD)
    for wait_s in (0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60):
        with pytest.raises(RefusedError, match="is wrong"):
            entrance.log_in(name, "wrong horse")
        start_ns = clock.now_ns
        clock.now_ns += wait_s * NS_PER_S - 1
        if wait_s:
            with pytest.raises(RefusedError, match=r"the next may be tried in 1 s.*STOP needs no login"):
                entrance.log_in(name, PASSWORD)
        clock.now_ns = start_ns + wait_s * NS_PER_S
    assert looked == ["wrong horse"] * 12


def test_the_right_password_forgets_the_wrong_ones(entrance: Door) -> None:
    for _ in range(3):
        for _ in range(2):
            with pytest.raises(RefusedError, match="is wrong"):
                entrance.log_in("anna", "wrong horse")
        entrance.log_in("anna", PASSWORD)


def test_one_who_guesses_does_not_slow_down_another(entrance: Door) -> None:
    for _ in range(3):
        with pytest.raises(RefusedError, match="is wrong"):
            entrance.log_in("ben", "wrong horse")
    with pytest.raises(RefusedError, match="wrong passwords in a row"):
        entrance.log_in("ben", PASSWORD)
    entrance.log_in("anna", PASSWORD)


def test_names_without_end_neither_fill_memory_nor_free_an_account(
    entrance: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "matches", lambda *_: False)
    for name in [*["anna"] * 3, *(f"n{number}" for number in range(door.MOST_NAMES + 50))]:
        with pytest.raises(RefusedError, match="is wrong"):
            entrance.log_in(name, "wrong horse")
    assert len(entrance._failures) <= door.MOST_NAMES + 1
    with pytest.raises(RefusedError, match="3 wrong passwords in a row"):
        entrance.log_in("anna", PASSWORD)


def test_a_login_ends_an_hour_after_the_last_act_and_after_a_day_of_work(entrance: Door, clock: StillClock) -> None:
    login = entrance.log_in("anna", PASSWORD)
    start_ns = clock.now_ns
    login.require_valid(start_ns + door.IDLE_NS)
    with pytest.raises(RefusedError, match=r"login of anna has expired: it lasts 12 h, and 60 min after"):
        login.require_valid(start_ns + door.IDLE_NS + 1)
    for hour in range(1, 13):
        login.used(start_ns + hour * 3600 * NS_PER_S)
    assert not login.expired(start_ns + door.LIFE_NS)
    assert login.expired(start_ns + door.LIFE_NS + 1)


@pytest.mark.parametrize("change", [{"disabled": True}, {"roles": frozenset({Role.VIEWER})}])
def test_an_account_that_was_changed_has_to_log_in_again(entrance: Door, file: Path, change: dict[str, Any]) -> None:
    login = entrance.log_in("anna", PASSWORD)
    entrance.require_unchanged(login)
    accounts_file.change(file, "anna", **change)
    with pytest.raises(RefusedError, match="changed since the login"):
        entrance.require_unchanged(login)


def test_a_file_that_has_gone_lets_nobody_in(entrance: Door, file: Path) -> None:
    login = entrance.log_in("anna", PASSWORD)
    file.unlink()
    with pytest.raises(ConfigError):
        entrance.log_in("anna", PASSWORD)
    with pytest.raises(ConfigError):
        entrance.require_unchanged(login)


ALLOWED = {
    (Role.OPERATOR, True): set(Act) - {Act.COUNTERSIGN},
    (Role.OPERATOR, False): set(Act) - {Act.COUNTERSIGN},
    (Role.ENGINEER, True): set(),
    (Role.ENGINEER, False): set(Act) - {Act.COUNTERSIGN},
    (Role.VIEWER, True): set(),
    (Role.VIEWER, False): set(),
    (Role.SECOND_PERSON, True): {Act.COUNTERSIGN},
    (Role.SECOND_PERSON, False): {Act.COUNTERSIGN},
}


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize(("role", "patient"), ALLOWED)
def test_each_role_allows_its_acts_and_no_other(role: Role, patient: bool, act: Act) -> None:
    person = Person("anna", frozenset({role}), 0)
    if act in ALLOWED[role, patient]:
        require(person, act, patient=patient)
    else:
        with pytest.raises(RefusedError, match=rf"{act}.* takes the role .*anna \({role}\) has not"):
            require(person, act, patient=patient)
