"""The guard's decoder where a map lies in several tables, and where frames end, overlap or are damaged."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import ConfigError
from rfctl.guard.decoder import LONGEST, MOST_WAITING, Decoder, crc, require_decodable
from tests.unit.guard.test_guard_decoder_frames import READ, REFERENCE, require_it, rtu, status, tcp

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.guard.sample import Sample

MAP = """
[profile]
channels = 2
unit = 1
word_order = "ABCD"
[status]
sample_counter = { table = "input", address = 10, type = "u16" }
[status.channel]
temperature_c = { table = "input", address = 12, type = "f32", stride = 3 }
power_w = { table = "input", address = 14, type = "u16", scale = 0.5, stride = 3 }
rf_on = { table = "coil", address = 4, type = "bit", stride = 9 }
stimulating = { table = "discrete", address = 7, type = "bit", invert = true, stride = 1 }
"""
NUMBERS = struct.pack(">HHfHfH", 7, 0xAAAA, 80.5, 9, 37.0, 1)
"""From register 10 to 17, the last."""


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "map.toml"
    path.write_text(MAP, encoding="utf-8")
    return path


def asked(
    decoder: Decoder, function: int, address: int, length: int, body: bytes, transaction: int = 1
) -> list[Sample]:
    """One request and its reply, over TCP."""
    decoder.sent(tcp(transaction, struct.pack(">BHH", function, address, length)))
    return decoder.received(tcp(transaction, bytes((function, len(body))) + body))


def test_a_status_of_three_blocks_is_whole_with_the_last_of_them(profile: Path) -> None:
    decoder = Decoder(profile, 2, serial=False)
    coils, inputs = bytes((0b01, 0b10)), bytes((0b10,))
    for _ in range(2):  # each status takes all three anew
        assert asked(decoder, 4, 10, 8, NUMBERS) == []
        assert asked(decoder, 1, 4, 14, coils) == []
        (sample,) = asked(decoder, 2, 7, 2, inputs)
        one, two = sample.channels
        assert sample.counter == 7
        assert (one.temperature_c, one.power_w, one.rf_on, one.stimulating) == (80.5, 4.5, True, True)
        assert (two.temperature_c, two.power_w, two.rf_on, two.stimulating) == (37.0, 0.5, True, False)
        assert math.isnan(one.band_ma)
    assert asked(decoder, 2, 7, 2, inputs) == []


def test_a_block_that_ends_before_a_number_does_not_hold_it(profile: Path) -> None:
    decoder = Decoder(profile, 2, serial=False)
    assert asked(decoder, 4, 10, 7, NUMBERS[:-2]) == []  # all but the last register
    assert asked(decoder, 1, 4, 10, b"\xff\x03") == []
    assert asked(decoder, 2, 7, 2, b"\0") == []
    assert asked(decoder, 3, 10, 8, NUMBERS) == []  # the same numbers in another table
    assert asked(decoder, 4, 100, 1, b"\0\1") == []  # nothing of a status
    assert len(asked(decoder, 4, 17, 1, b"\0\1")) == 1


def test_bits_are_counted_from_the_lowest_of_each_byte(profile: Path) -> None:
    for at in range(16):
        decoder = Decoder(profile, 2, serial=False)
        asked(decoder, 4, 10, 8, NUMBERS)
        asked(decoder, 2, 7, 2, b"\0")
        (sample,) = asked(decoder, 1, 0, 16, (1 << at).to_bytes(2, "little"))
        assert [channel.rf_on for channel in sample.channels] == [at == 4, at == 13]


def test_bits_of_a_long_block_and_the_first_of_a_byte(profile: Path) -> None:
    decoder = Decoder(profile, 2, serial=False)
    asked(decoder, 4, 10, 8, NUMBERS)
    asked(decoder, 2, 7, 2, b"\0")
    assert asked(decoder, 1, 4, 1, b"\0") == []
    (sample,) = asked(decoder, 1, 5, 300, b"\0\1" + bytes(36))  # the ninth of them
    assert [channel.rf_on for channel in sample.channels] == [False, True]


def test_a_channel_more_needs_a_stride_and_what_may_be_absent_is_known(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text(MAP.replace(", stride = 9", ""), encoding="utf-8")
    assert Decoder(path, 1, serial=False).received(b"") == []
    with pytest.raises(ConfigError, match="rf_on: no stride from channel to channel"):
        Decoder(path, 2, serial=False)
    path.write_text(
        MAP.replace("[status.channel]", "stride = 9\n[status.channel]").replace(", stride = 9", ""), encoding="utf-8"
    )
    assert Decoder(path, 2, serial=False).received(b"") == []
    path.write_text("\n".join(line for line in MAP.splitlines() if "power_w" not in line), encoding="utf-8")
    with pytest.raises(ConfigError, match="power_w: missing"):
        require_decodable(path)
    path.write_text("\n".join(line for line in MAP.splitlines() if "stimulating" not in line), encoding="utf-8")
    require_decodable(path)
    decoder = Decoder(path, 1, serial=False)
    asked(decoder, 4, 10, 8, NUMBERS)
    (sample,) = asked(decoder, 1, 4, 1, b"\1")
    assert sample.channels[0].stimulating is False


def test_a_profile_of_one_channel_needs_no_stride(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text(MAP.replace("channels = 2", "channels = 1").replace(", stride = 3", ""), encoding="utf-8")
    require_decodable(path)
    for number in (0, 2):
        with pytest.raises(ConfigError, match=f"{number} channels, of 1 to 1"):
            Decoder(path, number, serial=False)


def test_offsets_count_from_the_status_and_its_head(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    text = """
[profile]
channels = 1
unit = 1
word_order = "ABCD"
[status]
table = "holding"
address = 20
sample_counter = { offset = 1, type = "u16" }
[status.channel]
temperature_c = { offset = 2, type = "u16" }
power_w = { offset = 3, type = "u16" }
rf_on = { offset = 4, type = "u16", bit = 0 }
"""
    path.write_text(text, encoding="utf-8")
    (sample,) = asked(Decoder(path, 1, serial=False), 3, 20, 5, struct.pack(">5H", 1, 2, 3, 4, 5))
    assert (sample.counter, sample.channels[0][:2], sample.channels[0].power_w) == (2, (3, True), 4)
    path.write_text(text.replace("address = 20\n", "address = 20\nhead = 1\n"), encoding="utf-8")
    (sample,) = asked(Decoder(path, 1, serial=False), 3, 20, 6, struct.pack(">6H", 1, 2, 3, 4, 5, 6))
    assert (sample.counter, sample.channels[0].temperature_c) == (2, 4)


def test_two_items_of_one_register_and_two_that_overlap(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    text = """
[profile]
channels = 1
unit = 1
word_order = "CDAB"
[status]
sample_counter = { table = "input", address = 0, type = "u32" }
[status.channel]
temperature_c = { table = "input", address = 1, type = "u16" }
power_w = { table = "input", address = 1, type = "u16", scale = 2 }
rf_on = { table = "input", address = 1, type = "u16", bit = 1 }
"""
    body = struct.pack(">2H", 3, 6)
    for order, counter in (("CDAB", 6 << 16 | 3), ("ABCD", 3 << 16 | 6)):
        path.write_text(text.replace("CDAB", order), encoding="utf-8")
        (sample,) = asked(Decoder(path, 1, serial=False), 4, 0, 2, body)
        assert (sample.counter, sample.channels[0].temperature_c, sample.channels[0].power_w) == (counter, 6, 12)
        assert sample.channels[0].rf_on
    path.write_text(text.replace("address = 1", "address = 2"), encoding="utf-8")
    (sample,) = asked(Decoder(path, 1, serial=False), 4, 0, 3, body + b"\0\1")
    assert (sample.counter, sample.channels[0].temperature_c, sample.channels[0].rf_on) == (6 << 16 | 3, 1, False)
    decoder = Decoder(path, 1, serial=False)
    assert asked(decoder, 4, 0, 2, body) == []
    (sample,) = asked(decoder, 4, 2, 1, b"\0\1")
    assert sample.counter == 6 << 16 | 3
    path.write_text(text.replace("address = 1", "address = 2").replace("input", "holding"), encoding="utf-8")
    (sample,) = asked(Decoder(path, 1, serial=False), 3, 0, 3, body + b"\0\1")
    assert (sample.counter, sample.channels[0].temperature_c) == (6 << 16 | 3, 1)


# over TCP


def test_several_requests_in_one_write_are_each_remembered() -> None:
    decoder = Decoder(REFERENCE, 2, serial=False)
    other = tcp(2, b"\x10\x00\x01\x00\x02\x04\x00\x00\x00\x00")  # a longer one, that is no read
    decoder.sent(tcp(1, READ) + other + tcp(3, READ))
    require_it(decoder.received(tcp(3, status())))
    require_it(decoder.received(tcp(1, status())))
    assert decoder.received(tcp(1, status())) == []  # answered once
    assert decoder.received(tcp(2, status())) == []


def test_a_request_to_another_unit_or_of_another_kind_is_not_followed() -> None:
    decoder = Decoder(REFERENCE, 2, serial=False)
    decoder.sent(tcp(1, READ, unit=9))
    assert decoder.received(tcp(1, status())) == []
    for function in (0, 5, 6, 16):
        decoder.sent(tcp(2, bytes((function,)) + READ[1:]))
        assert decoder.received(tcp(2, bytes((function, 9)) + bytes(9))) == []
        assert decoder.received(tcp(2, bytes((function,)) + status()[1:])) == []


@pytest.mark.parametrize(("later", "remembered"), [(MOST_WAITING - 1, True), (MOST_WAITING, False)])
def test_so_many_requests_may_be_waiting_and_no_more(later: int, remembered: bool) -> None:
    decoder = Decoder(REFERENCE, 2, serial=False)
    for transaction in range(later + 1):
        decoder.sent(tcp(transaction, READ))
    assert bool(decoder.received(tcp(0, status()))) is remembered


def test_replies_come_in_pieces_and_several_at_once() -> None:
    decoder = Decoder(REFERENCE, 2, serial=False)
    decoder.sent(tcp(1, READ) + tcp(2, READ))
    both = tcp(1, status()) + tcp(2, status())
    samples = [sample for octet in both for sample in decoder.received(bytes((octet,)))]
    assert len(samples) == 2
    decoder.sent(tcp(1, READ) + tcp(2, READ))
    assert len(decoder.received(both)) == 2


@pytest.mark.parametrize(
    ("noise", "in_step"),
    [
        (tcp(9, b"\x04"), False),  # shorter than any reply
        (tcp(9, b"\x84\x02"), True),  # a refusal is the shortest
        (tcp(9, bytes(LONGEST - 7)), True),
        (tcp(9, bytes(LONGEST - 6)), False),
        (b"\0\x09\0\1\0\3\1\x84\2", False),  # of another protocol
        (b"\0\x09\1\0\0\3\1\x84\2", False),
    ],
)
def test_bytes_that_are_no_reply_are_dropped_with_all_that_came_with_them(noise: bytes, in_step: bool) -> None:
    decoder = Decoder(REFERENCE, 2, serial=False)
    decoder.sent(tcp(1, READ) + tcp(2, READ))
    assert bool(decoder.received(noise + tcp(1, status()))) is in_step
    require_it(decoder.received(tcp(2, status())))


@pytest.mark.parametrize(
    "pdu", [b"\x03" + status()[1:], status()[:1] + b"\x08" + status()[2:], status() + b"\0\0", b"\x84\x02"]
)
def test_a_reply_of_another_function_or_count_holds_nothing(pdu: bytes) -> None:
    decoder = Decoder(REFERENCE, 2, serial=False)
    decoder.sent(tcp(1, READ))
    assert decoder.received(tcp(1, pdu)) == []


# over a serial line


def test_what_came_before_the_request_is_no_reply_to_it() -> None:
    decoder = Decoder(REFERENCE, 2, serial=True)
    assert decoder.received(rtu(status())) == []
    decoder.sent(rtu(READ))
    assert decoder.received(b"\0") == []
    require_it(decoder.received(rtu(status())))
    assert decoder.received(rtu(status())) == []  # answered once


@pytest.mark.parametrize(
    "request_",
    [
        rtu(READ, unit=9),
        rtu(READ) + b"\0",
        rtu(READ)[:-1],
        rtu(b"\0" + READ[1:]),
        rtu(b"\x05" + READ[1:]),
        rtu(b"\x10\x00\x01\x00\x02\x04\x00\x00\x00\x00"),
    ],
)
def test_what_is_no_read_of_the_generator_waits_for_nothing(request_: bytes) -> None:
    decoder = Decoder(REFERENCE, 2, serial=True)
    decoder.sent(request_)
    for function in (request_[1], 4):
        for count in (len(status()) - 2, 9):
            assert decoder.received(rtu(bytes((function, count)) + bytes(count))) == []
    assert decoder.received(rtu(status())) == []


def test_a_sound_reply_of_another_function_is_not_the_one() -> None:
    decoder = Decoder(REFERENCE, 2, serial=True)
    decoder.sent(rtu(READ))
    assert decoder.received(rtu(b"\x03" + status()[1:])) == []
    require_it(decoder.received(rtu(status())))


def test_noise_before_a_reply_is_kept_only_so_long() -> None:
    decoder = Decoder(REFERENCE, 2, serial=True)
    decoder.sent(rtu(READ))
    reply = rtu(status())
    assert len(reply) < LONGEST
    assert decoder.received(bytes(2 * LONGEST)) == []
    for octet in reply[:-1]:
        assert decoder.received(bytes((octet,))) == []
    require_it(decoder.received(reply[-1:]))


def test_bits_over_a_serial_line(profile: Path) -> None:
    decoder = Decoder(profile, 1, serial=True)
    for function, address, length, body in ((4, 10, 5, NUMBERS[:10]), (1, 4, 9, b"\1\1"), (2, 7, 8, b"\0")):
        decoder.sent(rtu(struct.pack(">BHH", function, address, length)))
        samples = decoder.received(rtu(bytes((function, len(body))) + body))
    assert len(samples) == 1
    assert samples[0].channels[0].rf_on


def test_the_check_sum_is_that_of_modbus() -> None:
    assert crc(b"123456789") == 0x4B37  # the catalogue's check value
    for at in range(256):
        frame = bytes((at, 255 - at))
        assert crc(frame + crc(frame).to_bytes(2, "little")) == 0
