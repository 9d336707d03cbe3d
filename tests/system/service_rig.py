"""One simulated generator, one station and the processes on it, real and on the real clock."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfctl.clock import NS_PER_S, RealClock
from rfctl.model.shipped import shipped_root
from rfctl.station import local_socket
from tests.log_tools import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RFCTL = Path(sys.executable).parent / "rfctl"
PATIENCE_S = 100.0
LOOK_S = 0.02
STATION = """
[station]
id = "bench"
title = "Bench"
backend = "simulated"
medium = "tissue"

[generator]
link = "{link}"
profile = "{profile}"

[record]
folder = "records"
state_folder = "state"
"""
PLAN = """
[plan]
title = "Short and lukewarm"
checklist = ["nobody is connected"]

[[site]]
name = "bench"
channel = 1
electrode = { gauge = 18, tip_mm = 10 }
sensory = { use = "not used", reason = "bench" }
motor = { use = "not used", reason = "bench" }
anaesthetic = { use = "not used", reason = "bench" }
lesion = { set_temperature_c = 45, hold_s = 60, ramp_c_per_s = 5 }
"""
ANSWERS = """
[answers]
operator = "bench script"

[[site]]
name = "bench"
"""
DRIVER = '''
"""A driver that hangs the loop it is called in, once, when told to."""
import os
from pathlib import Path
from rfctl_modbus.driver import ModbusGenerator

FOLDER = Path(os.environ["HANGING_DRIVER"])

class HangingGenerator(ModbusGenerator):
    async def read(self):
        try:
            (FOLDER / "hang").unlink()
        except FileNotFoundError:
            return await super().read()
        (FOLDER / "hung").write_text("x")
        (FOLDER / "until").read_text()
        return await super().read()

def open_driver(link, profile):
    return HangingGenerator(link, profile)
'''


class Client:
    """A client of the control socket that was written from docs/protocols/control.md."""

    def __init__(self, state_folder: Path, name: str) -> None:
        self._socket = local_socket.connect(state_folder, "control.sock", timeout_s=PATIENCE_S)
        self._file = self._socket.makefile("rwb")
        self.ask("hello", name=name)

    def ask(self, do: str, **members: object) -> dict[str, Any]:
        """The reply to a request; what comes meanwhile is passed over."""
        self._file.write(json.dumps({"do": do, **members}).encode() + b"\n")
        self._file.flush()
        return self.until(lambda line: line.get("reply") == do)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first line for which that holds."""
        for line in self._file:
            members: dict[str, Any] = json.loads(line)
            if wanted(members):
                return members
        raise AssertionError("the service hung up")

    def phase(self, phase: str) -> dict[str, Any]:
        """The first snapshot with channel 1 in a phase of a procedure; who cannot see it is told why."""
        return self._seen(lambda snapshot: snapshot["channels"][0]["phase"] == phase)

    def idle(self) -> dict[str, Any]:
        """The first snapshot with channel 1 at rest, procedures ended or not."""
        return self.until(lambda line: "snapshot" in line and line["snapshot"]["channels"][0]["phase"] == "idle")

    def asked(self, question: str) -> dict[str, Any]:
        """The first snapshot with this question open; who cannot see it is told why."""
        return self._seen(lambda snapshot: (snapshot["question"] or {}).get("question") == question)

    def _seen(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        found = self.until(lambda line: "ended" in line or ("snapshot" in line and wanted(line["snapshot"])))
        assert "ended" not in found, found
        return found

    def told(self, words: str) -> None:
        """Wait until the service says that of itself."""
        self.until(lambda line: words in line.get("notice", ""))

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


class NotifySocket:
    """The supervisor's end of sd_notify."""

    def __init__(self, folder: Path) -> None:
        self.address = f"@rfctl-test-{os.getpid()}-{folder.name}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:])

    def until(self, wanted: str) -> list[str]:
        """Every message to the first that begins so."""
        self._socket.settimeout(PATIENCE_S)
        heard = [self._socket.recv(4096).decode()]
        while not heard[-1].startswith(wanted):
            heard.append(self._socket.recv(4096).decode())
        return heard

    def silent_for(self, seconds: float) -> bool:
        """Nothing comes for so long; what had come before is passed over."""
        self.forget()
        return not select.select([self._socket], [], [], seconds)[0]

    def forget(self) -> None:
        """Pass over what has come: the system keeps ten messages and loses the next."""
        self._socket.settimeout(0.0)
        try:
            while True:
                self._socket.recv(4096)
        except BlockingIOError:
            pass

    def close(self) -> None:
        self._socket.close()


@dataclass
class Rig:
    """A folder with a station file, a simulated generator, and what runs on it."""

    folder: Path
    link: str
    backdoor: str
    stack: ExitStack
    notify: NotifySocket = field(init=False)

    def __post_init__(self) -> None:
        self.notify = NotifySocket(self.folder)
        self.stack.callback(self.notify.close)
        self.write("station.toml", STATION.format(link=self.link, profile="rfctl-reference"))
        self.write("plan.toml", PLAN)
        self.write("answers.toml", ANSWERS)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """A command of the project; ended with the rig if it has not ended by then."""
        process = subprocess.Popen(
            [RFCTL, *arguments],
            cwd=self.folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.stack.enter_context((self.folder / f"{arguments[0]}.err").open("a")),
            text=True,
        )
        self.stack.callback(_end, process)
        return process

    def serve(self, **environment: str) -> subprocess.Popen[str]:
        """A service that has reported ready."""
        watchdog = {"NOTIFY_SOCKET": self.notify.address, "WATCHDOG_USEC": "600000"}
        process = self.start("serve", "--station", "station.toml", **watchdog, **environment)
        self.notify.until("READY=1")
        return process

    def run(self) -> subprocess.Popen[str]:
        """``rfctl run`` with answers from a file."""
        files = ("--station", "station.toml", "--plan", "plan.toml", "--answers", "answers.toml")
        return self.start("run", *files, "--json")

    def client(self, name: str) -> Client:
        client = Client(self.state, name)
        self.stack.callback(client.close)
        return client

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Exit code and standard output of a process that ends by itself."""
        output, _ = process.communicate(timeout=PATIENCE_S)
        return process.returncode, output

    def command(self, *arguments: str) -> tuple[int, str]:
        return self.finish(self.start(*arguments))

    def errors(self, command: str) -> str:
        """Standard error of every start of a command so far."""
        return (self.folder / f"{command}.err").read_text(encoding="utf-8")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.backdoor}/{path}", timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def rf_on(self) -> bool:
        """What the output stages really do."""
        return any(channel["rf_on"] for channel in self.get("truth")["channels"])

    def until(self, condition: Callable[[], bool]) -> None:
        """Look until it holds."""
        clock = RealClock()
        give_up_ns = clock.monotonic_ns() + int(PATIENCE_S * NS_PER_S)
        while not condition():
            assert clock.monotonic_ns() < give_up_ns, f"still not after {PATIENCE_S:g} s"
            select.select([], [], [], LOOK_S)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.get("events") if event["kind"] == kind]

    def records(self) -> list[list[dict[str, Any]]]:
        """The lines of each record, in the order of their beginning."""
        paths = (self.folder / "records").glob("*/record")
        found = [lines(path) for path in paths]
        return sorted(found, key=lambda lines: lines[0]["t"])

    def hanging_driver(self) -> dict[str, str]:
        """Install a driver that hangs the loop, for this rig's service only; returns the environment for it."""
        place = self.folder / "plug-in"
        entry = place / "hanging_driver-1.dist-info"
        entry.mkdir(parents=True)
        (place / "hanging_driver.py").write_text(DRIVER, encoding="utf-8")
        (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: hanging-driver\nVersion: 1\n", encoding="utf-8")
        (entry / "entry_points.txt").write_text(
            "[rfctl.drivers]\nhanging = hanging_driver:open_driver\n", encoding="utf-8"
        )
        profile = (shipped_root() / "generators" / "rfctl-reference.toml").read_text(encoding="utf-8")
        self.write("hanging.toml", profile.replace('driver = "rfctl_modbus"', 'driver = "hanging"'))
        self.write("station.toml", STATION.format(link=self.link, profile="hanging.toml"))
        os.mkfifo(place / "hung")
        os.mkfifo(place / "until")
        return {"PYTHONPATH": str(place), "HANGING_DRIVER": str(place)}

    def hang(self) -> None:
        """Returns when the service's loop hangs."""
        place = self.folder / "plug-in"
        (place / "hang").touch()
        (place / "hung").read_text()

    def unhang(self) -> None:
        (self.folder / "plug-in" / "until").write_text("go on")


@contextmanager
def rig(folder: Path, *, serial: bool) -> Iterator[Rig]:
    """Switch a simulated generator on, and everything off at the end."""
    face = f"pty:{folder / 'port'}" if serial else "tcp:127.0.0.1:0"
    with ExitStack() as stack:
        simulator = subprocess.Popen(
            [RFCTL, "sim", "serve", "--link", face, "--backdoor", "127.0.0.1:0", "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(_end, simulator)
        assert simulator.stdout is not None
        listening = json.loads(simulator.stdout.readline())
        link = f"rtu:{folder / 'port'}" if serial else listening["link"]
        yield Rig(folder, link, listening["backdoor"], stack)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
