"""Kills the writer, or fails it once, at each of its system calls, and looks at what is left."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from rfctl.clock import RealClock
from rfctl.kernel.events import Sampled
from rfctl.record import epochs
from rfctl.record.opening import new_origin
from rfctl.record.prepared import Prepared
from rfctl.record.segments import Entry
from rfctl.record.story import story
from rfctl.record.verify import Outcome, verify
from rfctl.record.writer import RecordWriter
from tests.crash.writer import HEADER, INTENTS, READINGS, REFUSED, SEALED, Order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

ROOT: Final = Path(__file__).parents[2]
CALLS: Final = (
    *(
        "openat",
        "write",
        "fsync",
        "fdatasync",
        "rename",
        "renameat",
        "renameat2",
        "close",
        "ftruncate",
        "mkdir",
        "mkdirat",
    ),
    *("unlink", "unlinkat", "flock", "fallocate", "chmod", "fchmodat", "read", "pread64", "getdents64", "newfstatat"),
    *("fstat", "lseek", "ioctl"),
)
"""What the writer asks of the system about its files."""
HARMS: Final = {"killed": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
SCENES: Final = ("new", "again")
"""A log that is not there, and one that a crash left open with torn ends."""
NAMES: Final = [f"{number:08}.{end}" for number in range(4) for end in ("seg", "chunk", "seg.torn", "chunk.torn")]
BESIDE: Final = [
    "head",
    "head.new",
    "writer.lock",
    "reserve",
    "standing",
    "standing.new",
    *[f"{name}.new" for name in NAMES],
]
LEFT: Final = frozenset({Outcome.OPEN_TAIL, Outcome.UNCLEAN_END, Outcome.UNSEALED})
STORED: Final = re.compile(r"(?:write|fsync|fdatasync)\(\d+<([^>]*\.(?:seg|chunk)(?:\.new)?)>")
_LINE: Final = re.compile(r"(?:\[pid +)?(\d+)\]? +(\w+)\(")


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One system call of the writer.

    Attributes:
        scene: One of SCENES.
        main: It is made by the main thread, else by the writer's.
        call: Its name.
        number: Among those of this name and thread, from 1.
    """

    scene: str
    main: bool
    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.scene} {'main' if self.main else 'thread'} {self.call} {self.number}"


@dataclass(frozen=True, slots=True)
class Harmed:
    """What came of it.

    Attributes:
        exit_code: Of the writer; negative for a signal.
        acknowledged: Intents that it said are durable.
        verdict: On the log as it was left; None where there was none yet.
        wrong: What must not be, in words; empty when all is well.
    """

    exit_code: int
    acknowledged: int
    verdict: Outcome | None
    wrong: str


