"""The station file: one computer, one generator, what its electrodes stand in."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from rfctl.accounts import accounts_file
from rfctl.errors import ConfigError
from rfctl.guard.limits import TEMPERATURE_MAX_C
from rfctl.link import serial_line
from rfctl.link.relay import MOST_RELAYS, MOST_TENTHS
from rfctl.model import shipped, strict_toml
from rfctl.model.plan import Medium
from rfctl.station import simulated_link
from rfctl.station.simulated_link import SimulatedLink
from rfctl.telemetry.broker import Broker, split_url

SCHEMES = ("tcp:", "rtutcp:", "linetcp:", *serial_line.SCHEMES, simulated_link.SCHEME)

DEFAULT_SITE = "site"
SIMULATED_RELAY = "sim:"
"""The board in the enable loop of the simulator in this process."""


class StationSection(strict_toml.Strict):
    """``[station]``."""

    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str = ""
    backend: Literal["device", "simulated"] = "device"
    medium: Medium
    real_time: bool = Field(default=False, strict=True)
    accounts: str | None = Field(default=None, min_length=1)
    isolation: Literal["isolated adapter", "network isolator", "fibre"] | None = None

    @field_validator("medium", mode="before")
    @classmethod
    def _medium(cls, value: object) -> object:
        return Medium(value) if isinstance(value, str) and value in set(Medium) else value


class NeighbourSection(strict_toml.Strict):
    """``[[generator.neighbours]]``: another unit on the generator's line, which is only read."""

    name: str = Field(min_length=1, max_length=64)
    unit: int = Field(ge=1, le=247)
    space: Literal["input", "holding", "coil", "discrete"] = "holding"
    address: int = Field(default=0, ge=0, le=0xFFFF)
    count: int = Field(default=1, ge=1, le=125)
    reply_ms: int = Field(ge=1, le=1000)
    every_s: float = Field(default=1.0, ge=0.2, le=3600.0)


class GeneratorSection(strict_toml.Strict):
    """``[generator]``."""

    link: str
    profile: str = "rfctl-reference"
    profile_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    temperature_control: Literal["auto", "device", "host"] = "auto"
    neighbours: tuple[NeighbourSection, ...] = ()

    @field_validator("neighbours")
    @classmethod
    def _neighbours(cls, value: tuple[NeighbourSection, ...], info: ValidationInfo) -> tuple[NeighbourSection, ...]:
        if value and str(info.data.get("link", "")).partition(":")[0] in {"line", "linetcp"}:
            raise ValueError("only a Modbus line carries several units")
        if len({each.unit for each in value}) < len(value) or len({each.name for each in value}) < len(value):
            raise ValueError("two neighbours with the same unit or name")
        return value

    @field_validator("link")
    @classmethod
    def _link(cls, value: str) -> str:
        if not value.startswith(SCHEMES):
            raise ValueError(
                "a link is tcp:HOST:PORT, rtu:PATH, rtutcp:HOST:PORT, linetcp:HOST:PORT, line:PATH, or sim:NAME for "
                "the simulator in process"
            )
        if value.startswith(serial_line.SCHEMES):
            try:
                serial_line.SerialLine.parse(value)
            except ConfigError as problem:
                raise ValueError(f"{problem.what}. {problem.remedy}") from None
        if value.startswith(simulated_link.SCHEME):
            SimulatedLink.parse(value)
        return value


class RelaySection(strict_toml.Strict):
    """``[relay]``: the interlock relay in the generator's enable loop."""

    link: str
    unit: int = Field(default=1, ge=1, le=247)
    relay: int = Field(default=0, ge=0, lt=MOST_RELAYS)
    input: int = Field(default=0, ge=0, lt=MOST_RELAYS)
    closed_reads: bool = Field(default=True, strict=True)
    time_ms: int = Field(default=300, ge=100, le=100 * MOST_TENTHS, multiple_of=100)
    hold_up_ms: int | None = Field(default=None, ge=0, le=500)
    reply_ms: int | None = Field(default=None, ge=5, le=100)

    @field_validator("link")
    @classmethod
    def _link(cls, value: str) -> str:
        if value != SIMULATED_RELAY and not value.startswith(("rtu:", "rtutcp:")):
            raise ValueError(
                "the way to a relay board is rtu:PORT, rtutcp:HOST:PORT, or sim: for that of the simulator"
            )
        return value


class GuardSection(strict_toml.Strict):
    """``[guard]``: its own limits, where they are to be tighter."""

    temperature_max_c: float = Field(default=TEMPERATURE_MAX_C, ge=40.0, le=TEMPERATURE_MAX_C)


