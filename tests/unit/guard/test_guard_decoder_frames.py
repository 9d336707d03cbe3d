"""The guard's decoder on single frames: those of the page, and everything that is no answer to a request."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest

from rfctl.errors import ConfigError
from rfctl.guard.decoder import Decoder, crc
from rfctl.guard.sample import Sample
from rfctl.model.shipped import find

REFERENCE = find("generators", "rfctl-reference")
REGISTERS = 16 + 27 * 2
READ = struct.pack(">BHH", 4, 64, REGISTERS)


def status(temperature_c: float = 81.5, flags: int = 0b01100, counter: int = 70_000) -> bytes:
    """The answer's PDU; the first channel as given, the second at rest with an open thermocouple."""
    head = struct.pack(">IIHHI4Hf2H", 1, counter, 7, 300, 0, 1, 1, 0, 0, math.nan, 0, 0)
    one = struct.pack(">7fH", temperature_c, 25.0, 30.0, 250.0, 249.0, 7.5, 120.0, flags)
    two = struct.pack(">7fH", math.nan, 25.0, 0.0, 0.0, 0.0, 0.0, 120.0, 0)
    rest = bytes(2 * (27 - 15))
    body = head + one + rest + two + rest
    assert len(body) == 2 * REGISTERS
    return bytes((4, len(body))) + body


def tcp(transaction: int, pdu: bytes, unit: int = 1) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def rtu(pdu: bytes, unit: int = 1) -> bytes:
    frame = bytes((unit,)) + pdu
    return frame + crc(frame).to_bytes(2, "little")


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(REFERENCE, 2, serial=False)


def require_it(samples: list[Sample]) -> None:
    (sample,) = samples
    assert sample.counter == 70_000
    one, two = sample.channels
    assert (one.temperature_c, one.rf_on, one.band_ma, one.power_w, one.stimulating) == (81.5, True, 249.0, 7.5, True)
    assert one.rf
    assert math.isnan(two.temperature_c)
    assert not (two.rf or two.stimulating)


def test_a_status_over_tcp(decoder: Decoder) -> None:
    decoder.sent(tcp(5, READ))
    require_it(decoder.received(tcp(5, status())))


def test_a_status_over_a_serial_line_in_pieces() -> None:
    decoder = Decoder(REFERENCE, 2, serial=True)
    decoder.sent(rtu(READ))
    frame = b"\x00\xff" + rtu(status())
    assert [sample for octet in frame[:-1] for sample in decoder.received(bytes((octet,)))] == []
    require_it(decoder.received(frame[-1:]))


def test_what_answers_nothing_is_no_sample(decoder: Decoder) -> None:
    decoder.sent(tcp(5, READ))
    assert decoder.received(tcp(6, status())) == []  # of another request
    assert decoder.received(tcp(5, status(), unit=2)) == []  # of another unit
    decoder.sent(tcp(7, READ))
    assert decoder.received(tcp(7, b"\x84\x02")) == []  # refused
    decoder.sent(tcp(8, READ))
    assert decoder.received(tcp(8, status()[:-2])) == []  # too short
    decoder.sent(tcp(9, READ))
    assert decoder.received(b"\x00\x09\x12\x34\xff\xff noise") == []
    decoder.sent(tcp(10, READ))
    require_it(decoder.received(tcp(10, status())))


def test_another_unit_on_the_line_is_not_the_generator() -> None:
    decoder = Decoder(REFERENCE, 2, serial=True)
    decoder.sent(rtu(READ, unit=9))
    assert decoder.received(rtu(status(), unit=9)) == []
    decoder.sent(rtu(READ))
    assert decoder.received(rtu(status(), unit=9)) == []


def test_a_damaged_frame_is_dropped() -> None:
    decoder = Decoder(REFERENCE, 2, serial=True)
    for at in range(0, 100, 7):
        decoder.sent(rtu(READ))
        frame = bytearray(rtu(status()))
        frame[at] ^= 0x10
        assert decoder.received(bytes(frame)) == []


def test_after_an_off_the_reply_that_it_overtook_is_not_waited_for() -> None:
    decoder = Decoder(REFERENCE, 2, serial=True)
    decoder.sent(rtu(READ))
    decoder.sent(rtu(b"\x06\x00\x00\x00\x01") * 2)
    assert decoder.received(rtu(status())) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[profile]\nname='x'\ndriver='y'\ndescription='z'\nmap='driver'\n", "no register map of a status"),
        ("not toml", "no register map of a status"),
    ],
)
def test_a_profile_that_it_cannot_read_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        Decoder(path, 2, serial=False)


def test_more_channels_than_the_profile_has_are_refused() -> None:
    with pytest.raises(ConfigError, match="5 channels, of 1 to 4"):
        Decoder(REFERENCE, 5, serial=False)


def test_a_type_that_it_does_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    text = REFERENCE.read_text(encoding="utf-8").replace(
        'temperature_c = { offset = 0, type = "f32" }', 'temperature_c = { offset = 0, type = "text:4" }'
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="temperature_c: the guard reads no 'text:4'"):
        Decoder(path, 2, serial=False)
