"""Holding a relay, at each of its limits: the last moment that is in time, and the first that is not."""

from __future__ import annotations

import pytest

from rfctl.clock import NS_PER_MS
from rfctl.link.relay import Contact, check_sum, flash_on, no_reply, read_contact
from rfctl.link.relay_hold import LOOK_EVERY_NS, LOOK_OPENING_NS, GoodCycle, Hold, HoldPlan, LetGo, Stage, step
from rfctl.link.relay_proof import SETTLED_NS, Answered, Due, Unanswered

MS = NS_PER_MS
NOW = 10_000 * MS
PLAN = HoldPlan(Contact(), tenths=3, keeps_ns=200 * MS, opens_ns=400 * MS, reply_ns=25 * MS, look_ns=500 * MS)
HELD = Hold(PLAN, Stage.HELD, seen_ns=NOW, kept_ns=NOW, flashed_ns=NOW - 7 * MS, sent_ns=NOW, looked_ns=NOW)
FLASH, LOOK = flash_on(Contact(), 3), read_contact(Contact())
LETTING_GO = HELD._replace(stage=Stage.LETTING_GO, let_go_ns=NOW)


def reply(closed: bool) -> bytes:
    body = bytes((1, 2, 1, closed))
    return body + check_sum(body).to_bytes(2, "little")


def unanswered(at_ns: int) -> Unanswered:
    return Unanswered(at_ns, no_reply(FLASH, b""))


@pytest.mark.parametrize(("waited_ns", "flashes"), [(0, True), (PLAN.reply_ns, True), (PLAN.reply_ns + 1, False)])
def test_a_good_cycle_waits_for_one_request_and_no_longer(waited_ns: int, flashes: bool) -> None:
    hold, frame = step(HELD._replace(frame=LOOK), GoodCycle(NOW))
    assert frame == b""
    hold, frame = step(hold, Answered(NOW + waited_ns, reply(closed=True)))
    assert frame == (FLASH if flashes else b"")
    assert hold.beat_ns is None
    if flashes:
        assert (hold.flashed_ns, hold.sent_ns, hold.kept_ns) == (NOW + waited_ns, NOW + waited_ns, NOW)
        assert (
            step(hold._replace(frame=b"", beat_ns=NOW + waited_ns, wake_ns=NOW), Due(NOW + waited_ns))[0].wake_ns == 0
        )


@pytest.mark.parametrize(("since_ns", "lapses"), [(PLAN.keeps_ns, False), (PLAN.keeps_ns + 1, True)])
def test_a_hold_lapses_just_after_a_flash_on_keeps_no_longer(since_ns: int, lapses: bool) -> None:
    hold, frame = step(HELD, GoodCycle(NOW + since_ns))
    assert (hold.stage is Stage.LETTING_GO) is lapses
    assert frame == (LOOK if lapses else FLASH)
    if hold.fault is not None:
        assert hold.fault.code == "lapsed"
        assert "taken for 200 ms, at most 200 ms" in str(hold.fault)
        assert hold.let_go_ns == NOW + since_ns


def test_it_asks_to_be_woken_for_the_next_look_or_when_it_has_lapsed() -> None:
    hold, frame = step(HELD, Due(NOW + MS))
    assert (frame, hold.wake_ns) == (b"", NOW + PLAN.keeps_ns + 1)
    looks = HELD._replace(looked_ns=NOW - 400 * MS)
    hold, _ = step(looks, Due(NOW + MS))
    assert hold.wake_ns == NOW + 100 * MS
    assert step(looks, Due(hold.wake_ns - 1))[1] == b""
    assert step(looks, Due(hold.wake_ns))[1] == LOOK


@pytest.mark.parametrize(
    ("changed", "every_ns"), [({"seen_ns": 0}, LOOK_EVERY_NS), ({"contradictions": 1}, LOOK_EVERY_NS)]
)
def test_a_contact_that_was_not_seen_closed_just_now_is_looked_at_sooner(
    changed: dict[str, int], every_ns: int
) -> None:
    hold = HELD._replace(wake_ns=NOW, **changed)  # type: ignore[arg-type]
    assert step(hold, Due(NOW + every_ns - 1))[1] == b""
    hold, frame = step(hold, Due(NOW + every_ns))
    assert frame == LOOK
    assert (hold.looked_ns, hold.sent_ns, hold.wake_ns, hold.frame) == (NOW + every_ns, NOW + every_ns, 0, LOOK)


