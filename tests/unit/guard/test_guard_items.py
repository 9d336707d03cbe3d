"""How the guard reads a number out of registers, by each key of an item; and what it and the station say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.errors import ConfigError
from rfctl.guard import wire
from rfctl.guard.items import Place, place_of
from rfctl.guard.sample import Seen
from rfctl.guard.step import Heartbeat, Notice, Setup, Stage, Wanted, initial
from rfctl.link.relay import Contact

if TYPE_CHECKING:
    from collections.abc import Mapping


def placed(item: Mapping[str, Any], **around: Any) -> Place:
    of = {"numbering": "wire", "word_order": "ABCD", "table": "input", "base": None, "shift": 0, "where": "x"} | around
    return place_of({"address": 10} | item, **of)


@pytest.mark.parametrize(
    ("item", "data", "value"),
    [
        ({"type": "u16"}, "8001", 0x8001),
        ({"type": "i16"}, "8001", -32767),
        ({"type": "u32"}, "00010002", 0x10002),
        ({"type": "i32"}, "fffffffe", -2),
        ({"type": "f32"}, "42a30000", 81.5),
        ({"type": "f32", "order": "CDAB"}, "000042a3", 81.5),
        ({"type": "f32", "order": "BADC"}, "a3420000", 81.5),
        ({"type": "f32", "order": "DCBA"}, "0000a342", 81.5),
        ({"type": "f64", "order": "CDAB"}, "0000000000004054", 80.0),
        ({"type": "u16", "order": "DCBA"}, "0102", 0x102),
        ({"type": "u16", "scale": 0.5}, "0003", 1.5),
        ({"type": "u16", "scale": 2}, "0003", 6),
        ({"type": "i16", "scale": 0.5}, "fffe", -1.0),
        ({"type": "u16", "add": -5}, "0003", -2),
        ({"type": "u16", "scale": 2, "add": -5}, "0003", 1),
        ({"type": "u16", "invalid": [0x8000]}, "8000", math.nan),
        ({"type": "u16", "invalid": [0x8000]}, "8001", 0x8001),
        ({"type": "i16", "invalid": [0x8000]}, "8000", math.nan),
        ({"type": "i16", "invalid": [-32768]}, "8000", math.nan),
        ({"type": "i16", "invalid": [0x8000, -1]}, "0001", 1),
        ({"type": "u32", "invalid": [0xFFFFFFFF], "scale": 0.1}, "ffffffff", math.nan),
        ({"type": "f32", "invalid": [-1.0]}, "bf800000", math.nan),
        ({"type": "f32", "invalid": [-1]}, "42a30000", 81.5),
        ({"type": "u16", "bcd": True}, "0815", 815),
        ({"type": "u16", "bcd": True, "scale": 0.5}, "0010", 5.0),
        ({"type": "u16", "bcd": True}, "08a5", math.nan),
        ({"type": "u16", "invert": True}, "00ff", 0xFF00),
        ({"type": "u16", "mask": 0x0FFF}, "f123", 0x123),
        ({"type": "f32", "mask": 1}, "42a30000", 81.5),
        ({"type": "u16", "bit": 3}, "0008", 1),
        ({"type": "u16", "bit": 3}, "fff7", 0),
        ({"type": "u16", "bit": 3, "invert": True}, "0008", 0),
        ({"type": "u16", "bit": 3, "invalid": [0x8000]}, "8008", 1),
        ({"type": "u16", "bit": 3, "invalid": [0x8008]}, "8008", math.nan),
        ({"type": "u16", "span": [4, 7]}, "fa5f", 5),
        ({"type": "u16", "span": [0, 3]}, "fa5c", 12),
        ({"type": "u16", "span": [5, 5]}, "0020", 1),
        ({"type": "bit"}, "01", 1),
        ({"type": "bit", "invert": True}, "01", False),
    ],
)
def test_a_number_is_what_its_item_says(item: dict[str, Any], data: str, value: float) -> None:
    found = placed(item).value(bytes.fromhex(data))
    assert found == value or (math.isnan(value) and math.isnan(found))


@pytest.mark.parametrize(
    ("item", "around", "function", "address"),
    [
        ({"type": "u16"}, {}, 4, 10),
        ({"type": "u16"}, {"shift": 7}, 4, 17),
        ({"type": "u16", "table": "holding"}, {}, 3, 10),
        ({"type": "bit", "table": "coil"}, {}, 1, 10),
        ({"type": "bit", "table": "discrete"}, {}, 2, 10),
        ({"type": "u16", "address": 0}, {}, 4, 0),
        ({"type": "u16"}, {"numbering": "document"}, 4, 9),
        ({"type": "u16", "address": 40011}, {"numbering": "numbered"}, 3, 10),
        ({"type": "u16", "address": 30001}, {"numbering": "numbered", "shift": 2}, 4, 2),
        ({"type": "u16", "address": 400011}, {"numbering": "numbered"}, 3, 10),
        ({"type": "bit", "address": 100001}, {"numbering": "numbered"}, 2, 0),
        ({"type": "bit", "address": 9999}, {"numbering": "numbered"}, 1, 9998),
        ({"type": "u16", "address": None, "offset": 3}, {"base": 64}, 4, 67),
        ({"type": "u16", "address": None, "offset": 0}, {"base": 0, "numbering": "document"}, 4, 0),
    ],
)
def test_a_number_lies_where_its_item_says(
    item: dict[str, Any], around: dict[str, Any], function: int, address: int
) -> None:
    place = placed(item, **around)
    assert (place.function, place.address) == (function, address)
    assert place.registers == 1


@pytest.mark.parametrize(
    ("item", "around", "says"),
    [
        ({"type": "text:4"}, {}, "x: the guard reads no 'text:4'"),
        ({}, {}, "x: the guard reads no None"),
        ({"type": "u16", "address": None, "offset": 3}, {}, "x: no address"),
        ({"type": "u16", "address": None}, {"base": 64}, "x: no address"),
        ({"type": "u16"}, {"table": None}, "x: no table, or no such number"),
        ({"type": "u16", "address": 0}, {"numbering": "document"}, "x: no table, or no such number"),
        ({"type": "u16", "address": 40000}, {"numbering": "numbered"}, "x: no table, or no such number"),
        ({"type": "u16", "address": 20001}, {"numbering": "numbered"}, "x: no table, or no such number"),
    ],
)
def test_what_the_guard_cannot_read_is_refused(item: dict[str, Any], around: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        placed(item, **around)


@pytest.mark.parametrize(
    ("rf_on", "band_ma", "power_w", "rf"),
    [
        (False, 20.0, 9.0, False),
        (False, 300.0, 0.5, False),
        (False, 20.1, 0.51, True),
        (True, 0.0, 0.0, True),
        (False, math.nan, 0.5, False),
        (False, math.nan, 0.51, True),
        (False, 20.0, math.nan, False),
    ],
)
def test_rf_is_on_by_either_witness(rf_on: bool, band_ma: float, power_w: float, rf: bool) -> None:
    assert Seen(37.0, rf_on, band_ma, power_w, stimulating=False).rf is rf


# between station and guard

FRAMES = [("tx", b"\x01\x04"), ("rx", b"\x01\x04\x02\x00\x07"), ("tx", b"")]


def test_a_heartbeat_comes_back_as_it_was_sent() -> None:
    packet = wire.beat(0x1_0000_0007, 2**31, 5_000_000_000, bytes((2, 0, 1)), FRAMES, enable=True)
    beat = Heartbeat(99, 5_000_000_000, 7, 2**31, (Wanted.RF, Wanted.NOTHING, Wanted.STIMULATION), enable=True)
    assert wire.read_beat(packet, 99) == (beat, FRAMES)
    quiet = wire.beat(0xFFFFFFFF, 1, 2, b"", [], enable=False)
    assert wire.read_beat(quiet, 3) == (Heartbeat(3, 2, 0xFFFFFFFF, 1, (), enable=False), [])


def test_a_packet_that_is_none_is_no_heartbeat() -> None:
    packet = wire.beat(7, 8, 9, bytes((2, 0)), FRAMES[:2], enable=True)
    whole = {len(packet) - 8, len(packet) - 8 - 5}  # between its frames it is a shorter one
    for cut in range(len(packet)):
        assert (wire.read_beat(packet[:cut], 0) is None) is (cut not in whole)
    assert wire.read_beat(packet + b"\0", 0) is None
    assert wire.read_beat(wire.BEGIN + packet[1:], 0) is None
    assert wire.read_beat(wire.beat(7, 8, 9, bytes((3,)), [], enable=True), 0) is None  # no such wish


def test_of_too_many_frames_the_newest_are_kept() -> None:
    full = wire.MOST_FRAMES_BYTES // 8 - 3  # each has three bytes before it
    frames = [("rx", bytes((at,)) * full) for at in range(8)]

    def sent(frames: wire.Frames) -> wire.Frames:
        found = wire.read_beat(wire.beat(1, 2, 3, b"", frames, enable=False), 0)
        assert found is not None
        return found[1]

    assert sent(frames) == frames
    assert sent([("tx", b"x"), *frames]) == frames
    assert sent([*frames, ("tx", b"x")]) == [*frames[1:], ("tx", b"x")]


def test_how_a_guard_stands_comes_back_as_it_was_said() -> None:
    state = initial(Setup(Contact(), 3, 1, 1, 1))
    word = wire.word_of(state, "proof")
    assert word == wire.Word(str(Stage.NEW), closed=False, opened=True, proof="proof")
    latched = wire.word_of(state._replace(stage=Stage.LATCHED, cause=Notice("stop", "HZ-43", "anna")), "")
    assert (latched.code, latched.hazard, latched.text) == ("stop", "HZ-43", "anna")
    assert wire.hear(wire.say(latched)) == latched
    for nonsense in (b"", b"\xff", b"[]", b'{"x": 1}'):
        assert wire.hear(nonsense) is None
