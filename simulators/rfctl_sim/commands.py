"""``rfctl sim``: simulated generators that third-party clients can talk to."""

from __future__ import annotations

import click

GENERATORS = ("reference",)


@click.group(epilog="Example: rfctl sim serve --link tcp:127.0.0.1:5020 --backdoor 127.0.0.1:5021")
def sim() -> None:
    """Simulated generators."""


@sim.command(epilog="Example: rfctl sim serve --link tcp:127.0.0.1:5020 --backdoor 127.0.0.1:5021")
@click.option("--generator", default="reference", show_default=True, metavar="NAME", help="What to simulate.")
@click.option(
    "--link",
    required=True,
    metavar="tcp:HOST:PORT|pty:PATH",
    help="Where clients connect; port 0 takes any, PATH becomes a link to a pty.",
)
@click.option("--baud", default=115200, show_default=True, type=click.IntRange(min=1200), help="Speed of a pty.")
@click.option("--channels", default=2, show_default=True, help="Channels, 1 to 4.")
@click.option("--backdoor", metavar="HOST:PORT", help="HTTP on loopback: what is true, and faults.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same noise.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line as soon as it listens.")
def serve(generator: str, link: str, baud: int, channels: int, backdoor: str | None, seed: int, as_json: bool) -> None:
    """Serve a simulated generator until SIGTERM or SIGINT."""
    import asyncio

    from rfctl.errors import ConfigError

    if generator not in GENERATORS:
        raise ConfigError(
            f"no simulated generator named {generator!r}",
            where="--generator",
            remedy=f"Valid: {', '.join(GENERATORS)}.",
        )
    asyncio.run(_serve(link, baud, channels, backdoor, seed, as_json=as_json))


async def _serve(link: str, baud: int, channels: int, backdoor: str | None, seed: int, *, as_json: bool) -> None:
    import asyncio
    import json
    import os
    import signal

    from rfctl.clock import RealClock
    from rfctl_sim.simulator import start

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    simulator = await start(RealClock(), address=link, channels=channels, seed=seed, backdoor=backdoor, baud=baud)
    try:
        if as_json:
            listening = {
                "link": simulator.address,
                "backdoor": simulator.backdoor_address,
                "channels": channels,
                "pid": os.getpid(),
            }
            click.echo(json.dumps(listening))
        else:
            click.echo(f"Simulated generator (no device), {channels} channels, on {simulator.address}")
            if simulator.backdoor_address is not None:
                click.echo(f"Back door: {simulator.backdoor_address} (GET /truth /state /events /wire, POST /faults)")
        await stop.wait()
    finally:
        await simulator.close()
