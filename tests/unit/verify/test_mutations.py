"""A small log with every byte changed, every record removed, repeated and swapped, cut everywhere: never too good."""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from rfctl_verify.heads import Head
from rfctl_verify.verdict import Outcome, Verdict
from rfctl_verify.verify import verify
from tests.log_forge import Forge, frame, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("signatures_once")

SEGMENT, CHUNK = "00000000.seg", "00000000.chunk"
HEX = re.compile(rb"[0-9a-f]{64}\"\}")
CUT = {Outcome.OPEN_TAIL, Outcome.UNCLEAN_END, Outcome.UNSEALED}


@pytest.fixture
def small() -> Forge:
    """One session: opened, a chunk, a decision, closed."""
    log = Forge()
    log.open()
    log.checkpoint(why="open")
    log.chunk(b"reading")
    log.add("decision", '{"input":1,"t_ns":"5","event":null,"effects":[["off",[1,0.5,"NaN",null]]]}')
    log.close()
    return log


@pytest.fixture
def judge(small: Forge, tmp_path: Path) -> Callable[..., Verdict]:
    """The verdict on the small log with one of its files changed."""
    folder = write(tmp_path / "log", small.content())
    assert verify(folder, small.public_key).verdict is Outcome.VALID_UNANCHORED

    originals = small.content()

    def judged(content: bytes, name: str = SEGMENT, *, heads: tuple[Head, ...] = ()) -> Verdict:
        with (folder / name).open("r+b", buffering=0) as file:  # in place: a new file each time would wait for the disk
            file.write(content)
            file.truncate()
            verdict = verify(folder, small.public_key, heads=heads)
            file.seek(0)
            file.write(originals[name])
            file.truncate()
        return verdict

    return judged


def known_head(log: Forge) -> Head:
    root = Forge.tree_root(Forge(leaves=log.leaves[:-1]))
    return Head(log.origin, log.seq - 1, root, "printed", log.head())


def offsets(log: Forge) -> list[tuple[int, int, int]]:
    """Of each record: its number, and where its body begins and ends in the file."""
    found, place = [], 0
    for seq, body in enumerate(log.segments[0]):
        found.append((seq, place + 8, place + 8 + len(body)))
        place += 8 + len(body)
    return found


def changes(value: int) -> tuple[int, int, int]:
    """A bit, all bits, and another one."""
    return value ^ 1, value ^ 0xFF, (value + 2) % 256


def count(title: str, counts: Counter[Outcome]) -> None:
    print(f"{title}: {sum(counts.values())} logs: {', '.join(f'{each} {n}' for each, n in sorted(counts.items()))}")


def test_every_byte_changed_to_three_values_is_found(small: Forge, judge: Callable[..., Verdict]) -> None:
    counts: Counter[Outcome] = Counter()
    content = small.content()[SEGMENT]
    last = offsets(small)[-1][1] - 8
    for place in range(len(content)):
        for value in changes(content[place]):
            changed = bytearray(content)
            changed[place] = value
            verdict = judge(bytes(changed))
            # In the last frame damage cannot be told from what a crash leaves. Closed it is not.
            assert verdict.verdict in ({Outcome.CORRUPT} if place < last else {Outcome.UNCLEAN_END, Outcome.CORRUPT})
            counts[verdict.verdict] += 1
    count("bytes of frames", counts)
    assert counts.total() == 3 * len(content)


def test_every_byte_changed_and_the_check_sum_made_good_is_found_where_it_is(
    small: Forge, judge: Callable[..., Verdict]
) -> None:
    counts: Counter[Outcome] = Counter()
    content = small.content()[SEGMENT]
    last = small.seq - 1
    for seq, begin, end in offsets(small):
        for place in range(begin, end):
            for value in changes(content[place]):
                body = bytearray(content[begin:end])
                body[place - begin] = value
                verdict = judge(content[: begin - 8] + frame(bytes(body)) + content[end:])
                assert verdict.verdict in (Outcome.MODIFIED, Outcome.KEY_INVALID), (seq, place - begin, verdict)
                # Of the last two records, the last one's prev says only that one of them was changed.
                other = seq == last and place >= end - 66 and HEX.fullmatch(body, len(body) - 66) is not None
                assert verdict.first_bad_seq == seq - other, (seq, place - begin, verdict)
                counts[verdict.verdict] += 1
    count("bytes of bodies", counts)


def test_every_byte_of_a_chunk_file_is_covered(small: Forge, judge: Callable[..., Verdict]) -> None:
    chunk = small.content()[CHUNK]
    for place in range(len(chunk)):
        for value in changes(chunk[place]):
            verdict = judge(chunk[:place] + bytes([value]) + chunk[place + 1 :], CHUNK)
            assert (verdict.verdict, verdict.first_bad_seq) == ("MODIFIED", 3)
        assert judge(chunk[:place], CHUNK).verdict is Outcome.MODIFIED


@pytest.mark.parametrize("chained", [False, True], ids=["as they are", "chained again"])
def test_every_record_removed_repeated_or_swapped_is_found(
    small: Forge, judge: Callable[..., Verdict], *, chained: bool
) -> None:
    counts: Counter[Outcome] = Counter()
    records = small.segments[0].copy()
    for seq in range(len(records)):
        for what, changed in (
            ("removed", records[:seq] + records[seq + 1 :]),
            ("repeated", records[: seq + 1] + records[seq:]),
            ("swapped", [*records[:seq], *reversed(records[seq : seq + 2]), *records[seq + 2 :]]),
        ):
            if changed == records:
                continue
            small.segments[0] = changed
            if chained:
                small.rehash()
            verdict = judge(small.content()[SEGMENT])
            at_the_end = what == "removed" and seq == len(records) - 1
            assert verdict.verdict in ({Outcome.UNCLEAN_END} if at_the_end else {Outcome.MODIFIED}), (what, seq)
            if not (chained or at_the_end):
                assert verdict.first_bad_seq == seq + (what == "repeated"), (what, seq)
            counts[verdict.verdict] += 1
    count("records", counts)


def test_cut_at_every_byte_it_is_never_valid_and_with_a_head_truncated(
    small: Forge, judge: Callable[..., Verdict]
) -> None:
    counts: Counter[Outcome] = Counter()
    content = small.content()[SEGMENT]
    ends = [end for _, _, end in offsets(small)]
    for length in range(len(content)):
        verdict = judge(content[:length])
        assert verdict.verdict in CUT, length
        assert verdict.records == sum(end <= length for end in ends)
        counts[verdict.verdict] += 1
        with_head = judge(content[:length], heads=(known_head(small),))
        # Less than the head's records: the last of them is the checkpoint that made the head, and may be missing.
        assert with_head.verdict is (Outcome.TRUNCATED if length < ends[-2] else verdict.verdict), length
        counts[with_head.verdict] += 1
    count("cuts", counts)


def test_a_frame_that_claims_any_length_is_no_frame(small: Forge, judge: Callable[..., Verdict]) -> None:
    content = small.content()[SEGMENT]
    for length in (0, 1, 2**20, 2**20 + 1, 2**31, 2**32 - 1):
        for rest in (b"", b"x", content):
            verdict = judge(content + struct.pack(">II", length, zlib.crc32(rest)) + rest)
            assert verdict.verdict in (Outcome.CORRUPT, Outcome.MODIFIED)
