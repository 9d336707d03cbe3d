"""The verifier as a command, as a single file, and behind rfctl: one verdict, one exit code, texts with a remedy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rfctl.cli.main import cli
from rfctl_verify.__main__ import main
from rfctl_verify.evidence import proves_a_fork
from rfctl_verify.note import BadNote
from rfctl_verify.single_file import single_file
from tests.log_forge import Forge, b64, key_id, note, private, raw_public, write

if TYPE_CHECKING:
    pass

ROOT = Path(__file__).parents[3]


class Given(NamedTuple):
    """A log, the root's public key, its newest head, and where to put more."""

    folder: Path
    key: Path
    head: Path
    beside: Path


def write_key(path: Path, log: Forge) -> Path:
    public = raw_public(log.root)
    path.write_text(f"{log.origin}+{key_id(log.origin, public).hex()}+{b64(bytes([1]) + public)}\n")
    return path


@pytest.fixture
def given(log: Forge, tmp_path: Path) -> Given:
    head = tmp_path / "heads"
    head.write_bytes(log.head())
    return Given(write(tmp_path / "log", log.content()), write_key(tmp_path / "root.pub", log), head, tmp_path)


def test_the_verdict_and_its_exit_code(given: Given, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(given.folder), "--key", str(given.key)]) == 0
    assert capsys.readouterr().out.startswith("VALID-UNANCHORED: 22 records.")
    assert main([str(given.folder), "--key", str(given.key), "--head", str(given.head), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["records"], document["anchored_by"]) == ("VALID-ANCHORED", 22, "head")
    (given.folder / "00000001.seg").unlink()
    assert main([str(given.folder), "--key", str(given.key), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["first_bad_seq"]) == ("CORRUPT", None)


def test_rfctl_asks_the_same_verifier(given: Given) -> None:
    arguments = ["record", "verify", str(given.folder), "--key", str(given.key), "--head", str(given.head), "--json"]
    done = CliRunner().invoke(cli, arguments)
    document = json.loads(done.output)
    assert (done.exit_code, document["verdict"]) == (0, "VALID-ANCHORED")
    assert document["path"] == str(given.folder)
    (given.folder / "00000000.seg").write_bytes(b"x" * 100)
    assert CliRunner().invoke(cli, arguments).exit_code == 1


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("--key", "rfctl/bench-1+00000000+AAAA\n", "no public key"),
        ("--key", "", "no public key"),
        ("--head", "", "holds no head"),
        ("--head", "hello\n", "is no head"),
        ("--head", "rfctl/other 3 0011223344556677\n", "rfctl/other"),
        ("--witness", "w+00000000+AAAA\n", "no verifier key"),
    ],
)
def test_what_is_given_wrongly_is_an_error_of_use(
    given: Given, capsys: pytest.CaptureFixture[str], name: str, content: str, why: str
) -> None:
    wrong = given.beside / "wrong"
    wrong.write_text(content)
    arguments = [str(given.folder), "--key", str(given.key), name, str(wrong)]
    assert main(arguments) == 2
    assert why in capsys.readouterr().err


def test_a_witness_is_named(log: Forge, given: Given, capsys: pytest.CaptureFixture[str]) -> None:
    witness = private(b"witness")
    name, public = "witness.example", raw_public(witness)
    text = log.head().split(b"\n\n")[0] + b"\n"
    time = (1_795_424_400).to_bytes(8)
    signature = witness.sign(b"cosignature/v1\ntime 1795424400\n" + text)
    mine = key_id(name, public, b"\x04")
    given.head.write_bytes(log.head() + f"\N{EM DASH} {name} {b64(mine + time + signature)}\n".encode())
    verifier_key = f"{name}+{mine.hex()}+{b64(bytes([4]) + public)}"
    arguments = [str(given.folder), "--key", str(given.key), "--head", str(given.head), "--json", "--witness"]
    assert main([*arguments, verifier_key]) == 0
    assert json.loads(capsys.readouterr().out)["anchored_by"] == name
    other = raw_public(private(b"other"))
    assert main([*arguments, f"{name}+{key_id(name, other, bytes([4])).hex()}+{b64(bytes([4]) + other)}"]) == 0
    assert json.loads(capsys.readouterr().out)["anchored_by"] == "head"


