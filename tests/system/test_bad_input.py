"""What cannot be accepted: refused with place, numbers and remedy, the right exit code, and nothing energised."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import pytest

from rfctl.cli.main import cli, main
from rfctl.errors import ConfigError
from rfctl.model.shipped import shipped_root
from rfctl.record.keys import load_public_key
from rfctl.record.verify import Outcome, verify
from tests.commands import Done, rfctl
from tests.station_bench import answers_text, plan_text, station_bench, station_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.clock import Clock

NOBODY = "tcp:127.0.0.1:1"
ANSWERS_OF_SITE = '[[site]]\nname = "bench"\nfelt_at_v = 0.4\n'


class Files(NamedTuple):
    """What ``rfctl run`` is given, as texts."""

    station: str = station_text(NOBODY)
    plan: str = plan_text()
    answers: str = answers_text()

    def write(self, folder: Path) -> list[str]:
        """The arguments that name the files in ``folder``."""
        arguments: list[str] = []
        for name, text in self._asdict().items():
            (folder / f"{name}.toml").write_text(text, encoding="utf-8")
            arguments += [f"--{name}", str(folder / f"{name}.toml")]
        return [*arguments, "--out", str(folder / "out")]


def in_this_process(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """A command without the start of a process, for what is refused before anything happens."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, captured.out, captured.err)


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port at which nobody listens, and which nobody gets meanwhile."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


# files


def refused(capsys: pytest.CaptureFixture[str], folder: Path, files: Files, culprit: str) -> str:
    """Run with these files and be refused because of one of them, before anything else.

    Returns:
        What the error says of that file.
    """
    done = in_this_process(capsys, "run", *files.write(folder), "--json")
    assert (done.exit_code, done.out) == (2, "")
    opening = f"rfctl: {folder / culprit}.toml: "
    assert done.err.startswith(opening)
    assert not (folder / "out").exists()
    return done.err.removeprefix(opening)


def edited(file: str, old: str, new: str) -> Files:
    """The files with one place of one of them changed."""
    text: str = getattr(Files(), file)
    assert old in text
    return Files()._replace(**{file: text.replace(old, new, 1)})


@pytest.mark.parametrize(
    ("file", "key", "misspelt", "path"),
    [
        ("station", "medium", "mediun", "station.mediun"),
        ("station", "link", "lnk", "generator.lnk"),
        ("station", "record", "records", "records"),
        ("station", "state_folder", "state_foler", "record.state_foler"),
        ("plan", "checklist", "check_list", "plan.check_list"),
        ("plan", "anaesthetic", "anesthetic", "site[0].anesthetic"),
        ("plan", "hold_s", "hold", "site[0].lesion.hold"),
        ("plan", "gauge", "guage", "site[0].electrode.guage"),
        ("answers", "operator", "opperator", "answers.opperator"),
        ("answers", "felt_at_v", "felt_v", "site[0].felt_v"),
    ],
)
def test_an_unknown_key_is_named_by_its_path_with_the_nearest_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, key: str, misspelt: str, path: str
) -> None:
    told = refused(capsys, tmp_path, edited(file, key, misspelt), file)
    assert f"{path}: unknown key. Did you mean {key!r}?" in told


