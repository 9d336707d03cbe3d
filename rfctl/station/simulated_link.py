"""A link to a simulator in this process: ``sim:NAME?link=rtu&generator=kestrel-2``."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

SCHEME = "sim:"
FACES = {
    "tcp": "tcp:127.0.0.1:0",
    "rtu": "pty:",
    "rtutcp": "rtutcp:127.0.0.1:0",
    "linetcp": "linetcp:127.0.0.1:0",
    "line": "line:",
}
"""What ``link=`` says, and the address that the simulator then serves."""
SERIAL = frozenset({"rtu", "line"})
"""Faces that are serial lines."""
OPTIONS = {"generator": "kestrel-2", "setup": "phantom-22", "tissue": "poles"}
"""What else a link may say of the simulator, each with an example."""


@dataclass(frozen=True, slots=True)
class SimulatedLink:
    """What such a link says.

    Attributes:
        simulator: Name of the simulator, as it is installed.
        face: How the station reaches it, a key of FACES.
        generator: Which of its machines it is; None for the one that it is unless told otherwise.
        setup: What stands around it; None for what does unless told otherwise.
        tissue: How that is computed; None likewise.
    """

    simulator: str
    face: str = "tcp"
    generator: str | None = None
    setup: str | None = None
    tissue: str | None = None

    @classmethod
    def parse(cls, link: str) -> SimulatedLink:
        """Read a link.

        Raises:
            ValueError: It says something else than link and OPTIONS, or says it twice; the text tells what is valid.
        """
        name, _, query = link.removeprefix(SCHEME).partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        options = dict(pairs)
        valid = " or ".join(f"link={face}" for face in FACES)
        if (query and not pairs) or len(options) < len(pairs) or options.keys() - {"link", *OPTIONS}:
            others = ", ".join(f"{option}=NAME" for option in OPTIONS)
            raise ValueError(f"after sim:NAME? stand {valid}, and {others}, joined by &, not {query!r}")
        face = options.get("link", "tcp")
        if face not in FACES:
            raise ValueError(f"after sim:NAME? stands {valid}, not 'link={face}'")
        for option, example in OPTIONS.items():
            if options.get(option) == "":
                raise ValueError(f"{option}= names nothing; leave it out, or write for instance {option}={example}")
        return cls(name, face, *map(options.get, OPTIONS))

    @property
    def options(self) -> dict[str, str]:
        """What the simulator is told beside its address, as far as the link says."""
        return {option: value for option in OPTIONS if (value := getattr(self, option)) is not None}

    @property
    def address(self) -> str:
        """What the simulator serves."""
        return FACES[self.face]

    @property
    def relay(self) -> str:
        """What the relay board beside it serves: a serial line beside one, else a socket, as from a converter. What
        is written to a pty comes through a thread of the operating system, for which virtual time has to wait.
        """
        return FACES["rtu" if self.face in SERIAL else "rtutcp"]
