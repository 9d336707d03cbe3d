"""How values become the JSON text of a line, and how a number comes back bit for bit.

A finite float is a JSON number with the shortest digits that read back to the same 64 bits. JSON has no word for the
others: they are the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from rfctl.errors import RecordError

NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_OBJECTS = (dict, Mapping)  # in this order: of the second it takes long to tell
_BARE_INFINITY = re.compile(r"-?Infinity")


def encode_value(value: object) -> object:
    """The value with every float that is not finite as its string, in dicts, lists and tuples too.

    Raises:
        TypeError: A key of a dict is no string: written as JSON it could equal another one.
    """
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool:  # nearly all that there is, and to be written soon
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite_name(value)
    if isinstance(value, _OBJECTS):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"key {key!r} is no string")
        return {key: encode_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode_value(item) for item in value]
    return value


def decode_float(value: object) -> float:
    """The float that was written, from its JSON value.

    Raises:
        RecordError: Neither a number nor one of the three strings.
    """
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    if isinstance(value, str) and value in NOT_FINITE:
        return NOT_FINITE[value]
    raise RecordError(
        f"{repr(value)[:60]} is no number", remedy="Verify the record; its writer is at fault if it holds."
    )


def members_text(payload: Mapping[str, object]) -> str:
    """The members of an object, each led by a comma.

    Raises:
        TypeError, ValueError, RecursionError: A value has no JSON form.
    """
    if not payload:
        return ""
    return f",{_encode(encode_value(payload))[1:-1]}"


def text_of(value: object) -> str:
    """A value as JSON text.

    Raises:
        TypeError, ValueError, RecursionError: It has no JSON form.
    """
    return _encode(encode_value(value))


def numbers_text(numbers: object) -> str:
    """A list of numbers and booleans, nested or not, as JSON text, without a walk over it in Python.

    Raises:
        TypeError, ValueError, RecursionError: A value is neither a number, a boolean, None nor a list of these.
    """
    text = _encode(numbers)
    if '"' in text:
        raise TypeError("only numbers, booleans and None can be among values")
    if "N" in text:
        text = text.replace("NaN", '"NaN"')
    if "I" in text:
        text = _BARE_INFINITY.sub(r'"\g<0>"', text)
    return text


def _not_finite_name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
