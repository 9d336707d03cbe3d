"""The witness: one history of each log, whoever signs another; and what it has cosigned it never forgets."""

from __future__ import annotations

from base64 import b64decode, b64encode
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.anchors.cosignature import WitnessKey
from rfctl.anchors.witness import MOST_EVIDENCE, SIZE, Reply, Witness
from rfctl.errors import ConfigError
from rfctl.record.epochs import Epoch
from rfctl.record.tree import consistency_proof
from tests.small_log import NOT_BEFORE, SmallLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW_S = 1_800_000_000


class Bench:
    """A witness in a folder, which can be ended and started again."""

    def __init__(self, folder: Path, *logs: SmallLog) -> None:
        self.folder = folder
        self._roots = [log.root.public for log in logs]
        self.key = WitnessKey.in_folder(folder, "witness/test")
        self.witness = self._start()

    def _start(self) -> Witness:
        return Witness(self.folder, self.key, self._roots, lambda: NOW_S)

    def again(self) -> None:
        self.witness.close()
        self.witness = self._start()

    def post(self, path: str, body: bytes) -> Reply:
        return self.witness.answer("POST", path, body)

    def teach(self, log: SmallLog) -> None:
        for certificate in log.certificates:
            assert self.post("/add-certificate", certificate).status == HTTPStatus.OK

    def add(self, log: SmallLog, old: int, *, proof: list[bytes] | None = None, note: bytes = b"") -> Reply:
        if proof is None:
            proof = consistency_proof(log.leaves, old) if 0 < old < len(log.leaves) else []
        lines = [f"old {old}", *(b64encode(node).decode("ascii") for node in proof)]
        return self.post("/add-checkpoint", "\n".join(lines).encode() + b"\n\n" + (note or log.checkpoint()))

    def heads(self) -> list[bytes]:
        return [
            b64decode(line)
            for path in sorted((self.folder / "heads").iterdir())
            for line in path.read_bytes().splitlines()
        ]

    def evidence(self) -> list[bytes]:
        paths = sorted((self.folder / "evidence").iterdir())
        return [b64decode(line) for path in paths for line in path.read_bytes().splitlines()]


@pytest.fixture
def log() -> SmallLog:
    return SmallLog.begin().grow(5)


@pytest.fixture
def bench(tmp_path: Path, log: SmallLog) -> Iterator[Bench]:
    bench = Bench(tmp_path, log)
    bench.teach(log)
    yield bench
    bench.witness.close()


def test_it_cosigns_a_log_that_grows_over_epochs_and_starts(bench: Bench, log: SmallLog) -> None:
    size = 0
    for count in (1, 0, 2, 7, 1, 30):
        log.grow(count)
        assert bench.add(log, size).status == HTTPStatus.OK
        size = len(log.leaves)
        log.next_epoch(chained=count == 7)
        bench.teach(log)
        bench.again()
    assert len(bench.heads()) == 6
    assert bench.evidence() == []


def test_its_line_is_the_cosignature_that_c2sp_has(bench: Bench, log: SmallLog) -> None:
    checkpoint = log.checkpoint()
    reply = bench.add(log, 0, note=checkpoint)
    dash, name, blob = reply.body.decode().split()
    assert (dash, name) == ("\u2014", "witness/test")
    raw, text = b64decode(blob), checkpoint.partition(b"\n\n")[0] + b"\n"
    assert int.from_bytes(raw[4:12]) == NOW_S
    message = f"cosignature/v1\ntime {NOW_S}\n".encode() + text
    bench.key.private.public_key().verify(raw[12:], message)  # raises where it does not hold
    assert bench.heads() == [checkpoint + reply.body]


def test_of_two_continuations_by_the_real_key_it_refuses_the_second_and_keeps_it(bench: Bench, log: SmallLog) -> None:
    bench.add(log, 0)
    other = log.fork().grow(3, "other ")
    log.grow(3)
    assert bench.add(log, 5).status == HTTPStatus.OK
    refused = bench.add(other, 5)  # as if the first had not been seen
    assert (refused.status, refused.body, refused.content_type) == (HTTPStatus.CONFLICT, b"8\n", SIZE)
    assert bench.evidence() == [other.checkpoint()]
    assert bench.add(other, 8).status == HTTPStatus.CONFLICT  # same size, another root
    other.grow(4, "other ")
    assert bench.add(other, 8).status == HTTPStatus.UNPROCESSABLE_ENTITY  # longer, no proof there can be
    assert bench.evidence()[-1] == other.checkpoint()
    bench.again()
    assert bench.add(other, 8).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert len(bench.heads()) == 2