@pytest.mark.parametrize(
    ("path", "value", "limit"),
    [
        ("lesion.set_temperature_c", "90.5", "90"),
        ("lesion.set_temperature_c", "41.5", "42"),
        ("lesion.set_temperature_c", "nan", "finite"),
        ("lesion.hold_s", "600.5", "600"),
        ("lesion.hold_s", "-1.0", "0"),
        ("lesion.ramp_c_per_s", "5.1", "5"),
        ("anaesthetic.wait_s", "59.5", "60"),
        ("anaesthetic.wait_s", "120.5", "120"),
        ("sensory.maximum_v", "3.1", "3"),
        ("motor.maximum_v", "10.1", "10"),
        ("motor.width_us", "2500", "2000"),
    ],
)
def test_a_value_beyond_a_hard_limit_is_named_with_that_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str, value: str, limit: str
) -> None:
    table, key = path.split(".")
    plan = re.sub(rf"{key} = [0-9.]+, ", "", plan_text(hold_s=20).replace(" }", ", }"))
    plan = plan.replace(f"{table} = {{ ", f"{table} = {{ {key} = {value}, ").replace(", }", " }")
    told = refused(capsys, tmp_path, Files(plan=plan), "plan")
    assert f"site[0].{path}: " in told
    assert limit in told.removesuffix(f"(is {value})\n")
    assert value in told


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("station", NOBODY, "udp:127.0.0.1:1", ("generator.link", "'udp:127.0.0.1:1'", "tcp:HOST:PORT")),
        ("plan", "channel = 1", "channel = 5", ("site[0].channel", "5", "4")),
        ("plan", "gauge = 18", "gauge = 19", ("19", "18")),
        ("plan", 'reason = "bench"', 'reason = ""', ("site[0].sensory", "needs a reason")),
        ("plan", "[plan]", "[plan", ("not valid TOML", "line 2")),
        ("answers", 'name = "bench"', 'name = "elsewhere"', ("'elsewhere' is not in the plan", "bench")),
        ("answers", ANSWERS_OF_SITE, "", ("no answers for site 'bench'", "[[site]]")),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, words: tuple[str, ...]
) -> None:
    told = refused(capsys, tmp_path, edited(file, old, new), file)
    for word in words:
        assert word in told


def test_a_simulator_behind_a_station_that_does_not_say_so_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Files(station=station_text("sim:reference", backend="device", medium="load"))
    assert "station.backend = 'simulated'" in refused(capsys, tmp_path, files, "station")


def test_an_unknown_key_of_a_profile_is_named_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (shipped_root() / "generators" / "rfctl-reference.toml").read_text(encoding="utf-8")
    assert "map_version" in text
    (tmp_path / "own.toml").write_text(text.replace("map_version", "map_verson"), encoding="utf-8")
    files = edited("station", 'profile = "rfctl-reference"', 'profile = "own.toml"')
    done = in_this_process(capsys, "run", *files.write(tmp_path), "--json")
    assert (done.exit_code, done.out) == (2, "")
    assert str(tmp_path / "own.toml") in done.err
    assert "identity.map_verson: unknown key. Did you mean 'map_version'?" in done.err


def test_the_files_as_they_are_get_as_far_as_the_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_this_process(capsys, "run", *Files().write(tmp_path))
    assert done.exit_code == 4
    assert NOBODY in done.err


# options


def test_fast_over_a_real_link_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_this_process(capsys, "run", *Files().write(tmp_path), "--fast")
    assert done.exit_code == 2
    assert "--fast" in done.err
    assert NOBODY in done.err


@pytest.mark.requirement("answers.load-only")
def test_scripted_answers_on_a_device_are_refused_but_on_a_test_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Files(station=station_text(NOBODY, backend="device", medium="phantom"))
    done = in_this_process(capsys, "run", *files.write(tmp_path))
    assert done.exit_code == 2
    assert "--answers" in done.err
    assert "phantom" in done.err
    assert "load" in done.err


@pytest.mark.parametrize("command", ["run", "serve"])
@pytest.mark.requirement("station.layers")
def test_tissue_on_a_device_is_refused_without_relay_and_guard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    files = Files(station=station_text(NOBODY, backend="device", medium="tissue"))
    arguments = files.write(tmp_path)
    done = in_this_process(capsys, command, *(arguments if command == "run" else arguments[:2]))
    assert done.exit_code == 2
    assert "station.medium is 'tissue' on a device" in done.err
    assert "relay" in done.err


