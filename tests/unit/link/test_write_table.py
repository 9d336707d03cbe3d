"""What a frame does is read from its bytes alone; what is not listed is refused."""

import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfctl.errors import RefusedError
from rfctl.link.modbus import read, read_holding, read_input, write, write_coils
from rfctl.link.registers import RegisterType, Space, WordOrder
from rfctl.link.write_table import READ_ONLY, Act, Writable, WriteTable, turns_all_off
from rfctl.model.permit import Intent, PermitKind
from rfctl.profile.profile import load

TABLE = load("rfctl-reference").write_table()
LISTED = {
    register
    for writable in TABLE.writables
    for register in range(writable.address, writable.address + writable.type.registers)
}
F80 = bytes.fromhex("42a00000")


@pytest.mark.parametrize(
    ("pdu", "intent"),
    [
        (read_input(64, 70), Intent.READ),
        (read_holding(19, 8), Intent.READ),
        (read_holding(65535, 1), Intent.READ),
        (read_input(0, 125), Intent.READ),
        (write(0, b"\0\1"), Intent.OFF),
        (write(16, b"\0\0"), Intent.OFF),
        (write(16, b"\0\1"), Intent.ENERGISE),
        (write(40, b"\0\2"), Intent.ENERGISE),
        (write(17, b"\0\7"), Intent.ENERGISE),
        (write(3, b"\0\7"), Intent.RENEW),
        (write(1, b"\0\7"), Intent.CONFIG),
        (write(18, b"\0\3"), Intent.CONFIG),
        (write(19, F80), Intent.CONFIG),
        (write(19, F80 * 4), Intent.CONFIG),
        (write(29, F80), Intent.ENERGISE),
        (bytes.fromhex("1000000001020001"), Intent.OFF),
    ],
)
def test_a_listed_frame_has_the_intent_of_the_table(pdu: bytes, intent: Intent) -> None:
    assert TABLE.classify(pdu).intent is intent


def test_a_frame_over_several_quantities_has_the_most_dangerous_intent() -> None:
    both = TABLE.classify(write(27, bytes(4) + F80))  # rate, width, amplitude
    assert both.intent is Intent.ENERGISE
    assert [action.target.quantity for action in both.actions] == [
        "stimulation_rate_hz",
        "stimulation_width_us",
        "stimulation_amplitude",
    ]
    assert TABLE.classify(write(2, bytes.fromhex("01f40001"))).intent is Intent.RENEW


def test_values_are_decoded_with_channel_and_unit() -> None:
    (action,) = TABLE.classify(write(19 + 24, F80)).actions
    assert (action.target.channel, action.value, action.shown) == (2, 80.0, "set_temperature_c of channel 2 = 80")
    (rate,) = TABLE.classify(write(27, b"\1\xf4")).actions
    assert rate.value == 50.0


