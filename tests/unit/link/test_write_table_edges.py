"""The gate's reading of a frame at its limits: the longest, the shortest, the last digit that still fits."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict, replace

import pytest

from rfctl.errors import RefusedError
from rfctl.link.modbus import read, write, write_coils
from rfctl.link.registers import RegisterType, Space, WordOrder
from rfctl.link.write_table import (
    MAX_WRITE,
    MAX_WRITE_COILS,
    READ_ONLY,
    Act,
    Writable,
    WriteTable,
    data_bytes,
    turns_all_off,
)
from rfctl.model.permit import Intent

CONFIG = Act(Intent.CONFIG)
ROW = Writable("x", None, 7, RegisterType.F32, WordOrder.ABCD, ((None, CONFIG),))


def table(*rows: Writable) -> WriteTable:
    return WriteTable(1, rows, ())


@pytest.mark.parametrize(
    ("kind", "raw", "most", "holds"),
    [
        (RegisterType.F32, 1.0 + 2.0**-23, 1.0 + 2.0**-24, True),  # half-way between two f32
        (RegisterType.F32, 1.0 + 2.0**-23, 1.0, False),
        (RegisterType.U16, 1.0, 1.0 - 1.5 * 2.0**-41, True),  # as far as multiplying by a scale may round
        (RegisterType.U16, 1.0, 1.0 - 2.0**-39, False),
        (RegisterType.U16, 0.0, 0.0, True),
        (RegisterType.U16, -1.0, 5.0, False),
    ],
)
def test_a_number_fits_as_exactly_as_its_type_can_hold_the_limit(
    kind: RegisterType, raw: float, most: float, holds: bool
) -> None:
    assert replace(ROW, type=kind).holds(raw, most) is holds


@pytest.mark.parametrize(("value", "passes"), [(1.0, True), (1.0 - 2.0**-24, True), (1.0 - 2.0**-23, False)])
def test_the_least_is_compared_as_exactly_as_an_f32_can_hold_it(value: float, passes: bool) -> None:
    frame, least = write(7, struct.pack(">f", value)), table(replace(ROW, minimum=1.0))
    if passes:
        assert least.classify(frame).actions[0].raw == value
    else:
        with pytest.raises(RefusedError, match=r"x = 0\.999999881 is below 1, the least"):
            least.classify(frame)


def test_a_refusal_names_the_value_in_its_unit() -> None:
    row = replace(ROW, type=RegisterType.U16, scale=0.5, maximum=10.0, shift=3.0)
    (action,) = table(row).classify(write(7, b"\0\x11")).actions
    assert (action.raw, action.value) == (20.0, 10.0)
    with pytest.raises(RefusedError, match=r"x = 10\.5 is above 10, the most"):
        table(row).classify(write(7, b"\0\x12"))
    with pytest.raises(RefusedError, match="x = 11 is below 12, the least"):
        table(replace(row, maximum=None, minimum=12.0)).classify(write(7, b"\0\x13"))


def test_half_of_a_value_names_both_of_its_registers() -> None:
    with pytest.raises(RefusedError, match="half of x: it takes registers 7 and 8"):
        table(ROW).classify(write(7, b"\0\0"))


def test_a_value_that_is_not_listed_is_refused_with_those_that_are() -> None:
    row = replace(ROW, type=RegisterType.U16, acts=((1, Act(Intent.OFF)), (2, replace(CONFIG, name="on"))))
    with pytest.raises(RefusedError) as refused:
        table(row).classify(write(7, b"\0\3"))
    assert refused.value.remedy == "Listed: 1, 2 (on)."


@pytest.mark.parametrize(
    ("pdu", "says"),
    [
        (b"", "function 0 .*: no bytes"),
        (bytes.fromhex("160010fffe0001"), "function 22 .*: 160010fffe0001"),
        (b"\x16" + bytes(40), f"judge: 16{'00' * 31}\\."),
        (bytes.fromhex("100007000000"), "0 registers, 0 bytes stated, 0 there"),
        (bytes.fromhex("100007000204"), "2 registers, 4 bytes stated, 0 there"),
        (struct.pack(">BHHB", 16, 7, 124, 248) + bytes(248), "124 registers, 248 bytes stated"),
        (struct.pack(">BHHB", 16, 700, MAX_WRITE, 246) + bytes(246), "register 700 is not one"),
        (bytes.fromhex("0f0007000000"), "0 coils, 0 bytes stated, 0 there"),
        (bytes.fromhex("0f0007000801"), "8 coils, 1 bytes stated, 0 there"),
        (struct.pack(">BHHB", 15, 7, 1969, 247) + bytes(247), "1969 coils, 247 bytes stated"),
        (struct.pack(">BHHB", 15, 7, MAX_WRITE_COILS, 246) + bytes(246), "coil 7 is not one"),
        (bytes.fromhex("05000700000000"), "malformed write of a coil: 05000700000000"),
        (bytes.fromhex("050007ff0000"), "malformed write of a coil"),
        (bytes.fromhex("050107ff00"), "coil 263 is not one"),
        (bytes.fromhex("0601070000"), "register 263 is not one"),
    ],
)
def test_a_frame_is_as_long_as_it_says_and_no_longer_than_modbus_allows(pdu: bytes, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        table(ROW).classify(pdu)


def test_each_coil_of_a_frame_is_its_own_bit() -> None:
    coils = [
        Writable(f"c{at}", 1, at, RegisterType.BIT, WordOrder.ABCD, ((None, CONFIG),), space=Space.COIL)
        for at in range(18)
    ]
    for on in range(18):
        values = b"".join(bytes((0, at == on)) for at in range(18))
        actions = table(*coils).classify(write_coils(0, values)).actions
        assert [action.raw for action in actions] == [at == on for at in range(18)]


def test_nothing_turned_off_is_not_everything() -> None:
    assert not turns_all_off((), frozenset())


@pytest.mark.parametrize(
    ("space", "count", "size"),
    [(Space.COIL, 1, 1), (Space.COIL, 8, 1), (Space.DISCRETE, 9, 2), (Space.COIL, 2000, 250), (Space.INPUT, 1, 2)],
)
def test_a_reply_has_room_for_what_was_asked(space: Space, count: int, size: int) -> None:
    assert data_bytes(read(space, 0, count)) == size
    assert data_bytes(struct.pack(">BHH", 4, 0, 300)) == 600


def test_the_digest_is_that_of_the_whole_content_in_one_form() -> None:
    named = table(replace(ROW, quantity="µ"))
    text = json.dumps(asdict(named), sort_keys=True, separators=(",", ":"))
    assert named.sha256 == hashlib.sha256(text.encode("ascii")).hexdigest()
    assert named.sha256 != READ_ONLY.sha256


def test_a_table_knows_its_channels_and_where_each_quantity_begins() -> None:
    one, two = replace(ROW, channel=3), replace(ROW, address=9, space=Space.COIL)
    assert table(one, two).channels == {3}
    assert table(one, two).by_address == {(Space.HOLDING, 7): one, (Space.COIL, 9): two}
