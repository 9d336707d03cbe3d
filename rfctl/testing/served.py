"""A simulated generator in a process of its own, as ``rfctl sim serve`` makes it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

END_S = 10.0
"""A process that was told to end has as long to do so."""
STATION = """\
[station]
id = "simulated"
backend = "simulated"
medium = "tissue"

[generator]
link = "{link}"

[record]
state_folder = "state"
"""


@dataclass(frozen=True, slots=True)
class ServedGenerator:
    """Where the generator is, and what it really does.

    Attributes:
        link: Address, as a station file writes it.
        backdoor: ``HOST:PORT`` of its back door.
        station_file: A station file for it.
    """

    link: str
    backdoor: str
    station_file: Path

    @property
    def host(self) -> str:
        """Host of a ``tcp:`` link."""
        return self._tcp()[0]

    @property
    def port(self) -> int:
        """Port of a ``tcp:`` link."""
        return int(self._tcp()[1])

    def truth(self) -> dict[str, Any]:
        """The output stages themselves, now."""
        return self._ask("GET", "/truth")

    def start_fault(self, name: str, *, channel: int | None = None, **parameters: object) -> None:
        """Inject a fault; ``rfctl sim faults`` lists them."""
        self._fault({"start": name, **parameters}, channel)

    def clear_fault(self, name: str, *, channel: int | None = None) -> None:
        """End a fault."""
        self._fault({"clear": name}, channel)

    def _fault(self, body: dict[str, object], channel: int | None) -> None:
        self._ask("POST", "/faults", body if channel is None else body | {"channel": channel})

    def _tcp(self) -> tuple[str, str]:
        scheme, _, rest = self.link.partition(":")
        host, _, port = rest.rpartition(":")
        if scheme != "tcp":
            raise ConfigError("only a tcp link has a host and a port", where=self.link, remedy="Use link.")
        return host, port

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        host, _, port = self.backdoor.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=END_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        found = json.loads(content) if content else {}
        if answer.status >= http.client.BAD_REQUEST:
            raise ConfigError(f"{method} {path} {body}: {found}", where=self.backdoor, remedy="See rfctl sim faults.")
        return found if isinstance(found, dict) else {"answer": found}


@contextmanager
def serve(
    folder: Path, *, channels: int = 2, link: str = "tcp:127.0.0.1:0", seed: int = 0
) -> Iterator[ServedGenerator]:
    """Start the process, and end it at the end.

    Args:
        folder: Exists; a station file is written there.
        channels: 1 to 4.
        link: ``tcp:HOST:PORT``, port 0 for any, or ``pty:PATH``.
        seed: The same seed gives the same noise.

    Raises:
        ConfigError: It did not start; the text is its own.
    """
    program = (sys.executable, "-c", "from rfctl.cli.main import main; main()")
    options = ("--link", link, "--channels", str(channels), "--seed", str(seed))
    command = (*program, "sim", "serve", "--json", "--backdoor", "127.0.0.1:0", *options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                _, error = process.communicate(timeout=END_S)
                raise ConfigError(f"no simulated generator: {error.strip()}", where=link)
            listening = json.loads(line)
            station = folder / "station.toml"
            station.write_text(STATION.format(link=listening["link"]), encoding="utf-8")
            backdoor = listening["backdoor"].removeprefix("http://").rstrip("/")
            yield ServedGenerator(listening["link"], backdoor, station)
        finally:
            process.terminate()
            try:
                process.communicate(timeout=END_S)
            except subprocess.TimeoutExpired:
                process.kill()
