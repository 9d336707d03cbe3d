"""The only form of each record: its body, and the payloads that verification reads (docs/formats/record.md)."""

from __future__ import annotations

import re

from rfctl_verify.strict_json import NotStrictJson, check

NUMBER = "(0|[1-9][0-9]{0,14})"
HEX = "([0-9a-f]{64})"
BASE64 = "([A-Za-z0-9+/]{4,6000}={0,2})"
_NS = "(0|[1-9][0-9]{0,17})"
_STRING = r'(?:[ !#-\[\]-~]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+'
"""Possessive, or a string of a megabyte would take hundreds of it to go back on."""
_SECOND = (
    "(?:19[7-9][0-9]|[2-9][0-9]{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
)
MAX_ACTOR = 400
MAX_DEPTH = 32


def _compiled(text: str) -> re.Pattern[bytes]:
    return re.compile(text.encode("ascii"))


BODY = _compiled(
    rf'\{{"seq":{NUMBER},"epoch":([1-9][0-9]{{0,14}}),"boot_id":"([0-9a-f-]{{36}})","mono_ns":"{_NS}",'
    rf'"boottime_ns":"{_NS}","wall":"({_SECOND}\.[0-9]{{6}}Z)","wall_sync_state":"([a-z]{{1,16}})",'
    rf'"kind":"([a-z][a-z0-9_]{{0,31}})","actor":"({_STRING})","backend":"(?:simulated|device)",'
    r'"payload":(\{[ -~]*\}),"prev":"([0-9a-f]{64})"\}'
)
PREV_AT_END = _compiled(rf',"prev":"{HEX}"\}}')
"""The last 75 bytes of a body."""
TIME = _compiled(rf"{_SECOND}Z")

_ORIGIN = r"(rfctl/[!#-*,-\[\]-~]{1,120})"
PAYLOADS = {
    b"segment": _compiled(
        rf'\{{"format":"rfctl-record-1","origin":"{_ORIGIN}","index":{NUMBER},"size":{NUMBER},"root":"{HEX}",'
        r'"about":(\{[ -~]*\})\}'
    ),
    b"epoch": _compiled(rf'\{{"certificate":"{BASE64}"\}}'),
    b"recovered": _compiled(
        rf'\{{"segment":{NUMBER},"torn_bytes":{NUMBER},"torn_sha256":"{HEX}","torn_chunk_bytes":{NUMBER},'
        rf'"torn_chunk_sha256":"{HEX}","error":"{_STRING}"\}}'
    ),
    b"chunk": _compiled(rf'\{{"offset":{NUMBER},"bytes":{NUMBER},"frames":{NUMBER},"sha256":"{HEX}"\}}'),
    b"checkpoint": _compiled(rf'\{{"why":"[a-z_]{{1,32}}","note":"{BASE64}"\}}'),
    b"segment_close": _compiled(rf'\{{"size":{NUMBER},"root":"{HEX}"\}}'),
    b"countersigned": _compiled(rf'\{{"certificate":"{BASE64}"\}}'),
    b"retired": _compiled(rf'\{{"segments":{NUMBER},"size":{NUMBER},"root":"{HEX}"\}}'),
    b"clock": _compiled(r'\{"wall_step_ns":"-?[0-9]{1,18}","suspended_ns":"-?[0-9]{1,18}"\}'),
}
"""By the kind of the record. The payload of any other kind is a strict object and no more."""
RETIRED_FILE = _compiled(
    rf'\{{"segments":{NUMBER},"size":{NUMBER},"epoch":{NUMBER},"root":"{HEX}","last_leaf":"{HEX}",'
    rf'"last_checkpoint":"{HEX}","nodes":\[((?:"[0-9a-f]{{64}}",){{0,63}}"[0-9a-f]{{64}}")\]\}}\n'
)
ORIGIN = re.compile(_ORIGIN)

_TEXT = re.compile(rb'"((?:[^"\\]++|\\.)*+)"( *+:)?')
_INNERMOST = re.compile(rb"\[\]|\{\}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def check_payload(text: bytes, levels: int = MAX_DEPTH) -> None:
    """Make sure that this is one strict object, at most so deep.

    Raises:
        NotStrictJson: It is not.
    """
    if text.count(b"[") + text.count(b"{") > levels or b"\\" in text:
        _check_structure(text, levels)
    check(text)


def _check_structure(text: bytes, levels: int) -> None:
    if any(name and b"\\" in inside for inside, name in _TEXT.findall(text)):
        raise NotStrictJson("a member name has a backslash")
    brackets = _TEXT.sub(b"", text).translate(None, _NO_BRACKETS)
    for _ in range(levels):
        brackets = _INNERMOST.sub(b"", brackets)
        if not brackets:
            return
    raise NotStrictJson(f"deeper than {levels} levels")


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; a day beyond its month counts into the next."""
    year -= month <= 2
    of_era = year % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year // 400 * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def seconds(text: bytes) -> int:
    """Seconds since 1970 of ``YYYY-MM-DDThh:mm:ss``; what follows is not looked at."""
    days = days_from_civil(int(text[:4]), int(text[5:7]), int(text[8:10]))
    return days * 86_400 + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
