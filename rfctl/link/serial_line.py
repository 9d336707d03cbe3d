"""A serial line: its address, its settings, and the time that bytes and silences take on it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError
from rfctl.link.port_names import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME, LINE_SCHEME = "rtu:", "line:"
SCHEMES = (SCHEME, LINE_SCHEME)
"""Modbus RTU, and the line protocol, on the same kind of port."""

BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
PARITIES = {"N": "none", "E": "even", "O": "odd"}
STOP_BITS = (1, 2)
BAUD, PARITY = 115200, "N"  # unless the address says otherwise

# A frame ends with a silence of 3.5 characters of 11 bits, and of 1.75 ms where that would be shorter than a receiver
# can tell: above 19200 baud (Modbus over serial line, 1.02, 2.5.1.1).
GAP_BITS = 3.5 * 11
SHORTEST_GAP_NS = 1_750_000

EXAMPLE = "rtu:/dev/serial/by-id/usb-FTDI_FT232R_A1-if00-port0?baud=115200&parity=N&stopbits=1"


@dataclass(frozen=True, slots=True)
class SerialLine:
    """One port and how it is set. Eight data bits, as Modbus RTU needs them.

    Attributes:
        path: Of the port, absolute; or what rfctl.link.port_names finds it by.
        baud: Bits a second, one of BAUDS.
        parity: ``N``, ``E`` or ``O``.
        stopbits: 1 or 2.
        scheme: What travels on it, one of SCHEMES.
    """

    path: str
    baud: int = BAUD
    parity: str = PARITY
    stopbits: int = STOP_BITS[0]
    scheme: str = SCHEME

    @classmethod
    def parse(cls, address: str) -> SerialLine:
        """Read ``rtu:PORT?baud=115200&parity=N&stopbits=1``, or ``line:``; what is left out has the default.

        PORT is an absolute path, ``usb:SERIAL``, ``COMn`` or an alias; whether it is there is not looked up.

        Raises:
            ConfigError: Not such an address, or a setting that there is not.
        """
        scheme = LINE_SCHEME if address.startswith(LINE_SCHEME) else SCHEME
        path, _, query = address.removeprefix(scheme).partition("?")
        if not address.startswith(scheme) or not is_name(path):
            raise ConfigError(
                "not the address of a serial port: its path must be absolute",
                where=address,
                remedy=f"Write {scheme}PATH, {scheme}usb:SERIAL or {scheme}ALIAS, for example {EXAMPLE}.",
            )
        given = dict(parse_qsl(query, keep_blank_values=True, separator="&"))
        valid = tuple(field.name for field in fields(cls) if field.name not in {"path", "scheme"})
        for name in given:
            if name not in valid:
                raise ConfigError(
                    f"a serial port has no setting {name!r}", where=address, remedy=f"Valid: {', '.join(valid)}."
                )
        if query and len(given) != query.count("&") + 1:
            raise ConfigError(
                f"settings are NAME=VALUE, each once: {query!r}",
                where=address,
                remedy=f"Write it as in {EXAMPLE}.",
            )
        return cls(
            path,
            _one_of(BAUDS, "baud", given, BAUD, address),
            _parity(given.get("parity", PARITY), address),
            _one_of(STOP_BITS, "stopbits", given, STOP_BITS[0], address),
            scheme,
        )

    @property
    def address(self) -> str:
        """The address in full."""
        return f"{self.scheme}{self.path}?baud={self.baud}&parity={self.parity}&stopbits={self.stopbits}"

    @property
    def character_ns(self) -> int:
        """Time of one byte: start bit, eight data bits, parity and stop bits."""
        return (1 + 8 + (self.parity != "N") + self.stopbits) * NS_PER_S // self.baud

    @property
    def gap_ns(self) -> int:
        """Silence that ends a frame."""
        return max(SHORTEST_GAP_NS, round(GAP_BITS * NS_PER_S / self.baud))


def _one_of(valid: tuple[int, ...], name: str, given: Mapping[str, str], default: int, address: str) -> int:
    text = given.get(name, str(default))
    for value in valid:
        if text == str(value):
            return value
    raise ConfigError(
        f"{name} = {text!r} is not one that a serial port is set to",
        where=address,
        remedy=f"Valid: {', '.join(map(str, valid))}.",
    )


def _parity(text: str, address: str) -> str:
    if text not in PARITIES:
        names = ", ".join(f"{letter} ({name})" for letter, name in PARITIES.items())
        raise ConfigError(f"parity = {text!r}", where=address, remedy=f"Valid: {names}.")
    return text