class CalibrationSection(strict_toml.Strict):
    """``[calibration]``: of the generator, by its certificate."""

    done: date
    due: date

    @field_validator("due")
    @classmethod
    def _due(cls, value: date, info: ValidationInfo) -> date:
        done = info.data.get("done")
        if done is not None and value <= done:
            raise ValueError(f"due {value} is not after done {done}")
        return value


class RecordSection(strict_toml.Strict):
    """``[record]``."""

    folder: str | None = None
    state_folder: str | None = None
    keys: str | None = Field(default=None, min_length=1)
    log: str | None = Field(default=None, min_length=1)

    @field_validator("log")
    @classmethod
    def _log(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("keys") is None:
            raise ValueError("a log without keys: without record.keys every session makes a log of its own")
        return value


class MqttSection(strict_toml.Strict):
    """``[mqtt]``: where telemetry goes."""

    broker: str
    site: str = Field(default=DEFAULT_SITE, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    username: str | None = None
    password_file: str | None = None

    @field_validator("broker")
    @classmethod
    def _broker(cls, value: str) -> str:
        split_url(value)
        return value

    @field_validator("password_file")
    @classmethod
    def _password_file(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("username") is None:
            raise ValueError("a password without a username: add mqtt.username")
        return value


class StationFile(strict_toml.Strict):
    """The whole file."""

    station: StationSection
    generator: GeneratorSection
    relay: RelaySection | None = None
    guard: GuardSection | None = None
    calibration: CalibrationSection | None = None
    record: RecordSection = RecordSection()
    mqtt: MqttSection | None = None


@dataclass(frozen=True, slots=True)
class Station:
    """A station as the rest of the system sees it.

    Attributes:
        id: Its name, for ever.
        title: What people call it.
        simulated: The station file says that the generator is a simulator.
        medium: What the electrodes stand in.
        link: ``tcp:HOST:PORT``, ``rtu:PATH``, ``rtutcp:HOST:PORT``, or as in rfctl.station.simulated_link.
        profile: Name or path of the generator's profile.
        profile_sha256: Digest of the one profile that may be energised by, hexadecimal; None: not stated.
        temperature_control: Who controls the tip temperature; ``auto``: the generator if it can, else the station.
        neighbours: Other units on the generator's line, which are only read.
        record_folder: Where records go.
        state_folder: Where the station keeps its lock and what it must know after a crash.
        keys: Epochs that were prepared for the station's log; None: every session makes a log of its own.
        log: Where the station's one log lies, if it has keys.
        sha256: Hash of the file.
        folder: Folder of the file, for the paths in it.
        site: Where the station stands, as the topics of telemetry name it.
        broker: Where telemetry goes; None for nowhere.
        real_time: The loop is to run before other programs, as in rfctl.station.real_time.
        relay: The interlock relay; None for none.
        guard: Holds it; there is either both or neither.
        isolation: What isolates this computer from the generator's electrodes; None: not stated.
        calibration: Of the generator; None: not stated.
        accounts: Who may do what, as in rfctl.accounts.accounts_file; None: nobody is asked (a simulator only).
    """

    id: str
    title: str
    simulated: bool
    medium: Medium
    link: str
    profile: str
    record_folder: Path
    state_folder: Path
    log: Path
    sha256: str
    folder: Path
    site: str = DEFAULT_SITE
    broker: Broker | None = None
    temperature_control: Literal["auto", "device", "host"] = "auto"
    neighbours: tuple[NeighbourSection, ...] = ()
    real_time: bool = False
    accounts: Path | None = None
    relay: RelaySection | None = None
    guard: GuardSection | None = None
    keys: Path | None = None
    isolation: str | None = None
    calibration: CalibrationSection | None = None
    profile_sha256: str | None = None

    @property
    def patient(self) -> bool:
        """Somebody may lie there: a device in tissue."""
        return not self.simulated and self.medium is Medium.TISSUE

    @property
    def in_process(self) -> bool:
        """The simulator runs in this process, so that time may be virtual."""
        return self.link.startswith(simulated_link.SCHEME)

    @property
    def simulator(self) -> SimulatedLink:
        """The simulator in process."""
        return SimulatedLink.parse(self.link)


def load(name_or_path: str) -> Station:
    """Read a station file.

    Raises:
        ConfigError: As rfctl.model.strict_toml.read, or a link that does not fit the backend.
    """
    path = shipped.find("stations", name_or_path)
    file = strict_toml.read(path, StationFile)
    simulated = file.station.backend == "simulated"
    link = file.generator.link
    if link.startswith(simulated_link.SCHEME) and not simulated:
        raise ConfigError(
            f"generator.link is {link!r}, but station.backend is 'device'",
            where=str(path),
            remedy="A simulator is used only where station.backend = 'simulated' says so.",
        )
    _check_relay(file, path)
    state = file.record.state_folder
    folder = path.parent
    state_folder = (folder / state) if state else default_state_folder(file.station.id, link)
    log = (folder / file.record.log) if file.record.log else state_folder.with_name(f"{state_folder.name}.log")
    return Station(
        id=file.station.id,
        title=file.station.title or file.station.id,
        simulated=simulated,
        medium=file.station.medium,
        link=link,
        profile=file.generator.profile,
        temperature_control=file.generator.temperature_control,
        neighbours=file.generator.neighbours,
        record_folder=(folder / file.record.folder) if file.record.folder else Path.cwd() / "rfctl-out",
        state_folder=state_folder,
        log=log.resolve(),
        keys=(folder / file.record.keys) if file.record.keys else None,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        folder=folder,
        site=file.mqtt.site if file.mqtt else DEFAULT_SITE,
        broker=_broker(file.mqtt, folder) if file.mqtt else None,
        real_time=file.station.real_time,
        accounts=(folder / file.station.accounts) if file.station.accounts else None,
        relay=file.relay,
        guard=file.guard,
        isolation=file.station.isolation,
        calibration=file.calibration,
        profile_sha256=file.generator.profile_sha256,
    )


def _check_relay(file: StationFile, path: Path) -> None:
    relay = file.relay
    if (relay is None) != (file.guard is None):
        missing, there = ("relay", "guard") if relay is None else ("guard", "relay")
        raise ConfigError(
            f"[{there}] without [{missing}]: the guard holds the relay, and nothing else does",
            where=str(path),
            remedy=f"Add [{missing}], or leave both out.",
        )
    if relay is None:
        return
    if relay.link == SIMULATED_RELAY and not file.generator.link.startswith(simulated_link.SCHEME):
        raise ConfigError(
            f"relay.link is {SIMULATED_RELAY!r}, and generator.link is {file.generator.link!r}",
            where=str(path),
            remedy="Only a simulator in this process has such a relay.",
        )
    if relay.hold_up_ms is None and file.station.backend == "device":
        raise ConfigError(
            "relay.hold_up_ms is missing: for how long RF goes on after the enable loop has opened",
            where=str(path),
            remedy="Measure it on a load, and state it: docs/guard.md.",
        )


def _broker(section: MqttSection, folder: Path) -> Broker:
    host, port = split_url(section.broker)
    password_file = folder / section.password_file if section.password_file else None
    return Broker(host, port, section.username, password_file)


def require_layers(station: Station) -> None:
    """What the medium demands beside this software is there. Asked before anything may be energised, never by a stop.

    Raises:
        ConfigError: Tissue on a device without relay and guard, without a stated isolation, or without the digest of
            the profile that was tried.
    """
    if station.patient and station.guard is None:
        raise ConfigError(
            "station.medium is 'tissue' on a device: an interlock relay and a guard are mandatory there",
            where=station.id,
            remedy="Add [relay] and [guard]: docs/guard.md. Or use medium = 'phantom' or 'load'.",
        )
    if station.patient and station.isolation is None:
        raise ConfigError(
            "station.medium is 'tissue' on a device, and station.isolation is missing: a mains-earthed computer on the "
            "port of patient equipment can carry leakage current to a patient",
            where=station.id,
            remedy="Isolate the line, and state how: isolation = 'isolated adapter', 'network isolator' or 'fibre'.",
        )
    if station.patient and station.profile_sha256 is None:
        raise ConfigError(
            "station.medium is 'tissue' on a device, and generator.profile_sha256 is missing: a register map that is "
            "changed afterwards would go unnoticed",
            where=station.id,
            remedy="State the digest that rfctl config check prints for the profile that was tried on this generator.",
        )


def require_accounts(station: Station) -> None:
    """A device is energised by people who have proved a name. Asked before anything may be, never by a stop.

    Raises:
        ConfigError: A device without accounts, or with an accounts file that cannot be used.
    """
    if station.accounts is not None:
        accounts_file.load(station.accounts)
    elif not station.simulated:
        raise ConfigError(
            "station.accounts is missing: on a device nobody energises who has not proved a name",
            where=station.id,
            remedy='Run rfctl accounts add NAME --role operator --file FILE, and set accounts = "FILE".',
        )


def default_state_folder(station_id: str, link: str) -> Path:
    """One folder for each station and link, in the user's state folder (XDG_STATE_HOME)."""
    root = os.environ.get("XDG_STATE_HOME")
    base = Path(root) if root else Path.home() / ".local" / "state"
    return base / "rfctl" / f"{station_id}-{hashlib.sha256(link.encode()).hexdigest()[:8]}"
