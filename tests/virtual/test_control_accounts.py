"""The control socket of a station with accounts: who may take control, and what the record hears of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.accounts import accounts_file, passwords
from rfctl.accounts.accounts_file import Account
from rfctl.accounts.deeds import Deed, Done
from rfctl.accounts.door import IDLE_NS
from rfctl.accounts.roles import WITHOUT_PATIENT, Act, Role
from rfctl.clock import NS_PER_S
from rfctl.station.control import ControlServer
from tests.control_peer import PASSWORD, Client, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rfctl.accounts.door import Login
    from rfctl.clock import Clock


class Station:
    """A service that only remembers."""

    def __init__(self) -> None:
        self.onlooker: Any = None
        self.busy = False
        self.begun: list[tuple[str, Login | None]] = []
        self.heard: list[bool] = []
        self.answered = 0
        self.stopped_by: list[str] = []
        self.done: list[Done] = []

    def begin(
        self, plan_text: str, answers_text: str | None, by: str, login: Login | None, *, alarm_heard: bool
    ) -> None:
        self.busy = True
        self.begun.append((by, login))
        self.heard.append(alarm_heard)

    def answer(self, channel: int, question: str, choice: str, reason: str = "", physician: str = "") -> None:
        self.answered += 1

    def acknowledge(self, login: Login | None) -> None:
        """Nothing stands."""

    def record(self, done: Done) -> None:
        self.done.append(done)

    def stop(self, by: str) -> None:
        self.stopped_by.append(by)
        self.busy = False

    def status(self) -> dict[str, Any]:
        return {}


@pytest.fixture(scope="module")
def hashed() -> str:
    return passwords.hash_of(PASSWORD)


@pytest.fixture
def file(tmp_path: Path, hashed: str) -> Path:
    path = tmp_path / "accounts.toml"
    for name, role in (("anna", Role.OPERATOR), ("egon", Role.ENGINEER), ("vera", Role.VIEWER)):
        accounts_file.add(path, Account(name, frozenset({role}), hashed))
    return path


class Rig:
    """A control server with accounts, and clients of it."""

    def __init__(self, folder: Path, server: ControlServer) -> None:
        self.station = Station()
        self.server = server
        self._folder = folder
        self._clients: list[Client] = []

    async def client(self) -> Client:
        client = await connect(self._folder)
        self._clients.append(client)
        return client

    async def close(self) -> None:
        for client in self._clients:
            client.close()
        await self.server.close()

    @property
    def deeds(self) -> list[tuple[Deed, str]]:
        return [(done.deed, done.actor) for done in self.station.done]


@pytest.fixture(params=[False], ids=["no patient"])
async def rig(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path, file: Path) -> AsyncIterator[Rig]:
    found = Rig(tmp_path, ControlServer(clock, file, patient=request.param))
    await found.server.open(tmp_path, found.station)
    yield found
    await found.close()


IN_TISSUE = pytest.mark.parametrize("rig", [True], indirect=True, ids=["patient"])


async def test_without_a_login_nothing_can_be_begun_and_everything_stopped(rig: Rig) -> None:
    client = await rig.client()
    await client.ask("hello", name="anna")
    refused = await client.ask("take")
    assert (refused["ok"], refused["exit_code"]) == (False, 3)
    assert "control takes a login" in refused["error"]
    assert not (await client.ask("start", plan=""))["ok"]
    assert (await client.ask("watch"))["ok"]
    assert (await client.ask("stop"))["ok"]
    assert (await client.ask("status"))["ok"]
    assert rig.station.begun == []
    assert len(rig.station.stopped_by) == 1


async def test_an_operator_begins_and_signs_with_name_and_role(rig: Rig) -> None:
    client = await rig.client()
    assert (await client.log_in("anna"))["roles"] == ["operator"]
    assert (await client.ask("take"))["holder"].startswith("anna (operator) (process ")
    assert (await client.ask("start", plan=""))["ok"]
    ((by, login),) = rig.station.begun
    assert by == "anna (operator)"
    assert login is not None
    assert (await client.ask("answer", channel=0, question="checklist", choice="confirm"))["ok"]
    await client.ask("stop")
    assert rig.station.stopped_by[0].startswith("anna (operator) (process ")
    assert not (await client.ask("hello", name="somebody else"))["ok"]
    assert not (await client.log_in("egon"))["ok"]  # one at a time


async def test_a_viewer_may_not_take_control(rig: Rig) -> None:
    client = await rig.client()
    assert (await client.log_in("vera"))["ok"]
    refused = await client.ask("take")
    assert (refused["ok"], refused["exit_code"]) == (False, 3)
    assert "vera (viewer) has not" in refused["error"]


async def test_an_engineer_may_where_there_is_no_patient(rig: Rig) -> None:
    client = await rig.client()
    await client.log_in("egon")
    assert (await client.ask("take"))["ok"]


@IN_TISSUE
async def test_an_engineer_may_not_where_there_is_one(rig: Rig) -> None:
    client = await rig.client()
    await client.log_in("egon")
    assert "in tissue takes the role operator" in (await client.ask("take"))["error"]
    await client.ask("logout")
    await client.log_in("anna")
    assert (await client.ask("take"))["ok"]


@IN_TISSUE
async def test_on_a_patient_nothing_begins_before_the_alarm_was_heard(rig: Rig) -> None:
    client = await rig.client()
    await client.log_in("anna")
    await client.ask("take")
    for told in ({}, {"alarm_heard": False}):
        refused = await client.ask("start", plan="", **told)
        assert (refused["ok"], refused["exit_code"]) == (False, 3)
        assert "nobody says that the alarm's test tone was heard" in refused["error"]
    assert not (await client.ask("start", plan="", alarm_heard="yes"))["ok"]
    assert rig.station.begun == []
    assert (await client.ask("start", plan="", alarm_heard=True))["ok"]
    assert rig.station.heard == [True]


async def test_logins_and_refused_ones_and_their_ends_are_recorded(rig: Rig) -> None:
    client = await rig.client()
    assert not (await client.log_in("anna", "wrong horse"))["ok"]
    await client.log_in("anna")
    await client.ask("take")
    await client.ask("logout")
    await client.log_in("anna")
    client.close()
    await asyncio.sleep(1)
    assert rig.deeds == [
        (Deed.LOGIN_REFUSED, "anna"),
        (Deed.LOGIN, "anna"),
        (Deed.LOGOUT, "anna"),
        (Deed.LOGIN, "anna"),
        (Deed.LOGOUT, "anna"),
    ]
    assert [done.reason for done in rig.station.done][::4] == ["name or password is wrong", "the connection was lost"]
    assert all("horse" not in str(done.members()) for done in rig.station.done)
    other = await rig.client()
    assert (await other.ask("status"))["holder"] is None


async def test_logging_out_in_mid_procedure_is_refused(rig: Rig) -> None:
    client = await rig.client()
    await client.log_in("anna")
    await client.ask("take")
    await client.ask("start", plan="")
    assert "procedure is under way" in (await client.ask("logout"))["error"]
    assert rig.deeds == [(Deed.LOGIN, "anna")]


async def test_an_expired_login_answers_and_begins_nothing_more(rig: Rig) -> None:
    client = await rig.client()
    await client.log_in("anna")
    await client.ask("take")
    await asyncio.sleep(IDLE_NS / NS_PER_S + 1)
    for do, members in (("answer", {"channel": 0, "question": "arm", "choice": "arm"}), ("start", {"plan": ""})):
        refused = await client.ask(do, **members)
        assert (refused["ok"], refused["exit_code"]) == (False, 3)
        assert "login of anna has expired" in refused["error"]
    assert (rig.station.answered, rig.station.begun) == (0, [])


async def test_an_account_disabled_since_the_login_begins_nothing(rig: Rig, file: Path) -> None:
    client = await rig.client()
    await client.log_in("anna")
    accounts_file.change(file, "anna", disabled=True)
    assert "changed since the login" in (await client.ask("take"))["error"]


TAKES_OVER = [("sensory_high", "override"), ("reposition", "override"), ("position", "confirm")]


@pytest.mark.parametrize(("question", "choice"), TAKES_OVER)
@pytest.mark.parametrize("rig", [False, True], indirect=True, ids=["no patient", "patient"])
async def test_who_lost_the_role_takes_no_check_over_and_the_record_says_so(
    rig: Rig, file: Path, question: str, choice: str
) -> None:
    client = await rig.client()
    await client.log_in("anna")
    assert (await client.ask("take"))["ok"]
    words = {"channel": 1, "question": question, "choice": choice, "reason": "felt at 1.1 V", "physician": "Dr. Weber"}
    assert (await client.ask("answer", **words))["ok"]
    accounts_file.change(file, "anna", roles=frozenset({Role.VIEWER}))
    refused = await client.ask("answer", **words)
    assert (refused["ok"], refused["exit_code"]) == (False, 3)
    assert "account of anna was changed since the login" in refused["error"]
    assert rig.station.answered == 1
    assert rig.deeds[-1] == (Deed.OVERRIDE_REFUSED, "anna")
    assert rig.station.done[-1].reason in refused["error"]


@pytest.mark.parametrize(("question", "choice"), TAKES_OVER)
async def test_a_role_that_may_not_take_over_is_refused_whatever_else_it_may(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, question: str, choice: str
) -> None:
    monkeypatch.setitem(WITHOUT_PATIENT, Act.OVERRIDE, frozenset({Role.OPERATOR}))
    client = await rig.client()
    await client.log_in("egon")
    assert (await client.ask("take"))["ok"]
    refused = await client.ask("answer", channel=1, question=question, choice=choice, reason="felt at 1.1 V")
    assert "override takes the role operator, and egon (engineer) has not" in refused["error"]
    assert (await client.ask("answer", channel=1, question="reposition", choice="done"))["ok"]
    assert rig.station.answered == 1
    assert rig.deeds[-1] == (Deed.OVERRIDE_REFUSED, "egon")


async def test_only_one_password_is_looked_at_at_a_time(rig: Rig) -> None:
    clients = [await rig.client() for _ in range(4)]
    replies = await asyncio.gather(*(client.log_in("anna") for client in clients))
    assert sum(reply["ok"] for reply in replies) == 1
    assert all("just logging in" in reply["error"] for reply in replies if not reply["ok"])


async def test_a_station_without_accounts_says_so(clock: Clock, tmp_path: Path) -> None:
    rig = Rig(tmp_path, ControlServer(clock))
    await rig.server.open(tmp_path, rig.station)
    client = await rig.client()
    refused = await client.log_in("anna")
    assert (refused["ok"], refused["exit_code"]) == (False, 2)
    assert (await client.ask("take"))["ok"]
    await rig.close()
