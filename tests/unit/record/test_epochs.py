"""Notes, certificates and the keys of a log: what is accepted is exactly what was signed, for this log, by this key."""

from __future__ import annotations

import hashlib
import json
import stat
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rfctl.errors import ConfigError
from rfctl.record import epochs, notes
from rfctl.record.certificate import ANY, Certificate
from rfctl.record.epochs import Epoch, Signer
from rfctl.record.notes import BadNote, VerifierKey

ORIGIN = "rfctl/bench-1-00000000-0000-4000-8000-000000000001"
ROOT = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_a_note_is_the_text_and_a_line_that_anyone_can_check() -> None:
    note = notes.sign(b"one\ntwo\n", ORIGIN, ROOT.private)
    raw = ROOT.private.public_key().public_bytes_raw()
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + raw).digest()[:4]
    signature = ROOT.private.sign(b"one\ntwo\n")
    assert note == b"one\ntwo\n\n" + f"\u2014 {ORIGIN} {b64encode(key_id + signature).decode()}\n".encode()
    parsed = notes.parse(note)
    assert parsed.text == b"one\ntwo\n"
    assert parsed.signed_by(ROOT.public)
    assert not parsed.signed_by(VerifierKey.of(ORIGIN, epochs.generate()))
    assert not parsed.signed_by(VerifierKey.of("rfctl/other", ROOT.private))


@pytest.mark.parametrize("text", [b"", b"no newline", b"evil\n\n999\n", b"tab\t\n", "\u00fc\n".encode()])
def test_what_is_no_text_of_a_note_is_not_signed(text: bytes) -> None:
    with pytest.raises(BadNote):
        notes.sign(text, ORIGIN, ROOT.private)


def test_a_note_changed_in_any_byte_is_refused_or_not_signed() -> None:
    note = notes.sign(b"one\ntwo\n", ORIGIN, ROOT.private)
    accepted = []
    for at in range(len(note)):
        for flip in (1, 0x20, 0x80):
            wrong = note[:at] + bytes([note[at] ^ flip]) + note[at + 1 :]
            try:
                parsed = notes.parse(wrong)
            except BadNote:
                continue
            if parsed.signed_by(ROOT.public):
                accepted.append((at, flip))
    assert accepted == []


def test_base64_has_one_form() -> None:
    assert notes.decode64("AQ==") == b"\x01"
    for other in ("AR==", "AQ=", "AQ", "AQ==\n", " AQ==", "A-=="):
        with pytest.raises(BadNote):
            notes.decode64(other)


