"""Numbers in registers: both word orders, rounding, and what does not fit."""

import math

import pytest

from rfctl.link.registers import RegisterType, WordOrder, decode, encode


@pytest.mark.parametrize(
    ("value", "kind", "order", "data"),
    [
        (0x1234, RegisterType.U16, WordOrder.ABCD, "1234"),
        (0x1234, RegisterType.U16, WordOrder.CDAB, "1234"),
        (0x12345678, RegisterType.U32, WordOrder.ABCD, "12345678"),
        (0x12345678, RegisterType.U32, WordOrder.CDAB, "56781234"),
        (1234.5, RegisterType.F32, WordOrder.ABCD, "449a5000"),
        (1234.5, RegisterType.F32, WordOrder.CDAB, "5000449a"),
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
        (2**32, RegisterType.U32),
        (1e39, RegisterType.F32),
        (math.nan, RegisterType.U16),
        (math.inf, RegisterType.U32),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value: float, kind: RegisterType) -> None:
    with pytest.raises(ValueError, match=f"does not fit {kind}|cannot convert"):
        encode(value, kind, WordOrder.ABCD)
