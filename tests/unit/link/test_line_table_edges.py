"""The table of the line protocol, made afresh: every channel, every reading request, the least and the most."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import pytest

from rfctl.errors import RefusedError
from rfctl.link.line_table import LineTable, LineWrite
from rfctl.link.write_table import READING, Act
from rfctl.model.permit import Intent
from rfctl_line.table import TABLE

VERBS_OF_ONE = ("TRAITS", "STATUS", "GET")
CONFIG = Act(Intent.CONFIG)


def fresh(most_channels: int = 4) -> LineTable:
    """A table that remembers nothing yet."""
    return replace(TABLE, most_channels=most_channels)


@pytest.mark.parametrize("most_channels", [1, 4])
def test_each_channel_from_one_to_the_last_can_be_written_to(most_channels: int) -> None:
    table = fresh(most_channels)
    assert table.channels == set(range(1, most_channels + 1))
    for channel in range(1, most_channels + 1):
        (action,) = table.classify(b"OFF %d" % channel).actions
        assert action.target.channel == channel
    for beyond in (0, most_channels + 1):
        with pytest.raises(RefusedError):
            fresh(most_channels).classify(b"OFF %d" % beyond)


@pytest.mark.parametrize("most_channels", [1, 4])
@pytest.mark.parametrize("verb", VERBS_OF_ONE)
def test_a_read_names_one_of_the_channels_or_zero(verb: str, most_channels: int) -> None:
    table = fresh(most_channels)
    for number in range(most_channels + 1):
        assert table.classify(f"{verb} {number}".encode()) is READING
    with pytest.raises(RefusedError):
        table.classify(f"{verb} {most_channels + 1}".encode())


@pytest.mark.parametrize("verb", ["IDENT", "FIELDS"])
def test_a_read_that_concerns_everything_names_no_channel(verb: str) -> None:
    assert fresh().classify(verb.encode()) is READING
    for number in range(5):
        with pytest.raises(RefusedError):
            fresh().classify(f"{verb} {number}".encode())


@pytest.mark.parametrize("line", ["OFF", "OFF 2", "CLEAR FAULTS", "MODE 1 lesion", "SET 1 max_on_s=1", "RENEW 7"])
def test_a_table_that_was_never_asked_knows_its_writes(line: str) -> None:
    assert fresh().classify(line.encode()) == TABLE.classify(line.encode())


@pytest.mark.parametrize("line", ["OFF 1 =1", "ARM 1 =1", "FIRE 1 =5", "MODE 1 =3", "SET 1 =5", "STIMULATE 1 ="])
def test_a_value_behind_no_name_is_refused(line: str) -> None:
    with pytest.raises(RefusedError):
        fresh().classify(line.encode())


def test_a_channel_may_follow_a_request_of_two_words() -> None:
    table = LineTable((), (LineWrite("CLEAR COUNT", "count", CONFIG, channel=True),), (), 2)
    (action,) = table.classify(b"CLEAR COUNT 2").actions
    assert action.target.place == "count of channel 2"


@pytest.mark.parametrize(
    ("text", "sent"),
    [("0", True), ("0.05", True), ("2", True), ("2.000001", False), ("-0.001", False), ("-1", False)],
)
def test_a_value_lies_from_nothing_to_the_most(text: str, sent: bool) -> None:
    write = LineWrite("LEVEL", "level", CONFIG, number=True, maximum=2.0)
    table = LineTable((), (write,), (), 1)
    if sent:
        assert table.classify(b"LEVEL " + text.encode()).actions[0].raw == float(text)
    else:
        with pytest.raises(RefusedError, match=f"level = {text} is not from 0 to 2, the most"):
            table.classify(b"LEVEL " + text.encode())


def test_the_digest_is_that_of_the_whole_content_in_one_form() -> None:
    named = LineTable((("READ", 1),), (LineWrite("SET", "µ", CONFIG),), (), 2)
    text = json.dumps(asdict(named), sort_keys=True, separators=(",", ":"))
    assert named.sha256 == hashlib.sha256(text.encode("ascii")).hexdigest()
