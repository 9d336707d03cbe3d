"""The command: ``python -m rfctl_verify RECORD --key FILE``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rfctl_verify.evidence import MAX_EVIDENCE_BYTES, proves_a_fork
from rfctl_verify.files import Unreadable, read_whole
from rfctl_verify.note import BadNote
from rfctl_verify.public_key import read_public_key
from rfctl_verify.verify import verify_files

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdict. Returns 0 when it is VALID-* or the evidence proves, 1 when not, 2 for usage or input."""
    parser = argparse.ArgumentParser(
        prog="rfctl_verify",
        description="Verify a record offline, with the public key alone.",
        epilog="Exit codes: 0 the verdict is VALID-*, or the evidence proves a fork; 1 not; 2 usage or input.",
    )
    parser.add_argument("record", type=Path, nargs="?", help="the log's folder, or the file of a record in format 0")
    parser.add_argument("--key", required=True, type=Path, metavar="FILE", help="the public key of the root (.pub)")
    parser.add_argument("--head", type=Path, action="append", default=[], metavar="FILE", help="heads seen elsewhere")
    parser.add_argument("--witness", action="append", default=[], metavar="KEY", help="verifier key, or its file")
    parser.add_argument("--evidence", type=Path, metavar="FILE", help="check evidence of a fork instead of a record")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args(arguments)
    if (options.record is None) == (options.evidence is None):
        parser.error("give a record, or --evidence")
    try:
        if options.evidence is not None:
            return _judge_evidence(options.evidence, options.key)
        verdict = verify_files(options.record, options.key, heads=options.head, witnesses=options.witness)
    except Unreadable as problem:
        sys.stderr.write(f"rfctl_verify: {problem}\n")
        return 2
    sys.stdout.write(f"{json.dumps(verdict.as_json()) if options.json else verdict}\n")
    return 0 if verdict.verdict.good else 1


def _judge_evidence(path: Path, key: Path) -> int:
    text = read_whole(path, MAX_EVIDENCE_BYTES).decode("ascii", "replace")
    try:
        sys.stdout.write(f"FORKED: {proves_a_fork(text, read_public_key(key))}\n")
    except BadNote as problem:
        sys.stdout.write(f"proves nothing: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
