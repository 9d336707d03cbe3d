"""rfctl anchor: keep heads of records where their station cannot rewrite them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rfctl.anchors.http import HttpServer

_PATH = click.Path(path_type=Path)


@click.group()
def anchor() -> None:
    """Keep heads of records where their station cannot rewrite them.

    A record shows by itself that nothing in it was changed; not that it is all there. For that somebody else keeps its
    heads: a collector keeps all that a station publishes, a witness cosigns one history of each record and no other,
    and each report has the head printed, as text and QR code. Any of them goes into rfctl record verify --head.

    Example: rfctl anchor collect --broker mqtt://broker.example:1883 --out heads/
    """


@anchor.command()
@click.option("--broker", "url", required=True, help="mqtt://HOST:PORT, best in another administration's hands.")
@click.option("--out", type=_PATH, required=True, help="Folder for the files of heads; they are only ever appended to.")
@click.option("--username", help="At the broker.")
@click.option("--password-file", type=_PATH, help="Its first line is the password at the broker.")
def collect(*, url: str, out: Path, username: str | None, password_file: Path | None) -> None:
    """Keep every head that stations publish, until SIGTERM or SIGINT.

    Nothing is judged here. OUT gets a file ORIGIN.0001.heads for each record, which rfctl record verify --head takes.

    Example: rfctl anchor collect --broker mqtt://broker.example:1883 --out heads/
    """
    from rfctl.anchors.collector import Collector
    from rfctl.errors import ConfigError
    from rfctl.telemetry.broker import Broker, split_url

    if password_file is not None and username is None:
        raise ConfigError("--password-file without --username", remedy="Give both.")
    try:
        host, port = split_url(url)
    except ValueError as problem:
        raise ConfigError(f"{problem}, not {url!r}", where="--broker", remedy="Correct it.") from None
    collector = Collector(out, lambda text: click.echo(text, err=True))
    try:
        _until_ended(collector.run(Broker(host, port, username, password_file)))
    finally:
        collector.close()
    click.echo(f"{collector.kept} heads kept in {out}", err=True)


@anchor.command()
@click.option("--listen", required=True, help="HOST:PORT; port 0 takes any that is free.")
@click.option("--state", type=_PATH, required=True, help="The witness's folder: its key, and what it has cosigned.")
@click.option("--trust", type=_PATH, multiple=True, required=True, help="root.pub of a record; may be repeated.")
@click.option("--name", help="Under which it cosigns; once made it stays. Default: witness/ and the host's name.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON when it listens: url and verifier_key.")
def witness(*, listen: str, state: Path, trust: tuple[Path, ...], name: str | None, as_json: bool) -> None:
    """Cosign checkpoints of the records whose roots are trusted, each only as a continuation of the one before.

    The protocol is C2SP's tlog-witness: POST /add-checkpoint; POST /add-certificate teaches it the key of an epoch. It
    refuses a second history and a shorter one, whoever signed them, and keeps what contradicts in STATE/evidence. Its
    verifier key is printed and stands in STATE/witness.pub: give it to whoever verifies. Losing STATE, a witness
    forgets: back it up, and never let two run on copies.

    Example: rfctl anchor witness --listen 0.0.0.0:8480 --state witness/ --trust bench-1.pub
    """
    from rfctl.anchors.cosignature import WitnessKey
    from rfctl.anchors.http import HttpServer
    from rfctl.anchors.witness import Witness
    from rfctl.clock import wall_ns
    from rfctl.record.epochs import load_public_key

    host, port = _address(listen)
    roots = [load_public_key(path) for path in trust]
    key = WitnessKey.in_folder(state, name)
    judge = Witness(state, key, roots, lambda: wall_ns() // 1_000_000_000)
    failed: list[BaseException] = []

    async def serve() -> None:
        import asyncio

        over = asyncio.Event()

        def fail(problem: BaseException) -> None:
            failed.append(problem)
            over.set()

        server = HttpServer(judge.answer, fail)
        await server.open(host, port)
        _announce(server, key.text, as_json=as_json)
        try:
            await over.wait()
        finally:
            await server.close()

    try:
        _until_ended(serve())
    finally:
        judge.close()
    if failed:
        raise failed[0]


@anchor.command()
@click.argument("log", type=_PATH)
@click.option("--witness", "url", required=True, help="http://HOST:PORT of a witness.")
@click.option("--out", type=_PATH, required=True, help="Folder for the file of cosigned heads; it is appended to.")
def submit(*, log: Path, url: str, out: Path) -> None:
    """Have the newest checkpoint of a record cosigned by a witness, and keep the cosigned head.

    Exit code 3: the witness refused, because it has seen another history of this record, or a longer one.

    Example: rfctl anchor submit rfctl-out/demo-.../log --witness http://witness.example:8480 --out heads/
    """
    from contextlib import closing

    from rfctl.anchors import log_tree
    from rfctl.anchors.heads import HeadSeries
    from rfctl.anchors.submit import WitnessClient
    from rfctl.errors import ConfigError
    from rfctl_verify.note import parse_checkpoint, parse_note

    client = WitnessClient(url)
    tree = log_tree.read(log)
    head = parse_checkpoint(parse_note(tree.checkpoint).text)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(f"cannot be made: {problem.strerror}", where=str(out), remedy="Check the path.") from None
    with closing(HeadSeries(out, head.origin)) as series:
        note = client.submit(tree.leaves, tree.checkpoint, tree.certificates)
        if note != series.last:
            series.append(note)
        click.echo(f"cosigned  {head.origin} {head.size} {head.root.hex()[:16]}")
        click.echo(f"kept in   {series.path}")


def _announce(server: HttpServer, verifier_key: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"url": server.address, "verifier_key": verifier_key}))
    else:
        click.echo(f"listening   {server.address}")
        click.echo(f"cosigns as  {verifier_key}")
    sys.stdout.flush()


def _until_ended(work: Coroutine[object, object, None]) -> None:
    """Run it until SIGTERM or SIGINT, which end it well."""
    import asyncio
    import signal

    async def watched() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await asyncio.wait([task])
        if not task.cancelled() and (problem := task.exception()) is not None:
            raise problem

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(watched())


def _address(text: str) -> tuple[str, int]:
    from rfctl.errors import ConfigError

    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 0xFFFF):
        raise ConfigError(f"{text!r} is no HOST:PORT", where="--listen", remedy="127.0.0.1:8480, for example.")
    return host.strip("[]"), int(port)
