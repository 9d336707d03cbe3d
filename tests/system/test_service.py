"""rfctl serve, run, attach and stop as real processes on the real clock."""

from __future__ import annotations

import json
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.errors import EXIT_DEVICE, EXIT_DONE, EXIT_STOPPED, EXIT_USAGE
from rfctl.record.keys import load_public_key
from rfctl.record.verify import Outcome, verify
from rfctl.station import local_socket
from tests.log_tools import LEFT_BY_A_KILL
from tests.system.service_rig import ANSWERS, PLAN, Rig, rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.real_time

AT_ONCE = 3
"""Scenarios that run side by side: each has a generator and a service of its own, and most of them wait."""


def a_terminated_service(rig: Rig) -> None:
    service = rig.serve()
    pings = rig.notify.until("WATCHDOG=1")[:-1]
    assert not any(message.startswith("READY") for message in pings)
    rig.notify.until("WATCHDOG=1")

    code, _ = rig.command("serve", "--station", "station.toml")
    assert code == EXIT_USAGE
    assert f"process {service.pid} runs this station" in rig.errors("serve")

    watcher = rig.client("Bo")
    watcher.ask("watch")
    run = rig.run()
    assert watcher.phase("hold")["snapshot"]["channels"][0]["rf_on"]
    rig.notify.forget()
    service.send_signal(signal.SIGTERM)
    ended = watcher.until(lambda line: "ended" in line)["ended"]
    assert not rig.rf_on()
    assert rig.events("lease_expired") == []  # the service turned off, not the generator's lease

    assert ended["exit_code"] == EXIT_STOPPED
    assert ended["document"]["ending"] == "stopped by SIGTERM"
    assert rig.finish(service)[0] == EXIT_STOPPED
    rig.notify.until("STOPPING=1")
    code, output = rig.finish(run)
    assert code == EXIT_STOPPED
    document = json.loads(output)
    assert document["off_verified"]
    verdict = verify(rig.folder / document["record"], load_public_key(rig.folder / document["public_key"]))
    assert verdict.verdict is Outcome.VALID_UNANCHORED


def a_killed_service(rig: Rig) -> None:
    service = rig.serve()
    holder = rig.client("Ada")
    holder.ask("watch")
    assert holder.ask("take")["ok"]
    assert holder.ask("start", plan=PLAN, answers=ANSWERS)["ok"]
    holder.phase("hold")
    service.kill()
    service.wait()

    again = rig.serve()
    assert not rig.rf_on()
    killed, first = rig.records()[-2:]
    assert killed[0]["plan_sha256"] != first[0]["plan_sha256"]
    assert first[0]["previous_record_unclean"]["pid"] == service.pid
    assert first[0]["previous_record_unclean"]["verdict"] in LEFT_BY_A_KILL
    again.send_signal(signal.SIGTERM)
    assert rig.finish(again)[0] == EXIT_DONE  # it only watched: nothing was stopped


def a_hanging_service(rig: Rig) -> None:
    rig.serve(**rig.hanging_driver())
    holder = rig.client("Ada")
    holder.ask("watch")
    holder.ask("take")
    assert holder.ask("start", plan=PLAN, answers=ANSWERS)["ok"]
    holder.phase("hold")
    assert rig.rf_on()

    rig.hang()
    with local_socket.connect(rig.state, "stop.sock", timeout_s=10) as stop:
        answer = json.loads(stop.makefile("rb").readline())
    assert not rig.rf_on()
    assert (answer["off_measured"], answer["sent_by"]) == (True, "the STOP thread")
    off_ns = max(event["monotonic_ns"] for event in rig.events("phase"))
    assert all(event["monotonic_ns"] > off_ns for event in rig.events("lease_expired"))
    assert rig.notify.silent_for(0.7)  # nothing but the decision loop feeds the watchdog

    code, output = rig.command("stop", "--station", "station.toml", "--json")
    assert (code, json.loads(output)["sent_by"]) == (EXIT_DONE, "the STOP thread")

    rig.unhang()
    ended = holder.until(lambda line: "ended" in line)["ended"]
    assert ended["exit_code"] in {EXIT_STOPPED, EXIT_DEVICE}
    assert ended["document"]["off_verified"]
    holder.idle()  # watching again
    assert not rig.rf_on()


def a_hanging_service_on_a_serial_line(rig: Rig) -> None:
    a_hanging_service(rig)


