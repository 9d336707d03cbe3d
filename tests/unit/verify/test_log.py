"""Which verdict a log gets: each attack and each accident has its own."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from rfctl_verify.heads import read_heads
from rfctl_verify.verdict import Outcome, Verdict
from rfctl_verify.verify import verify
from tests.log_forge import Forge, b64, broken, epoch_key, golden, note, note_in, private, retired_content, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOTHING = hashlib.sha256().hexdigest()


@pytest.fixture
def judge(tmp_path: Path) -> Callable[..., Verdict]:
    """The verdict on a log, or on these files, with these bytes as heads."""
    count = iter(range(1000))

    def judged(log: Forge, content: dict[str, bytes] | None = None, *, heads: bytes = b"") -> Verdict:
        folder = write(tmp_path / f"log{next(count)}", log.content() if content is None else content)
        known = []
        if heads:
            (tmp_path / "heads").write_bytes(heads)
            known = read_heads(tmp_path / "heads", log.origin)
        return verify(folder, log.public_key, heads=known)

    return judged


def recovered(index: int, torn: bytes = b"", torn_chunk: bytes = b"") -> str:
    members = {
        "segment": index,
        "torn_bytes": len(torn),
        "torn_sha256": hashlib.sha256(torn).hexdigest(),
        "torn_chunk_bytes": len(torn_chunk),
        "torn_chunk_sha256": hashlib.sha256(torn_chunk).hexdigest(),
        "error": "",
    }
    return json.dumps(members, separators=(",", ":"))


def one_session() -> Forge:
    log = Forge()
    log.open()
    log.checkpoint()
    return log


def told(verdict: Verdict) -> tuple[str, int | None]:
    return str(verdict.verdict), verdict.first_bad_seq


def test_a_log_whose_last_segment_is_closed_is_valid(log: Forge, judge: Callable[..., Verdict]) -> None:
    verdict = judge(log)
    assert told(verdict) == ("VALID-UNANCHORED", None), verdict
    assert verdict.records == log.seq
    assert verdict.anchored_by is None


def test_a_head_that_agrees_anchors(log: Forge, judge: Callable[..., Verdict]) -> None:
    short = f"{log.origin} {log.seq - 1} "
    for head in (log.head(), b64(log.head()).encode() + b"\n"):
        verdict = judge(log, heads=head)
        assert (verdict.verdict, verdict.anchored_by) == ("VALID-ANCHORED", "head")
        assert f"{log.seq - 1} records" in verdict.detail
    root = Forge.tree_root(Forge(leaves=log.leaves[:-1])).hex()[:16]
    assert judge(log, heads=f"{short}{root}\n".encode()).verdict is Outcome.VALID_ANCHORED
    assert judge(log, heads=f"{short}{'0' * 16}\n".encode()).verdict is Outcome.DIVERGED


def test_a_log_that_is_shorter_than_a_head_is_truncated(log: Forge, judge: Callable[..., Verdict]) -> None:
    content = log.content()
    for name in ("00000002.seg", "00000002.chunk"):
        del content[name]
    assert judge(log, content).verdict is Outcome.VALID_UNANCHORED
    verdict = judge(log, content, heads=log.head())
    assert told(verdict) == ("TRUNCATED", None)
    assert str(log.seq - 1) in verdict.detail


def test_two_histories_from_one_checkpoint_are_a_fork(judge: Callable[..., Verdict]) -> None:
    logs = [one_session(), one_session()]
    for log, text in zip(logs, ("off", "on"), strict=True):
        log.add("decision", f'{{"act":"{text}"}}')
        log.checkpoint()
        log.close()
    assert judge(logs[0], heads=logs[0].head()).verdict is Outcome.VALID_ANCHORED
    assert told(judge(logs[0], heads=logs[1].head())) == ("FORKED", None)


def test_an_old_copy_that_went_on_has_diverged_from_the_known_head(judge: Callable[..., Verdict]) -> None:
    logs = [golden(), golden()]
    logs[1].seed = b"restored"
    for log in logs:
        log.pass_s(60)
        log.open()
        log.checkpoint()
        log.close()
    assert judge(logs[1]).verdict is Outcome.VALID_UNANCHORED
    assert told(judge(logs[1], heads=logs[0].head())) == ("DIVERGED", None)


def test_an_unsigned_claim_of_another_root_is_no_proof_of_a_fork(log: Forge, judge: Callable[..., Verdict]) -> None:
    text = f"{log.origin}\n7\n{b64(bytes(32))}\n"
    assert judge(log, heads=note(text, private(b"x"), log.origin)).verdict is Outcome.DIVERGED


def test_two_signed_heads_of_one_size_beyond_the_log_are_a_fork(log: Forge, judge: Callable[..., Verdict]) -> None:
    lines = [note(f"{log.origin}\n99\n{b64(bytes([i]) * 32)}\n", log.key, log.origin) for i in range(2)]
    assert judge(log, heads=b"".join(b64(each).encode() + b"\n" for each in lines)).verdict is Outcome.FORKED


def test_an_epoch_sealed_with_the_newest_key_is_key_invalid(judge: Callable[..., Verdict]) -> None:
    log = Forge()
    log.open()
    log.checkpoint(by=epoch_key(2))
    log.close()
    log.open()
    log.checkpoint()
    log.close()
    assert told(judge(log)) == ("KEY-INVALID", 2)


def test_a_log_under_a_forgers_own_root_is_key_invalid(judge: Callable[..., Verdict]) -> None:
    log = Forge(root=private(b"forger"))
    log.open()
    log.close()
    honest = Forge()
    assert told(judge(honest, log.content())) == ("KEY-INVALID", 1)


def test_another_stations_log_is_key_invalid(log: Forge, judge: Callable[..., Verdict]) -> None:
    assert told(judge(Forge(origin="rfctl/bench-2"), log.content())) == ("KEY-INVALID", 0)


def test_another_stations_segment_in_this_log_is_found(log: Forge, judge: Callable[..., Verdict]) -> None:
    other = Forge(origin="rfctl/bench-2")
    other.open()
    other.close()
    other.begin()
    other.close()
    swapped = log.content() | {"00000001.seg": other.content()["00000001.seg"]}
    assert judge(log, swapped).verdict is Outcome.MODIFIED


def test_stripped_of_checkpoints_a_log_is_unsealed(log: Forge, judge: Callable[..., Verdict]) -> None:
    one = Forge()
    one.open()
    one.add("note")
    one.checkpoint()
    one.close()
    one.segments[0] = [body for body in one.segments[0] if b'"kind":"checkpoint"' not in body]
    one.rehash()
    closing = one.segments[0].pop()
    assert b"segment_close" in closing
    assert told(judge(one)) == ("UNSEALED", None)


def test_an_open_tail_is_counted(judge: Callable[..., Verdict]) -> None:
    log = one_session()
    for _ in range(3):
        log.add("note")
    verdict = judge(log)
    assert told(verdict) == ("OPEN-TAIL", None)
    assert "3 records" in verdict.detail


def test_a_torn_end_is_unclean_and_after_recovery_it_is_said(judge: Callable[..., Verdict]) -> None:
    log = one_session()
    log.chunk(b"some")
    content = log.content()
    torn, torn_chunk = log.body("note", "{}")[:50], b"lost"
    whole = content["00000000.seg"]
    content["00000000.seg"] += b"\0\0\1\0" + torn
    content["00000000.chunk"] += torn_chunk
    assert told(judge(log, content)) == ("UNCLEAN-END", None)
    content["00000000.seg"] = whole + bytes(500)
    assert told(judge(log, content)) == ("UNCLEAN-END", None)
    log.open(recovered=recovered(0, torn, torn_chunk))
    log.close()
    verdict = judge(log)
    assert told(verdict) == ("VALID-UNANCHORED", None)
    assert "recovered" in verdict.detail
    log.files = {"00000000.seg.torn": torn, "00000000.chunk.torn": torn_chunk}
    assert judge(log).verdict is Outcome.VALID_UNANCHORED
    for name in log.files:
        assert told(judge(log, log.content() | {name: b"other"})) == ("MODIFIED", 6)


def test_a_session_that_was_killed_between_its_last_two_records_is_unclean(judge: Callable[..., Verdict]) -> None:
    log = one_session()
    log.close()
    log.segments[-1].pop()
    log.leaves.pop()
    assert told(judge(log)) == ("UNCLEAN-END", None)
    log.last_note = note_in(log.segments[0][2])
    log.open(recovered=recovered(0))
    log.close()
    assert judge(log).verdict is Outcome.VALID_UNANCHORED


def test_an_unclosed_segment_must_be_recovered(judge: Callable[..., Verdict]) -> None:
    log = one_session()
    log.begin()
    log.close()
    assert told(judge(log)) == ("MODIFIED", 3)
    log = one_session()
    log.open()
    log.close()
    assert told(judge(log)) == ("MODIFIED", 5)


def test_damage_in_the_middle_is_corrupt_and_not_a_tear(log: Forge, judge: Callable[..., Verdict]) -> None:
    content = log.content()
    for name, seq in (("00000000.seg", 8), ("00000001.seg", 13)):
        assert told(judge(log, content | {name: content[name][:-1]})) == ("CORRUPT", seq)
    last = content["00000002.seg"]
    for changed in (last + b"\1", last[:20] + b"\xff" + last[21:]):
        assert judge(log, content | {"00000002.seg": changed}).verdict is Outcome.CORRUPT
    assert judge(log, content | {"00000002.seg": last[:-1]}).verdict is Outcome.UNCLEAN_END


def test_a_missing_segment_is_corrupt(log: Forge, judge: Callable[..., Verdict]) -> None:
    content = log.content()
    del content["00000001.seg"]
    assert told(judge(log, content)) == ("CORRUPT", None)
    assert told(judge(log, {})) == ("CORRUPT", None)


@pytest.mark.parametrize("name", ["notes.txt", "0.seg", "00000003.chunk", "00000000.seg.torn", "00000009.seg.torn"])
def test_a_foreign_file_is_a_modification(log: Forge, judge: Callable[..., Verdict], name: str) -> None:
    assert told(judge(log, log.content() | {name: b""})) == ("MODIFIED", None)


def test_no_link_and_no_folder_is_followed(log: Forge, tmp_path: Path) -> None:
    folder = write(tmp_path / "log", log.content())
    (tmp_path / "elsewhere").write_bytes((folder / "00000001.seg").read_bytes())
    (folder / "00000001.seg").unlink()
    (folder / "00000001.seg").symlink_to(tmp_path / "elsewhere")
    assert told(verify(folder, log.public_key)) == ("MODIFIED", None)
    (folder / "00000001.seg").unlink()
    (folder / "00000001.seg").mkdir()
    assert told(verify(folder, log.public_key)) == ("MODIFIED", None)


def test_every_chunk_byte_is_covered(log: Forge, judge: Callable[..., Verdict]) -> None:
    content = log.content()
    for name in ("00000000.chunk", "00000001.chunk", "00000002.chunk"):
        chunk = content[name]
        for changed in (chunk[:-1], b"", b"X" + chunk[1:], chunk + b"X"):
            assert judge(log, content | {name: changed}).verdict is Outcome.MODIFIED
    assert told(judge(log, content | {"00000000.chunk": content["00000000.chunk"] + b"X"})) == ("MODIFIED", None)


@pytest.mark.requirement("record.tamper-evident")
def test_the_first_record_that_was_changed_is_named(log: Forge, judge: Callable[..., Verdict]) -> None:
    for seq in range(log.seq):
        changed = golden()
        number, place = next(
            (i, j)
            for i, bodies in enumerate(log.segments)
            for j, body in enumerate(bodies)
            if body == body_of(log, seq)
        )
        bodies = changed.segments[number]
        bodies[place] = bodies[place].replace(b'"actor":"', b'"actor":"x', 1)
        verdict = judge(changed)
        assert told(verdict) == ("MODIFIED", seq), verdict
        assert verdict.records == seq


def body_of(log: Forge, seq: int) -> bytes:
    return [body for bodies in log.segments for body in bodies][seq]


def test_a_certificate_must_be_for_its_place(judge: Callable[..., Verdict]) -> None:
    for changed in (
        {"origin": "rfctl/bench-2"},
        {"epoch": "epoch 2"},
        {"start": "start 1"},
        {"prev": f"prev {b64(bytes(32))}"},
    ):
        log = Forge()
        log.open(**changed)
        log.close()
        assert told(judge(log)) == ("KEY-INVALID", 1), changed
    log = Forge()
    log.open(start="start any", prev="prev any")
    log.close()
    assert judge(log).verdict is Outcome.VALID_UNANCHORED


def test_only_the_root_may_sign_in_advance(judge: Callable[..., Verdict]) -> None:
    log = one_session()
    log.close()
    log.open(by=log.key, start="start any")
    log.close()
    assert told(judge(log)) == ("KEY-INVALID", 6)


def test_a_checkpoint_of_another_size_or_root_or_record_is_a_modification(judge: Callable[..., Verdict]) -> None:
    for changed in ({"size": 1}, {"root": bytes(32)}, {"spoil": lambda some: some.replace(b"rfctl", b"RFCTL", 1)}):
        log = Forge()
        log.open()
        log.checkpoint(**changed)
        log.close()
        assert judge(log).first_bad_seq == 2, changed
        assert judge(log).verdict is (Outcome.KEY_INVALID if "spoil" in changed else Outcome.MODIFIED)


def test_a_bad_signature_is_found_where_no_good_one_of_its_epoch_follows(judge: Callable[..., Verdict]) -> None:
    log = Forge()
    log.open()
    for place in range(40):
        log.checkpoint(spoil=broken if place in (7, 30, 32) else bytes)
    log.close()
    assert judge(log).verdict is Outcome.VALID_UNANCHORED
    log.open()
    log.checkpoint(spoil=broken)
    log.add("note")
    log.checkpoint(spoil=broken)
    assert told(judge(log)) == ("MODIFIED", 46)
    log.open(recovered=recovered(1))
    log.close()
    assert told(judge(log)) == ("MODIFIED", 46)


def test_of_very_many_checkpoints_the_first_bad_one_is_named(
    judge: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rfctl_verify.signatures._AT_MOST", 4)
    for bad, named in (({3}, None), ({3, 19}, 21), (set(range(10, 20)), 12), ({5, 6, 7}, None), (set(range(20)), 2)):
        log = Forge()
        log.open()
        for place in range(20):
            log.checkpoint(spoil=broken if place in bad else bytes)
        assert told(judge(log)) == (("OPEN-TAIL", None) if named is None else ("MODIFIED", named))


def test_the_clock_is_watched(judge: Callable[..., Verdict]) -> None:
    def told_of(change: Callable[[Forge], None]) -> str:
        log = one_session()
        change(log)
        log.close()
        verdict = judge(log)
        assert verdict.verdict in (Outcome.CLOCK_ANOMALY, Outcome.VALID_UNANCHORED)
        return verdict.detail if verdict.verdict is Outcome.CLOCK_ANOMALY else ""

    def move(**by_s: float) -> Callable[[Forge], None]:
        def change(log: Forge) -> None:
            for name, seconds in by_s.items():
                setattr(log, name, getattr(log, name) + int(seconds * 1e9))

        return change

    def boot(log: Forge) -> None:
        log.boot, log.mono_ns, log.boottime_ns = "f" * 36, 1, 1

    assert not told_of(move())
    assert "goes back" in told_of(move(mono_ns=-0.5, boottime_ns=-0.5, wall_ns=-0.5))
    assert "suspended" in told_of(move(boottime_ns=2, wall_ns=2))
    assert "wall clock stepped" in told_of(move(wall_ns=-3600))
    assert "wall clock stepped" in told_of(move(wall_ns=86_400))
    assert not told_of(move(wall_ns=0.9))
    assert "without a checkpoint" in told_of(lambda log: log.pass_s(121))
    assert not told_of(lambda log: log.pass_s(119))
    assert not told_of(boot)

    def back_over_a_boot(log: Forge) -> None:
        boot(log)
        log.wall_ns -= 2_000_000_000

    assert "over a boot" in told_of(back_over_a_boot)
    assert not told_of(lambda log: (setattr(log, "sync", "simulated"), back_over_a_boot(log)))


def test_between_sessions_a_clock_may_go_on_and_not_back(judge: Callable[..., Verdict]) -> None:
    for by_s, outcome in ((86_400, Outcome.VALID_UNANCHORED), (-86_400, Outcome.CLOCK_ANOMALY)):
        log = one_session()
        log.close()
        log.wall_ns += by_s * 10**9
        log.open()
        log.close()
        assert judge(log).verdict is outcome


def test_a_step_that_the_log_tells_of_is_no_anomaly(judge: Callable[..., Verdict]) -> None:
    log = one_session()
    log.wall_ns -= 3600 * 10**9
    log.add("clock", '{"wall_step_ns":"-3600000000000","suspended_ns":"0"}')
    log.close()
    assert judge(log).verdict is Outcome.VALID_UNANCHORED


def test_an_epoch_outside_its_certificates_time_is_an_anomaly(judge: Callable[..., Verdict]) -> None:
    for changed in ({"not_before": "not-before 2027-01-01T00:00:00Z"}, {"not_after": "not-after 2026-11-23T08:59:59Z"}):
        log = Forge()
        log.open(**changed)
        log.close()
        assert judge(log).verdict is Outcome.CLOCK_ANOMALY, changed


def test_a_log_whose_oldest_segments_were_retired_goes_on_from_the_stub(judge: Callable[..., Verdict]) -> None:
    log = golden()
    log.pass_s(60)
    log.open()
    root = Forge.tree_root(Forge(leaves=log.leaves[:14])).hex()
    log.add("retired", f'{{"segments":2,"size":14,"root":"{root}"}}')
    log.close()
    assert judge(log).verdict is Outcome.VALID_UNANCHORED
    content = retired_content(log, 2, 14, 1)
    assert told(judge(log, content)) == ("VALID-UNANCHORED", None), judge(log, content)
    stub = content["retired.json"]
    for wrong in (stub[:-1], stub + b"\n", stub.replace(b'"epoch":1', b'"epoch":2'), stub.replace(b":14,", b":15,")):
        assert judge(log, content | {"retired.json": wrong}).verdict in (Outcome.MODIFIED, Outcome.KEY_INVALID)
    assert told(judge(log, content | {"00000001.seg": b""})) == ("MODIFIED", None)
    assert told(judge(golden(), retired_content(golden(), 2, 14, 1))) == ("MODIFIED", None)


def test_a_chained_epoch_is_said_to_be(judge: Callable[..., Verdict]) -> None:
    log = one_session()
    log.close()
    log.open(by=log.key)
    log.close()
    verdict = judge(log)
    assert verdict.verdict is Outcome.VALID_UNANCHORED
    assert "not by the root" in verdict.detail
