"""``python -m tests.mutation``: change one thing after the other, and see which test notices.

python -m tests.mutation                       go on where the last run stopped, and write docs/mutation.md
python -m tests.mutation --minutes 30 rfctl.link.gate
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.mutation.campaign import KILLED, Campaign, until_ns
from tests.mutation.mutants import Mutant
from tests.mutation.page import page

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "mutation.jsonl"
PAGE = ROOT / "docs" / "mutation.md"
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:terminal", "-W", "ignore::pytest.PytestAssertRewriteWarning")
MODULES = {
    "rfctl.link.gate": ("tests/safety/test_gate.py", "tests/unit/link", "tests/contract/test_modbus.py"),
    "rfctl.kernel.guards": ("tests/unit/kernel", "tests/property"),
    "rfctl.kernel.stimulation_guards": ("tests/unit/kernel", "tests/property"),
    "rfctl.kernel.interlocks": ("tests/unit/kernel", "tests/property"),
    "rfctl.kernel.enable_loop": ("tests/unit/kernel", "tests/property"),
    "rfctl.guard.step": ("tests/unit/guard", "tests/virtual/test_relay.py"),
}


def digest(module: str) -> str:
    """Of the source that a result is about."""
    return hashlib.sha256(Path(inspect.getfile(import_module(module))).read_bytes()).hexdigest()[:12]


def kept(module: str) -> dict[str, tuple[str, str]]:
    """Fates by key that earlier runs found on the same source; a survivor is tried again."""
    if not RESULTS.exists():
        return {}
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    return {
        key: (fate, red)
        for of, source, key, fate, red in rows
        if of == module and source == digest(module) and fate == KILLED
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--minutes", type=float, default=600.0)
    parser.add_argument("modules", nargs="*", default=list(MODULES))
    given = parser.parse_args()
    end_ns = until_ns(given.minutes)
    for module in given.modules:
        source, known = digest(module), kept(module)
        others = [
            line
            for line in (RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else ())
            if json.loads(line)[0] != module
        ]
        mine = [json.dumps([module, source, key, *fate]) for key, fate in known.items()]
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("\n".join([*others, *mine, ""]), encoding="utf-8")

        def found(mutant: Mutant, fate: str, red: str, source: str = source) -> None:
            with RESULTS.open("a", encoding="utf-8") as out:
                out.write(json.dumps([mutant.module, source, mutant.key, fate, red]) + "\n")
            if fate != KILLED:
                print(f"{mutant.key}  [line {mutant.line}] {fate}", flush=True)

        campaign = Campaign([module], set(known), end_ns, found)
        tests = [test for test in MODULES[module] if (ROOT / test).exists()]
        pytest.main([*OPTIONS, *tests], plugins=[campaign])
    PAGE.write_text(page(RESULTS), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
