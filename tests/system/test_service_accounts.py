"""A service with accounts, from the terminal to the record: who logged in, began and answered; STOP takes no name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rfctl.accounts import accounts_file, passwords
from rfctl.accounts.accounts_file import Account
from rfctl.accounts.roles import Role
from rfctl.record.segments import entries
from tests.system.service_rig import PLAN, rig

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse"


def began(record: Path) -> int:
    """When a session began; two of one second have names in no order."""
    return next(entries(record)).mono_ns


@pytest.mark.real_time
def test_a_procedure_at_a_service_names_who_began_it_and_a_stop_needs_no_name(tmp_path: Path) -> None:
    with rig(tmp_path, serial=False) as bench:
        accounts_file.add(
            tmp_path / "accounts.toml", Account("anna", frozenset({Role.OPERATOR}), passwords.hash_of(PASSWORD))
        )
        station = (tmp_path / "station.toml").read_text(encoding="utf-8")
        bench.write("station.toml", station.replace("[station]", '[station]\naccounts = "accounts.toml"'))
        for name, text in (("right", PASSWORD), ("wrong", "wrong horse")):
            bench.write(name, text + "\n")
            (tmp_path / name).chmod(0o600)
        service = bench.serve()
        files = ("--station", "station.toml", "--plan", "plan.toml", "--answers", "answers.toml", "--json")
        code, output = bench.command("run", *files, "--operator", "anna", "--password-file", "wrong")
        assert (code, output) == (3, "")
        assert "name or password is wrong" in bench.errors("run")
        run = bench.start("run", *files, "--operator", "anna", "--password-file", "right")
        bench.until(bench.rf_on)
        assert bench.command("stop", "--station", "station.toml")[0] == 0
        ended = bench.finish(run)
        assert ended[0] == 3, (ended, bench.errors("run"))

        person = bench.client("somebody")
        assert person.ask("login", name="anna", password=PASSWORD)["ok"]
        assert person.ask("take")["ok"]
        assert person.ask("watch")["ok"]
        assert person.ask("start", plan=PLAN, alarm_heard=True)["ok"]
        asked = person.asked("checklist")["snapshot"]["question"]
        assert person.ask("answer", channel=asked["channel"], question="checklist", choice="confirm")["ok"]
        person.asked("arm")
        assert person.ask("stop")["ok"]
        person.until(lambda line: "ended" in line)
        person.close()
        service.terminate()
        assert service.wait(25) == 0

        deeds, answered, stopped = [], [], []
        for path in sorted((tmp_path / "records").glob("*/record"), key=began):
            for entry in entries(path):
                if entry.kind == "person":
                    roles = entry.members["roles"]
                    assert entry.actor == (f"anna ({', '.join(roles)})" if roles else "anna")
                    deeds.append((entry.members["deed"], entry.members["actor"], entry.members["roles"]))
                event = entry.members.get("event")
                if isinstance(event, list) and event[0] == "Answered":
                    answered.append(event[3])
                    assert entry.actor == answered[-1]
                if isinstance(event, list) and event[0] == "Stopped":
                    stopped.append(event[-1])
                    assert entry.actor == stopped[-1]
    anna = ("anna", ["operator"])
    assert deeds == [
        ("login_refused", "anna", []),
        ("login", *anna),
        ("start", *anna),
        ("logout", *anna),
        ("login", *anna),
        ("alarm_heard", *anna),
        ("start", *anna),
        ("logout", *anna),
    ]
    assert answered[0].endswith(", for anna (operator)")
    assert answered[-1] == "anna (operator)"
    assert any(by.startswith("rfctl stop (user ") for by in stopped)
    assert any(by.startswith("anna (operator) (process ") for by in stopped)
