"""rfctl keys: a root that stays away, epochs for a station, what others are given, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from rfctl.cli import keys as keys_command
from rfctl.cli.main import main
from rfctl.errors import ConfigError
from rfctl.record import epochs, notes, root_file
from tests.commands import Done

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Done]

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase that costs nothing to check: the cost is not what is looked at here."""
    monkeypatch.setattr(root_file, "SCRYPT_N", 16)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: str | Path) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(["keys", *(str(each) for each in arguments)])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, captured.out, captured.err)

    return run


def secret(path: Path, text: str) -> Path:
    path.write_text(text + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    return secret(tmp_path / "passphrase", PASSPHRASE)


@pytest.fixture
def safe(tmp_path: Path, passphrase: Path, command: Command) -> Path:
    done = command("init", "bench-1", "--out", tmp_path / "safe", "--passphrase-file", passphrase)
    assert (done.exit_code, done.err) == (0, "")
    return tmp_path / "safe"


@pytest.fixture
def station(tmp_path: Path, safe: Path, passphrase: Path, command: Command) -> Path:
    folder = tmp_path / "station-keys"
    unlocked = ("--root", safe / "root.key", "--passphrase-file", passphrase)
    assert command("epoch", *unlocked, "--count", "3", "--out", folder).exit_code == 0
    return folder


def test_a_root_is_encrypted_and_comes_back_with_its_passphrase_alone(safe: Path) -> None:
    public = epochs.load_public_key(safe / "root.pub")
    assert public.origin.startswith("rfctl/bench-1-")
    root = root_file.load(safe / "root.key", lambda: PASSPHRASE)
    assert root.public == public
    content = (safe / "root.key").read_bytes()
    raw = root.private.private_bytes_raw()
    assert raw not in content
    assert notes.encode64(raw).encode() not in content
    assert (safe / "root.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="passphrase is wrong"):
        root_file.load(safe / "root.key", lambda: PASSPHRASE + "!")


@pytest.mark.parametrize("plain", [False, True], ids=["encrypted", "plain"])
def test_no_byte_of_a_root_file_can_be_changed(tmp_path: Path, safe: Path, command: Command, plain: bool) -> None:
    path = safe / "root.key"
    if plain:
        assert command("init", "bench-1", "--out", tmp_path / "plain", "--plain").exit_code == 0
        path = tmp_path / "plain" / "root.key"
    content = path.read_bytes()
    good = root_file.load(path, lambda: PASSPHRASE)
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        try:
            found = root_file.load(path, lambda: PASSPHRASE)
        except ConfigError:
            continue
        assert content[at : at + 1].isspace(), f"byte {at} was changed unnoticed"
        assert found.public == good.public


def test_a_plain_root_warns_and_works(tmp_path: Path, command: Command) -> None:
    done = command("init", "bench-1", "--out", tmp_path, "--plain")
    assert done.exit_code == 0
    assert "not encrypted" in done.err
    assert command("epoch", "--root", tmp_path / "root.key", "--count", "1", "--out", tmp_path / "s").exit_code == 0


def test_a_station_gets_epochs_that_hold_for_it_and_go_on_behind_the_last(
    tmp_path: Path, safe: Path, station: Path, passphrase: Path, command: Command
) -> None:
    root, now = epochs.load_public_key(safe / "root.pub"), datetime.now(UTC)
    assert epochs.load_public_key(station / "root.pub") == root
    found = [epochs.prepared(station, root, number, now) for number in (1, 2, 3)]
    assert all(found)
    unlocked = ("--root", safe / "root.key", "--passphrase-file", passphrase)
    assert command("epoch", *unlocked, "--count", "2", "--out", station).exit_code == 0
    assert epochs.prepared_numbers(station) == [1, 2, 3, 4, 5]
    again = command("epoch", *unlocked, "--first", "5", "--count", "1", "--out", station)
    assert again.exit_code == 2
    assert "exists already" in again.err
    with pytest.raises(ConfigError, match="it holds from"):
        epochs.prepared(station, root, 1, now + timedelta(days=366))


def test_a_public_key_is_given_in_each_form(safe: Path, station: Path, command: Command) -> None:
    public = epochs.load_public_key(safe / "root.pub")
    for path in (safe / "root.key", safe / "root.pub", station):
        document = command("export", path, "--json").document
        assert (document["origin"], document["public_key"]) == (public.origin, public.text)
        pem = load_pem_public_key(document["pem"].encode("ascii"))
        assert isinstance(pem, Ed25519PublicKey)
        assert pem.public_bytes_raw() == public.raw
        assert len(document["fingerprint"].replace(" ", "")) == 64
    listed = command("export", station).out
    assert listed.startswith(public.text + "\n")
    assert [line.split()[1] for line in listed.splitlines() if line.startswith("epoch ")] == ["1", "2", "3"]


def test_an_expired_batch_is_shown_as_such(station: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_command, "_now", lambda: datetime.now(UTC) + timedelta(days=400))
    assert command("export", station).out.count("EXPIRED") == 3


def test_retired_epochs_are_gone_and_the_root_says_which(
    tmp_path: Path, safe: Path, station: Path, passphrase: Path, command: Command
) -> None:
    unlocked = ("--root", safe / "root.key", "--passphrase-file", passphrase)
    root = epochs.load_public_key(safe / "root.pub")
    kept = epochs.Epoch.load(station / "epoch-00000002.json", root).certificate.key
    out = tmp_path / "retired.note"
    done = command("retire", station, *unlocked, "--from", "2", "--reason", "laptop stolen", "--out", out)
    assert done.exit_code == 0
    assert epochs.prepared_numbers(station) == [1]
    note = notes.parse(out.read_bytes())
    assert note.signed_by(root)
    lines = note.text.decode("ascii").splitlines()
    assert lines[:2] == ["rfctl-retired-v1", root.origin]
    assert lines[3:] == ["reason laptop stolen", f"epoch 2 {notes.encode64(kept)}", lines[-1]]
    assert lines[-1].startswith("epoch 3 ")


def test_what_cannot_be_done_is_refused_and_changes_nothing(
    tmp_path: Path, safe: Path, station: Path, passphrase: Path, command: Command
) -> None:
    wrong = secret(tmp_path / "wrong", "another horse battery")
    short = secret(tmp_path / "short", "too short")
    other = tmp_path / "other"
    assert command("init", "bench-2", "--out", other, "--plain").exit_code == 0
    unlocked = ("--root", safe / "root.key", "--passphrase-file", passphrase)
    broken = tmp_path / "broken.key"
    broken.write_text('{"format": "rfctl-root-1"}\n', encoding="ascii")
    before = {path: path.read_bytes() for folder in (safe, station) for path in folder.iterdir()}
    for arguments, words in (
        (("init", "bench-1", "--out", safe, "--plain"), "exists already"),
        (("init", "bench 1", "--out", tmp_path / "new", "--plain"), "no origin of a log"),
        (("init", "bench-1", "--out", tmp_path / "new"), "--passphrase-file FILE"),
        (("init", "bench-1", "--out", tmp_path / "new", "--passphrase-file", short), "at least 12"),
        (("init", "bench-1", "--out", tmp_path / "new", "--plain", "--passphrase-file", short), "leave one"),
        (("epoch", "--root", safe / "root.key", "--passphrase-file", wrong, "--out", station), "passphrase is wrong"),
        (("epoch", "--root", tmp_path / "none.key", "--out", station), "cannot be read"),
        (("epoch", "--root", broken, "--out", station), "no private root"),
        (("epoch", "--root", other / "root.key", "--out", station), "another root"),
        (("epoch", *unlocked, "--count", "0", "--out", station), "--count"),
        (("export", tmp_path / "none.pub"), "cannot be read"),
        (("export", broken), "no private root"),
        (("retire", station, *unlocked, "--from", "9", "--reason", "x", "--out", tmp_path / "n"), "no prepared epoch"),
        (("retire", station, *unlocked, "--reason", "tëst", "--out", tmp_path / "n"), "printable ASCII"),
        (("retire", station, *unlocked, "--reason", "x", "--out", wrong), "exists already"),
        (("retire", station, "--root", other / "root.key", "--reason", "x", "--out", tmp_path / "n"), "another root"),
    ):
        done = command(*arguments)
        assert (done.exit_code, done.out) == (2, ""), arguments
        assert words in done.err, arguments
    assert before == {path: path.read_bytes() for folder in (safe, station) for path in folder.iterdir()}
    assert not (tmp_path / "n").exists()
