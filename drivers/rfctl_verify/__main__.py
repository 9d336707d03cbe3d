"""The command: ``python -m rfctl_verify RECORD --key FILE``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rfctl_verify.files import Unreadable
from rfctl_verify.public_key import read_public_key
from rfctl_verify.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdict. Returns 0 when it is VALID-*, 1 for any other, 2 when there is nothing to verify."""
    parser = argparse.ArgumentParser(
        prog="rfctl_verify",
        description="Verify a record offline, with the public key alone.",
        epilog="Exit codes: 0 the verdict is VALID-*; 1 any other verdict; 2 usage or input.",
    )
    parser.add_argument("record", type=Path, help="the record: its folder, or its file")
    parser.add_argument("--key", required=True, type=Path, help="the public key file (.pub)")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args(arguments)
    try:
        verdict = verify(options.record, read_public_key(options.key))
    except Unreadable as problem:
        sys.stderr.write(f"rfctl_verify: {problem}\n")
        return 2
    if options.json:
        sys.stdout.write(f"{json.dumps(verdict.as_json())}\n")
    else:
        sys.stdout.write(f"{verdict}\n")
    return 0 if verdict.verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
