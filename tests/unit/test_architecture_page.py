"""docs/architecture.md is the index of the code: it names each file once."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
NAMED = re.compile(r"`((?:rfctl|drivers|simulators)/[\w/]+\.py)`")


def test_every_file_is_named_once_and_no_other():
    named = Counter(NAMED.findall(PAGE.read_text(encoding="utf-8")))
    folders = (ROOT / name for name in ("rfctl", "drivers", "simulators"))
    files = {
        str(path.relative_to(ROOT)) for folder in folders for path in folder.rglob("*.py") if path.name != "__init__.py"
    }
    assert named == dict.fromkeys(files, 1)
