"""One simulated generator served as a process, and ``rfctl run`` beside it, on the machine's clock."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rfctl.record.keys import load_public_key
from rfctl.record.verify import Outcome, verify
from tests.commands import RFCTL
from tests.station_bench import answers_text, plan_text, station_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

START_S = 120.0
END_S = 120.0
"""How long a test waits for what has to come at all; no measure of anything."""
MID_HOLD_S = 1.0
PLAN = plan_text(set_temperature_c=50, hold_s=20, ramp_c_per_s=5)
LEASE_S = 0.5
POLL_S = 0.05
SAMPLE_S = 0.02


@dataclass
class Rig:
    """A served simulator and the files of a station on it."""

    folder: Path
    backdoor: str
    server: asyncio.subprocess.Process
    runner: tuple[str, ...] = ()
    """Runs the commands; empty for nobody."""
    limit: Callable[[], None] | None = None
    """Called in each process before its command begins."""
    serial: bool = False
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """One request to the back door."""
        host, _, port = self.backdoor.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        status, _, rest = answer.partition(b"\r\n")
        assert status.split()[1] == b"200", answer
        return json.loads(rest.partition(b"\r\n\r\n")[2])

    async def channel(self) -> dict[str, Any]:
        """What is true of channel 1, with the generator's time."""
        truth = await self.ask("GET", "/truth")
        first: dict[str, Any] = truth["channels"][0]
        return first | {"now_s": truth["now_s"]}

    async def start(self, *arguments: str, **environment: str) -> Running:
        """A command of the project in the station's folder."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self.runner,
            RFCTL,
            *arguments,
            cwd=self.folder,
            env=os.environ | environment,
            stdout=pipe,
            stderr=pipe,
            preexec_fn=self.limit,
        )
        self.started.append(process)
        return Running(process)

    async def run(self, **environment: str) -> Running:
        """``rfctl run`` on this station."""
        names = ("station", "plan", "answers")
        files = [word for name in names for word in (f"--{name}", f"{name}.toml")]
        return await self.start("run", *files, "--out", "out", "--json", **environment)

    async def heating(self, **environment: str) -> tuple[Running, dict[str, Any]]:
        """``rfctl run`` in mid-hold, and what was true of channel 1 then."""
        running = await self.run(**environment)
        await running.in_hold()
        before = await self.channel()
        assert before["rf_on"]
        return running, before


@dataclass
class Running:
    """A command at work."""

    process: asyncio.subprocess.Process
    err: str = ""

    async def until(self, *words: str) -> None:
        """Read its log until a line has all these words."""
        assert self.process.stderr is not None
        async with asyncio.timeout(START_S):
            while line := (await self.process.stderr.readline()).decode():
                self.err += line
                if all(word in line for word in words):
                    return
        raise AssertionError(f"{words} never came:\n{self.err}")

    async def in_hold(self) -> None:
        """Wait for mid-hold."""
        await self.until("] hold ", "code=phase")
        await asyncio.sleep(MID_HOLD_S)

    async def end(self) -> Ended:
        """Wait for its end."""
        async with asyncio.timeout(END_S):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return Ended(self.process.pid, self.process.returncode, out.decode(), self.err + err.decode())


class Ended(NamedTuple):
    """A command that has ended."""

    pid: int
    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as its one JSON document."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@asynccontextmanager
async def rig(
    folder: Path, *options: str, link: str = "tcp:127.0.0.1:0", station: str = "", plan: str = PLAN
) -> AsyncIterator[Rig]:
    """Serve a simulator for a station in ``folder``, and end it.

    Args:
        folder: Of the station's files.
        options: More of the simulator's.
        link: What the simulator serves; over a pty the station takes the same one.
        station: More of the station file.
        plan: The plan file.
    """
    serve = ("sim", "serve", "--link", link, "--backdoor", "127.0.0.1:0", "--json")
    server = await asyncio.create_subprocess_exec(RFCTL, *serve, *options, stdout=asyncio.subprocess.PIPE)
    started: list[asyncio.subprocess.Process] = []
    try:
        assert server.stdout is not None
        async with asyncio.timeout(START_S):
            listening = json.loads(await server.stdout.readline())
        reached = link.replace("pty:", "rtu:") if link.startswith("pty:") else listening["link"]
        texts = {"station": station_text(reached) + station, "plan": plan, "answers": answers_text()}
        for name, text in texts.items():
            (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        yield Rig(folder, listening["backdoor"], server, serial=link.startswith("pty:"), started=started)
    finally:
        server.terminate()
        await server.communicate()
        for process in started:
            if process.returncode is None:  # a test has failed
                process.kill()
                await process.communicate()


def verdict_on(record: str | Path) -> Outcome:
    """What the verifier says of a record, by the key beside it."""
    path = Path(record)
    return verify(path, load_public_key(path.with_suffix(".pub"))).verdict
