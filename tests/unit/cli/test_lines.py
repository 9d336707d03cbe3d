"""Log lines wait for no reader."""

from __future__ import annotations

import io
import os
import threading

from rfctl.cli.lines import FINISH_S, WAITING_MAX, Lines


def test_lines_arrive_whole_and_in_order() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    for number in range(100):
        lines.write(f"line {number}\n")
    lines.finish()
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(100)]


def test_after_the_end_of_a_first_part_more_can_be_written() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.write("first\n")
    lines.finish()
    lines.write("second\n")
    lines.finish()
    assert stream.getvalue() == "first\nsecond\n"


def test_held_lines_come_when_the_view_has_left() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.hold()
    lines.write("while the view was on\n")
    assert stream.getvalue() == ""
    lines.finish()
    assert stream.getvalue() == "while the view was on\n"


def test_a_pipe_that_nobody_reads_holds_up_no_writer_and_what_is_missing_is_said() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as read, os.fdopen(writer, "w", encoding="utf-8") as stream:
        lines = Lines(stream)
        for _ in range(3 * WAITING_MAX):
            lines.write("x" * 100 + "\n")
        text: list[str] = []
        reading = threading.Thread(target=lambda: text.append(read.read()))
        reading.start()
        lines.finish()
        stream.close()
        reading.join(FINISH_S)
    assert "pieces of the log are missing" in text[0]
    assert text[0].count("\n") < 3 * WAITING_MAX


def test_a_stream_that_has_gone_disturbs_nobody() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True)
    lines = Lines(stream)
    lines.write("nobody hears this\n")
    lines.finish()
    stream.close()
