"""Reading gives the exact bytes and the content of whole lines, and names a line that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rfctl.errors import RecordError
from rfctl.record.layout import MAX_LINE_BYTES
from rfctl.record.reader import Entry, LineTooLong, read_entries, read_lines

if TYPE_CHECKING:
    from conftest import Forge


def test_lines_are_the_bytes_of_the_file_and_the_torn_one_says_so(golden: Forge) -> None:
    content = b"".join(golden.lines)[:-7]
    golden.path.write_bytes(content)
    lines = list(read_lines(golden.path))
    assert b"".join(line.raw for line in lines) == content
    assert [line.complete for line in lines] == [True] * 4 + [False]


def test_a_line_beyond_the_longest_is_refused_after_the_good_ones(golden: Forge) -> None:
    golden.path.write_bytes(golden.lines[0] + b"x" * (3 * MAX_LINE_BYTES))
    lines = read_lines(golden.path)
    assert next(lines).raw == golden.lines[0]
    with pytest.raises(LineTooLong, match="1048576"):
        next(lines)


def test_entries_are_what_was_appended(golden: Forge) -> None:
    golden.path.write_bytes(b"".join(golden.lines))
    entries = list(read_entries(golden.path))
    assert [entry.kind for entry in entries] == ["open", "reading", "decision", "reading", "seal"]
    assert entries[2] == Entry(2, "decision", 1_500, {"act": "off", "cause": "HZ-04"})


def test_entries_leave_a_torn_line_out(golden: Forge) -> None:
    golden.path.write_bytes(b"".join(golden.lines)[:-7])
    assert [entry.seq for entry in read_entries(golden.path)] == [0, 1, 2, 3]


@pytest.mark.parametrize("line", [b"{}\n", b"\n", b"[]\n", b"\xff\n"])
def test_a_line_that_is_none_of_a_record_is_named(golden: Forge, line: bytes) -> None:
    golden.path.write_bytes(golden.lines[0] + line)
    with pytest.raises(RecordError, match="line 1"):
        list(read_entries(golden.path))


def test_a_time_that_is_no_integer_is_named(golden: Forge) -> None:
    for time in (b"1.5", b"true", b'"1"'):
        golden.path.write_bytes(golden.lines[0] + golden.lines[1].replace(b'"t":1000', b'"t":' + time))
        with pytest.raises(RecordError, match="line 1"):
            list(read_entries(golden.path))
