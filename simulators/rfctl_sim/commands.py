"""``rfctl sim``: simulated generators that third-party clients can talk to."""

from __future__ import annotations

from typing import Any

import click

from rfctl.clock import FASTEST, SLOWEST
from rfctl_sim.faults_command import faults
from rfctl_sim.lesion_command import lesion
from rfctl_sim.relay_command import VARIANTS, relay
from rfctl_sim.setups_command import setups

EXAMPLES = """\b
Example: rfctl sim serve --link tcp:127.0.0.1:5020 --backdoor 127.0.0.1:5021
         rfctl sim serve --generator kestrel-2 --link pty:/tmp/kestrel
         rfctl sim serve --generator orrin-v --link rtutcp:127.0.0.1:0 --json
         rfctl sim serve --link pty:/tmp/line --units 3
         rfctl sim serve --link linetcp:127.0.0.1:5030
         rfctl sim serve --link tcp:127.0.0.1:5020 --fleet 64
         rfctl sim serve --link tcp:127.0.0.1:5020 --speed 10
         rfctl sim serve --link tcp:127.0.0.1:5020 --relay pty:/tmp/relay
         rfctl sim serve --link tcp:127.0.0.1:5020 --setup pulsed
         rfctl sim serve --link tcp:127.0.0.1:5020 --faults noisy-wire
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
@click.option(
    "--relay",
    metavar="pty:PATH|rtutcp:HOST:PORT",
    help="A relay board in the enable loop: its first contact must be closed for any output. docs/relay.md",
)
@click.option(
    "--relay-variant",
    default="retriggers",
    show_default=True,
    type=click.Choice(VARIANTS),
    help="What a second flash-on does on that board.",
)
@click.option("--seed", default=0, show_default=True, help="Same seed, same noise.")
@click.option(
    "--setup", default="tissue-37", show_default=True, metavar="NAME|FILE", help="What it stands in: rfctl sim setups."
)
@click.option("--faults", metavar="NAME|FILE", help="What goes wrong, and when: rfctl sim faults.")
@click.option(
    "--tissue", metavar="field|poles", help="How tissue is computed; as the set-up says, by default the field."
)
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(SLOWEST, FASTEST),
    help="Seconds of its time in a second. The generator says so, and rfctl refuses any but 1.",
)
@click.option("--fleet", type=click.IntRange(1, 1000), help="So many of all this, on TCP ports that follow each other.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line as soon as it listens.")
def serve(speed: float, fleet: int | None, as_json: bool, link: str, **options: Any) -> None:
    """Serve simulated generators until SIGTERM or SIGINT."""
    from rfctl.clock import ScaledClock
    from rfctl_sim import serving
    from rfctl_sim.scaled_loop import run_scaled

    clock = ScaledClock(speed)
    run_scaled(serving.serve(clock, {"address": link, **options}, fleet=fleet, as_json=as_json), clock)


sim.add_command(setups)
sim.add_command(lesion)
sim.add_command(faults)
