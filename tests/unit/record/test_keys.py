"""The public key file of a record is one exact line, of a log or of format 0; anything else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfctl.errors import ConfigError
from rfctl.record.epochs import write_public_key
from rfctl.record.keys import load_public_key
from rfctl.record.notes import VerifierKey

KEY = VerifierKey("rfctl/bench-1", bytes(range(32)))
LINE = f"rfctl-ed25519 {bytes(range(32)).hex()} rfctl/bench-1\n"


def test_the_key_of_a_log_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "bench-1.pub"
    write_public_key(path, KEY)
    assert path.read_text() == KEY.text + "\n"
    found = load_public_key(path)
    assert (found.origin, found.raw) == (KEY.origin, KEY.raw)


def test_the_key_of_format_0_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "old.pub").write_text(LINE)
    found = load_public_key(tmp_path / "old.pub")
    assert (found.origin, found.raw) == ("rfctl/bench-1", bytes(range(32)))


@pytest.mark.parametrize(
    "content",
    ["", LINE.rstrip("\n"), LINE + "\n", LINE.replace("0b", "0B"), LINE.replace("1f ", " "), LINE * 2, "x" * 10_000]
    + [LINE.replace(old, new) for old, new in (("ed25519", "rsa"), ("rfctl/bench", "bench"), ("bench-1", "bench 1"))]
    + [KEY.text, KEY.text.replace("+", "-", 1) + "\n"],
)
def test_a_file_that_is_not_the_one_line_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bench-1.pub"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"one line|more than"):
        load_public_key(path)


def test_an_absent_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.pub"):
        load_public_key(tmp_path / "absent.pub")