def test_while_a_request_is_in_flight_nothing_is_sent_and_nothing_is_due() -> None:
    hold, frame = step(HELD._replace(frame=LOOK, looked_ns=0, wake_ns=NOW), Due(NOW + MS))
    assert (hold.wake_ns, frame) == (0, b"")
    assert step(HELD._replace(stage=Stage.READY), Due(NOW + MS))[1] == b""


def test_a_reply_that_nobody_waits_for_changes_nothing() -> None:
    ready = HELD._replace(stage=Stage.READY)
    for late in (FLASH, reply(closed=True), reply(closed=False)):
        assert step(ready, Answered(NOW, late)) == (ready, b"")


def test_the_first_flash_on_that_is_taken_begins_the_hold_and_counts_from_its_sending() -> None:
    hold, frame = step(Hold(PLAN), GoodCycle(NOW))
    assert (hold.stage, frame) == (Stage.READY, FLASH)
    hold, _ = step(hold, Answered(NOW + 4 * MS, FLASH))
    assert (hold.stage, hold.kept_ns, hold.unanswered) == (Stage.HELD, NOW, 0)


def test_a_first_good_cycle_that_is_too_old_begins_nothing() -> None:
    ready = Hold(PLAN, frame=LOOK, beat_ns=NOW, wake_ns=NOW)
    hold, frame = step(ready, Answered(NOW + PLAN.reply_ns + 1, reply(closed=False)))
    assert (hold.stage, hold.beat_ns, hold.wake_ns, frame) == (Stage.READY, None, 0, b"")


@pytest.mark.parametrize(("before", "ends"), [(0, False), (1, True)])
def test_two_requests_in_a_row_without_a_reply_end_the_hold(before: int, ends: bool) -> None:
    hold, _ = step(HELD._replace(frame=FLASH, unanswered=before), unanswered(NOW + 25 * MS))
    assert (hold.stage is Stage.LETTING_GO) is ends
    assert hold.unanswered == before + 1
    if hold.fault is not None:
        assert hold.fault.code == "no_answer"
        assert "2 requests in a row without a reply" in str(hold.fault)


def test_a_reply_between_two_that_were_lost_begins_the_count_anew() -> None:
    hold, _ = step(HELD._replace(frame=LOOK, sent_ns=NOW), unanswered(NOW + 25 * MS))
    hold, _ = step(hold._replace(frame=LOOK), Answered(NOW + 30 * MS, reply(closed=True)))
    hold, _ = step(hold._replace(frame=LOOK), unanswered(NOW + 55 * MS))
    assert hold.fault is None


def test_after_a_lost_read_the_next_good_cycle_is_not_put_off() -> None:
    hold, _ = step(HELD._replace(frame=LOOK), unanswered(NOW + 25 * MS))
    assert step(hold, GoodCycle(NOW + 30 * MS))[1] == FLASH


@pytest.mark.parametrize(("before", "ends"), [(0, False), (1, True)])
def test_a_contact_that_is_seen_open_twice_in_a_row_ends_the_hold(before: int, ends: bool) -> None:
    hold, _ = step(HELD._replace(frame=LOOK, contradictions=before), Answered(NOW + MS, reply(closed=False)))
    assert (hold.fault is not None and hold.fault.code == "opened") is ends
    assert (hold.contradictions, hold.seen_ns) == (before + 1, NOW)
    assert ("Check the relay's supply" in str(hold.fault and hold.fault.remedy)) is ends


def test_a_contact_that_is_seen_closed_again_was_a_bounce() -> None:
    hold, _ = step(HELD._replace(frame=LOOK, contradictions=1), Answered(NOW + MS, reply(closed=True)))
    assert (hold.contradictions, hold.seen_ns, hold.fault) == (0, NOW + MS, None)


def test_letting_go_forgets_the_cycle_that_waits_and_is_done_once() -> None:
    hold, frame = step(HELD._replace(frame=LOOK, beat_ns=NOW), LetGo(NOW + MS))
    assert (hold.stage, hold.beat_ns, hold.let_go_ns, frame) == (Stage.LETTING_GO, None, NOW + MS, b"")
    assert step(hold, LetGo(NOW + 2 * MS))[0].let_go_ns == NOW + MS


