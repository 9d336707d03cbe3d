"""The frames of a relay board as docs/relay.md has them, and every reply that must not be believed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pymodbus.framer import FramerRTU

from rfctl.clock import NS_PER_MS
from rfctl.errors import BadReply, ConfigError, DeviceRefused, LinkTimeout
from rfctl.link import relay_hold
from rfctl.link.relay import MOST_TENTHS, Contact, check_sum, closed, flash_on, no_reply, read_contact, reply_to
from rfctl.link.relay_hold import GoodCycle, Hold, LetGo, Stage, plan, step
from rfctl.link.relay_proof import Answered, Due, Proved, Second, Unanswered

PAGE = (Path(__file__).parents[3] / "docs" / "relay.md").read_text(encoding="utf-8")
CLOSE, LOOK, NO, YES = (
    bytes.fromhex(text.replace(" ", "")) for text in re.findall(r"`((?:[0-9A-F]{2,4} )+[0-9A-F]{4})`", PAGE)
)
FIRST = Contact()
MS = NS_PER_MS


def test_the_frames_are_those_of_the_page():
    assert flash_on(FIRST, 3) == CLOSE
    assert read_contact(FIRST) == LOOK
    assert (closed(FIRST, NO), closed(FIRST, YES)) == (False, True)
    normally_closed = FIRST._replace(closed_reads=False)
    assert (closed(normally_closed, NO), closed(normally_closed, YES)) == (True, False)


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(range(256)), bytes.fromhex("010502000007")])
def test_the_check_sum_is_that_of_modbus(data: bytes):
    assert check_sum(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")


def test_every_write_is_a_timed_one():
    for unit in (1, 247):
        for relay in range(32):
            for tenths in range(1, MOST_TENTHS + 1):
                frame = flash_on(Contact(unit, relay, 0), tenths)
                assert frame[:2] == bytes((unit, 5))
                assert frame[2:6] == bytes((2, relay, 0, tenths))


@pytest.mark.parametrize(
    ("contact", "says"),
    [
        (Contact(unit=0), "unit = 0. Valid: 1 to 247"),
        (Contact(unit=248), "unit = 248"),
        (Contact(relay=32), "relay = 32. Valid: 0 to 31"),
        (Contact(input=-1), "input = -1"),
    ],
)
def test_a_contact_that_no_board_has_is_refused(contact: Contact, says: str):
    for build in (read_contact, lambda contact: flash_on(contact, 3)):
        with pytest.raises(ConfigError, match=re.escape(says)):
            build(contact)


@pytest.mark.parametrize("tenths", [0, MOST_TENTHS + 1, 0xFF00])
def test_a_time_that_is_none_of_a_dead_mans_is_refused(tenths: int):
    with pytest.raises(ConfigError, match=rf"closed for {100 * tenths} ms by one frame.*Valid: 100 to 500 ms"):
        flash_on(FIRST, tenths)


def framed(body: bytes) -> bytes:
    return body + check_sum(body).to_bytes(2, "little")


@pytest.mark.parametrize(("request_", "reply"), [(CLOSE, CLOSE), (LOOK, NO), (LOOK, YES)])
def test_a_reply_is_found_among_noise_and_by_its_last_byte(request_: bytes, reply: bytes):
    for noise in (b"", b"\x00", b"\x01\x02", b"\x01\x05\xff"):
        received = noise + reply
        assert all(reply_to(request_, received[:count]) is None for count in range(len(received)))
        assert reply_to(request_, received) == reply
        assert reply_to(request_, received + b"\x99") == reply


@pytest.mark.parametrize(("request_", "reply"), [(CLOSE, CLOSE), (LOOK, YES)])
def test_no_bit_may_be_wrong(request_: bytes, reply: bytes):
    for bit in range(8 * len(reply)):
        spoilt = bytearray(reply)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert reply_to(request_, bytes(spoilt)) is None


@pytest.mark.parametrize(
    ("request_", "received", "says"),
    [
        (CLOSE, b"", "does not answer 0105020000038c73"),
        (CLOSE, framed(b"\x02" + CLOSE[1:-2]), "in place of a reply of unit 1"),
        (CLOSE, CLOSE[:5], "cut short"),
        (LOOK, CLOSE, "function 05 in the reply"),
        (LOOK, framed(b"\x01\x02\x02\x01\x00"), "wrong check sum or count"),
        (LOOK, YES[:-1] + b"\x00", "wrong check sum or count"),
    ],
)
def test_what_is_no_reply_is_named_when_the_deadline_has_passed(request_: bytes, received: bytes, says: str):
    assert reply_to(request_, received) is None
    problem = no_reply(request_, received)
    assert isinstance(problem, LinkTimeout if not received else BadReply)
    assert says in str(problem)


def test_a_refusal_is_no_time_out():
    with pytest.raises(DeviceRefused, match="exception 02, illegal data address"):
        reply_to(CLOSE, framed(b"\x01\x85\x02"))


@pytest.mark.parametrize(
    ("request_", "received"),
    [
        (LOOK, LOOK),  # its own echo
        (LOOK, framed(b"\x01\x02\x02\x01")),  # of another count
        (CLOSE, framed(b"\x01\x85")),  # a refusal without a reason
        (CLOSE, framed(b"\x01\x02\x02")),  # as long as a refusal
        (LOOK, framed(b"\x01\x03\x01\x01")),  # of another function
        (LOOK, framed(b"\x01\x02\x01")),  # too short, and sound
        (CLOSE, b"\x01" * 256),  # noise, as much as there may be
    ],
)
def test_what_only_looks_like_a_reply_is_waited_past(request_: bytes, received: bytes):
    assert reply_to(request_, received) is None


@pytest.mark.parametrize(
    "other", [flash_on(Contact(relay=1), 3), flash_on(FIRST, 4), framed(b"\x01\x05\x00\x00\xff\x00")]
)
def test_an_echo_of_something_else_is_refused(other: bytes):
    with pytest.raises(BadReply, match="not its echo"):
        reply_to(CLOSE, other)


def test_a_babbling_line_is_given_up():
    with pytest.raises(BadReply, match="257 bytes without a reply"):
        reply_to(CLOSE, b"\x01" * 257)


def test_frames_proof_hold_and_port_need_no_asyncio_and_no_numpy():
    script = (
        "import sys, rfctl.link.relay_hold, rfctl.link.relay_proof, rfctl.link.serial_port\n"
        "print([name for name in ('asyncio', 'numpy', 'pydantic', 'pymodbus') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def measured(tenths: int) -> Proved:
    """A board on which the time is exact."""
    return Proved(tenths, Second.RETRIGGERS, 20 * MS, (tenths * 100 - 10) * MS, (tenths * 100 + 20) * MS)


def test_what_fits_is_what_the_table_of_the_page_says():
    rows = re.findall(r"^\| (\d+) ms \| (\d+) ms \| (\d+) ms, (\d+) ms[^|]*\| (\d+) ms \|$", PAGE, re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        asked_ms, kept_ms, beat_ms, reply_ms, most_ms = map(int, row)

        def fits(tenths: int, beat_ms: int, reply_ms: int, hold_up_ms: int) -> relay_hold.HoldPlan:
            return plan(
                FIRST, measured(tenths), reply_ns=reply_ms * MS, hold_up_ns=hold_up_ms * MS, beat_ns=beat_ms * MS
            )

        assert fits(asked_ms // 100, beat_ms, reply_ms, most_ms).keeps_ns == kept_ms * MS
        with pytest.raises(ConfigError, match="hold-up"):
            fits(asked_ms // 100, beat_ms, reply_ms, most_ms + 1)
        with pytest.raises(ConfigError, match="apart and two requests"):
            fits(asked_ms // 100, beat_ms + 1, reply_ms, 0)
    with pytest.raises(ConfigError, match="525 ms together; at most 500 ms"):
        plan(FIRST, measured(4), reply_ns=25 * MS, hold_up_ns=0)


def test_what_was_measured_counts_where_it_is_worse_than_what_was_asked():
    early = measured(3)._replace(opens_from_ns=195 * MS)
    with pytest.raises(
        ConfigError, match=r"closed for 195 ms for certain.*150 ms apart and two requests of 25 ms need 200 ms"
    ):
        plan(FIRST, early, reply_ns=25 * MS, hold_up_ns=0)
    late = measured(3)._replace(opens_until_ns=480 * MS)
    with pytest.raises(ConfigError, match="480 ms until the contact is open"):
        plan(FIRST, late, reply_ns=25 * MS, hold_up_ns=0)


@pytest.fixture
def held() -> Hold:
    """A contact that is held, with a read in flight at 100 ms."""
    hold, frame = step(Hold(plan(FIRST, measured(3), reply_ns=25 * MS, hold_up_ns=0)), GoodCycle(0))
    assert frame == CLOSE
    hold, frame = step(hold, Answered(5 * MS, CLOSE))
    hold, frame = step(hold, Due(hold.wake_ns))
    assert (hold.stage, frame, hold.sent_ns) == (Stage.HELD, LOOK, 100 * MS)
    return hold


def test_a_good_cycle_during_a_request_is_followed_by_its_flash_on(held: Hold):
    hold, frame = step(held, GoodCycle(103 * MS))
    assert frame == b""
    assert step(hold, Answered(110 * MS, YES))[1] == CLOSE


def test_a_good_cycle_that_has_waited_too_long_closes_nothing(held: Hold):
    hold, _ = step(held, GoodCycle(103 * MS))
    hold, frame = step(hold, Answered((103 + 26) * MS, YES))
    assert frame == b""


def test_no_time_alone_sends_a_flash_on(held: Hold):
    hold, frame = step(held, Answered(105 * MS, YES))
    for now_ms in range(105, 2000):
        hold, frame = step(hold, Due(now_ms * MS))
        assert frame in {b"", LOOK}
        if frame:
            hold, frame = step(hold, Answered(now_ms * MS, YES))
            assert frame == b""
    assert (hold.stage, hold.fault and hold.fault.code) == (Stage.NOT_OPEN, "welded")


def test_after_letting_go_no_good_cycle_counts(held: Hold):
    hold, _ = step(held, LetGo(104 * MS))
    hold, frame = step(hold, GoodCycle(105 * MS))
    assert frame == b""
    hold, frame = step(hold, Answered(110 * MS, YES))
    assert frame == b""
    hold, frame = step(hold, GoodCycle(111 * MS))
    assert (frame, hold.stage) == (b"", Stage.LETTING_GO)


def test_a_late_echo_is_not_taken_for_that_of_the_next_flash_on(held: Hold):
    hold, _ = step(held, Answered(105 * MS, YES))
    hold, frame = step(hold, GoodCycle(110 * MS))
    assert frame == CLOSE
    hold, frame = step(hold, Unanswered(135 * MS, no_reply(CLOSE, b"")))
    assert frame == LOOK  # of another shape: an echo that comes now is noise to it
    hold, frame = step(hold, GoodCycle(140 * MS))
    assert frame == b""
    assert step(hold, Answered(145 * MS, YES))[1] == CLOSE
