"""The live view on a real terminal: what its keys do, and that the terminal is given back on every way out."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.log_tools import is_closed, of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real_time

RFCTL = Path(sys.executable).with_name("rfctl")
DEADLINE_S = 30.0
ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|.)")
ALTERNATE, NORMAL, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
SPACE = b" "


@dataclass
class Terminal:
    """A terminal with a program on it, and the person before it."""

    master: int
    process: subprocess.Popen[bytes]
    settings: list[Any]
    seen: bytes = b""

    def until(self, words: str) -> None:
        """Read on until the words have been drawn."""
        deadline = time.monotonic() + DEADLINE_S
        while words.encode() not in ESCAPES.sub(b"", self.seen):
            left = deadline - time.monotonic()
            assert left > 0, f"{words!r} was not drawn within {DEADLINE_S:g} s:\n{self.text()[-4000:]}"
            self._read(left)

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def end(self) -> int:
        """Read to the end of the program; its exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
        self._read(0.0)
        return self.process.wait(0.0)

    def text(self) -> str:
        return ESCAPES.sub(b"", self.seen).decode("utf-8", "replace")

    def _read(self, timeout_s: float) -> None:
        while select.select([self.master], [], [], timeout_s)[0]:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:  # nobody has the other side open
                return
            timeout_s = 0.0


@contextmanager
def on_terminal(folder: Path, *arguments: str) -> Iterator[Terminal]:
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    settings = termios.tcgetattr(slave)
    process = subprocess.Popen(
        ["setsid", "--ctty", RFCTL, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color", "XDG_STATE_HOME": str(folder / "state")},
    )
    os.close(slave)
    try:
        yield Terminal(master, process, settings)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)


def decisions(folder: Path) -> list[dict[str, Any]]:
    """Every decision of the one record below the folder that was not routine."""
    (path,) = folder.glob("rfctl-out/*/record")
    return of_kind(path, "decision")


def is_sealed(folder: Path) -> bool:
    (path,) = folder.glob("rfctl-out/*/record")
    return is_closed(path)


def verified(folder: Path) -> str:
    (path,) = folder.glob("rfctl-out/*/record")
    done = subprocess.run(
        [RFCTL, "record", "verify", path, "--key", path.with_suffix(".pub"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return str(json.loads(done.stdout)["verdict"])


def in_hold(terminal: Terminal) -> None:
    terminal.until("SIMULATED")
    terminal.until("● RF ON")
    terminal.until("s left █")


def settings_of(terminal: Terminal) -> list[Any]:
    return termios.tcgetattr(terminal.master)


@pytest.mark.parametrize("way", ["space", "q", "ctrl-c", "SIGTERM"])
def test_a_stop_in_mid_hold_turns_off_first_and_gives_the_terminal_back(tmp_path: Path, way: str) -> None:
    with on_terminal(tmp_path, "demo", "--pace", "60") as terminal:
        in_hold(terminal)
        assert settings_of(terminal) != terminal.settings
        match way:
            case "space":
                terminal.press(SPACE)
            case "q":
                terminal.press(b"q")
            case "ctrl-c":
                terminal.press(b"\x03")
            case _:
                terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 3
        assert settings_of(terminal) == terminal.settings
        assert terminal.seen.count(ALTERNATE) == terminal.seen.count(NORMAL) == 1
        after = terminal.seen.split(NORMAL)[1]
        assert SHOW_CURSOR in terminal.seen
        assert b"stopped by" in after
        assert b"rfctl record verify" in after
    (stopped,) = [line for line in decisions(tmp_path) if line["event"][0] == "Stopped"]
    assert stopped["effects"][0][0] == "Off"
    assert verified(tmp_path).startswith("VALID")


def test_a_terminal_that_is_closed_in_mid_hold_means_off_and_a_sealed_record(tmp_path: Path) -> None:
    with on_terminal(tmp_path, "demo", "--pace", "60") as terminal:
        in_hold(terminal)
        spare = os.open(os.devnull, os.O_RDWR)
        os.dup2(spare, terminal.master)  # closes the only descriptor of the terminal's other side
        os.close(spare)
        assert terminal.process.wait(DEADLINE_S) == 3
    stopped = [line for line in decisions(tmp_path) if line["event"][0] == "Stopped"]
    assert stopped[0]["effects"][0][0] == "Off"
    assert verified(tmp_path).startswith("VALID")


def test_a_terminal_that_takes_no_more_holds_up_nothing(tmp_path: Path) -> None:
    with on_terminal(tmp_path, "demo", "--pace", "100") as terminal:
        terminal.until("SIMULATED")
        deadline = time.monotonic() + DEADLINE_S
        while not is_sealed(tmp_path):  # and nothing is read meanwhile
            assert time.monotonic() < deadline
            select.select([], [], [], 0.1)
        assert terminal.end() == 0
        assert settings_of(terminal) == terminal.settings
        assert NORMAL in terminal.seen
        assert b"delivered as planned" in terminal.seen.split(NORMAL)[1]


def test_nothing_but_stop_means_anything_while_a_script_answers(tmp_path: Path) -> None:
    with on_terminal(tmp_path, "demo", "--pace", "30") as terminal:
        terminal.until("answered by demonstration script")
        terminal.press(b"\x1b[A")
        terminal.press(b"r")
        in_hold(terminal)
        terminal.press(b"\x1a\x1c")  # neither suspended nor quit
        terminal.until("cooling below 45 degC")
        terminal.press(SPACE)
        assert terminal.end() == 3
    answers = {line["event"][3] for line in decisions(tmp_path) if line["event"][0] == "Answered"}
    assert answers == {"demonstration script"}


def test_a_run_without_answers_is_decided_at_the_keys(tmp_path: Path) -> None:
    with on_terminal(tmp_path, "run", "--station", "demo", "--plan", "short", "--operator", "A. Tester") as terminal:
        terminal.until("[c] confirm")
        terminal.press(b"c")
        terminal.until("[a] ARM")
        terminal.press(b"a")
        terminal.until("[s] START RF")
        terminal.press(b"s")
        terminal.until("● RF ON")
        terminal.press(SPACE)
        assert terminal.end() == 3
    answered = [line["event"] for line in decisions(tmp_path) if line["event"][0] == "Answered"]
    assert [tuple(event[2:4]) for event in answered] == [
        ("confirm", "A. Tester"),
        ("arm", "A. Tester"),
        ("start", "A. Tester"),
    ]
    assert verified(tmp_path).startswith("VALID")


def test_without_a_terminal_nobody_can_decide_and_it_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [RFCTL, "run", "--station", "demo", "--plan", "short"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "nobody is there to decide" in done.stderr
    assert "--answers" in done.stderr
    assert not list(tmp_path.iterdir())


def test_into_a_pipe_go_plain_lines_without_escape_codes(tmp_path: Path) -> None:
    done = subprocess.run(
        [RFCTL, "demo", "--pace", "100"], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"hold" in done.stderr
    assert b"record verify" in done.stdout
