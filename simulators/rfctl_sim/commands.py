"""``rfctl sim``: simulated generators that third-party clients can talk to."""

from __future__ import annotations

import click

from rfctl_sim.relay_command import relay
from rfctl_sim.setups_command import setups

EXAMPLES = """\b
Example: rfctl sim serve --link tcp:127.0.0.1:5020 --backdoor 127.0.0.1:5021
         rfctl sim serve --generator kestrel-2 --link pty:/tmp/kestrel
         rfctl sim serve --generator orrin-v --link rtutcp:127.0.0.1:0 --json
         rfctl sim serve --link pty:/tmp/line --units 3
         rfctl sim serve --link linetcp:127.0.0.1:5030
         rfctl sim serve --link tcp:127.0.0.1:5020 --setup pulsed
"""


@click.group(epilog="Example: rfctl sim serve --link tcp:127.0.0.1:5020 --backdoor 127.0.0.1:5021")
def sim() -> None:
    """Simulated generators."""


sim.add_command(relay)


@sim.command(epilog=EXAMPLES)
@click.option(
    "--generator",
    default="rfctl-reference",
    show_default=True,
    metavar="NAME",
    help="What to simulate: rfctl-reference, kestrel-2 or orrin-v.",
)
@click.option(
    "--link",
    required=True,
    metavar="tcp:HOST:PORT|rtutcp:HOST:PORT|pty:PATH|linetcp:HOST:PORT|line:PATH",
    help="Where clients connect: Modbus TCP, RTU frames through a socket, or RTU on a pty that PATH becomes a link to; "
    "the line protocol through a socket or on a pty. Port 0 takes any.",
)
@click.option("--baud", default=115200, show_default=True, type=click.IntRange(min=1200), help="Speed of a pty.")
@click.option("--channels", type=int, help="Channels of each generator: 1 to 4 of the reference (2), else as built.")
@click.option("--units", default=1, show_default=True, help="Generators on the wire, with unit identifiers from 1 on.")
@click.option("--backdoor", metavar="HOST:PORT", help="HTTP on loopback: what is true, faults, panel; ?unit=N.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same noise.")
@click.option(
    "--setup", default="tissue-37", show_default=True, metavar="NAME|FILE", help="What it stands in: rfctl sim setups."
)
@click.option("--tissue", metavar="poles", help="How tissue is computed; as the set-up says.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line as soon as it listens.")
def serve(
    generator: str,
    link: str,
    baud: int,
    channels: int | None,
    units: int,
    backdoor: str | None,
    seed: int,
    setup: str,
    tissue: str | None,
    as_json: bool,
) -> None:
    """Serve simulated generators until SIGTERM or SIGINT."""
    import asyncio

    asyncio.run(_serve(generator, link, baud, channels, units, backdoor, seed, setup, tissue, as_json=as_json))


sim.add_command(setups)


async def _serve(
    generator: str,
    link: str,
    baud: int,
    channels: int | None,
    units: int,
    backdoor: str | None,
    seed: int,
    setup: str,
    tissue: str | None,
    *,
    as_json: bool,
) -> None:
    import asyncio
    import json
    import os
    import signal

    from rfctl.clock import RealClock
    from rfctl_sim.simulator import start

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    simulator = await start(
        RealClock(),
        address=link,
        generator=generator,
        channels=channels,
        units=units,
        seed=seed,
        backdoor=backdoor,
        baud=baud,
        setup=setup,
        tissue=tissue,
    )
    try:
        if as_json:
            listening = {
                "link": simulator.address,
                "backdoor": simulator.backdoor_address,
                "generator": generator,
                "channels": simulator.channels,
                "units": units,
                "setup": setup,
                "pid": os.getpid(),
            }
            click.echo(json.dumps(listening))
        else:
            several = f"{units} units, " if units > 1 else ""
            click.echo(
                f"Simulated generator {generator} (no device), {several}{simulator.channels} channels, "
                f"on {simulator.address}"
            )
            if simulator.backdoor_address is not None:
                click.echo(
                    f"Back door: {simulator.backdoor_address} "
                    "(GET /truth /state /events /wire, POST /faults /panel /setup/NAME)"
                )
        await stop.wait()
    finally:
        await simulator.close()
