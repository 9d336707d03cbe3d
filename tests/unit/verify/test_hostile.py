"""Whatever the files hold, there is a verdict, it is not a good one, and it takes neither all memory nor for ever."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import zlib
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfctl_verify.files import Unreadable
from rfctl_verify.merkle import Tree
from rfctl_verify.public_key import read_public_key
from rfctl_verify.verdict import Outcome, Verdict
from rfctl_verify.verify import verify
from tests.log_forge import ORIGIN, Forge, b64, frame, golden, key_id, raw_public, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

MEMORY_BYTES = 160 << 20
"""Of addresses, the interpreter's and OpenSSL's own among them; a bomb below is larger."""
PROCESSOR_S = 20


@pytest.fixture
def confined(tmp_path: Path) -> Callable[[Path], tuple[int, str]]:
    """Runs the verifier in a process that cannot have much. Its exit code and first word."""
    log = Forge()
    public = raw_public(log.root)
    key = tmp_path / "root.pub"
    key.write_text(f"{log.origin}+{key_id(log.origin, public).hex()}+{b64(bytes([1]) + public)}\n")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S))

    def run(folder: Path) -> tuple[int, str]:
        command = [sys.executable, "-m", "rfctl_verify", str(folder), "--key", str(key)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout.partition(":")[0]

    return run


def sparse(path: Path, size: int) -> None:
    """Make a file larger without a disk."""
    with path.open("ab") as file:
        file.truncate(size)


def test_files_larger_than_memory(confined: Callable[[Path], tuple[int, str]], tmp_path: Path) -> None:
    open_log = Forge()
    open_log.open()
    open_log.checkpoint()
    folder = write(tmp_path / "zeros", open_log.content())
    sparse(folder / "00000000.seg", 1 << 28)
    assert confined(folder) == (1, "UNCLEAN-END")
    folder = write(tmp_path / "chunk", golden().content())
    sparse(folder / "00000000.chunk", 1 << 40)
    assert confined(folder) == (1, "MODIFIED")
    folder = write(tmp_path / "stub", golden().content())
    sparse(folder / "retired.json", 1 << 40)
    assert confined(folder) == (1, "MODIFIED")


def test_a_chunk_of_sixteen_megabytes_is_hashed_and_one_byte_more_is_refused(
    confined: Callable[[Path], tuple[int, str]], tmp_path: Path
) -> None:
    for size, outcome in ((16 << 20, (0, "VALID-UNANCHORED")), ((16 << 20) + 1, (1, "MODIFIED"))):
        log = Forge()
        log.open()
        log.chunk(bytes(size))
        log.close()
        assert confined(write(tmp_path / str(size), log.content())) == outcome


@pytest.mark.parametrize(
    ("kind", "payload", "outcome"),
    [
        ("note", '{"a":' + "[" * 500_000 + "]" * 500_000 + "}", "MODIFIED"),
        ("note", '{"a":' + "[" * 1_000_000 + "}", "MODIFIED"),
        ("note", '{"a":' + "9" * 1_000_000 + "}", "VALID-UNANCHORED"),
        ("note", '{"a":"' + '\\"' * 450_000 + '"}', "VALID-UNANCHORED"),
        ("note", '{"a":[' + '"",' * 300_000 + '""]}', "VALID-UNANCHORED"),
        ("note", "{" + ",".join(f'"{n:x}":1' for n in range(90_000)) + "}", "VALID-UNANCHORED"),
        ("note", "{" + '"a":1,' * 150_000 + '"a":1}', "MODIFIED"),
        ("checkpoint", '{"why":"x","note":"' + "A" * 1_000_000 + '"}', "MODIFIED"),
        ("epoch", '{"certificate":"' + "A" * 1_000_000 + '"}', "MODIFIED"),
        ("countersigned", '{"certificate":"' + b64(b"\n" * 3_000) + '"}', "MODIFIED"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_a_record_as_large_as_may_be(
    confined: Callable[[Path], tuple[int, str]], tmp_path: Path, kind: str, payload: str, outcome: str
) -> None:
    log = Forge()
    log.open()
    log.add(kind, payload)
    log.close()
    assert confined(write(tmp_path / "log", log.content()))[1] == outcome


def test_an_actor_of_a_megabyte_is_refused(confined: Callable[[Path], tuple[int, str]], tmp_path: Path) -> None:
    for actor in ("x" * 1_000_000, '"' * 450_000):
        log = Forge()
        log.open()
        log.add("note", actor=actor)
        log.close()
        assert confined(write(tmp_path / f"log{actor[0] == 'x'}", log.content())) == (1, "MODIFIED")


def test_a_thousand_claims_of_a_frame_behind_a_tear(
    confined: Callable[[Path], tuple[int, str]], tmp_path: Path
) -> None:
    log = Forge()
    log.open()
    log.checkpoint()
    content = log.content()
    claims = b"".join(struct.pack(">II", 500_000, 7) + b'{"seq":' for _ in range(60_000))
    content["00000000.seg"] += struct.pack(">II", 1 << 20, 0) + claims
    assert confined(write(tmp_path / "log", content)) == (1, "UNCLEAN-END")


class Long(Forge):
    """A forge whose tree grows, for logs of thousands of records."""

    def tree_root(self) -> bytes:
        tree = self.__dict__.setdefault("tree", Tree())
        for leaf in self.leaves[tree.size :]:
            tree.append(leaf)
        return tree.root()


def test_a_log_of_two_thousand_segments(confined: Callable[[Path], tuple[int, str]], tmp_path: Path) -> None:
    log = Long()
    log.open()
    for _ in range(1999):
        log.close()
        log.begin()
    log.close()
    folder = write(tmp_path / "log", log.content())
    assert confined(folder) == (0, "VALID-UNANCHORED")
    (folder / "00001500.seg").unlink()
    assert confined(folder) == (1, "CORRUPT")


def test_nothing_that_is_no_file_is_opened(confined: Callable[[Path], tuple[int, str]], tmp_path: Path) -> None:
    for name, make in (
        ("pipe", os.mkfifo),
        ("folder", os.mkdir),
        ("link to itself", lambda path: path.symlink_to(path)),
        ("link to an endless file", lambda path: path.symlink_to("/dev/zero")),
    ):
        folder = write(tmp_path / name, golden().content())
        (folder / "00000001.chunk").unlink()
        make(folder / "00000001.chunk")
        assert confined(folder) == (1, "MODIFIED")


@pytest.mark.parametrize("origin", ["evil\n999", f"{ORIGIN}\n999", f"evil\n999\n{b64(bytes(32))}\n{ORIGIN}"])
def test_a_newline_in_an_origin_injects_no_checkpoint(tmp_path: Path, origin: str) -> None:
    log = Forge()
    log.open()
    log.checkpoint(origin=origin)
    log.close()
    assert not verify(write(tmp_path / "note", log.content()), log.public_key).verdict.good
    log = Forge()
    log.open()
    log.checkpoint(name=f"{ORIGIN}\n\N{EM DASH} {ORIGIN}")
    log.close()
    assert not verify(write(tmp_path / "name", log.content()), log.public_key).verdict.good
    log = Forge(origin=origin)
    log.open()
    log.close()
    verdict = verify(write(tmp_path / "log", log.content()), Forge().public_key)
    assert (verdict.verdict, verdict.first_bad_seq) in ((Outcome.MODIFIED, 0), (Outcome.KEY_INVALID, 0))
    public = raw_public(log.root)
    (tmp_path / "root.pub").write_text(f"{origin}+{key_id(origin, public).hex()}+{b64(bytes([1]) + public)}\n")
    with pytest.raises(Unreadable):
        read_public_key(tmp_path / "root.pub")


def test_base64_that_is_not_canonical_is_a_modification(tmp_path: Path) -> None:
    def other_form(text: bytes) -> bytes:
        """Another text that decodes to the same bytes: the bits that padding leaves over are set."""
        assert text.endswith(b"=")
        digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        last = text.rstrip(b"=")[-1:]
        changed = digits[digits.index(last) + 1]
        place = text.rindex(last)
        return text[:place] + bytes([changed]) + text[place + 1 :]

    def in_its_third_line(some: bytes) -> bytes:
        lines = some.split(b"\n")
        assert b64decode(other_form(lines[2])) == b64decode(lines[2])
        return b"\n".join([*lines[:2], other_form(lines[2]), *lines[3:]])

    def in_its_signature(some: bytes) -> bytes:
        opening, _, text = some[:-1].rpartition(b" ")
        return opening + b" " + other_form(text) + b"\n"

    for number, spoil in enumerate((in_its_third_line, in_its_signature)):
        log = Forge()
        log.open()
        log.checkpoint(spoil=spoil)
        log.close()
        verdict = verify(write(tmp_path / f"log{number}", log.content()), log.public_key)
        assert (verdict.verdict, verdict.first_bad_seq) == (Outcome.MODIFIED, 2), verdict


def test_a_name_cannot_write_to_the_terminal(log: Forge, tmp_path: Path) -> None:
    folder = write(tmp_path / "log", log.content() | {"\x1b[2Jgood\nVALID": b""})
    assert "\x1b" not in verify(folder, log.public_key).detail
    assert "\n" not in verify(folder, log.public_key).detail


def judged(folder: Path, name: str, content: bytes, log: Forge) -> Verdict:
    original = (folder / name).read_bytes()
    (folder / name).write_bytes(content)
    try:
        return verify(folder, log.public_key)
    finally:
        (folder / name).write_bytes(original)


LOG = golden()
BODIES = [body for bodies in LOG.segments for body in bodies]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("hostile") / "log", LOG.content())


@settings(deadline=None, max_examples=60)
@given(some=st.binary(max_size=200), place=st.integers(0, 5000), zeros=st.booleans())
def test_no_bytes_make_the_verifier_fail(folder: Path, some: bytes, place: int, *, zeros: bool) -> None:
    for name in ("00000000.seg", "00000002.seg", "00000001.chunk"):
        content = (folder / name).read_bytes()
        place %= len(content)
        for changed in (some, content[:place] + some, content[:place] + some + content[place:]):
            verdict = judged(folder, name, changed + bytes(9 * zeros), LOG)
            assert not verdict.verdict.good or changed == content


@settings(max_examples=60)
@given(data=st.data())
def test_no_body_in_a_good_frame_makes_the_verifier_fail(folder: Path, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(BODIES))
    begin = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(begin, len(body)))
    token = st.sampled_from(
        [b"", b'"', b"{", b"}", b"\\", b",", b"0", b"-1", b"null", b"\xff", b"\n", b"1e999", b"A=="]
    )
    changed = body[:begin] + b"".join(data.draw(st.lists(token, max_size=6))) + body[end:]
    segment = LOG.content()["00000000.seg"].replace(frame(body), frame(changed))
    segment += struct.pack(">II", len(changed), zlib.crc32(changed)) + changed
    verdict = judged(folder, "00000000.seg", segment, LOG)
    assert verdict.verdict in (Outcome.MODIFIED, Outcome.KEY_INVALID, Outcome.CORRUPT)
