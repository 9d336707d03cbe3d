"""A number comes back from a line with the same 64 bits, and what is no number is refused."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rfctl.errors import RecordError
from rfctl.record.values import decode_float, encode_value, members_text, numbers_text
from rfctl_verify.strict_json import parse

SMALLEST_SUBNORMAL = 5e-324
LARGEST = 1.7976931348623157e308


def bits(number: float) -> bytes:
    return struct.pack("<d", math.nan if math.isnan(number) else number)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)))
@example([0.0, -0.0, SMALLEST_SUBNORMAL, -SMALLEST_SUBNORMAL, LARGEST, math.nan, -math.nan, math.inf, -math.inf])
def test_floats_in_a_list_of_values_come_back_bit_for_bit(numbers: list[float]) -> None:
    stored = parse(f'{{"v":{numbers_text(numbers)}}}'.encode("ascii"))["v"]
    assert isinstance(stored, list)
    assert [bits(decode_float(value)) for value in stored] == [bits(number) for number in numbers]


@given(st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True))
def test_a_float_deep_in_a_payload_comes_back_bit_for_bit(number: float) -> None:
    stored = json.loads("{" + members_text({"a": {"b": [1, (number,)]}})[1:] + "}")
    assert bits(decode_float(stored["a"]["b"][1][0])) == bits(number)


def test_a_single_precision_reading_nested_by_channel_keeps_its_shape() -> None:
    assert numbers_text((7, (math.nan, True), (0.1, None, -math.inf))) == '[7,["NaN",true],[0.1,null,"-Infinity"]]'


def test_what_is_not_finite_becomes_its_name_and_everything_else_stays() -> None:
    assert encode_value({"t": math.nan, "n": 3, "s": "NaN or so", "l": (math.inf, None)}) == {
        "t": "NaN",
        "n": 3,
        "s": "NaN or so",
        "l": ["Infinity", None],
    }


def test_values_take_no_text() -> None:
    for values in (["NaN"], [{"a": 1}], [object()]):
        with pytest.raises(TypeError):
            numbers_text(values)


def test_a_key_that_is_no_string_is_refused_because_it_could_equal_one() -> None:
    with pytest.raises(TypeError, match="key 1"):
        members_text({"a": {1: "x", "1": "y"}})


@pytest.mark.parametrize("value", ["nan", "inf", "1.0", True, None, [], 10**400])
def test_what_is_no_number_is_not_decoded(value: object) -> None:
    with pytest.raises(RecordError, match="no number"):
        decode_float(value)


def test_an_integer_is_decoded_as_the_float_it_equals() -> None:
    assert decode_float(3) == 3.0


def test_an_empty_payload_adds_nothing_to_a_line() -> None:
    assert members_text({}) == ""