def test_a_public_key_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "log.pub"
    epochs.write_public_key(path, ROOT.public)
    origin, key_id, key = path.read_text().removesuffix("\n").split("+", 2)
    assert (origin, b64decode(key)) == (ORIGIN, b"\x01" + ROOT.public.raw)
    assert epochs.load_public_key(path) == ROOT.public
    with pytest.raises(ConfigError, match="exists already"):
        epochs.write_public_key(path, ROOT.public)
    wrong_id = f"{int(key_id, 16) ^ 1:08x}"
    for content in (
        f"{origin}+{key_id}+{key}",
        f"{origin}+{wrong_id}+{key}\n",
        f"{origin}+{key_id}\n",
        "\n",
        "\u00fc\n",
    ):
        path.write_text(content)
        with pytest.raises(ConfigError, match="not a public key of a log"):
            epochs.load_public_key(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        epochs.load_public_key(tmp_path / "none")


@pytest.mark.parametrize("name", ["", "bench 1", "b+1", "bench\n999", "b" * 121, "b\u00e4nch"])
def test_an_origin_cannot_forge_a_line_or_a_key(name: str) -> None:
    with pytest.raises(ConfigError, match="no origin"):
        VerifierKey(f"rfctl/{name}", bytes(32))


def test_a_certificate_has_one_form() -> None:
    certificate = Certificate(ORIGIN, 3, bytes(32), 1200, bytes(32), NOW, NOW + timedelta(days=365))
    assert Certificate.parse(certificate.text()) == certificate
    assert certificate.text().decode().split("\n")[4:8] == [
        "start 1200",
        f"prev {'A' * 43}=",
        "not-before 2026-11-23T09:00:00Z",
        "not-after 2027-11-23T09:00:00Z",
    ]
    first = Certificate(ORIGIN, 1, bytes(32), 0, None, NOW, None)
    ahead = Certificate(ORIGIN, 9, bytes(32), ANY, ANY, NOW, None)
    assert [Certificate.parse(one.text()) for one in (first, ahead)] == [first, ahead]
    text = certificate.text()
    for old, new in (
        (b"epoch 3", b"epoch 03"),
        (b"epoch 3", b"epoch 0"),
        (b"epoch 3", b"Epoch 3"),
        (b"start 1200", b"start -1"),
        (b"start 1200", b"start none"),
        (b"rfctl-epoch-v1", b"rfctl-epoch-v2"),
        (b"rfctl/", b"other/"),
        (b"2026-11-23T09:00:00Z", b"2026-11-23T9:00:00Z"),
        (b"2026-11-23T09:00:00Z", b"2026-02-30T09:00:00Z"),
        (b"Z\nnot-after", b"Z\nmore 1\nnot-after"),
        (b"key A", b"key B="),
    ):
        with pytest.raises(BadNote):
            Certificate.parse(text.replace(old, new, 1))


def test_each_epoch_can_certify_the_next_until_its_key_is_forgotten() -> None:
    first = Epoch.begin(ROOT, 1, start=0, prev=None, not_before=NOW)
    second = Epoch.begin(first.signer(), 2, start=9, prev=bytes(32), not_before=NOW)
    assert epochs.parse_certificate(first.note, ROOT.public) == first.certificate
    assert epochs.parse_certificate(second.note, first.public).epoch == 2
    with pytest.raises(BadNote, match="did not sign"):
        epochs.parse_certificate(second.note, ROOT.public)
    assert notes.parse(second.sign(b"a checkpoint\n")).signed_by(second.public)
    second.forget()
    with pytest.raises(ConfigError, match="epoch 2 was forgotten"):
        second.sign(b"a checkpoint\n")
    with pytest.raises(ConfigError, match="for rfctl/other, the key for"):
        ROOT.certify(Certificate("rfctl/other", 1, bytes(32), 0, None, NOW, None))


def test_epochs_are_prepared_in_files_of_their_own_and_deleted_with_their_key(tmp_path: Path) -> None:
    folder = tmp_path / "epochs"
    paths = epochs.prepare(ROOT, folder, first=2, count=3, not_before=NOW, not_after=NOW + timedelta(days=30))
    assert epochs.prepared_numbers(folder) == [2, 3, 4]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    epoch = epochs.prepared(folder, ROOT.public, 3, NOW)
    assert epoch is not None
    assert epoch.certificate.start is ANY
    assert notes.parse(epoch.sign(b"a checkpoint\n")).signed_by(epoch.public)
    epoch.forget()
    assert epochs.prepared_numbers(folder) == [2, 4]
    assert epochs.prepared(folder, ROOT.public, 3, NOW) is None
    for moment in (NOW - timedelta(seconds=1), NOW + timedelta(days=31)):
        with pytest.raises(ConfigError, match="it holds from"):
            epochs.prepared(folder, ROOT.public, 2, moment)
    with pytest.raises(ConfigError, match="exists already"):
        epochs.prepare(ROOT, folder, first=1, count=2, not_before=NOW, not_after=None)


def test_a_prepared_epoch_that_is_another_logs_or_changed_is_refused(tmp_path: Path) -> None:
    (path,) = epochs.prepare(ROOT, tmp_path, first=1, count=1, not_before=NOW, not_after=None)
    stranger = VerifierKey.of(ORIGIN, epochs.generate())
    with pytest.raises(ConfigError, match="did not sign"):
        Epoch.load(path, stranger)
    with pytest.raises(ConfigError, match="it is for"):
        Epoch.load(path, VerifierKey.of("rfctl/other", ROOT.private))
    path.rename(tmp_path / "epoch-00000002.json")
    with pytest.raises(ConfigError, match="it is epoch 1, not 2"):
        epochs.prepared(tmp_path, ROOT.public, 2, NOW)
    kept = json.loads((tmp_path / "epoch-00000002.json").read_text())
    for wrong in (
        {**kept, "private": "ab" * 32},
        {**kept, "more": 1},
        {"private": kept["private"]},
        {**kept, "private": "x"},
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(ConfigError, match=r"is no prepared epoch|its key is not"):
            Epoch.load(path, ROOT.public)
