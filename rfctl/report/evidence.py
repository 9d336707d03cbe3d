"""What one record holds for its report: the verdict, the final state, the curves of each lesion, and what happened."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from rfctl.accounts import resets
from rfctl.errors import ConfigError, RecordError
from rfctl.kernel.effects import Effect, Finish, Level, Note
from rfctl.kernel.events import Answered, Choice, Event, Missed, Question, Sampled, Stopped
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import Stage
from rfctl.record.layout import FORMAT, GENESIS
from rfctl.record.notes import decode64, parse
from rfctl.record.reader import read_entries, read_lines
from rfctl.record.replay import Replayed, replay
from rfctl.record.segments import Entry, entries
from rfctl.record.sessions import chosen, sessions
from rfctl.record.verify import Outcome, Verdict, verify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rfctl.kernel.state import KernelState
    from rfctl_verify.public_key import Key

BEFORE_RF_NS = 5_000_000_000
"""How much of the curves before RF on is shown with a lesion."""
PHASE_WORDS = {
    Phase.FIRING: "RF on commanded: ramp",
    Phase.HOLD: "set temperature reached: hold",
    Phase.LESION_OFF: "hold over: RF off commanded",
    Phase.COOLING: "off verified by measurement: cooling",
}
"""The changes of a channel's phase that are told, as words."""
CHOICE_WORDS = {Choice.NONE: "no response", Choice.RESPONSE: "a response"}


NOT_AS_WRITTEN = frozenset(
    {
        Outcome.CORRUPT,
        Outcome.DIVERGED,
        Outcome.FORKED,
        Outcome.KEY_INVALID,
        Outcome.MODIFIED,
        Outcome.TRUNCATED,
    }
)
"""Verdicts on a record of which nothing can be relied on."""


class Weight(StrEnum):
    """How much a moment matters. Details are told, and not marked in a drawing."""

    DETAIL = "detail"
    INFO = "info"
    WARNING = "warning"
    STOP = "stop"
    TRIP = "trip"


class Moment(NamedTuple):
    """Something that happened. ``channel`` 0 is the whole generator."""

    t_ns: int
    channel: int
    weight: Weight
    text: str


class Point(NamedTuple):
    """One sample of a channel; power and impedance at the generator's terminals and in the tissue.

    Not-a-number where there was no measurement.
    """

    t_ns: int
    temperature_c: float
    power_w: float
    power_tissue_w: float
    impedance_ohm: float
    impedance_tissue_ohm: float
    rf_on: bool


