"""The serial ports of a machine, found without opening one."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rfctl.cli.ports import ports as command
from rfctl.link.holder import Holder
from rfctl.link.ports import latency_ms, ports
from tests.machine_tree import Adapter, Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "root").mkdir()
    return Machine(tmp_path / "root")


def test_an_adapter_is_described_by_what_the_operating_system_knows_of_it(machine: Machine):
    node = machine.plug_in("ttyUSB0", Adapter())
    (found,) = ports(machine.root)
    serial = machine.root / "dev/serial"
    assert found.path == str(node)
    assert found.by_id == str(serial / "by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0")
    assert found.by_path == str(serial / "by-path/pci-0000:00:14.0-usb-0:1-2:1.0-port0")
    assert (found.manufacturer, found.description) == ("FTDI", "FT232R USB UART")
    assert (found.usb_serial, found.usb_id) == ("A50285BI", "0403:6001")
    assert (found.driver, found.latency_ms, found.holders) == ("ftdi_sio", 16, ())


def test_ports_without_hardware_and_consoles_are_left_out(machine: Machine):
    machine.console("tty0")
    machine.on_the_board("ttyS0", hardware=True)
    machine.on_the_board("ttyS1", hardware=False)
    (found,) = ports(machine.root)
    assert (Path(found.path).name, found.driver, found.usb_serial) == ("ttyS0", "serial", None)


def test_ports_come_in_the_order_of_their_numbers(machine: Machine):
    for number in (10, 2):
        machine.plug_in(f"ttyUSB{number}", Adapter(socket=f"1-{number}", serial=f"S{number}", by_id=f"usb-{number}"))
    assert [Path(port.path).name for port in ports(machine.root)] == ["ttyUSB2", "ttyUSB10"]


def test_what_an_adapter_does_not_say_is_not_made_up(machine: Machine):
    machine.plug_in("ttyACM0", Adapter(serial=None, driver="cdc_acm", latency_ms=None, by_id=None))
    (found,) = ports(machine.root)
    assert (found.usb_serial, found.by_id, found.latency_ms, found.driver) == (None, None, None, "cdc_acm")
    assert latency_ms("ttyACM0", machine.root) is None


def test_the_process_that_has_locked_a_port_is_named_before_those_that_have_it_open(machine: Machine):
    node = machine.plug_in("ttyUSB0", Adapter())
    machine.process(7, "cat /dev/ttyUSB0", opened=node)
    assert ports(machine.root)[0].holders == (Holder(7, "cat /dev/ttyUSB0", locked=False),)
    machine.process(8, "rfctl serve", opened=node, locked=node)
    assert ports(machine.root)[0].holders == (Holder(8, "rfctl serve", locked=True),)


def asked(machine: Machine, *options: str) -> str:
    done = CliRunner().invoke(command, ["--root", str(machine.root), *options])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_prints_one_document(machine: Machine):
    node = machine.plug_in("ttyUSB0", Adapter())
    machine.process(8, "rfctl serve", locked=node)
    document = json.loads(asked(machine, "--json"))
    (port,) = document["ports"]
    assert port["path"] == str(node)
    assert port["usb_serial"] == "A50285BI"
    assert port["holders"] == [{"pid": 8, "command": "rfctl serve", "locked": True}]
    assert document["aliases"] == {}


def test_the_table_shows_the_name_that_stays_the_alias_and_the_holder(machine: Machine, tmp_path: Path):
    node = machine.plug_in("ttyUSB0", Adapter())
    machine.process(8, "rfctl serve", locked=node)
    folder = tmp_path / "config" / "rfctl"
    folder.mkdir(parents=True)
    (folder / "ports.toml").write_text('[ports]\ngenerator = "usb:A50285BI"\nrelay = "usb:OTHER"\n')
    heading, row, absent = asked(machine).splitlines()
    assert heading.split("  ")[0] == "port"
    for word in (
        "by-id/usb-FTDI",
        "(ttyUSB0)",
        " generator ",
        "A50285BI",
        "ftdi_sio",
        "16 ms",
        "8 rfctl serve (locked)",
    ):
        assert word in row
    assert absent == "Alias relay stands for usb:OTHER, which is not there."


def test_a_machine_without_ports_is_told_so(machine: Machine):
    assert "No serial port found" in asked(machine)
    assert json.loads(asked(machine, "--json"))["ports"] == []
