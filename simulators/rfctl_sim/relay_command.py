"""``rfctl sim relay``: a simulated relay board that anyone may talk to."""

from __future__ import annotations

import click

VARIANTS = ("retriggers", "ignored", "adds_up")
FAULTS = ("welded", "stuck_open", "mute", "readback_lies")


@click.command(epilog="Example: rfctl sim relay --link pty:/tmp/relay --fault welded")
@click.option(
    "--link",
    required=True,
    metavar="pty:PATH|rtutcp:HOST:PORT",
    help="Where clients connect; PATH becomes a link to a pty, port 0 takes any.",
)
@click.option("--baud", default=9600, show_default=True, type=click.IntRange(min=1200), help="Speed of a pty.")
@click.option(
    "--variant",
    default="retriggers",
    show_default=True,
    type=click.Choice(VARIANTS),
    help="What a second flash-on does while the contact is closed.",
)
@click.option("--fault", multiple=True, type=click.Choice(FAULTS), help="What is broken, from the first closing on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line as soon as it listens.")
def relay(link: str, baud: int, variant: str, fault: tuple[str, ...], as_json: bool) -> None:
    """Serve a simulated relay board with timed contacts until SIGTERM or SIGINT. Protocol: docs/relay.md."""
    import asyncio

    asyncio.run(_serve(link, baud, variant, fault, as_json=as_json))


async def _serve(link: str, baud: int, variant: str, faults: tuple[str, ...], *, as_json: bool) -> None:
    import asyncio
    import json
    import os
    import signal

    from rfctl.clock import RealClock
    from rfctl_sim.relay_board import Fault, RelayBoard, Variant

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    board = RelayBoard(RealClock(), variant=Variant(variant), baud=baud)
    board.faults.update(map(Fault, faults))
    await board.open(link)
    try:
        if as_json:
            click.echo(json.dumps({"link": board.address, "pid": os.getpid()}))
        else:
            click.echo(f"Simulated relay board (no device), {variant}, on {board.address}")
        await stop.wait()
    finally:
        await board.close()