@dataclass(slots=True)
class Lesion:
    """One lesion as it was sampled, from 5 s before RF on to the end of cooling or of the record.

    Attributes:
        site: Index of the site in the plan.
        index: Which of the site's lesions, from 0.
        channel: Channel number.
        rf_on_ns: When RF was commanded on.
        points: The samples.
        phases: When the channel came into which phase.
        power_limit_w: Power limit at the generator's terminals, W.
        duration_s: Longest RF-on time, s.
    """

    site: int
    index: int
    channel: int
    rf_on_ns: int
    points: list[Point]
    phases: list[tuple[int, Phase]] = field(default_factory=list)
    power_limit_w: float = math.nan
    duration_s: float = math.nan


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a report needs.

    Attributes:
        header: Members of the first line.
        identity: Members of the line that says which generator answered; empty when none did.
        verdict: Of verification with the key that was given.
        replayed: What deciding everything again found, with the final state.
        lesions: By the index of the site in the plan, and which of its lesions.
        moments: What happened, in order.
        temperatures: Time and temperatures, channel 1 first, of every reading that was not stale.
        readings: Number of readings.
        missed: Number of polls that gave none.
        ended_ns: Time of the last line.
        head: Hex root that the newest checkpoint signs; in format 0 hex SHA-256 of the last line before the seal, or of
            the last whole line where there is no seal.
        head_size: Number of records that the head covers; in format 0 always 0.
        error: What ended the session before or outside its procedure; empty when nothing did.
        session: Number of its epoch, where the record holds several sessions; else None.
        resets: What was reset since the procedure before, each as who did it said.
    """

    header: Mapping[str, object]
    identity: Mapping[str, object]
    verdict: Verdict
    replayed: Replayed
    lesions: Mapping[tuple[int, int], Lesion]
    moments: tuple[Moment, ...]
    temperatures: tuple[tuple[int, tuple[float, ...]], ...]
    readings: int
    missed: int
    ended_ns: int
    head: str
    head_size: int
    error: str
    session: int | None
    resets: tuple[Mapping[str, object], ...] = ()

    @property
    def good(self) -> bool:
        """The record verifies, and every decision comes out the same again."""
        return self.verdict.verdict.good and not self.replayed.differences

    @property
    def doubts(self) -> tuple[str, ...]:
        """What makes the figures doubtful, each in one sentence; red in the report."""
        verdict, replayed = self.verdict, self.replayed
        doubts = []
        if verdict.verdict in NOT_AS_WRITTEN:
            doubts.append(
                f"{verdict.verdict}: the record is not as it was signed, or was not signed by the given key "
                f"({verdict.detail}). Nothing in its report can be relied on."
            )
        elif verdict.verdict is Outcome.CLOCK_ANOMALY:
            doubts.append(f"CLOCK ANOMALY: {verdict.detail}. The order holds, times of day may not.")
        elif not verdict.verdict.good:
            doubts.append(
                f"UNCLEAN END: {verdict.detail}. The station went down or lost its disk; what came after is not known."
            )
        if replayed.differences:
            doubts.append(
                f"REPLAY DIFFERS: {replayed.differences} of {replayed.decisions} decisions come out otherwise when "
                f"decided again ({replayed.first_difference}). The figures are those of the new decisions."
            )
        if replayed.final is not None and replayed.final.stage is Stage.ENDED and not replayed.final.off_verified:
            doubts.append("OFF NOT CONFIRMED: no measurement after the last off showed every output off.")
        return tuple(doubts)


def gather(path: Path, key: Key, which: str | None = None) -> Evidence:
    """Verify the record and decide a session of it again, in one pass each.

    Args:
        path: The record.
        key: What must have signed it.
        which: The session of a log, see ``rfctl.record.sessions.chosen``; None for the newest.

    Raises:
        ConfigError: The file cannot be read, or is no record.
        RecordError: A line cannot be understood, or another interlock table decided.
    """
    _require_record(path)
    verdict = verify(path, key)
    collector = _Collector()
    try:
        only = chosen(path, which) if path.is_dir() else None
        replayed = replay(path, collector, only)
    except RecordError as problem:
        if verdict.verdict not in NOT_AS_WRITTEN:
            raise
        raise RecordError(
            f"{verdict.verdict}, and it cannot be read to its end ({problem})",
            where=str(path),
            remedy=f"There is no report of it. Verification says: {verdict.detail}.",
        ) from None
    return Evidence(
        header=collector.header,
        identity=collector.identity,
        verdict=verdict,
        replayed=replayed,
        lesions=collector.lesions,
        moments=tuple(collector.moments),
        temperatures=tuple(collector.temperatures),
        readings=collector.readings,
        missed=collector.missed,
        ended_ns=collector.ended_ns,
        head=collector.head or _last_line_sha256(path),
        head_size=collector.head_size,
        error=collector.error,
        session=only.epoch if only is not None and len(sessions(path)) > 1 else None,
        resets=tuple(collector.resets),
    )


def _require_record(path: Path) -> None:
    if path.is_dir():
        next(entries(path), None)  # says so where it is none
        return
    try:
        first = next(read_entries(path), None)
    except RecordError as problem:
        raise ConfigError(f"is no record: {problem.what}", where=str(path), remedy="Give a record.") from None
    if first is None or first.kind != "open" or first.members.get("format") != FORMAT:
        raise ConfigError(
            f"is no record of format {FORMAT}: its first line does not say so",
            where=str(path),
            remedy="Give a record.",
        )


def _signed_by(note: object) -> tuple[str, int]:
    """Root and size of a checkpoint; nothing where it is none."""
    try:
        _, size, root, *_ = parse(decode64(str(note))).text.decode("ascii").split("\n")
        return decode64(root).hex(), int(size)
    except ValueError:
        return "", 0


def _last_line_sha256(path: Path) -> str:
    if path.is_dir():
        return GENESIS
    head = GENESIS
    for line in read_lines(path):
        if line.complete:
            head = hashlib.sha256(line.raw).hexdigest()
    return head


class _Collector:
    """Looks on while the record is decided again, and keeps what a report shows."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.header: dict[str, object] = {}
        self.identity: dict[str, object] = {}
        self.lesions: dict[tuple[int, int], Lesion] = {}
        self.moments: list[Moment] = []
        self.temperatures: list[tuple[int, tuple[float, ...]]] = []
        self.readings = 0
        self.missed = 0
        self.ended_ns = 0
        self.head = ""
        self.head_size = 0
        self.error = ""
        self.resets: list[Mapping[str, object]] = []
        self._counter: int | None = None
        self._referenced: set[int] = set()
        self._failures = 0
        self._failure = 0
        self._stage = Stage.UNKNOWN
        self._phases: tuple[Phase, ...] = ()
        self._running: dict[int, Lesion] = {}
        self._before: dict[int, deque[Point]] = {}

    def line(self, entry: Entry) -> None:
        self.ended_ns = entry.t_ns
        members = entry.members
        match entry.kind:
            case "open":
                self.header = members
            case "session" if not members.get("after_failure"):
                self._begin()  # what is told is the newest session
                self.header = members
            case "record_lost":
                text = f"record lost: {members.get('error')}; {members.get('unrecorded')} entries are not in it"
                self.moments.append(Moment(entry.t_ns, 0, Weight.STOP, text))
            case resets.TOLD_AS:
                self.resets.append(members)
            case "identity":
                self.identity = members
            case "seal":
                self.head = str(members.get("head", ""))
            case "checkpoint":
                self.head, self.head_size = _signed_by(members.get("note"))
            case "refused" | "internal_error":
                self.error = str(members.get("error", "not recorded"))
                self.moments.append(Moment(entry.t_ns, 0, Weight.STOP, self.error))
            case "reconnect":
                self._reconnected(entry.t_ns, members.get("failed"))
            case _:
                pass

    def _reconnected(self, t_ns: int, failed: object) -> None:
        """Failures come four times a second: one moment tells of those that follow each other."""
        if not failed:
            self.moments.append(Moment(t_ns, 0, Weight.INFO, "link opened again, only to turn off"))
            return
        self._failures += 1
        text = f"opening the link again failed: {failed}"
        if self._failures > 1:
            t_ns = self.moments.pop(self._failure).t_ns
            text = f"{text} ({self._failures} times)"
        else:
            self._failure = len(self.moments)
        self.moments.insert(self._failure, Moment(t_ns, 0, Weight.DETAIL, text))

    def decision(self, event: Event, effects: tuple[Effect, ...], state: KernelState) -> None:
        now_ns = self.ended_ns = event.now_ns
        match event:
            case Sampled():
                self._sampled(event, state)
            case Missed():
                self.missed += 1
            case Stopped():
                self.moments.append(Moment(now_ns, 0, Weight.STOP, f"stopped by {event.by}"))
            case Answered():
                self._answered(event, state)
            case _:
                pass
        for effect in effects:
            if type(effect) is Note and effect.code != "phase":
                self.moments.append(Moment(now_ns, effect.channel, _WEIGHTS[effect.level], effect.text))
                if effect.code == "site_done":
                    self._running.pop(effect.channel).phases.append((now_ns, Phase.DONE))
            elif type(effect) is Finish:
                self.moments.append(Moment(now_ns, 0, Weight.INFO, f"procedure over: {effect.outcome}"))
        phases = tuple([channel.phase for channel in state.channels])
        if phases != self._phases:
            self._changed(now_ns, phases, state)
            self._phases = phases
        if state.stage is not self._stage:
            if state.stage is Stage.RELEASING:
                self.moments.append(Moment(now_ns, 0, Weight.INFO, "every output verified off by measurement"))
            self._stage = state.stage

    def _answered(self, event: Answered, state: KernelState) -> None:
        """Steps of an amplitude are many, and the kernel itself notes the checklist."""
        if event.choice is Choice.STEP or event.question is Question.CHECKLIST:
            return
        treated = [number for number, channel in enumerate(state.channels, start=1) if channel.site >= 0]
        channel = treated[0] if len(treated) == 1 else 0
        question = str(event.question).replace("_", " ")
        choice = CHOICE_WORDS.get(event.choice, str(event.choice).replace("_", " "))
        text = f"{question}: {choice}" if choice != question else question
        self.moments.append(Moment(event.now_ns, channel, Weight.DETAIL, f"{text} (by {event.by})"))

    def _sampled(self, event: Sampled, state: KernelState) -> None:
        self.readings += 1
        if event.reading.sample_counter == self._counter:
            return  # stale: nothing was measured since the reading before
        self._counter = event.reading.sample_counter
        measured = event.reading.channels
        self.temperatures.append((event.now_ns, tuple([channel.temperature_c for channel in measured])))
        for number, channel in enumerate(state.channels, start=1):
            if not channel.history or channel.history[-1].now_ns != event.now_ns:
                continue  # the sample before the first off is not judged
            sample, reading = channel.history[-1], measured[number - 1]
            fresh = reading.impedance_fresh
            less_series = fresh and number in self._referenced
            point = Point(
                event.now_ns,
                reading.temperature_c,
                reading.power_w,
                sample.power_tissue_w,
                reading.impedance_ohm if fresh else math.nan,
                sample.impedance_tissue_ohm if less_series else math.nan,
                reading.rf_on,
            )
            lesion = self._running.get(number)
            if lesion is not None:
                lesion.points.append(point)
            before = self._before.setdefault(number, deque())
            before.append(point)
            while before[0].t_ns < event.now_ns - BEFORE_RF_NS:
                before.popleft()
        self._referenced = {
            number for number, channel in enumerate(state.channels, start=1) if channel.reference is not None
        }

    def _changed(self, now_ns: int, phases: tuple[Phase, ...], state: KernelState) -> None:
        earlier = self._phases or (Phase.START_OFF,) * len(phases)
        for number, (before, now) in enumerate(zip(earlier, phases, strict=True), start=1):
            if before is now:
                continue
            channel = state.channels[number - 1]
            if now is Phase.FIRING and not channel.probing:
                lesion = Lesion(channel.site, channel.lesion, number, now_ns, list(self._before.get(number, ())))
                lesion.power_limit_w, lesion.duration_s = channel.power_limit_w, channel.duration_s
                self._running[number] = self.lesions[channel.site, channel.lesion] = lesion
            if number in self._running:
                self._running[number].phases.append((now_ns, now))
            if now in PHASE_WORDS:
                self.moments.append(Moment(now_ns, number, Weight.INFO, PHASE_WORDS[now]))


_WEIGHTS = {Level.INFO: Weight.INFO, Level.WARNING: Weight.WARNING, Level.TRIP: Weight.TRIP}
