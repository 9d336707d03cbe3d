"""Makes the golden corpus anew: ``make golden``. The difference of summary.txt is what a change of decisions means."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rfctl.virtual import run_virtual
from tests.commands import rfctl
from tests.faults.test_mid_hold_virtual import CASES, HOST_CASES, name_of, strike
from tests.golden.corpus import SUMMARY, pack, summary, unpack
from tests.intents import noted_syncs


def main(folder: Path) -> None:
    """Run the demonstration and each fault, keep the records, and say what is in them."""
    demo = rfctl("demo", "--fast", "--tissue", "poles", "--seed", "7", "--json", "--out", "demo", cwd=folder)
    assert demo.exit_code == 0, demo
    pack("demo", [("demo", Path(demo.document["record"]))])
    faults = []
    for case in (*CASES, *HOST_CASES):
        place = folder / name_of(case)
        place.mkdir()
        struck = run_virtual(strike(place, case))
        faults.append((name_of(case), place / struck.result.document["record"]))
        print(f"{name_of(case)}: {struck.result.error}", file=sys.stderr)
    pack("faults", faults)
    kept = folder / "kept"
    SUMMARY.write_text("".join(map(summary, unpack(kept))), encoding="utf-8")


if __name__ == "__main__":
    with noted_syncs(), tempfile.TemporaryDirectory() as made:
        main(Path(made))
