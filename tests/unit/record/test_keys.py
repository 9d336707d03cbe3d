"""The public key file is one exact line; anything else is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfctl.errors import ConfigError
from rfctl.record.keys import PublicKey, generate, load_public_key, public_half, write_public_key

KEY = PublicKey(bytes(range(32)), "rfctl/bench-1")
LINE = f"rfctl-ed25519 {bytes(range(32)).hex()} rfctl/bench-1\n"


def test_a_public_key_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "bench-1.pub"
    write_public_key(path, KEY)
    assert path.read_text() == LINE
    assert load_public_key(path) == KEY


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "bench-1.pub"
    write_public_key(path, KEY)
    with pytest.raises(ConfigError, match="exists already"):
        write_public_key(path, PublicKey(bytes(32), "rfctl/bench-1"))
    assert load_public_key(path) == KEY


def test_a_key_file_in_a_missing_folder_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_public_key(tmp_path / "absent" / "bench-1.pub", KEY)


@pytest.mark.parametrize(
    "content",
    ["", LINE.rstrip("\n"), LINE + "\n", LINE.replace("0b", "0B"), LINE.replace("1f ", " "), LINE * 2, "x" * 10_000]
    + [LINE.replace(old, new) for old, new in (("ed25519", "rsa"), ("rfctl/bench", "bench"), ("bench-1", "bench 1"))],
)
def test_a_file_that_is_not_the_one_line_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bench-1.pub"
    path.write_text(content)
    with pytest.raises(ConfigError, match="one line"):
        load_public_key(path)


def test_an_absent_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.pub"):
        load_public_key(tmp_path / "absent.pub")


@pytest.mark.parametrize("origin", ["bench-1", "rfctl/", "rfctl/a\n9", "rfctl/a b", "rfctl/ä", "rfctl/" + "a" * 121])
def test_an_origin_that_could_forge_a_line_of_the_signed_text_is_refused(origin: str) -> None:
    with pytest.raises(ConfigError, match="origin"):
        PublicKey(bytes(32), origin)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="31"):
        PublicKey(bytes(31), "rfctl/bench-1")


def test_a_signature_holds_for_its_key_and_message_alone() -> None:
    private = generate()
    key, other = public_half(private, "rfctl/bench-1"), public_half(generate(), "rfctl/bench-1")
    signature = private.sign(b"message")
    assert key.signed(b"message", signature)
    assert not key.signed(b"massage", signature)
    assert not key.signed(b"message", signature[:-1])
    assert not other.signed(b"message", signature)
    assert not PublicKey(b"\xff" * 32, "rfctl/bench-1").signed(b"message", signature)