def test_a_log_that_shrank_is_refused(bench: Bench, log: SmallLog) -> None:
    older = log.fork()
    log.grow(4)
    bench.add(log, 0)
    for old in (0, 4, 5):
        refused = bench.add(older, old)
        assert (refused.status, refused.body) == (HTTPStatus.CONFLICT, b"9\n")
    assert bench.add(older, 9).status == HTTPStatus.BAD_REQUEST
    assert len(bench.heads()) == 1


def test_the_key_of_an_epoch_that_has_ended_signs_nothing_more(bench: Bench, log: SmallLog) -> None:
    stolen = log.fork()
    bench.add(log, 0)
    log.next_epoch()
    bench.teach(log)
    assert bench.add(log.grow(2), 5).status == HTTPStatus.OK
    stolen.leaves = list(log.leaves)
    refused = bench.add(stolen.grow(1), 7)
    assert refused.status == HTTPStatus.FORBIDDEN
    assert b"epoch 1, which ended" in refused.body
    bench.again()
    assert bench.add(stolen, 7).status == HTTPStatus.FORBIDDEN
    assert bench.evidence() == [stolen.checkpoint()]


def test_keys_are_believed_only_by_the_roots_word_or_an_epochs(bench: Bench, log: SmallLog) -> None:
    stranger = SmallLog.begin().grow(5)  # the same origin, another root
    assert bench.post("/add-certificate", stranger.certificates[0]).status == HTTPStatus.FORBIDDEN
    assert bench.add(stranger, 0).status == HTTPStatus.FORBIDDEN
    log.next_epoch(chained=True)
    log.next_epoch(chained=True)
    third, second = log.certificates[2], log.certificates[1]
    assert bench.post("/add-certificate", third).status == HTTPStatus.FORBIDDEN  # nobody vouches for its signer yet
    assert bench.post("/add-certificate", second).status == HTTPStatus.OK
    assert bench.post("/add-certificate", third).status == HTTPStatus.OK
    assert bench.add(log, 0).status == HTTPStatus.OK
    skipping = Epoch.begin(log.epoch.signer(), 7, start=5, prev=bytes(32), not_before=NOT_BEFORE)
    assert bench.post("/add-certificate", skipping.note).status == HTTPStatus.FORBIDDEN
    altered = second.replace(b"epoch 2", b"epoch 9")
    assert bench.post("/add-certificate", altered).status == HTTPStatus.FORBIDDEN


def test_logs_are_apart_and_others_unknown(tmp_path: Path) -> None:
    one, two, three = (SmallLog.begin(name).grow(4) for name in ("one", "two", "three"))
    bench = Bench(tmp_path, one, two)
    bench.teach(one)
    bench.teach(two)
    assert bench.add(one, 0).status == bench.add(two, 0).status == HTTPStatus.OK
    assert bench.add(three, 0).status == HTTPStatus.NOT_FOUND
    assert bench.post("/add-certificate", three.certificates[0]).status == HTTPStatus.NOT_FOUND
    assert len(list((tmp_path / "heads").iterdir())) == 2
    bench.witness.close()


def test_every_altered_proof_is_refused(bench: Bench, log: SmallLog) -> None:
    bench.add(log, 0)
    log.grow(8)
    proof = consistency_proof(log.leaves, 5)
    assert len(proof) > 2
    for at, node in enumerate(proof):
        bad = [*proof[:at], bytes([node[0] ^ 1]) + node[1:], *proof[at + 1 :]]
        assert bench.add(log, 5, proof=bad).status == HTTPStatus.UNPROCESSABLE_ENTITY
        assert bench.add(log, 5, proof=proof[:at] + proof[at + 1 :]).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert bench.add(log, 5, proof=[*proof, proof[0]]).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert bench.add(log, 5, proof=proof).status == HTTPStatus.OK


