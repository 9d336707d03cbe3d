"""The tables of the map against the page that defines them."""

import re
import struct
from pathlib import Path

import pytest

from rfctl_sim import registers

PAGE = Path(__file__).parents[3] / "docs" / "protocols" / "modbus.md"
ROW = re.compile(r"^\| ([0-9]+)(?: \+ ([0-9]+) \(n-1\))? \| (\w+) \| (u16|u32|f32|text \d+) \|")


def page_rows(title_part):
    """(number, stride, name, type) of the rows under a heading or a sentence of the page."""
    text = PAGE.read_text(encoding="utf-8")
    lines = text[text.index(title_part) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        if match := ROW.match(line):
            number, stride, name, type_ = match.groups()
            rows.append((int(number), int(stride or 0), name, type_))
    return rows


def table(rows):
    return [(row.offset, 0, row.name, row.type) for row in rows]


def test_the_identity_is_the_page_s():
    page = [row for row in page_rows("## Input registers (function 04): identity") if row[1] == 0]
    assert page == table(registers.IDENTITY)


def test_the_traits_are_the_page_s():
    page = [row for row in page_rows("## Input registers (function 04): identity") if row[1]]
    mine = [
        (registers.TRAITS_ADDRESS + row.offset, registers.TRAITS_STRIDE, row.name, row.type) for row in registers.TRAITS
    ]
    assert page == mine


@pytest.mark.parametrize(
    ("place", "rows"),
    [
        ("## Input registers (function 04): status", registers.STATUS),
        ("Channel n from 80 + 27 (n-1)", registers.CHANNEL_STATUS),
        ("## Input registers (function 04): service", registers.SERVICE),
        ("## Holding registers", registers.CONTROL),
        ("Channel n from 16 + 24 (n-1)", registers.CHANNEL_CONTROL),
        ("channel n from 256 + 20 (n-1)", registers.MODE_STATUS),
        ("channel n from 120 + 8 (n-1)", registers.MODE_CONTROL),
    ],
)
def test_the_other_tables_are_the_page_s(place, rows):
    page = page_rows(place)
    assert len(page) > 3
    assert page == table(rows)


def test_the_addresses_of_the_channels_are_the_page_s():
    assert (registers.CHANNEL_STATUS_ADDRESS, registers.CHANNEL_STATUS_STRIDE) == (80, 27)
    assert (registers.CHANNEL_CONTROL_ADDRESS, registers.CHANNEL_CONTROL_STRIDE) == (16, 24)
    assert (registers.MODE_STATUS_ADDRESS, registers.MODE_STATUS_STRIDE) == (256, 20)
    assert (registers.MODE_CONTROL_ADDRESS, registers.MODE_CONTROL_STRIDE) == (120, 8)


def test_the_example_of_the_page_is_answered_byte_for_byte(bench):
    request = bytes.fromhex("0400000008")
    reply = bench.server.answer(1, 1, 1, request)
    assert reply == bytes.fromhex("0001 0000 0013 01 04 10 5246 4354 0102 0002 1234 5678 449A 5000")
    off = bytes.fromhex("0600000001")
    assert bench.server.answer(1, 1, 2, off) == bytes.fromhex("0002 0000 0006 01 06 0000 0001")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_everything_that_changes_comes_from_one_request(make_bench, channels):
    client = make_bench(channels).client()
    assert len(client.read_words(64, 16 + 27 * channels)) == 2 * (16 + 27 * channels)


def test_the_identity_names_a_simulator(bench, client):
    words = client.read_words(0, 40)
    assert words[16:32].rstrip(b"\0") == b"rfctl reference"
    assert words[32:48].rstrip(b"\0") == b"SIM-00000000"
    assert words[48:56].rstrip(b"\0") == b"sim 0.1"
    assert struct.unpack(">HfHHHHHI", words[56:76]) == (2, 50.0, 10, 20, 500, 0, 0, 127)


def test_the_traits_state_resolution_noise_and_electrode(client):
    resolution_k, noise_k, electrode = struct.unpack(">ffI", client.read_words(46, 6))
    assert (resolution_k, noise_k) == (pytest.approx(0.1), pytest.approx(0.02))
    assert electrode == client.status("electrode_id", 2) != client.status("electrode_id", 1)


def test_identity_traits_and_status_of_four_channels_are_one_run_of_addresses(make_bench):
    client = make_bench(4).client()
    assert client.read_words(60, 8) == client.read_words(60, 4) + client.read_words(64, 4)


@pytest.mark.parametrize(
    ("function", "address", "count"),
    [
        (4, 1, 1),  # second half of map_id
        (4, 0, 1),  # first half
        (4, 8, 4),  # half a text
        (4, 52, 1),  # traits of a channel that is not there
        (4, 50, 15),  # across the gap
        (4, 133, 2),  # past the last channel
        (4, 65535, 1),
        (4, 65535, 125),
        (3, 6, 1),
        (3, 33, 1),  # reserved
        (3, 20, 1),
        (3, 64, 1),
    ],
)
def test_half_a_value_and_an_unlisted_address_are_refused(client, refused, function, address, count):
    with refused(2, 1):
        client.read_words(address, count, function)


@pytest.mark.parametrize("count", [0, 126, 65535])
def test_a_read_of_none_or_of_more_than_125_registers_is_refused(client, refused, count):
    with refused(3, 2):
        client.read_words(64, count)


@pytest.mark.parametrize("function", [1, 2, 5, 15, 22, 23, 43, 0])
def test_any_other_function_is_answered_with_exception_01(bench, function):
    reply = bench.server.answer(1, 1, 5, bytes((function, 0, 0, 0, 1)))
    assert reply[7:] == bytes((function | 0x80, 1))


@pytest.mark.parametrize(
    "pdu",
    [
        "10",
        "1000130002",  # no byte count
        "1000130002044100",  # too few bytes for it
        "100013000203410000",  # a byte count that does not fit the count
        "100013000204410000000000",  # more bytes than it says
        "10001300000000",  # nothing to write
        "0600",
        "0600120003ff",
        "04004000",
        "030000000100",
    ],
)
def test_a_request_whose_length_is_wrong_is_refused_and_changes_nothing(bench, client, refused, pdu):
    client.claim()
    client.write("mode", 3, 1)
    with refused(3, 2):
        client.request(bytes.fromhex(pdu))
    assert client.held("set_temperature_c", 1) == 0.0


def test_another_unit_is_met_with_silence(bench):
    assert bench.server.answer(1, 2, 1, bytes.fromhex("0600000001")) is None
