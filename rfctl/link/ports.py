"""The serial ports of this machine, found without opening one: opening moves control lines."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rfctl.link.holder import Holder, holders_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")
OWN_LAYER = "serial-base"
NO_HARDWARE = "0"  # type of a ttyS that the driver keeps in reserve


class PortInfo(NamedTuple):
    """A serial port. What is not known is None.

    Attributes:
        path: Of the device, absolute.
        by_id: udev's link to it that is made of maker, product and serial number.
        by_path: udev's link to it that is made of the socket it is plugged into.
        description: Product, by its own account.
        manufacturer: Of the adapter, by its own account.
        usb_serial: Serial number of the adapter.
        usb_id: Vendor and product number, ``0403:6001``.
        driver: Of the operating system.
        latency_ms: How long the adapter collects bytes before it hands them over, ms.
        holders: Who has locked it, or has it open.
    """

    path: str
    by_id: str | None = None
    by_path: str | None = None
    description: str | None = None
    manufacturer: str | None = None
    usb_serial: str | None = None
    usb_id: str | None = None
    driver: str | None = None
    latency_ms: int | None = None
    holders: tuple[Holder, ...] = ()


def ports(root: Path = ROOT) -> tuple[PortInfo, ...]:
    """Every serial port with hardware behind it, by path.

    Args:
        root: Stands for ``/``: ``sys``, ``dev`` and ``proc`` are looked for in it.
    """
    if sys.platform == "win32":
        return tuple(_ports_of_windows())
    by_id, by_path = (_links(root / "dev" / "serial" / kind) for kind in ("by-id", "by-path"))
    found = []
    for entry in sorted((root / "sys" / "class" / "tty").glob("*"), key=lambda path: _natural(path.name)):
        device = entry / "device"
        if not device.exists() or _text(entry / "type") == NO_HARDWARE:
            continue
        node = root / "dev" / entry.name
        usb = _usb_device(device.resolve())
        found.append(
            PortInfo(
                str(node),
                by_id.get(entry.name),
                by_path.get(entry.name),
                _text(usb / "product") if usb else None,
                _text(usb / "manufacturer") if usb else None,
                _text(usb / "serial") if usb else None,
                f"{_text(usb / 'idVendor')}:{_text(usb / 'idProduct')}" if usb else None,
                _driver(device.resolve()),
                latency_ms(entry.name, root),
                holders_of(str(node), root / "proc"),
            )
        )
    return tuple(found)


def latency_ms(name: str, root: Path = ROOT) -> int | None:
    """How long an adapter collects bytes before it hands them over, ms; None where the driver does not say.

    Args:
        name: Of the device, as in ``ttyUSB0``.
        root: Stands for ``/``.
    """
    text = _text(root / "sys" / "class" / "tty" / name / "device" / "latency_timer")
    return int(text) if text is not None and text.isdigit() else None


def _links(folder: Path) -> dict[str, str]:
    """Names of devices, and the links of udev to them."""
    try:
        return {Path(os.path.realpath(link)).name: str(link) for link in sorted(folder.iterdir(), reverse=True)}
    except OSError:
        return {}


def _usb_device(device: Path) -> Path | None:
    """The USB device that a port belongs to."""
    return next((folder for folder in (device, *device.parents) if (folder / "idVendor").exists()), None)


def _driver(device: Path) -> str | None:
    """The driver of a port; not the kernel's own layer between a port on the board and its driver."""
    drivers = ((folder / "driver").resolve() for folder in (device, *device.parents) if (folder / "driver").exists())
    return next((driver.name for driver in drivers if OWN_LAYER not in driver.parts), None)


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _natural(name: str) -> tuple[str, int]:
    """ttyUSB2 comes before ttyUSB10."""
    letters = name.rstrip("0123456789")
    return letters, int(name[len(letters) :] or 0)


def _ports_of_windows() -> Iterator[PortInfo]:
    from serial.tools.list_ports import comports

    for port in comports():
        yield PortInfo(
            port.device,
            description=port.product or port.description,
            manufacturer=port.manufacturer,
            usb_serial=port.serial_number,
            usb_id=f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None else None,
        )
