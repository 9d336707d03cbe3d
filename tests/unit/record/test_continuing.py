"""A new log behind an old record says what that was; the old one is not touched."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from rfctl.cli.record import record as command
from rfctl.errors import ConfigError
from rfctl.record.keys import load_public_key
from rfctl.record.segments import entries
from rfctl.record.verify import Outcome, verify

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.unit.record.conftest import Forge


def migrated(old: Path, key: Path, out: Path) -> dict[str, Any]:
    found = CliRunner().invoke(
        command,
        ["migrate", str(old), "--key", str(key), "--out", str(out), "--json"],
        catch_exceptions=False,
        standalone_mode=False,
    )
    document: dict[str, Any] = json.loads(found.stdout)
    return document


@pytest.fixture
def key_file(forge: Forge, tmp_path: Path) -> Path:
    path = tmp_path / "record.pub"
    path.write_text(f"rfctl-ed25519 {forge.key.raw.hex()} {forge.origin}\n", encoding="ascii")
    return path


def pointer_in(log: Path) -> Any:
    first = next(entries(log))
    assert first.kind == "segment"
    about = first.members["about"]
    assert isinstance(about, dict)
    return about["continues"]


def test_a_new_log_points_to_a_record_of_format_0(forge: Forge, key_file: Path, tmp_path: Path) -> None:
    forge.open()
    forge.add("note", 5)
    forge.seal()
    assert forge.verdict().verdict.good
    before = forge.path.read_bytes()
    document = migrated(forge.path, key_file, tmp_path / "log")
    pointer = pointer_in(tmp_path / "log")
    assert pointer == document["continues"]
    assert pointer == {
        "name": "record.jsonl",
        "format": "rfctl-record-0",
        "origin": forge.origin,
        "public_key": forge.key.raw.hex(),
        "verdict": "VALID-UNANCHORED",
        "records": 2,
        "sha256": hashlib.sha256(before).hexdigest(),
    }
    assert forge.path.read_bytes() == before
    verdict = verify(tmp_path / "log", load_public_key(tmp_path / "log.pub"))
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict.detail
    with pytest.raises(ConfigError):
        migrated(forge.path, key_file, tmp_path / "log")


def test_a_new_log_points_to_a_damaged_one_with_its_verdict_and_hash(
    forge: Forge, key_file: Path, tmp_path: Path
) -> None:
    forge.open()
    forge.seal()
    assert forge.verdict().verdict.good
    migrated(forge.path, key_file, tmp_path / "damaged")
    segment = tmp_path / "damaged" / "00000000.seg"
    segment.chmod(0o640)
    data = segment.read_bytes()
    segment.write_bytes(data.replace(b'"kind":"session_close"', b'"kind":"session_clone"'))
    migrated(tmp_path / "damaged", tmp_path / "damaged.pub", tmp_path / "log")
    pointer = pointer_in(tmp_path / "log")
    assert (pointer["format"], pointer["verdict"]) == ("rfctl-record-1", "CORRUPT")
    listed = subprocess.run("sha256sum *", shell=True, check=True, capture_output=True, cwd=tmp_path / "damaged").stdout
    assert pointer["sha256"] == hashlib.sha256(listed).hexdigest()


def test_show_prints_each_record_of_either_format(forge: Forge, key_file: Path, tmp_path: Path) -> None:
    forge.open()
    forge.seal()
    assert forge.verdict().verdict.good
    migrated(forge.path, key_file, tmp_path / "log")
    for path, kinds in (
        (forge.path, ["open", "seal"]),
        (
            tmp_path / "log",
            ["segment", "epoch", "session", "checkpoint", "session_close", "segment_close", "checkpoint"],
        ),
    ):
        lines = CliRunner().invoke(command, ["show", str(path)], catch_exceptions=False).stdout.splitlines()
        assert [line.split()[2] for line in lines] == kinds
        documents = CliRunner().invoke(command, ["show", str(path), "--json"], catch_exceptions=False).stdout
        assert [json.loads(line)["kind"] for line in documents.splitlines()] == kinds
