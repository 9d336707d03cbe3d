"""Two verifiers that share no line, one of them written from the page, give a thousand broken logs one verdict."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl_verify.heads import read_heads
from rfctl_verify.public_key import PublicKey
from rfctl_verify.verdict import Outcome
from rfctl_verify.verify import verify
from tests.log_forge import Forge, b64, golden, key_id, raw_public, remember_signatures, write
from tests.published import tried
from tests.second_verifier.mutants import Mutant, mutants

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOURCE = Path(__file__).with_name("verify.c")
COUNT, SEED = 1000, 7


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[str]], list[str]]:
    """Has the second verifier judge logs: lines of a folder and files of heads, tabs between."""
    place = tmp_path_factory.mktemp("second")
    program = place / "verify"
    flags = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    subprocess.run(["gcc", *flags, "-o", program, SOURCE, "-lcrypto"], check=True)
    log = Forge()
    public = b"\1" + raw_public(log.root)
    key_file = place / "root.pub"
    key_file.write_text(f"{log.origin}+{key_id(log.origin, public[1:]).hex()}+{b64(public)}\n")

    def judge(lines: Sequence[str]) -> list[str]:
        done = subprocess.run(
            [program, key_file],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            check=False,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        assert not done.stderr, done.stderr
        return done.stdout.splitlines()

    return judge


def laid_out(folder: Path, mutant: Mutant) -> tuple[Path, list[Path]]:
    write(folder, mutant.content)
    heads = []
    for number, some in enumerate(mutant.heads):
        heads.append(folder.with_suffix(f".head{number}"))
        heads[-1].write_bytes(some)
    return folder, heads


def first(folder: Path, heads: Sequence[Path], key: PublicKey) -> str:
    verdict = verify(folder, key, heads=[head for path in heads for head in read_heads(path, key.origin)])
    return f"{verdict.verdict} {verdict.records} {'-' if verdict.first_bad_seq is None else verdict.first_bad_seq}"


def test_a_thousand_broken_logs_have_one_verdict(
    second: Callable[[Sequence[str]], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_signatures(monkeypatch)
    key = Forge().public_key
    broken = mutants(COUNT, SEED)
    placed = [laid_out(tmp_path / f"log{number}", mutant) for number, mutant in enumerate(broken)]
    theirs = second(["\t".join(map(str, [folder, *heads])) for folder, heads in placed])
    ours = [first(folder, heads, key) for folder, heads in placed]
    differing = [
        f"{mutant.what}: {our} and {their} ({folder})"
        for mutant, our, their, (folder, _) in zip(broken, ours, theirs, placed, strict=True)
        if our != their
    ]
    assert not differing, "\n".join([f"{len(differing)} of {len(broken)}", *differing[:20]])
    counts = Counter(Outcome(verdict.partition(" ")[0]) for verdict in ours)
    tried("whatever somebody without keys, with all keys, or a crash does: two verifiers agree on all", counts)
    in_chunks = sum(mutant.what.startswith("chunk ") for mutant in broken)
    assert in_chunks > COUNT / 20
    # Every verdict is among them, and most logs are not good: else they would agree about little.
    assert counts.keys() == set(Outcome)
    assert sum(counts[each] for each in Outcome if each.good) < COUNT / 4


def test_both_find_the_sound_log_good(second: Callable[[Sequence[str]], list[str]], tmp_path: Path) -> None:
    log = golden()
    folder = write(tmp_path / "log", log.content())
    assert second([str(folder)]) == [first(folder, [], log.public_key)] == [f"VALID-UNANCHORED {log.seq} -"]