def two_people(rig: Rig) -> None:
    service = rig.serve()
    ada, bo = rig.client("Ada"), rig.client("Bo")
    attached = rig.start("attach", "--station", "station.toml", "--name", "Cy")
    for person in (ada, bo):
        assert person.ask("watch")["ok"]
    assert ada.ask("take")["ok"]
    refused = bo.ask("take")
    assert not refused["ok"]
    assert "Ada" in refused["error"]
    assert not bo.ask("start", plan=PLAN)["ok"]
    assert ada.ask("start", plan=PLAN)["ok"]

    for question, choice in (("checklist", "confirm"), ("arm", "arm"), ("start", "start")):
        channel = ada.asked(question)["snapshot"]["question"]["channel"]
        assert bo.asked(question)["holder"].startswith("Ada")
        answer: dict[str, Any] = {"channel": channel, "question": question, "choice": choice}
        refused = bo.ask("answer", **answer)
        assert not refused["ok"]
        assert "control right" in refused["error"]
        assert ada.ask("answer", **answer)["ok"]
    ada.phase("ramp")
    assert not ada.ask("answer", channel=1, question="start", choice="start")["ok"]  # it is answered
    assert not ada.ask("release")["ok"]
    bo.phase("hold")
    assert rig.rf_on()
    service.send_signal(signal.SIGHUP)
    ada.told("not read again: energised")

    assert bo.ask("stop")["ok"]
    for person in (ada, bo):
        ended = person.until(lambda line: "ended" in line)["ended"]
        assert ended["document"]["ending"].startswith("stopped by Bo")
    assert not rig.rf_on()
    assert rig.events("lease_expired") == []
    assert ada.ask("release")["ok"]
    assert bo.ask("take")["ok"]
    attached.send_signal(signal.SIGINT)
    assert rig.finish(attached)[0] == EXIT_DONE
    assert "stopped by Bo" in rig.errors("attach")

    station = (rig.folder / "station.toml").read_text(encoding="utf-8")
    for before, after, said in (
        ('title = "Bench"', 'title = "Bench 2"', "was read again"),
        ('medium = "tissue"', 'medium = "load"', "medium changed, which takes a restart"),
        ("[station]", "[station", "not valid TOML"),
    ):
        rig.write("station.toml", station.replace(before, after))
        service.send_signal(signal.SIGHUP)
        bo.told(said)


def a_lost_holder(rig: Rig) -> None:
    rig.serve()
    watcher = rig.client("Bo")
    watcher.ask("watch")
    run = rig.run()
    watcher.phase("hold")
    run.kill()
    ended = watcher.until(lambda line: "ended" in line)["ended"]
    assert not rig.rf_on()
    assert rig.events("lease_expired") == []
    assert "loss of the connection of" in ended["document"]["ending"]
    assert watcher.idle()["holder"] is None
    assert watcher.ask("take")["ok"]


def a_stopped_run(rig: Rig) -> None:
    code, output = rig.command("stop", "--station", "station.toml", "--json")
    assert (code, json.loads(output)["sent_by"]) == (EXIT_DONE, "this command")

    run = rig.run()
    rig.until(rig.rf_on)
    code, output = rig.command("stop", "--station", "station.toml", "--json")
    assert (code, json.loads(output)["off_measured"]) == (EXIT_DONE, True)
    assert not rig.rf_on()
    assert rig.events("lease_expired") == []
    code, output = rig.finish(run)
    assert code == EXIT_STOPPED
    assert json.loads(output)["ending"].startswith("stopped by rfctl stop (user ")

    rig.write("station.toml", (rig.folder / "station.toml").read_text().replace(rig.link, "tcp:127.0.0.1:9"))
    code, _ = rig.command("stop", "--station", "station.toml")
    assert code == EXIT_DEVICE
    assert "NOT MEASURED OFF" in rig.errors("stop")


SCENARIOS: tuple[Callable[[Rig], None], ...] = (
    a_terminated_service,
    a_hanging_service,
    two_people,
    a_killed_service,
    a_lost_holder,
    a_stopped_run,
    a_hanging_service_on_a_serial_line,
)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    """Every scenario under way, by its name."""

    def play(scenario: Callable[[Rig], None], folder: Path) -> None:
        with rig(folder, serial="serial" in scenario.__name__) as the_rig:
            scenario(the_rig)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield {
            scenario.__name__: threads.submit(play, scenario, tmp_path_factory.mktemp(scenario.__name__))
            for scenario in SCENARIOS
        }


def test_a_service_is_ready_feeds_its_watchdog_and_at_sigterm_in_hold_turns_off_first(
    played: dict[str, Future[None]],
) -> None:
    played["a_terminated_service"].result()


def test_a_stop_reaches_the_generator_while_the_event_loop_hangs(played: dict[str, Future[None]]) -> None:
    played["a_hanging_service"].result()


def test_a_stop_reaches_the_generator_over_a_serial_line_while_the_event_loop_hangs(
    played: dict[str, Future[None]],
) -> None:
    played["a_hanging_service_on_a_serial_line"].result()


def test_one_holds_the_control_right_and_the_other_watches_and_can_only_stop(played: dict[str, Future[None]]) -> None:
    played["two_people"].result()


def test_after_a_kill_the_next_start_is_off_verified_and_records_the_unclean_end(
    played: dict[str, Future[None]],
) -> None:
    played["a_killed_service"].result()


def test_when_the_holder_is_lost_in_hold_the_service_turns_off(played: dict[str, Future[None]]) -> None:
    played["a_lost_holder"].result()


def test_stop_is_measured_off_with_a_run_without_one_and_says_so_when_it_cannot_be(
    played: dict[str, Future[None]],
) -> None:
    played["a_stopped_run"].result()
