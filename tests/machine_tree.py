"""A folder that looks like the sys, dev and proc of a machine with serial adapters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Adapter(NamedTuple):
    """A USB adapter with one port."""

    socket: str = "1-2"
    serial: str | None = "A50285BI"
    product: str = "FT232R USB UART"
    manufacturer: str = "FTDI"
    vendor: str = "0403"
    driver: str = "ftdi_sio"
    latency_ms: int | None = 16
    by_id: str | None = "usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"


class Machine:
    """Its root, and what is plugged into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys" / "class" / "tty").mkdir(parents=True)
        (root / "dev").mkdir()
        (root / "proc").mkdir()

    def plug_in(self, name: str, adapter: Adapter) -> Path:
        """The port's node."""
        device = self.root / "sys/devices/pci0000:00/usb1" / adapter.socket
        interface = device / f"{adapter.socket}:1.0"
        port = interface / name if adapter.driver != "cdc_acm" else interface
        entry = port / "tty" / name
        entry.mkdir(parents=True)
        (device / "idVendor").write_text(adapter.vendor + "\n")
        (device / "idProduct").write_text("6001\n")
        (device / "product").write_text(adapter.product + "\n")
        (device / "manufacturer").write_text(adapter.manufacturer + "\n")
        if adapter.serial is not None:
            (device / "serial").write_text(adapter.serial + "\n")
        if adapter.latency_ms is not None:
            (port / "latency_timer").write_text(f"{adapter.latency_ms}\n")
        driver = self.root / "sys/bus/usb-serial/drivers" / adapter.driver
        driver.mkdir(parents=True, exist_ok=True)
        (port / "driver").symlink_to(driver)
        (entry / "device").symlink_to(port)
        (self.root / "sys/class/tty" / name).symlink_to(entry)
        node = self.root / "dev" / name
        node.touch()
        for kind, link in (("by-id", adapter.by_id), ("by-path", f"pci-0000:00:14.0-usb-0:{adapter.socket}:1.0-port0")):
            if link is not None:
                folder = self.root / "dev/serial" / kind
                folder.mkdir(parents=True, exist_ok=True)
                (folder / link).symlink_to(f"../../{name}")
        return node

    def on_the_board(self, name: str, *, hardware: bool) -> None:
        """A port of the board, or one that the driver keeps in reserve."""
        port = self.root / "sys/devices/pnp0/00:00" / f"00:00:0.{name[-1]}"
        entry = port / "tty" / name
        entry.mkdir(parents=True)
        layers = {port: "serial-base/drivers/port", port.parent: "pnp/drivers/serial"}
        for folder, driver in layers.items():
            where = self.root / "sys/bus" / driver
            where.mkdir(parents=True, exist_ok=True)
            if not (folder / "driver").exists():
                (folder / "driver").symlink_to(where)
        (entry / "type").write_text("4\n" if hardware else "0\n")
        (entry / "device").symlink_to(port)
        (self.root / "sys/class/tty" / name).symlink_to(entry)
        (self.root / "dev" / name).touch()

    def console(self, name: str) -> None:
        """A terminal without a port."""
        (self.root / "sys/class/tty" / name).mkdir()

    def process(self, pid: int, command: str, *, opened: Path | None = None, locked: Path | None = None) -> None:
        """A process that has a port open, or has locked it."""
        folder = self.root / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "cmdline").write_bytes(command.encode().replace(b" ", b"\0") + b"\0")
        if opened is not None:
            (folder / "fd" / "3").symlink_to(opened)
        if locked is not None:
            status = locked.stat()
            file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
            (self.root / "proc/locks").write_text(f"1: FLOCK  ADVISORY  WRITE {pid} {file} 0 EOF\n")
