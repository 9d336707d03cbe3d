"""The accounts file: what is kept, what is refused, and that others cannot read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from rfctl.accounts import accounts_file, passwords
from rfctl.accounts.accounts_file import Account
from rfctl.accounts.roles import Role
from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

HASH = passwords._NOBODY
ANNA = Account("anna", frozenset({Role.OPERATOR, Role.SECOND_PERSON}), HASH)
BEN = Account("ben", frozenset({Role.ENGINEER}), HASH)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    accounts_file.add(path, ANNA)
    accounts_file.add(path, BEN)
    return path


def test_accounts_come_back_as_they_were_written(file: Path) -> None:
    assert accounts_file.load(file) == {"anna": ANNA, "ben": BEN}
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_change_changes_what_is_given_and_nothing_else(file: Path) -> None:
    other = HASH.replace("9LjyL4", "8LjyL4")
    accounts_file.change(file, "anna", roles=frozenset({Role.VIEWER}))
    accounts_file.change(file, "anna", password_hash=other)
    accounts_file.change(file, "anna", disabled=True)
    found = accounts_file.load(file)
    assert found["anna"] == Account("anna", frozenset({Role.VIEWER}), other, disabled=True)
    assert found["ben"] == BEN


def test_a_taken_name_is_refused_also_when_disabled(file: Path) -> None:
    accounts_file.change(file, "anna", disabled=True)
    with pytest.raises(ConfigError, match="account 'anna' already"):
        accounts_file.add(file, ANNA)


@pytest.mark.parametrize("name", ["", "Anna", "an na", 'a"', "a\n", "1a", "a" * 33, "ä"])
def test_a_name_that_could_be_misread_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no name of an account"):
        accounts_file.add(tmp_path / "accounts.toml", Account(name, frozenset({Role.VIEWER}), HASH))
    assert not (tmp_path / "accounts.toml").exists()


def test_an_account_without_a_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without a role"):
        accounts_file.add(tmp_path / "accounts.toml", Account("anna", frozenset(), HASH))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_reach_is_refused_with_the_remedy(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigError, match=rf"mode {mode:04o}.*chmod 600"):
        accounts_file.load(file)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("roles = [", "rols = [", r"account\[0\]\.rols: unknown key\. Did you mean 'roles'"),
        ('"operator"', '"boss"', "roles"),
        ('roles = ["engineer"]', "roles = []", r"account\[1\]\.roles"),
        ('roles = ["engineer"]', 'roles = ["engineer", "engineer"]', "a role twice"),
        ('name = "ben"', 'name = "anna"', "two accounts 'anna'"),
        ('name = "ben"', 'name = "Ben"', r"account\[1\]\.name"),
        ("$argon2id$v=19$m=19456", "$argon2id$v=19$m=9999999", "not an argon2id hash"),
        ("$argon2id$v=19$m=19456,t=2", "$argon2id$v=19$m=19456,t=99", "not an argon2id hash"),
        ("$argon2id$", "$argon2i$", "not an argon2id hash"),
        ("format = 1", "format = 2", "accounts.format"),
        ("[accounts]", "[accounts", "not valid TOML"),
        ("roles = [", "disabled = 1\nroles = [", "disabled"),
    ],
)
def test_whatever_is_not_as_it_must_be_is_named(file: Path, old: str, new: str, words: str) -> None:
    text = file.read_text(encoding="ascii")
    assert old in text
    file.write_text(text.replace(old, new), encoding="ascii")
    with pytest.raises(ConfigError, match=words) as refused:
        accounts_file.load(file)
    assert str(file) in str(refused.value)


def test_a_file_that_is_too_large_or_none_is_not_read(file: Path) -> None:
    with pytest.raises(ConfigError, match="not a file"):
        accounts_file.load(file.parent)
    with file.open("a", encoding="ascii") as more:
        more.write("#" * accounts_file.LARGEST_BYTES)
    with pytest.raises(ConfigError, match="at most"):
        accounts_file.load(file)
    with pytest.raises(ConfigError, match="rfctl accounts add"):
        accounts_file.load(file.with_name("elsewhere"))


def test_a_change_that_fails_leaves_the_old_file(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(ConfigError, match=r"no account 'carl'.*anna, ben"):
        accounts_file.change(file, "carl", disabled=True)
    assert file.read_bytes() == before
    assert not list(file.parent.glob("*.new"))


def test_what_is_written_is_a_hash_and_never_the_password(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    accounts_file.add(path, Account("anna", frozenset({Role.OPERATOR}), passwords.hash_of("correct horse")))
    text = path.read_text(encoding="ascii")
    assert "horse" not in text
    assert re.search(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$", text)
    assert passwords.matches("correct horse", accounts_file.load(path)["anna"].password_hash)


@pytest.mark.parametrize(
    ("password", "words"), [("123456789", "10 to 256"), ("x" * 257, "257"), ("ten chars\x07!", "typed")]
)
def test_a_password_that_cannot_be_one_is_refused(password: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        passwords.hash_of(password)
    assert password not in str(refused.value)


def test_an_accent_typed_in_two_ways_is_one_password() -> None:
    hashed = passwords.hash_of("caf\u00e9 au lait")
    assert passwords.matches("cafe\u0301 au lait", hashed)
    assert not passwords.matches("cafe au lait", hashed)
    assert not passwords.matches("caf\u00e9 au lait", None)


def test_a_password_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("correct horse\nmore\n", encoding="utf-8")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        passwords.from_file(path)
    path.chmod(0o600)
    assert passwords.from_file(path) == "correct horse"
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="first line is empty"):
        passwords.from_file(path)
