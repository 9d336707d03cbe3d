"""Trips that outlive their procedure: kept in the station's state folder until they are reset as their class demands.

While one stands nothing is planned to be energised. A simulator in the station's own process is another machine each
time, so that nothing of it is kept.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

from rfctl.accounts.resets import Latch, ResetClass, class_in_force
from rfctl.errors import ConfigError, RecordError, RefusedError
from rfctl.kernel.row import Action
from rfctl.kernel.stimulation_guards import beyond_repeating

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rfctl.kernel.state import KernelState, Trip

Each = TypeVar("Each")
FILE = "latches.json"
RESERVE = "latches.reserve"
RESERVE_BYTES = 16384
"""Room for what one procedure may leave, on a disk that others have filled meanwhile."""
R4 = frozenset({"HZ-04", "HZ-14", "HZ-15", "HZ-24", "HZ-28", "HZ-44", "HZ-54"})
R3 = frozenset({"HZ-02", "HZ-03", "HZ-05", "HZ-06", "HZ-07", "HZ-08", "HZ-21", "HZ-22", "HZ-25", "HZ-52"})
R1 = frozenset({"HZ-26", "HZ-27", "HZ-42", "HZ-50", "HZ-55"})
"""Hazards by the class that their latch is left by; what is in none of these is R2."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One latch.

    Attributes:
        code: Of the verdict.
        hazard: Which it controls.
        channel: 0 for the whole generator.
        text: What a person read.
        reset_class: That holds, as rfctl.accounts.resets.ResetClass names it.
        reference_ohm: Of the channel's impedance check; None where there was none.
        procedure_id: Of the procedure that it ended.
        at: UTC, a label.
    """

    code: str
    hazard: str
    channel: int
    text: str
    reset_class: str
    reference_ohm: float | None
    procedure_id: str
    at: str

    @property
    def must(self) -> ResetClass:
        """What it is left by."""
        return ResetClass(self.reset_class)

    def __str__(self) -> str:
        where = f" on channel {self.channel}" if self.channel else ""
        return f"{self.code}{where} ({self.hazard}, reset class {self.reset_class}): {self.text}"


def latch_of(hazard: str) -> Latch:
    """The class of a hazard's latch."""
    return Latch.R4 if hazard in R4 else Latch.R3 if hazard in R3 else Latch.R1 if hazard in R1 else Latch.R2


def latched(state: KernelState, procedure_id: str, at: str) -> tuple[Standing, ...]:
    """What a procedure that has ended leaves latched.

    Args:
        state: At its end.
        procedure_id: Its name.
        at: When, as a label.
    """
    return tuple(
        standing_of(trip.code, trip.hazard, number, trip.text, state, procedure_id, at)
        for trip in state.trips
        if trip.action is Action.TRIP
        for number in _where(trip, state)
    )


def _where(trip: Trip, state: KernelState) -> tuple[int, ...]:
    """An impedance is compared on a channel: what concerns the whole generator is left on each that had heat."""
    had = [number for number in range(1, len(state.channels) + 1) if beyond_repeating(state, number)]
    if trip.channel or not had or latch_of(trip.hazard) is not Latch.R3:
        return (trip.channel,)
    return tuple(had)


def standing_of(
    code: str, hazard: str, number: int, text: str, state: KernelState, procedure_id: str, at: str
) -> Standing:
    """The latch of a hazard on a channel, 0 for the whole generator, in the class that holds there."""
    numbers = [number] if number else range(1, len(state.channels) + 1)
    had = any(beyond_repeating(state, each) for each in numbers)
    klass = class_in_force(latch_of(hazard), state.setup.medium, anaesthetic_or_heat=had)
    reference = state.channels[numbers[0] - 1].reference
    ohm = reference.after_ohm if reference is not None else None
    if klass is ResetClass.R3B and ohm is None:
        klass = ResetClass.R4  # nothing to compare with, and a latch that nobody could ever leave helps nobody
    return Standing(code, hazard, number, text, str(klass), ohm, procedure_id, at)


def load(state_folder: Path) -> tuple[Standing, ...]:
    """The latches that stand.

    Raises:
        ConfigError: The file is there and cannot be read: then it is not known what stands.
    """
    return kept(state_folder / FILE, Standing, says="what ended earlier procedures")


def store(state_folder: Path, standing: tuple[Standing, ...]) -> None:
    """Keep exactly these, durably.

    Raises:
        RecordError: The disk refused.
    """
    keep(state_folder / FILE, [asdict(each) for each in standing])


def reserve(state_folder: Path) -> None:
    """Keep room for the latches that a procedure may leave, before anything is energised.

    Raises:
        RecordError: The disk refused.
    """
    path = state_folder / RESERVE
    try:
        if not path.exists():
            _write(path, b" " * RESERVE_BYTES)
    except OSError as problem:
        raise _refused(path, problem) from None


def kept(path: Path, make: Callable[..., Each], *, says: str) -> tuple[Each, ...]:
    """What a file of the state folder holds; none without the file.

    Args:
        path: The file, written by ``keep``.
        make: Makes one of its members.
        says: What the file is there for.

    Raises:
        ConfigError: The file is there and cannot be read.
    """
    try:
        return tuple(make(**each) for each in json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError) as problem:
        raise ConfigError(
            f"cannot be read: {problem}",
            where=str(path),
            remedy=f"It says {says}: look at their records before you delete it.",
        ) from None


def keep(path: Path, content: list[dict[str, object]]) -> None:
    """Replace a file of the state folder, durably; on a full disk, in the room that was reserved. Nothing to keep: no
    file.

    Raises:
        RecordError: The disk refused.
    """
    if not content:
        with suppress(FileNotFoundError):
            path.unlink()
        return
    text, reserved = json.dumps(content, indent=1).encode("utf-8"), path.parent / RESERVE
    unfinished = path.with_suffix(".new")
    try:
        try:
            _write(unfinished, text)
        except OSError:
            if len(text) > RESERVE_BYTES or not reserved.exists():
                raise
            with reserved.open("r+b") as file:
                file.write(text.ljust(RESERVE_BYTES))
                file.flush()
                os.fsync(file.fileno())
            unfinished = reserved
        unfinished.replace(path)
    except OSError as problem:
        raise _refused(path, problem) from None


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _refused(path: Path, problem: OSError) -> RecordError:
    return RecordError(f"cannot be kept: {problem.strerror}", where=str(path), remedy="Make room on the disk.")


def add(state_folder: Path, more: tuple[Standing, ...]) -> None:
    """Keep these, too; the same of the same procedure stands once.

    Raises:
        RecordError: The disk refused.
    """
    standing = load(state_folder)
    known = {(each.code, each.channel, each.procedure_id) for each in standing}
    new = tuple(each for each in more if (each.code, each.channel, each.procedure_id) not in known)
    if new:
        store(state_folder, (*standing, *new))


def require_none(state_folder: Path, station: str) -> None:
    """Nothing is energised while a latch stands.

    Raises:
        RefusedError: One does.
    """
    standing = load(state_folder)
    if standing:
        more = f", and {len(standing) - 1} more" if len(standing) > 1 else ""
        raise RefusedError(
            f"latched since {standing[0].at}: {standing[0]}{more}",
            where=station,
            remedy=f"Remove the cause, then run rfctl reset --station {station}.",
        )
