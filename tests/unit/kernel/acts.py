"""A state just good enough for one act of the transition table: its first channel at a site, with what a test needs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from rfctl.kernel.effects import Level, Note
from rfctl.kernel.events import Answered, Choice, Question
from rfctl.kernel.state import ChannelState, Figures, KernelState, Reference, Sample, Setup, Stage, initial
from rfctl.model.plan import FaultPolicy, Medium
from tests.unit.kernel.bench import Bench, batch, setup_of, site

if TYPE_CHECKING:
    from rfctl.model.plan import Site
    from rfctl.model.reading import Reading

S = 1_000_000_000
NOW_NS = 50 * S
BY = Answered(NOW_NS, Question.SENSORY, Choice.OVERRIDE, "Dr. B", "  seen on two views ", " Dr. C ")
READING = Bench(setup_of()).reading()
REFERENCE = Reference(185.0, 36.0, 100.0, 150.0, 35.0, 7, 0.25)
FIGURES = Figures(1, 37.0, 0, 37.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1)


def _sample() -> Sample:
    bench = Bench(setup_of())
    bench.samples(2)
    return bench.newest(1)


SAMPLE = _sample()


def history_of(*samples: tuple[int, float, float]) -> tuple[Sample, ...]:
    """Of (ns, degC, ohm)."""
    return tuple(SAMPLE._replace(now_ns=ns, temperature_c=celsius, impedance_ohm=ohm) for ns, celsius, ohm in samples)


@cache
def _setup(at: Site, medium: Medium) -> Setup:
    return replace(setup_of(at, site("L5, left", 2)), medium=medium)


@cache
def _batch(channels: int, on_fault: FaultPolicy) -> Setup:
    return batch(*(site(f"L{number}", number) for number in range(1, channels + 1)), on_fault=on_fault)


def state_of(
    channel: ChannelState,
    at: Site | None = None,
    medium: Medium = Medium.TISSUE,
    reading: Reading | None = READING,
    other: ChannelState | None = None,
) -> KernelState:
    """Its first channel at the site, the second one idle."""
    channels = (channel._replace(site=0), other or ChannelState())
    setup = _setup(at or site("L4, left", 1), medium)
    return initial(setup)._replace(channels=channels, reading=reading, answered=BY, intent=4)


def together(*channels: ChannelState, on_fault: FaultPolicy = FaultPolicy.STOP_ALL, **fields: object) -> KernelState:
    """Each channel at its own site, or without one where it has none, in batch."""
    state = initial(_batch(len(channels), on_fault))
    return state._replace(stage=Stage.TREATING, channels=channels, reading=READING, answered=BY)._replace(**fields)


def measuring(**fields: object) -> Reading:
    """A reading of which this is so on the first channel."""
    first, *others = READING.channels
    return READING._replace(channels=(first._replace(**fields), *others))


def note(code: str, text: str, level: Level = Level.INFO) -> Note:
    """Of the first channel."""
    return Note(level, 1, code, text)
