"""rfctl trace: what crossed the wire in a session, and the same played to the driver again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

FILE = click.argument("file", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@click.group()
def trace() -> None:
    """Look at a wire trace, or play it to the driver again.

    Every session keeps one beside its record, wire.trace: the first 256 and the last 4096 frames of each connection.

    Example: rfctl trace replay rfctl-out/demo-.../wire.trace
    """


@trace.command()
@FILE
@JSON
def show(*, file: Path, as_json: bool) -> None:
    """Show every entry: time in seconds, direction, bytes.

    Example: rfctl trace show wire.trace
    """
    from rfctl.clock import NS_PER_S
    from rfctl.link.trace import read

    kept = read(file)
    if as_json:
        links = [
            [{"at_ns": entry.at_ns, "direction": entry.direction, "hex": entry.data.hex()} for entry in link]
            for link in kept.links
        ]
        click.echo(json.dumps({"path": str(file.resolve()), **kept.about, "dropped": kept.dropped, "links": links}))
        return
    for name, value in kept.about.items():
        click.echo(f"{name}: {value}")
    for number, link in enumerate(kept.links, 1):
        click.echo(f"link {number}")
        for entry in link:
            click.echo(f"{entry.at_ns / NS_PER_S:14.6f} {entry.direction} {entry.data.hex(' ')}")


@trace.command()
@FILE
@click.option("--profile", help="Decode by this profile instead of the one that the session used; a name or a file.")
@click.option("--record", type=click.Path(path_type=Path), help="The record; default: record, beside the trace.")
@JSON
def replay(*, file: Path, profile: str | None, record: Path | None, as_json: bool) -> None:
    """Play it to the driver: 0 when it asks and decodes as it did then, else 1 with each difference.

    Only readings are played. Without a record they are decoded and not compared.

    Example: rfctl trace replay wire.trace --profile corrected.toml
    """
    from rfctl.errors import EXIT_BAD_VERDICT, EXIT_DONE
    from rfctl.link.trace import read
    from rfctl.profile import any_profile
    from rfctl.station import trace_replay
    from rfctl.virtual import VirtualClock, run_virtual

    kept = read(file)
    loaded = any_profile.load(profile or kept.about.get("profile", ""))
    beside = record or file.with_name("record")
    readings = trace_replay.readings_of(beside) if record or beside.exists() else {}

    async def main() -> trace_replay.Replayed:
        return await trace_replay.replay(kept, loaded, readings, VirtualClock.running())

    found = run_virtual(main())
    if as_json:
        click.echo(json.dumps({"path": str(file.resolve()), "profile": loaded.name, **found._asdict()}))
    else:
        for line in found.shown:
            click.echo(line)
        click.echo(
            f"{found.requests} requests as recorded, {found.readings} readings decoded, {found.compared} compared with "
            f"the record, {found.differences} differences."
        )
    sys.exit(EXIT_BAD_VERDICT if found.differences else EXIT_DONE)