@pytest.mark.parametrize(
    ("pdu", "says"),
    [
        (b"", "no bytes"),
        (b"\4", "malformed read"),
        (bytes.fromhex("04004000"), "malformed read"),
        (bytes.fromhex("0400400001ff"), "malformed read"),
        (bytes.fromhex("0400400000"), "read of 0 registers"),
        (bytes.fromhex("040040007e"), "read of 126 registers"),
        (bytes.fromhex("04ffff0002"), "read of 2 registers from 65535"),
        (bytes.fromhex("060013"), "malformed write"),
        (bytes.fromhex("060000000100"), "malformed write"),
        (bytes.fromhex("1000130002"), "malformed write"),
        (bytes.fromhex("10001300020442a000"), "malformed write"),
        (bytes.fromhex("10001300020442a0000000"), "malformed write"),
        (bytes.fromhex("10001300010442a00000"), "malformed write"),
        (bytes.fromhex("10001300000042a0"), "malformed write"),
        (bytes.fromhex("0500000100"), "malformed write of a coil"),
        (bytes.fromhex("0500000001"), "malformed write of a coil"),
        (write_coils(0, b"\0\1"), "coil 0 is not one"),
        (write_coils(16, b"\0\1\0\0"), "coil 16 is not one"),
        (bytes.fromhex("0f0000"), "malformed write of coils"),
        (bytes.fromhex("0f000000090101"), "malformed write: 9 coils"),
        (bytes.fromhex("0f000000000101"), "malformed write: 0 coils"),
        (bytes.fromhex("0f0000000801"), "malformed write: 8 coils, 1 bytes stated, 0 there"),
        (bytes.fromhex("0f0000000801ffff"), "malformed write: 8 coils, 1 bytes stated, 2 there"),
        (bytes.fromhex("0f00000008020100"), "malformed write: 8 coils"),
        (bytes.fromhex("01000007d1"), "read of 2001 bits"),
        (bytes.fromhex("160010fffe0001"), "function 22"),
        (bytes.fromhex("17004000010010000102 0001"), "function 23"),
        (bytes.fromhex("8600000001"), "function 134"),
        (write(37, b"\0\1"), "register 37"),
        (write(6, b"\0\1"), "register 6"),
        (write(16 + 4 * 24, b"\0\1"), "register 112"),
        (write(35, F80 + b"\0\0"), "register 37"),
        (write(19, b"\x42\xa0"), "half of set_temperature_c of channel 1"),
        (write(20, b"\0\0"), "register 20"),
        (write(19, F80 + b"\x40\x00"), "half of ramp_c_per_s"),
        (write(19, bytes.fromhex("7fc00000")), "nan is not a number"),
        (write(25, bytes.fromhex("7f800000")), "inf is not a number"),
        (write(25, bytes.fromhex("ff800000")), "inf is not a number"),
        (write(0, b"\0\0"), "not a listed value"),
        (write(16, b"\0\3"), "not a listed value"),
        (write(18, b"\0\6"), "not a listed value"),
        (write(2, b"\x03\xe9"), "above 1000"),
        (write(0, bytes(2) + b"\0\1"), "not a listed value"),
        (write(0, b"\0\1\0\1"), "must be alone"),
        (write(16, bytes(4)), "must be alone"),
        (write(17, bytes(2) + b"\0\3"), "must be alone"),
        (write(18, b"\0\3" + F80), "must be alone"),
    ],
)
def test_everything_else_is_refused(pdu: bytes, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        TABLE.classify(pdu)


def coil(quantity: str, channel: int | None, address: int, *acts: tuple[int | None, Act]) -> Writable:
    return Writable(quantity, channel, address, RegisterType.BIT, WordOrder.ABCD, acts, space=Space.COIL)


FIRE = ((0, Act(Intent.OFF, name="off")), (1, Act(Intent.ENERGISE, PermitKind.LESION, "on")))
COILS = WriteTable(
    1, (coil("all_off", None, 0, (1, Act(Intent.OFF))), coil("fire", 1, 16, *FIRE), coil("fire", 2, 17, *FIRE)), ()
)


@pytest.mark.parametrize(
    ("pdu", "intent", "all_off"),
    [
        (write_coils(0, b"\0\1"), Intent.OFF, True),
        (write_coils(0, b"\0\1", several=True), Intent.OFF, True),
        (write_coils(16, b"\0\1"), Intent.ENERGISE, False),
        (write_coils(17, b"\0\0"), Intent.OFF, False),
        (write_coils(16, b"\0\1\0\1"), Intent.ENERGISE, False),
        (read(Space.COIL, 0, 2000), Intent.READ, False),
        (read(Space.DISCRETE, 7, 1), Intent.READ, False),
    ],
)
def test_coils_are_judged_like_registers(pdu: bytes, intent: Intent, *, all_off: bool) -> None:
    classified = COILS.classify(pdu)
    assert classified.intent is intent
    assert turns_all_off(classified.actions, COILS.channels) is all_off


@pytest.mark.parametrize(
    ("pdu", "says"),
    [
        (write_coils(0, b"\0\0"), "all_off = 0 is not a listed value"),
        (write_coils(16, b"\0\1\0\0"), "must be alone"),
        (write_coils(17, b"\0\1\0\1"), "coil 18 is not one that may be written"),
        (write(16, b"\0\1"), "register 16 is not one that may be written"),
    ],
)
def test_a_coil_that_is_not_listed_or_not_alone_is_refused(pdu: bytes, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        COILS.classify(pdu)


def test_off_of_the_only_channel_is_off_of_all() -> None:
    alone = WriteTable(1, (coil("fire", 1, 16, *FIRE),), ())
    assert turns_all_off(alone.classify(write_coils(16, b"\0\0")).actions, {1})
    assert not turns_all_off(alone.classify(write_coils(16, b"\0\1")).actions, {1})


def test_a_limit_of_zero_holds_zero_alone() -> None:
    limited = next(writable for writable in TABLE.writables if writable.quantity == "stimulation_limit")
    assert limited.holds(0.0, 0.0)
    assert not limited.holds(1e-45, 0.0)


def test_a_table_without_rows_only_reads() -> None:
    assert READ_ONLY.classify(read_input(0, 8)).intent is Intent.READ
    with pytest.raises(RefusedError, match="register 0"):
        READ_ONLY.classify(write(0, b"\0\1"))


@given(st.binary(max_size=40))
def test_no_random_bytes_pass_for_more_than_a_read_unless_the_table_lists_them(pdu: bytes) -> None:
    _check_classified(pdu)


@given(
    st.sampled_from([0x03, 0x04, 0x05, 0x06, 0x0F, 0x10, 0x16, 0x17]),
    st.integers(0, 120),
    st.binary(min_size=2, max_size=40),
    st.booleans(),
)
def test_no_random_write_passes_unless_the_table_lists_every_register(
    function: int, address: int, data: bytes, well_formed: bool
) -> None:
    data = data[: len(data) // 2 * 2] if well_formed else data
    head = bytes([function]) + address.to_bytes(2, "big")
    if function == 0x10:
        head += (len(data) // 2).to_bytes(2, "big") + bytes([len(data)])
    _check_classified(head + data)


def _check_classified(pdu: bytes) -> None:
    try:
        classified = TABLE.classify(pdu)
    except RefusedError:
        return
    if classified.intent is Intent.READ:
        assert pdu[0] in {1, 2, 3, 4}
        assert len(pdu) == 5
        return
    assert pdu[0] in {6, 16}
    start = int.from_bytes(pdu[1:3], "big")
    count = 1 if pdu[0] == 6 else int.from_bytes(pdu[3:5], "big")
    assert set(range(start, start + count)) <= LISTED
    assert sum(action.target.type.registers for action in classified.actions) == count


def test_the_digest_covers_the_whole_content() -> None:
    assert load("rfctl-reference").write_table().sha256 == TABLE.sha256
    for changed in (
        dataclasses.replace(TABLE, unit=2),
        dataclasses.replace(TABLE, writables=TABLE.writables[:-1]),
        dataclasses.replace(TABLE, energising=TABLE.energising[:1]),
        dataclasses.replace(
            TABLE, writables=(*TABLE.writables[:-1], dataclasses.replace(TABLE.writables[-1], limit=None))
        ),
    ):
        assert isinstance(changed, WriteTable)
        assert changed.sha256 != TABLE.sha256


@pytest.mark.parametrize(
    ("kind", "minimum", "inside", "outside"),
    [
        (RegisterType.U16, 5.0, b"\0\x0a", b"\0\x09"),
        (RegisterType.F32, 0.35, struct.pack(">f", 0.7), struct.pack(">f", 0.6999999)),
        (RegisterType.I16, -1.0, b"\xff\xff", b"\xff\xfd"),
    ],
)
def test_nothing_below_the_least_that_a_profile_allows_is_sent(
    kind: RegisterType, minimum: float, inside: bytes, outside: bytes
) -> None:
    row = Writable("x", None, 7, kind, WordOrder.ABCD, ((None, Act(Intent.CONFIG)),), scale=0.5, minimum=minimum)
    table = WriteTable(1, (row,), ())
    assert table.classify(write(7, inside)).intent is Intent.CONFIG
    with pytest.raises(RefusedError, match=rf"x = .* is below {minimum:g}, the least"):
        table.classify(write(7, outside))
    free = WriteTable(1, (dataclasses.replace(row, minimum=None),), ())
    assert free.classify(write(7, outside)).intent is Intent.CONFIG
