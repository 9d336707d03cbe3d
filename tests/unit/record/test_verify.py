"""Any change to a sealed record is found, and the verdict says where; no file makes the verifier fail."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfctl.errors import ConfigError
from rfctl.record.keys import PublicKey
from rfctl.record.verify import Outcome, Verdict, verify

if TYPE_CHECKING:
    from conftest import Forge

pytestmark = pytest.mark.slow

OTHER_SEED = bytes(reversed(range(32)))


def modified_at(verdict: Verdict) -> int | None:
    assert verdict.verdict is Outcome.MODIFIED, verdict
    assert verdict.records == verdict.first_bad_seq
    return verdict.first_bad_seq


def test_a_sealed_record_is_valid_and_never_better_than_unanchored(golden: Forge) -> None:
    verdict = golden.verdict()
    assert (verdict.verdict, verdict.records, verdict.first_bad_seq) == ("VALID-UNANCHORED", 4, None)
    assert verdict.anchored_by is None


def test_every_flipped_bit_is_found_and_its_line_is_named(golden: Forge) -> None:
    content = b"".join(golden.lines)
    position = 0
    for seq, line in enumerate(golden.lines):
        for offset in range(position, position + len(line)):
            for bit in range(8):
                changed = bytearray(content)
                changed[offset] ^= 1 << bit
                assert modified_at(golden.verdict(bytes(changed))) == seq, (offset, bit)
        position += len(line)


def test_every_removed_line_is_found(golden: Forge) -> None:
    for seq in range(len(golden.lines) - 1):
        assert modified_at(golden.verdict(golden.lines[:seq] + golden.lines[seq + 1 :])) == seq


def test_a_record_whose_seal_was_removed_ends_uncleanly(golden: Forge) -> None:
    verdict = golden.verdict(golden.lines[:-1])
    assert (verdict.verdict, verdict.records, verdict.first_bad_seq) == ("UNCLEAN-END", 4, None)
    assert "no signature" in verdict.detail


def test_every_repeated_line_is_found(golden: Forge) -> None:
    for seq in range(len(golden.lines)):
        assert modified_at(golden.verdict(golden.lines[: seq + 1] + golden.lines[seq:])) == seq + 1


def test_every_pair_of_swapped_lines_is_found(golden: Forge) -> None:
    for seq in range(len(golden.lines) - 1):
        lines = golden.lines.copy()
        lines[seq : seq + 2] = reversed(lines[seq : seq + 2])
        assert modified_at(golden.verdict(lines)) == seq


def test_an_inserted_line_is_found(golden: Forge) -> None:
    assert modified_at(golden.verdict([*golden.lines[:2], b'{"act":"nothing"}\n', *golden.lines[2:]])) == 2


def test_a_record_cut_at_any_byte_ends_uncleanly_after_its_whole_lines(golden: Forge) -> None:
    content = b"".join(golden.lines)
    for length in range(len(content)):
        verdict = golden.verdict(content[:length])
        whole = content[:length].count(b"\n")
        assert (verdict.verdict, verdict.records) == ("UNCLEAN-END", whole), length
        torn = length - content.rfind(b"\n", 0, length) - 1
        assert (f"torn after {torn} bytes" in verdict.detail) == (torn > 0)


def test_zeros_that_a_file_system_left_in_a_torn_line_are_a_tear(golden: Forge) -> None:
    verdict = golden.verdict([*golden.lines[:2], golden.lines[2][:90] + bytes(200)])
    assert (verdict.verdict, verdict.records) == ("UNCLEAN-END", 2)


def test_a_changed_line_before_a_torn_one_is_found(golden: Forge) -> None:
    changed = golden.lines[1].replace(b"37.0", b"36.0")
    assert modified_at(golden.verdict([golden.lines[0], changed, golden.lines[2][:-5]])) == 1


def test_a_torn_end_of_another_record_is_no_tear(golden: Forge) -> None:
    assert modified_at(golden.verdict([*golden.lines[:2], b'{"seq":7,"prev":"ab'])) == 2


def test_a_changed_last_line_of_an_unsealed_record_is_blamed_on_the_line_it_no_longer_follows(golden: Forge) -> None:
    changed = golden.lines[1].replace(b"37.0", b"36.0")
    assert modified_at(golden.verdict([golden.lines[0], changed, golden.lines[2]])) == 1


@pytest.mark.parametrize("after", [b"\n", b" ", b"\0", b'{"seq":5}\n', b"x" * 2_000_000])
def test_nothing_may_follow_the_seal(golden: Forge, after: bytes) -> None:
    assert modified_at(golden.verdict([*golden.lines, after])) == 5


def test_a_record_signed_by_another_key_than_it_names_is_not_valid(forge: Forge) -> None:
    honest = forge.key
    forge.seed, forge.named_key = OTHER_SEED, honest.raw.hex()
    forge.open()
    forge.add("reading", 1_000)
    forge.seal()
    assert modified_at(forge.verdict(key=honest)) == 2


def test_a_new_record_under_a_forgers_own_key_is_not_valid(golden: Forge, tmp_path: Path) -> None:
    forged = type(golden)(tmp_path / "forged.jsonl", seed=OTHER_SEED)
    forged.open()
    forged.seal()
    assert forged.verdict().verdict is Outcome.VALID_UNANCHORED
    assert modified_at(forged.verdict(key=golden.key)) == 0


def test_a_record_of_another_station_under_the_same_key_is_not_valid(golden: Forge) -> None:
    elsewhere = PublicKey(golden.key.raw, "rfctl/bench-2")
    verdict = golden.verdict(key=elsewhere)
    assert modified_at(verdict) == 0
    assert "rfctl/bench-1" in verdict.detail


def test_the_seal_of_another_stations_record_is_not_valid(golden: Forge) -> None:
    lines = golden.lines[:-1]
    golden.lines.pop()
    golden.origin = "rfctl/bench-2"
    golden.seal()
    golden.origin = "rfctl/bench-1"
    assert modified_at(golden.verdict([*lines, golden.lines[-1]])) == 4


def test_a_rewritten_line_with_the_chain_made_good_again_is_not_valid(golden: Forge) -> None:
    rewritten = type(golden)(golden.path, seed=OTHER_SEED, named_key=golden.key.raw.hex())
    rewritten.open()
    rewritten.add("reading", 1_000, ',"v":[36.0]')
    rewritten.seal()
    assert modified_at(rewritten.verdict(key=golden.key)) == 2


@pytest.mark.parametrize(
    ("members", "why"),
    [
        (',"act":"off","act":"on"', "twice"),
        (',"a":{"b":{"c":1,"c":2}}', "twice"),
        (',"seq":1', "twice"),
        (',"v":NaN', "not JSON"),
        (',"v":-Infinity', "not JSON"),
        (',"v":01', "not JSON"),
        (',"v":"\x01"', "not JSON"),
        (',"v":' + "[" * 200_000 + "]" * 200_000, "nested"),
        (',"v":' + "[" * 200_000, "nested"),
        ("} ", "follow"),
        ('},"more":{}', "follow"),
    ],
)
def test_a_signed_line_that_is_not_strict_json_is_refused(forge: Forge, members: str, why: str) -> None:
    forge.open()
    forge.add("reading", 1_000, members)
    forge.seal()
    verdict = forge.verdict()
    assert modified_at(verdict) == 1
    assert why in verdict.detail


def test_a_signed_line_that_is_not_utf_8_is_refused(forge: Forge) -> None:
    forge.open()
    forge.add("reading", 1_000, ',"v":"x"')
    forge.lines[1] = forge.lines[1].replace(b'"x"', b'"\xff"')
    forge.seal()
    assert modified_at(forge.verdict()) == 1


def test_a_signed_line_without_an_integer_time_is_refused(forge: Forge) -> None:
    for time in ("1.5", "null", "-0", "1e3", '"1"'):
        forge.lines.clear()
        forge.open()
        forge.add("reading", 1_000)
        forge.lines[1] = forge.lines[1].replace(b'"t":1000', b'"t":' + time.encode())
        forge.seal()
        assert modified_at(forge.verdict()) == 1


def test_a_second_opening_is_refused(forge: Forge) -> None:
    forge.open()
    forge.open()
    forge.seal()
    assert modified_at(forge.verdict()) == 1


def test_a_record_that_does_not_open_is_refused(forge: Forge) -> None:
    forge.add("reading", 1_000)
    assert modified_at(forge.verdict()) == 0


def test_a_seal_alone_is_refused(golden: Forge) -> None:
    assert modified_at(golden.verdict(golden.lines[-1:])) == 0


def test_a_number_of_half_a_million_digits_is_only_a_long_number(forge: Forge) -> None:
    forge.open()
    forge.add("reading", 1_000, f',"v":{"9" * 500_000}')
    forge.seal()
    assert forge.verdict().verdict is Outcome.VALID_UNANCHORED


def test_a_line_of_exactly_the_longest_length_is_read_and_one_byte_more_is_refused(forge: Forge) -> None:
    for more, outcome in ((0, Outcome.VALID_UNANCHORED), (1, Outcome.MODIFIED)):
        forge.lines.clear()
        forge.open()
        forge.add("note", 1_000, ',"text":""')
        padding = (1 << 20) + more - len(forge.lines[1])
        forge.lines[1] = forge.lines[1].replace(b'""', b'"' + b"x" * padding + b'"')
        forge.seal()
        assert forge.verdict().verdict is outcome


def test_a_path_that_is_no_readable_file_is_a_configuration_error(golden: Forge, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path / "absent", pipe, Path("/dev/null"), tmp_path / "a\0b"):
        with pytest.raises(ConfigError):
            verify(path, golden.key)


@given(st.binary(max_size=400))
def test_no_content_makes_the_verifier_fail_or_is_valid(content: bytes) -> None:
    key = PublicKey(bytes(32), "rfctl/bench-1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.jsonl"
        for prefix in (b"", b'{"seq":0,"prev":"' + b"0" * 64 + b'","kind":"open","t":1,'):
            path.write_bytes(prefix + content)
            assert verify(path, key).verdict is not Outcome.VALID_UNANCHORED
