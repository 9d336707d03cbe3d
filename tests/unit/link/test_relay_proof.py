"""The proof of a relay, at each of its limits: what is still a sound board, and what is none any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfctl.clock import NS_PER_MS
from rfctl.errors import ConfigError
from rfctl.link.relay import Contact, check_sum, flash_on, no_reply, read_contact
from rfctl.link.relay_proof import (
    GIVE_UP_NS,
    READ_EVERY_NS,
    SETTLED_NS,
    Answered,
    Due,
    Proved,
    RelayFault,
    RelayProof,
    Second,
    Unanswered,
    begin,
    step,
)

MS = NS_PER_MS
NOW = 10_000 * MS
FLASH, LOOK = flash_on(Contact(), 4), read_contact(Contact())
AT_REST = RelayProof(Contact(), 4, began_ns=NOW, frame=LOOK, sent_ns=NOW)
FIRST = replace(AT_REST, first_ns=NOW)
PLAIN = (20 * MS, 395 * MS, 405 * MS)
SECOND = replace(FIRST, plain=PLAIN, closed_ns=NOW + 15 * MS, second_ns=NOW + 200 * MS)


def reply(closed: bool) -> bytes:
    body = bytes((1, 2, 1, closed))
    return body + check_sum(body).to_bytes(2, "little")


def seen(proof: RelayProof, at_ns: int, *, closed: bool) -> tuple[RelayProof, bytes]:
    return step(proof, Answered(at_ns, reply(closed)))


def code(proof: RelayProof) -> str:
    return proof.verdict.code if isinstance(proof.verdict, RelayFault) else ""


def test_it_begins_with_a_look() -> None:
    assert begin(Contact(), 4, NOW) == (AT_REST, LOOK)
    with pytest.raises(ConfigError, match="closed for 600 ms"):
        begin(Contact(), 6, NOW)


def test_it_asks_again_at_the_time_it_named_and_not_while_it_waits_for_a_reply() -> None:
    proof, frame = seen(AT_REST, NOW + MS, closed=True)
    assert (frame, proof.wake_ns) == (b"", NOW + MS + READ_EVERY_NS)
    assert step(proof, Due(proof.wake_ns - 1)) == (proof, b"")
    asked, frame = step(proof, Due(proof.wake_ns))
    assert (frame, asked.frame, asked.sent_ns) == (LOOK, LOOK, proof.wake_ns)
    assert step(asked, Due(proof.wake_ns + 100 * MS)) == (asked, b"")
    assert seen(proof, NOW, closed=False) == (proof, b"")  # asked by nobody


@pytest.mark.parametrize(("waited_ns", "found"), [(500 * MS, ""), (500 * MS + 1, "welded")])
def test_a_contact_may_be_closed_at_first_for_as_long_as_somebody_else_may_have_asked(
    waited_ns: int, found: str
) -> None:
    proof, _ = seen(AT_REST, NOW + waited_ns, closed=True)
    assert code(proof) == found
    if found:
        assert "closed after 500 ms in which nobody asked" in str(proof.verdict)


def test_a_contact_that_rests_open_is_flashed_and_then_looked_at() -> None:
    proof, frame = seen(AT_REST, NOW + 3 * MS, closed=False)
    assert (frame, proof.first_ns, proof.closed_ns) == (FLASH, NOW + 3 * MS, None)
    proof, frame = step(proof, Answered(NOW + 7 * MS, FLASH))
    assert (frame, proof.sent_ns) == (LOOK, NOW + 7 * MS)


@pytest.mark.parametrize(("since_ns", "found"), [(SETTLED_NS, ""), (SETTLED_NS + 1, "stuck_open")])
def test_a_contact_has_its_time_to_close(since_ns: int, found: str) -> None:
    proof, frame = seen(FIRST, NOW + since_ns, closed=False)
    assert (code(proof), frame) == (found, b"")
    if found:
        assert "not closed 100 ms after a flash-on" in str(proof.verdict)


@pytest.mark.parametrize(("since_ns", "found"), [(GIVE_UP_NS, ""), (GIVE_UP_NS + 1, "welded")])
def test_a_contact_that_never_opens_is_given_up(since_ns: int, found: str) -> None:
    proof, _ = seen(replace(FIRST, closed_ns=NOW + MS), NOW + since_ns, closed=True)
    assert code(proof) == found
    if found:
        assert "closed 3000 ms after it was closed for 400 ms" in str(proof.verdict)


def test_what_closed_it_first_and_what_saw_it_closed_last_is_kept() -> None:
    proof, _ = seen(replace(FIRST, sent_ns=NOW + 8 * MS), NOW + 10 * MS, closed=True)
    assert (proof.closed_ns, proof.still_closed_ns) == (NOW + 10 * MS, NOW + 8 * MS)
    proof, _ = seen(replace(proof, frame=LOOK, sent_ns=NOW + 18 * MS), NOW + 20 * MS, closed=True)
    assert (proof.closed_ns, proof.still_closed_ns) == (NOW + 10 * MS, NOW + 18 * MS)


@pytest.mark.parametrize(
    ("from_ms", "until_ms", "found", "says"),
    [
        (300, 400, "", ""),
        (299.999999, 400, "too_slow", "of 400 ms is known to 100 ms, to tell a timer that starts anew takes 100 ms"),
        (500, 505, "", ""),
        (500.000001, 506, "opens_late", "for 400 ms, the contact opened after 506 ms"),
        (295, 300, "", ""),
        (295, 299.999999, "opens_early", "for 400 ms, the contact opened after 300 ms"),
    ],
)
def test_a_first_run_opens_to_a_tick_when_it_was_asked_to(
    from_ms: float, until_ms: float, found: str, says: str
) -> None:
    proof = replace(FIRST, closed_ns=NOW + 15 * MS, still_closed_ns=NOW + round(from_ms * MS))
    until_ns = round(until_ms * MS)
    proof, frame = seen(proof, NOW + until_ns, closed=False)
    assert code(proof) == found
    assert says in str(proof.verdict)
    if not found:
        assert proof.plain == (15 * MS, round(from_ms * MS), until_ns)
        assert (frame, proof.first_ns, proof.closed_ns) == (FLASH, NOW + until_ns, None)


@pytest.mark.parametrize(
    ("changed", "since_ms", "flashes"),
    [
        ({}, 199.999999, False),
        ({}, 200, True),
        ({"closed_ns": None}, 200, False),
        ({"plain": None}, 200, False),
        ({"second_ns": NOW + MS}, 200, False),
    ],
)
def test_the_second_flash_on_goes_out_half_way_through_the_second_run(
    changed: dict[str, object], since_ms: float, flashes: bool
) -> None:
    proof = replace(SECOND, second_ns=None, frame=b"", wake_ns=0)
    now_ns = NOW + round(since_ms * MS)
    proof, frame = step(replace(proof, **changed), Due(now_ns))  # type: ignore[arg-type]
    assert frame == (FLASH if flashes else LOOK)
    if flashes:
        assert (proof.second_ns, proof.first_ns) == (now_ns, NOW)


@pytest.mark.parametrize(
    ("from_ms", "until_ms", "second", "kept"),
    [
        # As without a second flash-on, 405 ms: ignored until half of the 200 ms by which it was put off.
        (390, 400, Second.IGNORED, (390, 405)),
        (500, 504.999999, Second.IGNORED, (395, 504.999999)),
        (500, 505, Second.RETRIGGERS, (300, 405)),
        (590, 610, Second.RETRIGGERS, (390, 410)),
        (650, 704.999999, Second.RETRIGGERS, (395, 504.999999)),
        (650, 705, None, ()),
    ],
)
def test_what_a_second_flash_on_does_is_told_by_the_middle_between(
    from_ms: float, until_ms: float, second: Second | None, kept: tuple[float, ...]
) -> None:
    proof = replace(SECOND, still_closed_ns=NOW + round(from_ms * MS))
    proof, frame = seen(proof, NOW + round(until_ms * MS), closed=False)
    assert frame == b""
    if second is None:
        assert code(proof) == "adds_up"
        assert "opened 505 ms later, after one alone 405 ms" in str(proof.verdict)
    else:
        from_ns, until_ns = (round(each * MS) for each in kept)
        assert proof.verdict == Proved(4, second, 20 * MS, from_ns, until_ns)


def test_the_longer_of_two_times_to_close_counts() -> None:
    proof = replace(SECOND, closed_ns=NOW + 31 * MS, still_closed_ns=NOW + 590 * MS)
    proof, _ = seen(proof, NOW + 600 * MS, closed=False)
    assert isinstance(proof.verdict, Proved)
    assert proof.verdict.closes_ns == 31 * MS


def test_a_second_run_that_ends_before_its_flash_on_opens_early() -> None:
    proof = replace(SECOND, second_ns=None, still_closed_ns=NOW + 140 * MS)
    proof, _ = seen(proof, NOW + 150 * MS, closed=False)
    assert code(proof) == "opens_early"
    assert "opened within 150 ms of 400 ms" in str(proof.verdict)


def test_a_verdict_is_the_end() -> None:
    proof, frame = step(AT_REST, Unanswered(NOW, no_reply(LOOK, b"")))
    assert (code(proof), proof.frame, frame) == ("no_answer", b"", b"")
    assert step(proof, Due(NOW + 9000 * MS)) == (proof, b"")
    assert seen(replace(proof, frame=LOOK), NOW, closed=False)[1] == b""
