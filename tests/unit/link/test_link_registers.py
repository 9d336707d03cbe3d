"""Numbers in registers: both word orders, rounding, and what does not fit."""

import math

import pytest

from rfctl.link.registers import RegisterType, Space, WordOrder, decode, encode


@pytest.mark.parametrize(
    ("value", "kind", "order", "data"),
    [
        (0x1234, RegisterType.U16, WordOrder.ABCD, "1234"),
        (0x1234, RegisterType.U16, WordOrder.CDAB, "1234"),
        (0x12345678, RegisterType.U32, WordOrder.ABCD, "12345678"),
        (0x12345678, RegisterType.U32, WordOrder.CDAB, "56781234"),
        (1234.5, RegisterType.F32, WordOrder.ABCD, "449a5000"),
        (1234.5, RegisterType.F32, WordOrder.CDAB, "5000449a"),
        (1234.5, RegisterType.F32, WordOrder.BADC, "9a440050"),
        (1234.5, RegisterType.F32, WordOrder.DCBA, "00509a44"),
        (-2, RegisterType.I16, WordOrder.DCBA, "fffe"),
        (-2, RegisterType.I32, WordOrder.CDAB, "fffeffff"),
        (1234.5, RegisterType.F64, WordOrder.ABCD, "40934a0000000000"),
        (1234.5, RegisterType.F64, WordOrder.CDAB, "000000004a004093"),
        (1234.5, RegisterType.F64, WordOrder.DCBA, "00000000004a9340"),
        (1, RegisterType.BIT, WordOrder.DCBA, "0001"),
        (0, RegisterType.BIT, WordOrder.ABCD, "0000"),
    ],
)
def test_a_number_has_the_bytes_of_its_type_and_word_order(
    value: float, kind: RegisterType, order: WordOrder, data: str
) -> None:
    assert encode(value, kind, order).hex() == data
    assert decode(bytes.fromhex(data), kind, order) == value


def test_a_scaled_number_goes_to_the_nearest_integer() -> None:
    assert encode(2.1 / 0.1, RegisterType.U16, WordOrder.ABCD) == bytes([0, 21])


def test_not_a_number_stays_not_a_number() -> None:
    assert math.isnan(decode(bytes.fromhex("7fc00000"), RegisterType.F32, WordOrder.ABCD))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (65536, RegisterType.U16),
        (-1, RegisterType.U16),
        (32768, RegisterType.I16),
        (-(2**31) - 1, RegisterType.I32),
        (2, RegisterType.BIT),
        (2**32, RegisterType.U32),
        (1e39, RegisterType.F32),
        (math.nan, RegisterType.U16),
        (math.inf, RegisterType.U32),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value: float, kind: RegisterType) -> None:
    with pytest.raises(ValueError, match=f"does not fit {kind}|cannot convert"):
        encode(value, kind, WordOrder.ABCD)


def test_a_type_knows_its_size_and_range() -> None:
    assert {kind.value: (kind.registers, kind.range) for kind in RegisterType if not kind.real} == {
        "bit": (1, (0, 1)),
        "u16": (1, (0, 65535)),
        "i16": (1, (-32768, 32767)),
        "u32": (2, (0, 2**32 - 1)),
        "i32": (2, (-(2**31), 2**31 - 1)),
    }
    assert (RegisterType.F32.registers, RegisterType.F64.registers) == (2, 4)


def test_only_coils_and_discrete_inputs_are_of_bits() -> None:
    assert {space for space in Space if space.of_bits} == {Space.COIL, Space.DISCRETE}