@pytest.mark.requirement("station.layers")
def test_a_guard_that_cannot_follow_the_generator_is_refused_with_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The guard has no decoder of the line protocol."""
    layers = '\n[relay]\nlink = "rtutcp:127.0.0.1:1"\nhold_up_ms = 60\n\n[guard]\n'
    for link, code in (("linetcp:127.0.0.1:1", 2), (NOBODY, 0)):
        Files(station=station_text(link) + layers).write(tmp_path)
        plan, station = str(tmp_path / "plan.toml"), str(tmp_path / "station.toml")
        done = in_this_process(capsys, "plan", "check", plan, "--station", station)
        assert done.exit_code == code, done.err
        assert ("the guard finds no register map" in done.err) is (code == 2)


def test_a_name_that_is_not_shipped_lists_those_that_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--plan", "short", "--answers", "short-answers", "--out", str(tmp_path))
    done = in_this_process(capsys, "run", "--station", "nowhere", *arguments)
    assert done.exit_code == 2
    assert "'nowhere'" in done.err
    assert "demo, simulator" in done.err


@pytest.mark.parametrize(
    "arguments",
    [("nosuch",), ("run",), ("run", "--nosuch"), ("demo", "--seed", "many"), ("demo", "--link", "carrier-pigeon")],
    ids=" ".join,
)
def test_wrong_usage_exits_2_with_a_text_on_standard_error(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    done = in_this_process(capsys, *arguments)
    assert (done.exit_code, done.out) == (2, "")
    assert "Usage: rfctl" in done.err


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, not a folder", encoding="utf-8")
    done = rfctl("run", *Files().write(tmp_path), "--json", cwd=tmp_path)
    assert (done.exit_code, done.out) == (2, "")
    assert str(tmp_path / "out") in done.err
    assert "--out" in done.err


def test_a_port_that_is_taken_is_refused_to_a_simulator(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = rfctl("sim", "serve", "--link", f"tcp:127.0.0.1:{port}", "--json", cwd=tmp_path)
    assert (done.exit_code, done.out) == (2, "")
    assert f"tcp:127.0.0.1:{port}" in done.err
    assert "port 0" in done.err


@pytest.mark.parametrize(
    "arguments",
    [("--link", "udp:127.0.0.1:0"), ("--link", "tcp:127.0.0.1:0", "--channels", "5"), ("--link", "tcp:nowhere")],
    ids=" ".join,
)
def test_a_simulator_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert in_this_process(capsys, "sim", "serve", *arguments).exit_code == 2


# generators


def assert_sealed(path: Path) -> None:
    """The record was closed with a signature."""
    assert verify(path, load_public_key(path.with_suffix(".pub"))).verdict is Outcome.VALID_UNANCHORED


def test_an_absent_port_exits_4_with_address_and_remedy_and_a_closed_record(tmp_path: Path, free_port: int) -> None:
    address = f"tcp:127.0.0.1:{free_port}"
    done = rfctl("run", *Files(station=station_text(address)).write(tmp_path), "--json", cwd=tmp_path)
    assert done.exit_code == 4
    assert done.document["outcome"] == "failed"
    assert done.document["sites"] == []
    assert f"{address}: cannot connect: Connection refused" in done.err
    assert "rfctl sim serve" in done.err
    assert done.document["ending"] in done.err
    assert_sealed(Path(done.document["record"]))


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, bytes(range(256)), b"", b"\0\1\0\0\0\3\1\x84\2"],
    ids=["http", "zeros", "noise", "silence", "exception"],
)
async def test_something_else_at_the_port_is_refused(tmp_path: Path, clock: Clock, answer: bytes) -> None:
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            received.append(data)
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with station_bench(tmp_path, clock) as bench:
        result = await bench.begin(bench.order(station=station_text(f"tcp:127.0.0.1:{port}")))
    server.close()
    await asyncio.sleep(0.01)
    assert result.exit_code == 4
    assert result.document["outcome"] in {"failed", "refused"}
    assert {data[7] for data in received} <= {3, 4}  # asked, never told
    assert_sealed(tmp_path / result.document["record"])


@pytest.mark.requirement("start.lock")
async def test_a_second_start_of_a_running_station_is_refused_and_disturbs_nothing(
    tmp_path: Path, clock: Clock
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        first = bench.begin(bench.order(plan=plan_text(hold_s=5)))
        await bench.in_hold(for_s=1.0)
        with pytest.raises(ConfigError, match=f"process {os.getpid()} runs this station") as refused:
            await bench.begin()
        result = await first
    assert "Stop that process" in str(refused.value)
    assert (result.exit_code, result.document["outcome"]) == (0, "complete")


# help


def test_the_version_is_told(tmp_path: Path) -> None:
    done = rfctl("--version", cwd=tmp_path)
    assert done.exit_code == 0
    assert done.out.startswith("rfctl, version ")


def every_command(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from every_command(child, *path, name)


@pytest.mark.parametrize("path", list(every_command(cli)), ids=lambda path: " ".join(("rfctl", *path)))
def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str], path: tuple[str, ...]) -> None:
    done = in_this_process(capsys, *path, "--help")
    assert done.exit_code == 0
    assert f"Example: {' '.join(('rfctl', *path))}" in " ".join(done.out.split())
