"""Each control of the safety matrix taken away, and the test that has to go red then.

A test run with the name of a control in the environment runs without that control: ``RFCTL_KILL=off.total pytest ...``.
Rows of the interlock table need nothing here: their own proofs are run with a table that lacks them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfctl.link import gate
from rfctl.link.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "RFCTL_KILL"


@dataclass(frozen=True)
class Kill:
    """How a control is taken away.

    Attributes:
        remove: Does it, for the whole process.
        red: Node id of the test that fails without the control.
    """

    remove: Callable[[], None]
    red: str


def without(owner: object, name: str, instead: Callable[..., Any]) -> Callable[[], None]:
    """Put something that does no such thing in the place of a function or method."""
    return lambda: setattr(owner, name, instead)


def _nothing(*_arguments: object, **_named: object) -> None:
    return None


def _off_once() -> None:
    send = Link._send_offs

    def once(link: Link) -> bool:
        link._offs = link._offs[:1]
        return send(link)

    Link._send_offs = once  # type: ignore[method-assign]


GATE = "tests/safety/test_gate.py"
WIRE = "tests/virtual/test_link_gate.py"
KILLS: dict[str, Kill] = {
    "gate.envelope": Kill(without(gate.Gate, "_bound", _nothing), f"{WIRE}::test_energising_beyond_the_envelope"),
    "off.total": Kill(
        _off_once, "tests/virtual/test_link_off.py::test_each_off_frame_crosses_the_wire_twice_under_a_reserved_number"
    ),
}
