"""rfctl check generator: what it prints and how it exits."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from rfctl.cli.main import main
from rfctl.model.shipped import shipped_root

STATION = """
[station]
id = "bench"
backend = "simulated"
medium = "phantom"

[generator]
link = "{link}"
profile = "{profile}"

[record]
state_folder = "state"
"""


def checked(folder: Path, *options: str, link: str = "sim:reference", profile: str = "rfctl-reference") -> int:
    """Exit code of the command."""
    (folder / "station.toml").write_text(STATION.format(link=link, profile=profile), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["check", "generator", "--station", str(folder / "station.toml"), *options])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_good_generator_exits_0_with_a_document_and_junit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    junit = tmp_path / "junit.xml"
    assert checked(tmp_path, "--json", "--junit", str(junit)) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "pass"
    assert (document["backend"], document["medium"], document["record"]) == ("simulated", "phantom", None)
    assert Path(document["profile"]).is_absolute()
    assert {row["verdict"] for row in document["checks"]} == {"pass", "not run"}
    suite = ET.parse(junit).getroot()
    assert suite.get("failures") == "0"
    assert len(suite) == len(document["checks"])


def test_a_wrong_profile_exits_1_and_shows_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (shipped_root() / "generators" / "rfctl-reference.toml").read_text(encoding="utf-8")
    line = 'impedance_ohm = { offset = 12, type = "f32" }'
    assert line in text
    profile = tmp_path / "wrong.toml"
    profile.write_text(text.replace(line, line.replace("}", ", scale = 0.1 }")), encoding="utf-8")
    junit = tmp_path / "junit.xml"
    assert checked(tmp_path, "--energise", "--junit", str(junit), profile="wrong.toml") == 1
    out = capsys.readouterr().out
    number = text.split("\n").index(line) + 1
    assert f"{profile}:{number}: impedance_ohm = {{ offset = 12" in out
    assert "nothing is turned on while something above fails" in out
    assert ET.parse(junit).getroot().get("failures") == "2"


def test_nobody_there_exits_4_and_a_wrong_path_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, link="tcp:127.0.0.1:1") == 4
    assert checked(tmp_path, profile="nowhere.toml") == 2
    assert checked(tmp_path, "--junit", str(tmp_path / "no" / "folder.xml")) == 2
    assert "no such folder" in capsys.readouterr().err
