"""What must hold of every session, whatever went wrong, seen at the output stage and in the record.

The dose meter is the simulator's own. What a fault makes impossible for any station is excused by its name, and only
that: an output that is stuck stays on, and the session has to say that off is not confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfctl.clock import NS_PER_S
from rfctl.record.keys import load_public_key
from rfctl.record.verify import Outcome, verify
from tests.assurance.worlds import Mode, World

if TYPE_CHECKING:
    from rfctl.station.session import Result

OFF_S = 0.3
"""From the decision to end until the output is off: 250 ms to verify it, and one sample."""
LEASE_S = 0.5
STUCK = frozenset(
    {
        "ignore_off",
        "off_ignored",
        "rf_without_command",
        "stimulation_without_command",
        "firmware_hang",
        "write_ignored",
        "write_partial",
        "refuse_write",
    }
)
"""The output does not obey: only a relay helps."""
DEAF = frozenset(
    {
        *("no_reply", "unit_dead", "socket_cut", "request_lost", "disconnect", "firmware_reset", "other_controller"),
        *("reply_dropped", "reply_delayed", "reply_late", "wrong_map_id", "wrong_model", "poses_as_device"),
    }
)
"""An off may not arrive: the generator's own lease has to end it."""
ENDLESS = frozenset({"lease_endless", "clock_rate"})
"""The lease does not end it, or not in time."""
WHOLE = frozenset({Outcome.VALID_UNANCHORED, Outcome.UNCLEAN_END, Outcome.CLOCK_ANOMALY, Outcome.OPEN_TAIL})
"""Verdicts of a record that nobody has changed. That it is decided again as it was, the bench sees to."""


@dataclass
class Output:
    """One channel's output as it was.

    Attributes:
        rf: Intervals with RF on, ns; the last one is open while its end is None.
        both: RF and stimulation were seen together.
        hottest_c: Of the tissue.
    """

    rf: list[list[int | None]] = field(default_factory=list)
    both: bool = False
    hottest_c: float = 0.0


@dataclass
class Seen:
    """What a run has left behind.

    Attributes:
        result: How the session ended; None when it raised or hung.
        error: What it raised.
        ending_ns: When the kernel decided to end, 0 when it never did.
        ended_ns: When the session was over.
        outputs: By channel.
        on_when_said: Something was on when the kernel had ended, and so said whether off was verified; True when it
            never ended. What comes on by itself later nobody has spoken of.
        on_at_the_end: Something was on when it was over.
        unhandled: Errors that nobody handled, of the station or the simulator.
        folder: What paths of the document start from.
    """

    result: Result | None = None
    error: str = ""
    ending_ns: int = 0
    ended_ns: int = 0
    outputs: dict[int, Output] = field(default_factory=dict)
    on_when_said: bool = True
    on_at_the_end: bool = False
    unhandled: list[str] = field(default_factory=list)
    folder: Path = Path()


def violations(world: World, seen: Seen) -> list[str]:
    """What did not hold, in words; empty when everything did."""
    if seen.result is None:
        return [f"the session did not end: {seen.error}"]
    document = seen.result.document
    return [
        *seen.unhandled,
        *_ends(world, seen, document),
        *_output(world, seen, document),
        *_record(seen, document),
    ]


def _ends(world: World, seen: Seen, document: dict[str, Any]) -> list[str]:
    assert seen.result is not None
    found = []
    complete, code = document["outcome"] == "complete", seen.result.exit_code
    if complete != (code == 0):
        found.append(f"outcome {document['outcome']} with exit code {code}")
    if complete and any(trip for trip in document["trips"] or ()):
        found.append("complete with trips")
    if code == 5:
        found.append(f"an internal error: {seen.result.error}")
    if world.mode is Mode.LIVENESS and not complete:
        found.append(f"not completed: {document['outcome']}, {document['ending']}")
    return found


def _output(world: World, seen: Seen, document: dict[str, Any]) -> list[str]:
    found = []
    if seen.on_when_said and document.get("off_verified"):
        found.append("an output is on and off is said to be verified")
    stuck = bool(world.faults & STUCK)
    if seen.on_at_the_end and not (stuck or world.faults & ENDLESS) and not world.faults & DEAF:
        found.append("an output is on after the end")
    for number, output in seen.outputs.items():
        if output.both and "stimulation_without_command" not in world.faults and not stuck:
            found.append(f"channel {number}: RF and stimulation at the same time")
        for began_ns, until_ns in output.rf:
            last_ns = seen.ended_ns if until_ns is None else until_ns
            assert began_ns is not None
            late_s = (last_ns - seen.ending_ns) / NS_PER_S if seen.ending_ns else 0.0
            limit_s = OFF_S + (LEASE_S if world.faults & DEAF else 0.0)
            if late_s > limit_s and not stuck and not world.faults & ENDLESS:
                found.append(f"channel {number}: RF on {late_s:.3f} s after the decision to end, limit {limit_s} s")
    return found


def _record(seen: Seen, document: dict[str, Any]) -> list[str]:
    record = seen.folder / document["record"]
    verdict = verify(record, load_public_key(seen.folder / document["public_key"]))
    return [] if verdict.verdict in WHOLE else [f"the record is {verdict}"]