class Campaign:
    """A writer to harm, in a folder of its own. A context."""

    def __init__(self, folder: Path) -> None:
        """Make keys and the log that a crash left open."""
        self._folder = folder
        self._root = epochs.Signer(new_origin("bench-1"), epochs.generate())
        epochs.write_public_key(folder / "log.pub", self._root.public)
        since = datetime(2020, 1, 1, tzinfo=UTC)
        epochs.prepare(self._root, folder / "epochs", first=1, count=4, not_before=since, not_after=None)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.crash.writer"]
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=ROOT
        )
        (self._folder / "left").mkdir()
        order = self._order(self._folder / "left", "new")
        self._run(replace(order, sealed=False, traced=False), [])
        assert Path(order.said).read_text().split() == ["opened", *map(str, range(2 * INTENTS))]
        for name in ("00000001.seg", "00000001.chunk"):
            with (Path(order.log) / name).open("ab") as file:
                file.write(b"\0\0\1\0torn")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.communicate()

    def points(self) -> list[Point]:
        """Every system call that the writer makes about its files, harmed by nobody."""
        found = []
        for scene in SCENES:
            with self._place() as place:
                order = self._order(place, scene)
                code = self._run(order, ["-f"])
                assert code == SEALED, Path(order.errors).read_text()
                counts: Counter[tuple[bool, str]] = Counter()
                for process, call in _traced(place):
                    if call != "writev":
                        main = process == self._process
                        counts[main, call] += 1
                        found.append(Point(scene, main, call, counts[main, call]))
        return found

    def harm(self, point: Point, harm: str) -> Harmed:
        """Have it happen, and look at what is left; then open the log again, and look at what is in it."""
        with self._place() as place:
            order = self._order(place, point.scene)
            inject = f"inject={point.call}:{HARMS[harm]}:when={point.number}"
            code = self._run(order, ["-e", inject] if point.main else ["-f", "-e", inject])
            said = Path(order.said).read_text().split() if Path(order.said).exists() else []
            log, public = Path(order.log), self._root.public
            verdict = verify(log, public).verdict if any(log.glob("*.seg")) else None
            wrong = [
                *self._wrong_in_trace(place, harm),
                *_wrong_end(code, said, verdict, harm, order),
                *self._wrong_in_log(order, said, before=point.scene == "again"),
            ]
            return Harmed(code, sum(line.isdigit() for line in said), verdict, "; ".join(wrong))

    def _wrong_in_trace(self, place: Path, harm: str) -> Iterator[str]:
        lines = (place / "trace").read_text().splitlines()
        struck = [number for number, line in enumerate(lines) if "(INJECTED)" in line]
        if harm == "killed":
            if not any("killed by SIGKILL" in line for line in lines):
                yield "it was not reached"
            return
        if len(struck) != 1:
            yield f"it was struck {len(struck)} times"
            return
        failed = STORED.search(lines[struck[0]])
        if failed is None:
            return
        for line in lines[struck[0] + 1 :]:
            again = STORED.search(line)
            if again is not None and Path(again[1]).name.removesuffix(".new") == Path(failed[1]).name.removesuffix(
                ".new"
            ):
                yield f"after {lines[struck[0]]} came {line}"
            if "writev(" in line:
                yield f"after {lines[struck[0]]} it acknowledged"

    def _wrong_in_log(self, order: Order, said: list[str], *, before: bool) -> Iterator[str]:
        """Reopen the log, close it, and compare it with what was acknowledged."""
        log, public = Path(order.log), self._root.public
        asyncio.run(_closed(log, Prepared(public, Path(order.keys))))
        verdict = verify(log, public)
        if verdict.verdict is not Outcome.VALID_UNANCHORED:
            yield f"reopened and closed it is {verdict}"
            return
        kept = _kept(log)
        if before and (not kept or kept[0] != 2 * INTENTS):
            yield f"of the session before {kept[:1]} intents are left"
        acknowledged = sum(line.isdigit() for line in said)
        here = kept[before:]
        if acknowledged and (not here or here[0] < acknowledged):
            yield f"{acknowledged} intents were acknowledged, {here[:1]} are in the log"

    def _place(self) -> _Place:
        return _Place(self._folder / "here")

    def _order(self, place: Path, scene: str) -> Order:
        shutil.copytree(self._folder / "epochs", place / "epochs")
        if scene == "again":
            for name in ("log", "log.state"):
                shutil.copytree(self._folder / "left" / name, place / name)
            (place / "epochs" / "epoch-00000001.json").unlink()
        names = {name: str(place / name) for name in ("log", "said", "errors")}
        return Order(**names, public=str(self._folder / "log.pub"), keys=str(place / "epochs"))

    def _run(self, order: Order, options: list[str]) -> int:
        server = self._server
        assert server.stdin is not None and server.stdout is not None
        server.stdin.write(order.text + "\n")
        self._process = process = server.stdout.readline().strip()
        if order.traced:
            log = Path(order.log)
            state = log.with_name(f"{log.name}.state")
            paths = [log.parent, log, state, Path(order.said)]
            paths += [log / name for name in NAMES] + [state / name for name in BESIDE]
            watched = [option for path in paths for option in ("-P", str(path))]
            command = ["strace", "-qq", "-y", "-o", str(log.with_name("trace")), "-p", process, *watched]
            subprocess.run(
                [*command, "-e", f"trace={','.join(CALLS)},writev", *options], check=True, stderr=subprocess.DEVNULL
            )
        return int(server.stdout.readline())


class _Place:
    """A folder for one run."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Path:
        self._path.mkdir()
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path)


def _traced(place: Path) -> Iterator[tuple[str, str]]:
    """Of each call the process and the name."""
    for line in (place / "trace").read_text().splitlines():
        match = _LINE.match(line)
        if match is not None:
            yield match[1], match[2]


def _file(path: str) -> str:
    """The name that a file has in the end."""
    return Path(path).name.removesuffix(".new")


def _wrong_end(code: int, said: list[str], verdict: Outcome | None, harm: str, order: Order) -> Iterator[str]:
    if harm == "killed":
        if code != -9:
            yield f"it ended with {code}, not by the signal"
    elif code not in (SEALED, REFUSED):
        yield f"it ended with {code}: {Path(order.errors).read_text().splitlines()[-1]}"
    if verdict is None:
        if said:
            yield f"it acknowledged {said} and there is no log"
    elif verdict.good:
        closed = {f"{INTENTS - 1}", f"{2 * INTENTS - 1}", "sealed"}  # between two segments, too: only a head shows more
        if not said or said[-1] not in closed:
            yield f"it is {verdict} and was not sealed"
    elif verdict not in LEFT:
        yield f"it is {verdict}"


async def _closed(log: Path, keys: Prepared) -> None:
    record = await RecordWriter.open(log, clock=RealClock(), keys=keys, header=HEADER)
    await record.seal()


def _kept(log: Path) -> list[int]:
    """Of each session, how many intents are there, in order and with all readings before them."""
    kept: list[int] = []
    readings = 0
    for told in story(log):
        if not isinstance(told, Entry):
            assert isinstance(told.event, Sampled)
            assert told.event.reading.sample_counter == readings
            readings += 1
        elif told.kind == "session":
            kept.append(0)
            readings = 0
        elif told.kind == "intent":
            number = kept[-1]
            assert told.members["number"] == number
            assert told.members["readings"] == readings == (number + 1) * READINGS
            kept[-1] += 1
    return kept
