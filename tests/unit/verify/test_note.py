"""Notes are read in their only form: nothing that one reader accepts and another reads differently."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfctl_verify.note import (
    ED25519,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    BadNote,
    canonical_base64,
    key_id,
    parse_checkpoint,
    parse_note,
)

ROOT = base64.b64encode(bytes(range(32))).decode()
VALUE = base64.b64encode(b"\1\2\3\4" + bytes(64)).decode()
TEXT = f"rfctl/bench-1\n17\n{ROOT}\n"
NOTE = f"{TEXT}\n\N{EM DASH} rfctl/bench-1 {VALUE}\n"


def refused(note: str | bytes) -> str:
    with pytest.raises(BadNote) as problem:
        parse_note(note if isinstance(note, bytes) else note.encode())
    return str(problem.value)


def refused_checkpoint(text: str) -> str:
    with pytest.raises(BadNote) as problem:
        parse_checkpoint(text.encode())
    return str(problem.value)


def test_a_note_is_text_and_signatures() -> None:
    note = parse_note(NOTE.encode())
    assert note.text == TEXT.encode()
    (signature,) = note.signatures
    assert (signature.name, signature.key_id, signature.value) == ("rfctl/bench-1", b"\1\2\3\4", bytes(64))
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == ("rfctl/bench-1", 17, bytes(range(32)))
    assert checkpoint.extensions == ()


def test_the_key_id_is_that_of_the_go_checksum_database() -> None:
    # sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8, the key that every Go installation trusts.
    key = base64.b64decode("Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
    assert key[:1] == ED25519
    assert key_id("sum.golang.org", ED25519, key[1:]).hex() == "033de0ae"


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        TEXT + "\n",
        NOTE[:-1],
        NOTE + "\n",
        NOTE + "x",
        NOTE.replace("\N{EM DASH}", "-"),
        NOTE.replace("\N{EM DASH} ", "\N{EM DASH}  "),
        NOTE.replace(" rfctl/bench-1 ", " rfctl/bench+1 "),
        NOTE.replace(f" {VALUE}", f" {VALUE} "),
        NOTE.replace(VALUE, VALUE[:-1]),
        NOTE.replace(VALUE, "AQIDBA=="),
        NOTE.replace("\n17\n", "\n17\r\n"),
        NOTE.replace("17", "17\0"),
        NOTE + NOTE.splitlines()[-1] + "\n",
        NOTE.encode().replace(b"17", b"\xff"),
        TEXT + "\n" + NOTE.splitlines()[-1].join(["", "\n"]) * (MAX_SIGNATURES + 1),
        "x" * MAX_NOTE_BYTES + NOTE,
    ],
)
def test_anything_else_is_no_note(note: str | bytes) -> None:
    refused(note)


@pytest.mark.parametrize(
    "text",
    [
        "rfctl/bench-1\n17\n",
        f"rfctl/bench-1\n17\n{ROOT}",
        f"\n17\n{ROOT}\n",
        f"rfctl/bench 1\n17\n{ROOT}\n",
        f"rfctl/bench-1\n017\n{ROOT}\n",
        f"rfctl/bench-1\n+17\n{ROOT}\n",
        f"rfctl/bench-1\n-1\n{ROOT}\n",
        f"rfctl/bench-1\n\N{ARABIC-INDIC DIGIT ONE}\n{ROOT}\n",
        f"rfctl/bench-1\n{'9' * 20}\n{ROOT}\n",
        f"rfctl/bench-1\n17\n{ROOT[:-1]}\n",
        f"rfctl/bench-1\n17\n{ROOT[:-4]}\n",
        f"rfctl/bench-1\n17\n{ROOT}\n\n",
    ],
)
def test_anything_else_is_no_checkpoint(text: str) -> None:
    refused_checkpoint(text)


def test_a_newline_in_an_origin_makes_another_checkpoint_or_none() -> None:
    assert "size" in refused_checkpoint(f"evil\nbench-1\n17\n{ROOT}\n")
    injected = parse_checkpoint(f"evil\n999\n{ROOT}\n17\n{ROOT}\n".encode())
    assert (injected.origin, injected.size, len(injected.extensions)) == ("evil", 999, 2)


def test_base64_has_one_form() -> None:
    assert canonical_base64("AQ==") == b"\1"
    for text in ("AR==", "AQ=", "AQ", "A Q==", "AQ==\n", "AQ==AQ==", "_w==", "é==="):
        with pytest.raises(BadNote):
            canonical_base64(text)


@given(st.binary(max_size=300), st.integers(0, len(NOTE.encode()) - 1))
def test_no_bytes_make_the_reader_fail(some: bytes, place: int) -> None:
    whole = NOTE.encode()
    for note in (some, whole[:place] + some + whole[place:], whole[:place] + some):
        with contextlib.suppress(BadNote):
            parse_checkpoint(parse_note(note).text)
