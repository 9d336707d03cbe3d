"""Draw the first page of the demonstration's report for the README: `make pictures`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rfctl.record.keys import load_public_key
from rfctl.report.contents import contents
from rfctl.report.evidence import gather
from rfctl.report.report import render_pages

PICTURE = Path(__file__).parent / "pictures" / "report.png"
PPI = 110
MOST_BYTES = 250_000


def first_page() -> bytes:
    """As PNG, of a demonstration that has really run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [Path(sys.executable).with_name("rfctl"), "demo", "--fast", "--json", "--out", folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        document = json.loads(done.stdout)
        record, key_file = Path(document["record"]), Path(document["public_key"])
        key = load_public_key(key_file)
        return render_pages(contents(gather(record, key), record, key_file, key), PPI)[0]


if __name__ == "__main__":
    page = first_page()
    if len(page) > MOST_BYTES:
        sys.exit(f"{PICTURE}: {len(page)} bytes, the most is {MOST_BYTES}: lower PPI")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(page)
