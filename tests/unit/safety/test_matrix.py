"""The matrix is good only when every hazard is shown to be controlled, on this tree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rfctl.cli.safety import safety
from rfctl.errors import ConfigError
from rfctl.kernel.limits import ROWS
from rfctl.safety.hazards import Control, Hazard, catalogue, joined
from rfctl.safety.matrix import Matrix, build
from rfctl.safety.page import as_html, as_text
from rfctl.safety.results import Proof, Run, write_run
from rfctl.safety.tree import FILES, FOLDERS, tree_hash

ROW = next(row for row in ROWS if row.code == "over_set")
ROW_ID = "row.over_set"
KEYS = frozenset(
    {
        "title", "controls", "requirements", "tests", "t_measured_s", "t_limit_s", "boundary", "kill_proof",
        "nuisance_trips", "status",
    }
)  # fmt: skip
"""Of each hazard, for ever: others script against them."""
HAZARDS = (
    Hazard(id="HZ-01", title="hot", cause="<much>", severity="critical", controls=("gate",)),
    Hazard(id="HZ-61", title="skin burn", cause="insulation", severity="critical", statement="not seen from here"),
    Hazard(id="HZ-53", title="no flow", cause="kink", severity="critical", absent="cooled", controls=("refusal",)),
)
CONTROLS = (
    Control(id="gate", title="The gate", requirement="nothing passes"),
    Control(id="refusal", title="Refusal", requirement="cooled is refused"),
)
TABLE = joined(HAZARDS, CONTROLS, (ROW._replace(hazard="HZ-01"),))
OF_ROW = (
    Proof(test="t.py::fault", passed=True, requirement=ROW_ID, fault="spike", t_measured_s=0.2, t_limit_s=0.3),
    Proof(test="t.py::pair", passed=True, requirement=ROW_ID, below=84.9, above=85.1),
    Proof(test="t.py::kill", passed=True, requirement=ROW_ID, kills="t.py::fault"),
    Proof(test="t.py::normal", passed=True, requirement=ROW_ID, procedures=10, trips=0),
)
OTHERS = tuple(
    proof
    for name in ("gate", "refusal")
    for proof in (
        Proof(test=f"t.py::{name}", passed=True, requirement=name),
        Proof(test="t.py::kill", passed=True, requirement=name, kills=f"t.py::{name}"),
    )
)
ALL = (*OF_ROW, *OTHERS)


def of(*proofs: Proof, tree: str = "same", failed: int = 0) -> Matrix:
    return build(TABLE, [Run(tree=tree, tests=9 + failed, passed=9, proofs=proofs)], "same")


def test_with_everything_shown_it_is_good() -> None:
    matrix = of(*ALL)
    assert matrix.good
    assert [line.status for line in matrix.lines] == ["proved", "statement", "absent"]
    told = matrix.document()["hazards"]["HZ-01"]
    assert told["controls"] == [ROW_ID, "gate"]
    assert told["requirements"] == [ROW.text, "nothing passes"]
    assert told["tests"] == ["t.py::fault", "t.py::pair", "t.py::normal", "t.py::gate"]
    assert (told["t_measured_s"], told["t_limit_s"], told["nuisance_trips"]) == (0.2, 0.3, 0)
    assert told["boundary"] == {ROW_ID: (84.9, 85.1)}
    assert told["proofs"][0]["procedures"] == 10
    assert told["kill_proof"] == {ROW_ID: "t.py::fault", "gate": "t.py::gate"}


@pytest.mark.parametrize("lost", range(len(ALL)))
def test_each_proof_that_is_not_there_is_a_hole(lost: int) -> None:
    matrix = of(*ALL[:lost], *ALL[lost + 1 :])
    assert matrix.holes == (("HZ-53",) if ALL[lost].requirement == "refusal" else ("HZ-01",))
    assert not matrix.good


@pytest.mark.parametrize("at", range(len(ALL)))
def test_a_test_that_did_not_pass_is_a_hole(at: int) -> None:
    red = ALL[at].model_copy(update={"passed": False})
    assert of(*ALL[:at], red, *ALL[at + 1 :]).holes


def test_one_that_failed_beside_one_that_passed_is_a_hole() -> None:
    assert of(*ALL, Proof(test="t.py::other", passed=False, requirement="gate")).holes == ("HZ-01",)


def test_an_output_that_was_off_too_late_is_a_hole() -> None:
    late = OF_ROW[0].model_copy(update={"t_measured_s": 0.31})
    assert of(late, *ALL[1:]).holes == ("HZ-01",)


def test_a_trip_in_a_normal_procedure_is_a_hole() -> None:
    assert of(*ALL, OF_ROW[3].model_copy(update={"trips": 1})).holes == ("HZ-01",)


def test_a_tree_that_has_changed_a_red_test_and_an_unknown_name_are_not_good() -> None:
    assert not of(*ALL, tree="other").good
    assert not of(*ALL, failed=1).good
    astray = of(*ALL, Proof(test="t.py::astray", passed=True, requirement="gat"))
    assert not astray.good
    assert astray.unknown == ("gat",)
    assert "A test names gat" in as_text(astray)


def test_a_name_that_does_not_exist_and_a_control_that_nothing_needs_are_refused() -> None:
    with pytest.raises(ConfigError, match="HZ-01 names gate, which does not exist"):
        joined(HAZARDS, CONTROLS[1:], ())
    with pytest.raises(ConfigError, match="no hazard needs spare"):
        joined(HAZARDS, (*CONTROLS, Control(id="spare", title="", requirement="")), ())
    with pytest.raises(ConfigError, match=r"no hazard needs row\.over_set"):
        joined(HAZARDS, CONTROLS, (ROW._replace(hazard="HZ-99"),))


def test_the_shipped_catalogue_has_every_hazard() -> None:
    assert [hazard.id for hazard in catalogue().hazards] == [f"HZ-{number:02}" for number in range(1, 65)]


def test_the_page_says_what_is_missing_and_escapes_what_it_is_given() -> None:
    page = as_html(of(*ALL[1:], tree="other"))
    assert "&lt;much&gt;" in page
    assert "<much>" not in page
    assert "no fault was timed to output off" in page
    assert "The tree has changed" in page


def test_the_page_names_every_test_and_the_one_that_is_red_without_the_control() -> None:
    page = as_html(of(*ALL))
    assert "3 tests; red without the control: <code>fault</code>" in page
    for name in ("t.py::fault", "t.py::pair", "t.py::normal"):
        assert f"<li><code>{name}</code></li>" in page


def small_tree(root: Path) -> Path:
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
        (root / folder / "a.py").write_text("a = 1\n")
    for name in FILES:
        (root / name).write_text("")
    return root


@pytest.mark.parametrize("folder", FOLDERS)
def test_any_change_of_the_tree_changes_its_hash(tmp_path: Path, folder: str) -> None:
    root = small_tree(tmp_path)
    before = tree_hash(root)
    (root / folder / "__pycache__").mkdir()
    (root / folder / "__pycache__" / "a.pyc").write_bytes(b"x")
    assert tree_hash(root) == before
    (root / folder / "a.py").write_text("a = 2\n")
    changed = tree_hash(root)
    (root / folder / "a.py").rename(root / folder / "b.py")
    assert len({before, changed, tree_hash(root)}) == 3


def test_the_command_reads_results_and_exits_1_on_a_hole(tmp_path: Path) -> None:
    root = small_tree(tmp_path / "tree")
    write_run(root / "build" / "results" / "virtual.json", Run(tree=tree_hash(root), tests=9, passed=9, proofs=ALL[1:]))
    page = tmp_path / "matrix.html"
    done = CliRunner().invoke(safety, ["matrix", "--tree", str(root), "--html", str(page), "--json"])
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert len(told["hazards"]) == 64
    assert "HZ-01" in told["holes"]
    assert all(line.keys() >= KEYS for line in told["hazards"].values())
    assert {line["status"] for line in told["hazards"].values()} <= {"proved", "statement", "absent", "hole"}
    assert told["unknown_requirements"] == ["gate", "refusal"]
    assert page.read_text().startswith("<!doctype html>")


def test_what_is_no_result_is_refused_with_the_remedy(tmp_path: Path) -> None:
    root = small_tree(tmp_path)
    done = CliRunner().invoke(safety, ["matrix", "--tree", str(root)])
    assert isinstance(done.exception, ConfigError)
    assert "Run make test" in str(done.exception)
    (root / "build" / "results").mkdir(parents=True)
    (root / "build" / "results" / "virtual.json").write_text("{}")
    done = CliRunner().invoke(safety, ["matrix", "--tree", str(root)])
    assert "not the results of a test run" in str(done.exception)
    done = CliRunner().invoke(safety, ["matrix", "--tree", str(tmp_path / "build")])
    assert "is no checkout" in str(done.exception)
