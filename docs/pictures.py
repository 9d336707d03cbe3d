"""Draw the pictures of the README: `make pictures`."""

from __future__ import annotations

import io
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import MONOKAI

from rfctl.cli.demo import ANSWERS, PACE, PLAN, STATION
from rfctl.cli.view.curve import BLANK, DOTS
from rfctl.cli.view.frame import draw
from rfctl.kernel.phase import Phase
from rfctl.profile import profile
from rfctl.station import answers, plan_file, session, station_file
from rfctl.station.onlooker import Onlooker
from rfctl.virtual import VirtualClock, run_virtual

if TYPE_CHECKING:
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.station.snapshot import Snapshot

PICTURES = Path(__file__).parent / "pictures"
WIDTH, HEIGHT = 100, 30
CELL = 12.2
ROW = 24.4
"""Width and height of a cell in rich's SVG."""
BRAILLE = r'<text class="(?P<style>[^"]+)" x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)"[^>]*>(?P<shown>[\u2800-\u28ff]+)</text>'
INDENTED = r'x="([\d.]+)"( y="[\d.]+") textLength="([\d.]+)"([^>]*>)((?:&#160;)+)'
HELD_S = 60.0
"""The second lesion is so far in its hold: both channels have something to show."""


def mid_hold() -> Snapshot:
    """What the demonstration's onlooker sees in the second hold, of a demonstration that has really run."""
    seen: list[Snapshot] = []
    with tempfile.TemporaryDirectory() as folder:
        station = replace(station_file.load(STATION), state_folder=Path(folder) / "state")
        plan = plan_file.load(PLAN)
        operator = answers.load(ANSWERS, plan)
        onlooker = Onlooker(station.id, station.title, f"paced:{PACE:g}", operator.name)

        def watch(state: KernelState, effects: tuple[Effect, ...]) -> None:
            onlooker(state, effects)
            second = state.channels[1]
            if not seen and second.phase is Phase.HOLD and second.figures and second.figures.held_s >= HELD_S:
                seen.append(onlooker.snapshot(state.received_ns))

        order = session.Order(station, profile.load(station.profile), plan, operator, Path(folder), 0, watch)

        async def demonstrate() -> None:
            await session.run(order, VirtualClock.running())

        run_virtual(demonstrate())
    return seen[0]


def terminal_picture(snapshot: Snapshot) -> str:
    """A frame of the live view as SVG that needs nothing from the network."""
    console = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    for line in draw(snapshot, width=WIDTH, height=HEIGHT, silent_ms=0.0, ours=True, answers=False):
        console.print(line, soft_wrap=True)
    svg = console.export_svg(title="rfctl demo", theme=MONOKAI, unique_id="demo")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(BRAILLE, _dotted, svg)
    return re.sub(INDENTED, _moved, svg)


def _dotted(text: re.Match[str]) -> str:
    """A piece of a curve as squares: not every viewer has a font with braille of the right width."""
    style, x, y, shown = text["style"], float(text["x"]), float(text["y"]), text["shown"]
    squares = [
        f"M{x + CELL * (place + across / 2) + 1.6:.1f} {y - 17.0 + ROW / 4 * down:.1f}h3v3h-3z"
        for place, char in enumerate(shown)
        for down, bits in enumerate(DOTS)
        for across, bit in enumerate(bits)
        if ord(char) - BLANK & bit
    ]
    return f'<path class="{style}" d="{"".join(squares)}"/>'


def _moved(text: re.Match[str]) -> str:
    """The piece of text without its leading spaces, further right: not every viewer keeps them."""
    x, y, length, rest, spaces = text.groups()
    indent = spaces.count(";") * CELL
    return f'x="{float(x) + indent:g}"{y} textLength="{max(float(length) - indent, CELL):g}"{rest}'


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "demo.svg").write_text(terminal_picture(mid_hold()), encoding="utf-8")
