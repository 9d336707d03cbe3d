"""What was decided in the golden records is decided today, bit for bit, and each of them verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rfctl.kernel.effects import Off
from rfctl.kernel.step import step
from tests.golden.corpus import HERE, SUMMARY, summary, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.kernel.effects import Effect
    from rfctl.kernel.events import Event
    from rfctl.kernel.state import KernelState

MOST_BYTES = 600_000
REMEDY = "If the change of decisions is meant: make golden, and read the difference of tests/golden/summary.txt."


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return unpack(tmp_path_factory.mktemp("golden") / "kept")


def test_every_decision_comes_out_as_it_was_recorded(cases: list[Path]) -> None:
    assert "".join(map(summary, cases)) == SUMMARY.read_text(encoding="utf-8"), REMEDY


def test_a_decision_that_comes_out_otherwise_is_shown(cases: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = [case for case in cases if case.name == "impedance-open-device"]

    def later(state: KernelState, event: Event) -> tuple[KernelState, tuple[Effect, ...]]:
        after, effects = step(state, event)
        return after, tuple(effect for effect in effects if not isinstance(effect, Off))

    monkeypatch.setattr("rfctl.record.replay.step", later)
    told = r"impedance-open-device: \d of \d+: input 0, .*: 1 recorded, 0 decided now: only recorded is"
    with pytest.raises(AssertionError, match=told):
        summary(case)


def test_the_corpus_has_the_demonstration_and_faults_of_every_kind(cases: list[Path]) -> None:
    told = SUMMARY.read_text(encoding="utf-8")
    assert len(cases) > 20
    assert "demo: VALID-UNANCHORED" in told
    assert told.count("VALID-UNANCHORED") == len(cases)
    codes = {line.split(" s ")[1].split()[0] for line in told.splitlines() if " against " in line}
    assert len(codes) > 8
    assert sum(path.stat().st_size for path in HERE.glob("*.xz")) < MOST_BYTES
