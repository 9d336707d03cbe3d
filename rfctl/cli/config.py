"""rfctl config check: what is wrong with a file, and what a profile's map looks like."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.profile.describe import MapRow

HEADINGS = ("quantity", "table", "number", "address", "stride", "type", "intent", "limit")


@click.group()
def config() -> None:
    """Check configuration files.

    Example: rfctl config check my-generator.toml
    """


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def check(*, file: Path, as_json: bool) -> None:
    """Check one station, profile, plan, preset, answers or ports file; a profile's register map is drawn as a table.

    Example: rfctl config check config/generators/rfctl-reference.toml
    """
    from rfctl.profile.profile import Profile

    kind, profile = _check(file)
    rows = profile.describe() if profile is not None else ()
    if as_json:
        members: dict[str, Any] = {"path": str(file.resolve()), "kind": kind, "valid": True}
        if profile is not None:
            members |= {"sha256": profile.sha256, "map": [row._asdict() for row in rows]}
        if isinstance(profile, Profile):
            members |= {
                "frozen_in_hold": profile.frozen_in_hold,
                "status_requests": [read._asdict() for read in profile.status_reads],
                "sequences": profile.describe_sequences(),
            }
        click.echo(json.dumps(members))
        return
    click.echo(f"{file}: valid {kind}")
    if profile is not None:
        click.echo(f"sha256 {profile.sha256}\n")
        for line in _table([HEADINGS, *(_cells(row) for row in rows)]):
            click.echo(line)
    if isinstance(profile, Profile):
        click.echo("\nOne sample is read by:")
        for read in profile.status_reads:
            number = profile.layout.number(read.space, read.address)
            click.echo(f"  {read.length} from {number} ({read.space}, {read.address} on the wire)")
        click.echo(f"\nA temperature that stands still in the hold: {profile.frozen_in_hold}")
        click.echo("\nSequences:")
        for line in profile.describe_sequences():
            click.echo(f"  {line}")


def _check(file: Path) -> tuple[str, AnyProfile | None]:
    """The kind of the file, and the profile if it is one. Raises ConfigError where the file cannot be accepted."""
    from rfctl.errors import ConfigError
    from rfctl.model import strict_toml

    if file.suffix != ".toml":
        raise ConfigError("a configuration file ends in .toml", where=str(file), remedy="Rename it.")
    try:
        keys = set(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as problem:
        raise ConfigError(f"cannot be read: {problem.strerror}", where=str(file), remedy="Check the path.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(f"not valid TOML: {problem}", where=str(file), remedy="Correct that line.") from None
    if "profile" in keys:
        from rfctl.profile import any_profile

        return "profile", any_profile.load(str(file))
    if "station" in keys:
        from rfctl.station import station_file

        station_file.load(str(file))
        return "station", None
    if "preset" in keys:
        from rfctl.station import plan_file

        plan_file.load_preset(file)
        return "preset", None
    if "plan" in keys:
        from rfctl.station import plan_file

        plan_file.load(str(file))
        return "plan", None
    if "answers" in keys:
        from rfctl.station.answers import AnswersFile

        strict_toml.read(file, AnswersFile)
        return "answers", None
    if "ports" in keys:
        from rfctl.link import port_names

        port_names.read_aliases(file)
        return "ports", None
    raise ConfigError(
        "neither a station, a profile, a plan, a preset, an answers nor a ports file",
        where=str(file),
        remedy="It needs one of the tables [station], [profile], [plan], [preset], [answers], [ports].",
    )


def _cells(row: MapRow) -> tuple[str, ...]:
    cells = (row.quantity, row.table, row.number, row.address, row.stride, row.type, row.intent, row.limit)
    return tuple("" if cell is None else str(cell) for cell in cells)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
