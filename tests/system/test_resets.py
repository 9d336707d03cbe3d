"""``rfctl reset`` at a generator that runs, with a latch of each class: what is tried is refused, and in the record."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rfctl.accounts import accounts_file, passwords
from rfctl.accounts.accounts_file import Account
from rfctl.accounts.deeds import KIND
from rfctl.accounts.resets import Demand, ResetClass
from rfctl.accounts.roles import Role
from rfctl.errors import EXIT_DONE, EXIT_STOPPED
from rfctl.record.keys import load_public_key
from rfctl.record.segments import entries
from rfctl.record.verify import verify
from rfctl.station import latches
from tests.system.service_rig import rig

if TYPE_CHECKING:
    from tests.system.service_rig import Rig

pytestmark = pytest.mark.real_time

PASSWORD = "correct horse"
PEOPLE = {"anna": Role.OPERATOR, "vera": Role.VIEWER, "carla": Role.SECOND_PERSON}
IMPEDANCE_OHM = 185.0
"""Of the set-up, at rest."""
REASON = ("--reason", "lead was plugged in again")
SETUP = ("--new-setup",)
IMAGING = ("--physician", "Dr. Weber")
SERVICE = ("--service", "output stage replaced")
BESIDE = ("--second", "carla", "--second-password-file", "password")
EVERYTHING = (*REASON, *SETUP, *IMAGING, *SERVICE, *BESIDE)


class Try(NamedTuple):
    """One try.

    Attributes:
        what: Is wrong with it.
        by: Whose.
        options: Of the command.
        lacks: What each class lacks that still stands afterwards.
        cause: It is still there.
    """

    what: str
    by: str
    options: tuple[str, ...]
    lacks: dict[ResetClass, set[Demand]]
    cause: bool = False


OF_REASONS = (ResetClass.R2, ResetClass.R3A, ResetClass.R3B, ResetClass.R4)
TRIES = (
    Try(
        "the cause is present",
        "anna",
        EVERYTHING,
        {
            ResetClass.R1: {Demand.CAUSE_GONE},
            ResetClass.R2: {Demand.CAUSE_GONE},
            ResetClass.R3A: {Demand.CAUSE_GONE},
            ResetClass.R3B: {Demand.CAUSE_GONE, Demand.IMPEDANCE},
            ResetClass.R4: {Demand.CAUSE_GONE},
        },
        cause=True,
    ),
    Try("wrong role", "vera", EVERYTHING, {each: {Demand.ACKNOWLEDGED} for each in (ResetClass.R1, *OF_REASONS)}),
    Try(
        "no reason",
        "anna",
        (*SETUP, *IMAGING, *SERVICE, *BESIDE),
        {each: {Demand.REASON} for each in OF_REASONS},
    ),
    Try(
        "nothing but a reason",
        "anna",
        REASON,
        {
            ResetClass.R3A: {Demand.NEW_SETUP},
            ResetClass.R3B: {Demand.IMAGING},
            ResetClass.R4: {Demand.SERVICE, Demand.SECOND_PERSON},
        },
    ),
    Try(
        "wrong role of the second person",
        "anna",
        (*REASON, *SETUP, *IMAGING, *SERVICE, "--second", "vera", "--second-password-file", "password"),
        {ResetClass.R4: {Demand.SECOND_PERSON}},
    ),
    Try("nothing is wrong", "anna", EVERYTHING, {}),
)
"""One after the other at the same station; in each what stood before and is not lacking anything any more is reset."""


class Tried(NamedTuple):
    """What came of a try."""

    exit_code: int
    document: dict[str, Any]
    err: str
    said: list[dict[str, Any]]
    stands: set[str]


def standing(folder: Path) -> set[str]:
    return {latch.reset_class for latch in latches.load(folder)}


def of_class(told: str) -> str:
    """The class that a latch is told with."""
    return told.partition("reset class ")[2].partition(")")[0]


def post(bench: Rig, body: dict[str, object]) -> None:
    request = urllib.request.Request(f"{bench.backdoor}/faults", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def tried(bench: Rig, attempt: Try) -> Tried:
    if attempt.cause:
        post(bench, {"start": "impedance", "channel": 1, "ohm": 5000.0})
    words = ("reset", "--station", "station.toml", "--operator", attempt.by, "--password-file", "password", "--json")
    process = bench.start(*words, *attempt.options)
    exit_code, output = bench.finish(process)
    if attempt.cause:
        post(bench, {"clear": "impedance", "channel": 1})
    document = json.loads(output)
    record = Path(document["record"])
    assert verify(record, load_public_key(Path(document["public_key"]))).verdict.good
    said = [dict(entry.members) for entry in entries(record) if entry.kind == KIND]
    return Tried(exit_code, document, bench.errors("reset"), said, standing(bench.state))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tried]:
    """Every try, in order."""
    folder = tmp_path_factory.mktemp("resets")
    hashed = passwords.hash_of(PASSWORD)
    with rig(folder, serial=False) as bench:
        for name, role in PEOPLE.items():
            accounts_file.add(folder / "accounts.toml", Account(name, frozenset({role}), hashed))
        station = (folder / "station.toml").read_text(encoding="utf-8")
        bench.write("station.toml", station.replace("[station]", '[station]\naccounts = "accounts.toml"'))
        bench.write("password", PASSWORD + "\n")
        (folder / "password").chmod(0o600)
        bench.state.mkdir()
        latches.store(
            bench.state,
            tuple(
                latches.Standing("impedance_high", "HZ-10", 1, "5000 ohm", each, IMPEDANCE_OHM, "bench-1", "2026-01-01")
                for each in ResetClass
            ),
        )
        return {attempt.what: tried(bench, attempt) for attempt in TRIES}


@pytest.mark.parametrize("attempt", TRIES, ids=lambda attempt: attempt.what)
@pytest.mark.requirement("latch.reset")
def test_what_a_class_lacks_is_refused_and_told_and_stands(results: dict[str, Tried], attempt: Try) -> None:
    result = results[attempt.what]
    assert result.document["self_test"] == "passed"
    assert result.stands == {str(each) for each in attempt.lacks}
    assert result.exit_code == (EXIT_STOPPED if attempt.lacks else EXIT_DONE)
    told = {of_class(each["latch"]): set(each["missing"]) for each in result.document["standing"]}
    assert told == {str(each): {str(demand) for demand in lacks} for each, lacks in attempt.lacks.items()}
    assert all(f"missing: {demand}" in result.err for lacks in attempt.lacks.values() for demand in lacks)


@pytest.mark.parametrize("attempt", TRIES, ids=lambda attempt: attempt.what)
@pytest.mark.requirement("latch.reset")
def test_the_record_says_who_tried_what_and_what_was_missing(results: dict[str, Tried], attempt: Try) -> None:
    said = results[attempt.what].said
    assert {(each["actor"], *each["roles"]) for each in said} == {(attempt.by, str(PEOPLE[attempt.by]))}
    refused = {each["class"]: set(each["missing"]) for each in said if each["deed"] == "reset_refused"}
    assert refused == {str(each): {str(demand) for demand in lacks} for each, lacks in attempt.lacks.items()}
    reset = {each["class"] for each in said if each["deed"] == "reset"}
    at = TRIES.index(attempt)
    before = set(TRIES[at - 1].lacks) if at else set(ResetClass)
    assert reset == {str(each) for each in before - set(attempt.lacks)}
    assert len(said) == len(refused) + len(reset)
