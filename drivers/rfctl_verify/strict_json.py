"""Strict JSON: one object and nothing else, no name twice in an object, no NaN, no odd whitespace around it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import NoReturn


class NotStrictJson(ValueError):
    """The text is not one JSON object as the format wants it."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = sorted(name for name, _ in pairs)
        twice = next(name for name, after in pairwise(names) if name == after)
        raise NotStrictJson(f"the name {twice[:40]!r} occurs twice in one object")
    return members


def _constant(word: str) -> NoReturn:
    raise NotStrictJson(f"{word} is not JSON")


_VALUES = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
# To check a line nobody needs its numbers: taking the length of a number's digits instead of its value more than
# halves the cost, and a number of a million digits costs no more than its bytes.
_SHAPE = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=len, parse_int=len)


def parse(text: bytes) -> dict[str, object]:
    """The members of one object.

    Raises:
        NotStrictJson: The bytes are anything else.
    """
    return _whole_object(_VALUES, text)


def check(text: bytes) -> None:
    """As ``parse``, for somebody who needs no values.

    Raises:
        NotStrictJson: The bytes are not one object.
    """
    _whole_object(_SHAPE, text)


def overruns(text: bytes) -> bool:
    """Whether the bytes hold one whole object and then something else, so that they are no beginning of an object."""
    decoded = text.decode("utf-8", "replace")
    try:
        _, end = _SHAPE.raw_decode(decoded)
    except (ValueError, RecursionError):
        return False
    return end < len(decoded)


def _whole_object(decoder: json.JSONDecoder, text: bytes) -> dict[str, object]:
    try:
        decoded = text.decode("utf-8")
        value, end = decoder.raw_decode(decoded)
    except NotStrictJson:
        raise
    except RecursionError:
        raise NotStrictJson("nested too deeply") from None
    except ValueError as problem:
        raise NotStrictJson(f"not JSON: {problem}"[:200]) from None
    if end != len(decoded):
        raise NotStrictJson(f"{len(decoded) - end} characters follow the object")
    if not isinstance(value, dict):
        raise NotStrictJson("not an object")
    return value
