"""One process is the station, and the next start learns which record the last one left open."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rfctl.errors import ConfigError
from rfctl.record.pointer import POINTER, OpenRecord, StateFolder, left_open

RECORD = OpenRecord(path="/records/p1.jsonl", boot_id="b5a2", pid=4711)


def test_an_open_record_is_known_until_it_is_cleared(tmp_path: Path) -> None:
    assert left_open(tmp_path) is None
    with StateFolder.claim(tmp_path) as state:
        state.point_to(RECORD)
        assert left_open(tmp_path) == RECORD
        state.clear()
        assert left_open(tmp_path) is None
        state.clear()


def test_an_open_record_outlives_the_process(tmp_path: Path) -> None:
    with StateFolder.claim(tmp_path) as state:
        state.point_to(RECORD)
    assert left_open(tmp_path) == RECORD


def test_a_later_record_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    later = OpenRecord(path="/records/p2.jsonl", boot_id="c6b3", pid=4712)
    with StateFolder.claim(tmp_path) as state:
        state.point_to(RECORD)
        state.point_to(later)
    assert left_open(tmp_path) == later


def test_the_pointer_is_on_disk_before_it_has_its_name_and_its_name_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, bool]] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        is_folder = Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path
        synced.append((is_folder, left_open(tmp_path) is not None))
        real_fsync(descriptor)

    with StateFolder.claim(tmp_path) as state:
        monkeypatch.setattr(os, "fsync", fsync)
        state.point_to(RECORD)
    assert synced == [(False, False), (True, True)]


def test_a_missing_state_folder_is_made(tmp_path: Path) -> None:
    with StateFolder.claim(tmp_path / "var" / "bench-1") as state:
        state.point_to(RECORD)
    assert left_open(tmp_path / "var" / "bench-1") == RECORD


def test_a_state_folder_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        StateFolder.claim(tmp_path / "file" / "bench-1")


def test_a_second_process_on_the_station_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    second = f"""
from pathlib import Path
from rfctl.record.pointer import StateFolder
StateFolder.claim(Path({str(tmp_path)!r}))
"""
    with StateFolder.claim(tmp_path):
        refused = subprocess.run([sys.executable, "-c", second], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"ConfigError: {tmp_path}: process {os.getpid()} runs this station" in refused.stderr
    accepted = subprocess.run([sys.executable, "-c", second], capture_output=True, text=True, check=False)
    assert accepted.returncode == 0, accepted.stderr


def test_a_claim_that_was_released_can_be_had_again(tmp_path: Path) -> None:
    StateFolder.claim(tmp_path).release()
    StateFolder.claim(tmp_path).release()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[]",
        '{"path":"/p","boot_id":"b"}',
        '{"path":"/p","boot_id":"b","pid":true}',
        '{"path":"/p","boot_id":"b","pid":"1"}',
        '{"path":"/p","boot_id":"b","pid":1,"more":2}',
    ],
)
def test_an_unreadable_pointer_is_an_error_and_not_no_record(tmp_path: Path, content: str) -> None:
    (tmp_path / POINTER).write_text(content)
    with pytest.raises(ConfigError, match="ended uncleanly"):
        left_open(tmp_path)


def test_a_disk_that_takes_no_byte_more_refuses_the_station_and_holds_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_lock: int, _data: bytes, _at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(ConfigError, match="takes no byte: No space left on device"):
            StateFolder.claim(tmp_path)
    StateFolder.claim(tmp_path).release()
