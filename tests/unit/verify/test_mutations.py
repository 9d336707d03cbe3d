"""A small log with every byte changed, every record removed, repeated and swapped, cut everywhere: never too good."""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from rfctl_verify.heads import Head
from rfctl_verify.verdict import Outcome, Verdict
from rfctl_verify.verify import verify
from tests.log_forge import Forge, frame, golden, write
from tests.published import tried

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("signatures_once")]

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
    tried("each byte of the file, to 3 values", counts)
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
    tried("each byte of each record, to 3 values, the check sum made good", counts)


@pytest.fixture
def judge_golden(tmp_path: Path) -> Callable[[dict[str, bytes]], Verdict]:
    """The verdict on the golden log, two sessions in three segments, with some of its files changed."""
    log = golden()
    originals = log.content()
    folder = write(tmp_path / "golden", originals)
    assert verify(folder, log.public_key).verdict is Outcome.VALID_UNANCHORED

    def judged(content: dict[str, bytes]) -> Verdict:
        changed = {name for name in originals.keys() | content.keys() if originals.get(name) != content.get(name)}
        for name in changed:
            (folder / name).write_bytes(content[name]) if name in content else (folder / name).unlink()
        verdict = verify(folder, log.public_key)
        for name in changed:
            (folder / name).write_bytes(originals[name]) if name in originals else (folder / name).unlink()
        return verdict

    return judged


def test_every_byte_of_every_chunk_file_is_covered(judge_golden: Callable[[dict[str, bytes]], Verdict]) -> None:
    counts: Counter[Outcome] = Counter()
    cuts: Counter[Outcome] = Counter()
    content = golden().content()
    names = [name for name in sorted(content) if name.endswith(".chunk")]
    for name in names:
        some = content[name]
        for place in range(len(some)):
            for value in changes(some[place]):
                verdict = judge_golden(content | {name: some[:place] + bytes([value]) + some[place + 1 :]})
                assert verdict.first_bad_seq is not None, (name, place)
                counts[verdict.verdict] += 1
            cuts[judge_golden(content | {name: some[:place]}).verdict] += 1
    assert counts.keys() == cuts.keys() == {Outcome.MODIFIED}
    tried("each byte of each chunk file, to 3 values", counts)
    tried("each chunk file cut at each byte", cuts)


def test_every_chunk_removed_repeated_or_swapped_is_found(
    judge_golden: Callable[[dict[str, bytes]], Verdict],
) -> None:
    counts: Counter[Outcome] = Counter()
    content = golden().content()
    names = [name for name in sorted(content) if name.endswith(".chunk")]
    first, second = content[names[0]][:160], content[names[0]][160:]
    for chunks in ([first], [second], [first, first, second], [first, second, second], [second, first]):
        counts[judge_golden(content | {names[0]: b"".join(chunks)}).verdict] += 1
    for one, other in pairwise(names):
        counts[judge_golden(content | {one: content[other], other: content[one]}).verdict] += 1
    for name in names:
        counts[judge_golden({each: some for each, some in content.items() if each != name}).verdict] += 1
        counts[judge_golden(content | {name: content[name] * 2}).verdict] += 1
    assert counts.keys() == {Outcome.MODIFIED}
    tried("each chunk, and each chunk file, removed, repeated, swapped with the next", counts)


@pytest.mark.parametrize("how", ["as they are", "numbered and chained again"])
def test_every_record_of_three_segments_removed_repeated_or_swapped_is_found(
    judge_golden: Callable[[dict[str, bytes]], Verdict], how: str
) -> None:
    counts: Counter[Outcome] = Counter()
    log = golden()
    places = [(number, place) for number, bodies in enumerate(log.segments) for place in range(len(bodies))]
    for here, (number, place) in enumerate(places):
        for what in ("removed", "repeated", "swapped"):
            changed = golden()
            bodies = changed.segments[number]
            if what == "removed":
                del bodies[place]
            elif what == "repeated":
                bodies.insert(place, bodies[place])
            elif here + 1 < len(places):
                number_of_next, next_place = places[here + 1]
                others = changed.segments[number_of_next]
                bodies[place], others[next_place] = others[next_place], bodies[place]
            else:
                continue
            if how != "as they are":
                changed.rehash()
            verdict = judge_golden(changed.content())
            at_the_end = what == "removed" and here == len(places) - 1
            assert verdict.verdict is (Outcome.UNCLEAN_END if at_the_end else Outcome.MODIFIED), (what, here)
            counts[verdict.verdict] += 1
    tried(f"each record of three segments removed, repeated, swapped with its neighbour, {how}", counts)


def test_every_segment_removed_repeated_swapped_or_cut_at_a_record_is_found(
    judge_golden: Callable[[dict[str, bytes]], Verdict],
) -> None:
    counts: Counter[Outcome] = Counter()
    log = golden()
    content = log.content()
    names = [name for name in sorted(content) if name.endswith(".seg")]

    def judged(segments: list[bytes]) -> Verdict:
        others = {name: some for name, some in content.items() if name not in names}
        verdict = judge_golden(others | {f"{number:08}.seg": some for number, some in enumerate(segments)})
        counts[verdict.verdict] += 1
        return verdict

    whole = [content[name] for name in names]
    for number, bodies in enumerate(log.segments):
        assert not judged(whole[:number] + whole[number + 1 :]).verdict.good
        assert not judged(whole[: number + 1] + whole[number:]).verdict.good
        if number + 1 < len(whole):
            swapped = [*whole[:number], *reversed(whole[number : number + 2]), *whole[number + 2 :]]
            assert not judged(swapped).verdict.good
        for kept in range(len(bodies)):
            cut = b"".join(map(frame, bodies[:kept]))
            verdict = judged([*whole[:number], cut, *whole[number + 1 :]])
            assert verdict.verdict not in (Outcome.VALID_ANCHORED, Outcome.VALID_UNANCHORED), (number, kept)
    tried("each of three segments removed, repeated, swapped with the next, cut behind each record", counts)


@pytest.mark.parametrize("how", ["as they are", "numbered and chained again"])
def test_every_record_removed_repeated_or_swapped_is_found(
    small: Forge, judge: Callable[..., Verdict], how: str
) -> None:
    chained = how != "as they are"
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
    tried(f"each record removed, repeated, swapped with its neighbour, {how}", counts)


def test_cut_at_every_byte_it_is_never_valid_and_with_a_head_truncated(
    small: Forge, judge: Callable[..., Verdict]
) -> None:
    counts: Counter[Outcome] = Counter()
    headed: Counter[Outcome] = Counter()
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
        headed[with_head.verdict] += 1
    tried("cut at each byte, without a head", counts)
    tried("cut at each byte, with a head of before", headed)


def test_a_frame_that_claims_any_length_is_no_frame(small: Forge, judge: Callable[..., Verdict]) -> None:
    content = small.content()[SEGMENT]
    for length in (0, 1, 2**20, 2**20 + 1, 2**31, 2**32 - 1):
        for rest in (b"", b"x", content):
            verdict = judge(content + struct.pack(">II", length, zlib.crc32(rest)) + rest)
            assert verdict.verdict in (Outcome.CORRUPT, Outcome.MODIFIED)
