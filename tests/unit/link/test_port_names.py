"""What a port may be called, and which one that is now."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from rfctl.cli.config import check
from rfctl.errors import ConfigError, LinkClosed
from rfctl.link import port_names
from rfctl.link import ports as serial_ports
from rfctl.link.serial_line import SerialLine
from tests.machine_tree import Adapter, Machine

BY_ID = "dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(port_names, "MACHINE_FILE", tmp_path / "etc" / "ports.toml")
    (tmp_path / "root").mkdir()
    machine = Machine(tmp_path / "root")
    found = serial_ports.ports
    monkeypatch.setattr(serial_ports, "ports", lambda: found(machine.root))
    return machine


def write_aliases(text: str, file: Path | None = None) -> Path:
    file = file or port_names.alias_files()[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", ["/dev/ttyUSB0", "COM3"])
def test_a_path_and_a_windows_port_are_what_they_say(name: str):
    assert port_names.path_of(name) == name


@pytest.mark.parametrize("port", ["/dev/serial/by-id/usb-x", "usb:A50285BI", "generator", "COM12", "left.bench-2"])
def test_an_address_takes_every_kind_of_name(port: str):
    assert SerialLine.parse(f"rtu:{port}?baud=38400") == SerialLine(port, 38400)


@pytest.mark.parametrize("port", ["ttyUSB0", "usb:", "2nd", "a/b", "../dev/ttyS0", "a b"])
def test_an_address_takes_nothing_else(port: str):
    with pytest.raises(ConfigError, match="its path must be absolute"):
        SerialLine.parse(f"rtu:{port}")


def test_a_usb_serial_number_is_found_wherever_the_adapter_is_plugged_in(machine: Machine):
    machine.plug_in("ttyUSB0", Adapter("1-1", serial="B0019QX2", by_id="usb-B"))
    machine.plug_in("ttyUSB1", Adapter("1-2"))
    assert port_names.path_of("usb:A50285BI") == str(machine.root / BY_ID)


def test_an_absent_usb_serial_number_names_those_that_are_there(machine: Machine):
    with pytest.raises(LinkClosed, match=r"no port with the USB serial number X is plugged in\. No adapter"):
        port_names.path_of("usb:X")
    machine.plug_in("ttyUSB0", Adapter())
    with pytest.raises(LinkClosed, match=r"is plugged in\. Present: A50285BI"):
        port_names.path_of("usb:X")


def test_a_serial_number_of_several_ports_is_refused(machine: Machine):
    for number in (0, 1):
        machine.plug_in(f"ttyUSB{number}", Adapter(f"1-{number}", serial="FT4", by_id=f"usb-if0{number}"))
    with pytest.raises(LinkClosed, match=r"2 ports have the USB serial number FT4: .*usb-if00, .*usb-if01"):
        port_names.path_of("usb:FT4")


def test_an_alias_stands_for_a_path_or_a_serial_number(machine: Machine):
    machine.plug_in("ttyUSB0", Adapter())
    write_aliases('[ports]\ngenerator = "usb:A50285BI"\nrelay = "/dev/ttyACM0"\n')
    assert port_names.path_of("generator") == str(machine.root / BY_ID)
    assert port_names.path_of("relay") == "/dev/ttyACM0"


def test_the_users_alias_wins_over_the_machines(machine: Machine):
    write_aliases('[ports]\na = "/dev/machine-a"\nb = "/dev/machine-b"\n', port_names.MACHINE_FILE)
    write_aliases('[ports]\na = "/dev/mine"\n')
    assert (port_names.path_of("a"), port_names.path_of("b")) == ("/dev/mine", "/dev/machine-b")


def test_an_unknown_alias_is_told_from_the_nearest_one(machine: Machine):
    file = write_aliases('[ports]\ngenerator = "/dev/ttyUSB0"\n')
    with pytest.raises(ConfigError, match="no port is called 'generatr' on this machine") as caught:
        port_names.path_of("generatr", where="rtu:generatr")
    assert caught.value.where == "rtu:generatr"
    assert caught.value.remedy.startswith(f"Did you mean 'generator'? Aliases stand in {file}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ports = 3\n", "ports: not accepted. The file has one table"),
        ('[port]\na = "/dev/x"\n', "port: not accepted. The file has one table"),
        ('[ports]\n2nd = "/dev/x"\n', "ports.2nd: not a name"),
        ('[ports]\nCOM3 = "/dev/x"\n', "ports.COM3: not a name"),
        ('[ports]\ntty1 = "/dev/x"\n', "ports.tty1: not a name"),
        ('[ports]\na = "b"\nb = "/dev/x"\n', "ports.a: 'b' is not a port"),
        ("[ports]\na = 3\n", "ports.a: 3 is not a port"),
        ("[ports\n", "not valid TOML"),
    ],
)
def test_a_bad_file_of_aliases_is_named_with_key_and_remedy(machine: Machine, text: str, says: str):
    file = write_aliases(text)
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        port_names.path_of("generator")
    assert caught.value.where == str(file)


def test_config_check_reads_a_file_of_aliases(machine: Machine):
    file = write_aliases('[ports]\ngenerator = "usb:A50285BI"\n')
    done = CliRunner().invoke(check, [str(file), "--json"])
    assert json.loads(done.stdout) == {"path": str(file), "kind": "ports", "valid": True}
    write_aliases('[ports]\ngenerator = "A50285BI"\n')
    done = CliRunner().invoke(check, [str(file)])
    assert isinstance(done.exception, ConfigError)