def test_an_opening_contact_is_looked_at_every_20_ms_until_it_is_seen_open() -> None:
    hold, frame = step(LETTING_GO, Due(NOW + MS))
    assert (frame, hold.wake_ns) == (b"", NOW + LOOK_OPENING_NS)
    assert step(hold, Due(NOW + LOOK_OPENING_NS - 1))[1] == b""
    hold, frame = step(hold, Due(NOW + LOOK_OPENING_NS))
    assert frame == LOOK
    closed, frame = step(hold, Answered(NOW + 24 * MS, reply(closed=True)))
    assert (closed.stage, closed.opened_ns, frame) == (Stage.LETTING_GO, 0, b"")
    opened, frame = step(hold, Answered(NOW + 24 * MS, reply(closed=False)))
    assert (opened.stage, opened.opened_ns, frame) == (Stage.OPEN, NOW + 24 * MS, b"")
    assert step(opened, GoodCycle(NOW + 30 * MS)) == (opened, b"")


def test_a_flash_on_that_is_answered_while_it_opens_does_not_hold_it() -> None:
    hold, _ = step(LETTING_GO._replace(frame=FLASH, sent_ns=NOW - MS), Answered(NOW + MS, FLASH))
    assert (hold.stage, hold.kept_ns) == (Stage.LETTING_GO, NOW - MS)


@pytest.mark.parametrize(
    ("flashed_ns", "let_go_ns", "since_ns"),
    [
        (NOW - 7 * MS, NOW, NOW - 7 * MS + PLAN.opens_ns),
        (NOW - 7 * MS, NOW + 900 * MS, NOW + 900 * MS),
    ],
)
@pytest.mark.parametrize(("unanswered", "code", "says"), [(0, "welded", "is closed"), (1, "no_answer", "not known")])
def test_a_contact_that_does_not_open_in_time_is_said_to_be_closed(
    flashed_ns: int, let_go_ns: int, since_ns: int, unanswered: int, code: str, says: str
) -> None:
    hold = LETTING_GO._replace(wake_ns=NOW, flashed_ns=flashed_ns, let_go_ns=let_go_ns, unanswered=unanswered)
    assert step(hold, Due(since_ns + SETTLED_NS))[0].stage is Stage.LETTING_GO
    hold, frame = step(hold, Due(since_ns + SETTLED_NS + 1))
    assert (hold.stage, hold.wake_ns, frame) == (Stage.NOT_OPEN, 0, b"")
    assert hold.fault is not None
    assert hold.fault.code == code
    assert says in str(hold.fault)
    assert f"{(since_ns + SETTLED_NS + 1 - flashed_ns) / MS:.0f} ms after the last flash-on" in str(hold.fault)
    assert "open after 400 ms at the latest" in str(hold.fault)
    assert step(hold, Due(NOW + 9000 * MS)) == (hold, b"")


def test_a_hold_that_never_flashed_counts_from_its_end() -> None:
    hold = Hold(PLAN, Stage.LETTING_GO, let_go_ns=NOW, looked_ns=NOW)
    hold, _ = step(hold, Due(NOW + SETTLED_NS + 1))
    assert hold.stage is Stage.NOT_OPEN
    assert " 100 ms after" in str(hold.fault)


def test_while_it_opens_a_lost_reply_ends_nothing_more() -> None:
    hold, _ = step(LETTING_GO._replace(frame=LOOK, unanswered=5), unanswered(NOW + MS))
    assert (hold.stage, hold.fault, hold.unanswered, hold.let_go_ns) == (Stage.LETTING_GO, None, 6, NOW)


def test_once_it_is_seen_open_nothing_more_is_asked() -> None:
    hold, frame = step(LETTING_GO._replace(frame=LOOK, looked_ns=0), Answered(NOW + MS, reply(closed=False)))
    assert (hold.stage, hold.wake_ns, frame) == (Stage.OPEN, 0, b"")


def test_a_first_flash_on_without_a_reply_waits_for_the_next_good_cycle() -> None:
    hold, frame = step(Hold(PLAN), GoodCycle(NOW))
    hold, frame = step(hold, unanswered(NOW + 25 * MS))
    assert (hold.stage, frame) == (Stage.READY, b"")
    assert step(hold, GoodCycle(NOW + 50 * MS))[1] == LOOK  # and looks first: the echo may still come
