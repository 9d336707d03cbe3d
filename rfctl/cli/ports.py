"""rfctl ports: the serial ports of this machine, by names that stay, and who is in the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rfctl.link.ports import PortInfo

HEADINGS = ("port", "aliases", "what", "USB serial", "driver", "latency", "in use by")


@click.command(epilog="Example: rfctl ports --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    default="/",
    help="Look for sys, dev and proc in this folder.",
)
def ports(*, as_json: bool, root: Path) -> None:
    """List serial ports: the name that stays when they are plugged in anew, what they are, who uses them.

    No port is opened. A link takes the name shown (rtu:NAME), a USB serial number (rtu:usb:SERIAL) or an alias; see
    docs/serial.md. Programs of other users are seen by root only.
    """
    from rfctl.link import port_names
    from rfctl.link import ports as serial_ports

    found = serial_ports.ports(root)
    aliases = port_names.aliases()
    named = {port.path: sorted(name for name, meant in aliases.items() if _is(port, meant)) for port in found}
    if as_json:
        document = {
            "ports": [_members(port, named[port.path]) for port in found],
            "aliases": aliases,
            "alias_files": [str(file) for file in port_names.alias_files()],
        }
        click.echo(json.dumps(document))
        return
    if not found:
        click.echo("No serial port found. Plug the adapter in; in a container, pass the device on.")
    else:
        rows = [HEADINGS, *(_cells(port, named[port.path]) for port in found)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        for row in rows:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for name, meant in aliases.items():
        if not any(name in names for names in named.values()):
            click.echo(f"Alias {name} stands for {meant}, which is not there.")


def _is(port: PortInfo, meant: str) -> bool:
    """An alias stands for this port."""
    return meant in {port.path, port.by_id, port.by_path, f"usb:{port.usb_serial}"}


def _members(port: PortInfo, aliases: list[str]) -> dict[str, Any]:
    return {
        **port._asdict(),
        "holders": [holder._asdict() for holder in port.holders],
        "aliases": aliases,
    }


def _cells(port: PortInfo, aliases: list[str]) -> tuple[str, ...]:
    what = " ".join(text for text in (port.manufacturer, port.description) if text)
    users = ", ".join(
        f"{holder.pid} {holder.command}{' (locked)' if holder.locked else ' (open)'}" for holder in port.holders
    )
    device = Path(port.path).name
    name = f"{port.by_id} ({device})" if port.by_id else port.path
    latency = f"{port.latency_ms} ms" if port.latency_ms is not None else ""
    return name, " ".join(aliases), what, port.usb_serial or "", port.driver or "", latency, users