BAD: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no old": lambda note: b"\n\n" + note,
    "old of letters": lambda note: b"old x\n\n" + note,
    "old with a zero before": lambda note: b"old 00\n\n" + note,
    "no empty line": lambda note: b"old 0\n" + note,
    "hash that is no base64": lambda note: b"old 0\n!!!!\n\n" + note,
    "64 hashes": lambda note: b"old 0\n" + b"AAAA\n" * 64 + b"\n" + note,
    "no note": lambda _: b"old 0\n\nhello\n",
    "not ASCII": lambda note: "old 0 \u00e9\n\n".encode() + note,
    "size that is none": lambda note: b"old 0\n\n" + note.replace(b"\n5\n", b"\n05\n"),
    "two roots": lambda note: b"old 0\n\n" + note.replace(b"\n5\n", b"\n5\n\n"),
    "a signature that is none": lambda note: b"old 0\n\n" + note[:-3] + b"\n",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_request_is_refused(bench: Bench, log: SmallLog, name: str) -> None:
    assert bench.post("/add-checkpoint", BAD[name](log.checkpoint())).status == HTTPStatus.BAD_REQUEST
    assert bench.heads() == []


def test_a_checkpoint_altered_behind_its_signature_is_refused(bench: Bench, log: SmallLog) -> None:
    altered = log.checkpoint().replace(b"\n5\n", b"\n6\n")
    assert bench.add(log, 0, note=altered).status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/add-checkpoint", 405), ("POST", "/other", 404)])
def test_other_requests_are_told_what_there_is(bench: Bench, method: str, path: str, status: int) -> None:
    assert bench.witness.answer(method, path, b"").status == status


def test_a_cosignature_never_leaves_before_it_is_kept(
    bench: Bench, log: SmallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", refuse)
        with pytest.raises(ConfigError, match="No space left"):
            bench.add(log, 0)
    with pytest.raises(ConfigError, match="failed before"):
        bench.add(log, 0)


def test_a_torn_last_line_was_never_given_and_is_forgotten(bench: Bench, log: SmallLog) -> None:
    bench.add(log, 0)
    (path,) = (bench.folder / "heads").iterdir()
    first = path.read_bytes()
    bench.add(log.grow(1), 5)
    whole = path.read_bytes()
    for kept in (len(first) + 1, len(first) + 8, len(whole) - 1):
        path.write_bytes(whole[:kept])
        bench.again()
        assert path.read_bytes() == first
        assert bench.add(log, 5).status == HTTPStatus.OK


@pytest.mark.parametrize("folder", ["heads", "certificates"])
def test_a_witness_whose_memory_was_changed_does_not_start(bench: Bench, log: SmallLog, folder: str) -> None:
    bench.add(log, 0)
    (path,) = (bench.folder / folder).iterdir()
    note = b64decode(path.read_bytes())
    bench.witness.close()
    path.write_bytes(b64encode(note.replace(b"\n5\n", b"\n4\n").replace(b"epoch 1", b"epoch 3")) + b"\n")
    with pytest.raises(ConfigError, match="not as the witness left it"):
        bench._start()
    path.write_bytes(b"non sense\n")
    with pytest.raises(ConfigError, match="no note"):
        bench._start()


def test_two_witnesses_do_not_share_a_folder(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="another process writes it"):
        bench._start()


def test_evidence_is_bounded(bench: Bench, log: SmallLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfctl.anchors.witness.MOST_EVIDENCE", 3)
    bench.add(log.grow(1), 0)
    base = log.fork()
    base.leaves.pop()
    for number in range(6):
        assert bench.add(base.fork().grow(1, f"{number} "), 6).status == HTTPStatus.CONFLICT
    assert len(bench.evidence()) == 3
    assert MOST_EVIDENCE == 1000


def test_a_witness_keeps_its_name_and_key(tmp_path: Path) -> None:
    key = WitnessKey.in_folder(tmp_path, "one")
    assert WitnessKey.in_folder(tmp_path).text == key.text == (tmp_path / "witness.pub").read_text().strip()
    assert (tmp_path / "witness.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="keeps its name"):
        WitnessKey.in_folder(tmp_path, "two")
    (tmp_path / "witness.key").write_text("12\n")
    with pytest.raises(ConfigError, match="no key"):
        WitnessKey.in_folder(tmp_path)
    for name in ("a+b", "a b", "\u00e4", "x" * 101):
        with pytest.raises(ConfigError, match="no name of a witness"):
            WitnessKey.in_folder(tmp_path / "new", name)