def forked(records: int) -> tuple[Forge, Forge]:
    """Two histories of one log, so long, with a checkpoint in each third record; the second epoch is chained."""
    found = []
    for text in ("on", "off"):
        log = Forge()
        log.open()
        log.close()
        log.open(by=log.key)
        log.add("decision", f'{{"act":"{text}"}}')
        for place in range(records):
            log.checkpoint() if place % 3 == 2 else log.add("note")
        found.append(log)
    return found[0], found[1]


@pytest.mark.parametrize("records", [3, 6, 10, 21])
def test_evidence_of_a_fork_convinces_without_the_log(
    records: int, given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = forked(records)
    folder, evidence = write(given.beside / "forked", one.content()), given.beside / "evidence"
    given.head.write_bytes(other.head())
    assert main([str(folder), "--key", str(given.key), "--head", str(given.head), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "FORKED"
    evidence.write_text(document["evidence"])
    assert main(["--evidence", str(evidence), "--key", str(given.key)]) == 0
    assert "two histories" in capsys.readouterr().out


def test_evidence_with_a_head_between_two_checkpoints_has_a_proof(given: Given) -> None:
    one, other = forked(20)
    size = other.seq - 5
    text = f"{other.origin}\n{size}\n{b64(Forge(leaves=other.leaves[:size]).tree_root())}\n"
    given.head.write_bytes(note(text, other.key, other.origin))
    evidence = evidence_of(one, given)
    assert evidence.count("\nnode ") > 1
    assert "two histories" in proves_a_fork(evidence, one.public_key)
    lines = evidence.splitlines()
    for place, line in enumerate(lines):
        for changed in (
            lines[:place] + lines[place + 1 :],
            [*lines[:place], line[:-8] + "AAAAAAA=", *lines[place + 1 :]],
        ):
            with pytest.raises(BadNote):
                proves_a_fork("\n".join(changed), one.public_key)
    with pytest.raises(BadNote):
        proves_a_fork(evidence, Forge(root=private(b"other")).public_key)


def evidence_of(log: Forge, given: Given) -> str:
    from rfctl_verify.verify import verify_files

    folder = write(given.beside / "forked", log.content())
    found = verify_files(folder, given.key, heads=[given.head]).evidence
    assert found is not None
    return found


def test_nobody_forges_evidence_without_a_key(given: Given) -> None:
    one, _ = forked(9)
    text = f"{one.origin}\n5\n{b64(bytes(32))}\n"

    def forge(key: Ed25519PrivateKey) -> str:
        certificate = one.segments[0][1].split(b'"certificate":"')[1].split(b'"')[0].decode()
        head = note(text, key, one.origin)
        return (
            f"certificate {certificate}\nhead {b64(head)}\ncheckpoint {b64(one.head())}\nroot {b64(one.tree_root())}\n"
        )

    for key in (private(b"x"), one.root):
        with pytest.raises(BadNote):
            proves_a_fork(forge(key), one.public_key)


def test_the_single_file_needs_nothing_else_of_this_project(given: Given) -> None:
    program = given.beside / "verify_record.py"
    program.write_text(single_file(), encoding="utf-8")
    alone = (
        "import runpy, sys\n"
        f"sys.path = [path for path in sys.path if not path.startswith({str(ROOT)!r}) or 'site-packages' in path]\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-c", alone, *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=given.beside, check=False)

    assert "No module named 'rfctl_verify'" in run(str(ROOT / "drivers" / "rfctl_verify" / "__main__.py")).stderr
    done = run(str(program), str(given.folder), "--key", str(given.key), "--head", str(given.head))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("VALID-ANCHORED: 22 records.")
    assert run(str(program)).returncode == 2
