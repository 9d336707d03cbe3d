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


@dataclass(frozen=True, slots=True)
class SimulatedLink:
    """What such a link says.

    Attributes:
        simulator: Name of the simulator, as it is installed.
        face: How the station reaches it, a key of FACES.
        generator: Which of its machines it is; None for the one that it is unless told otherwise.
    """

    simulator: str
    face: str = "tcp"
    generator: str | None = None

    @classmethod
    def parse(cls, link: str) -> SimulatedLink:
        """Read a link.

        Raises:
            ValueError: It says something else than link and generator, or says it twice; the text tells what is valid.
        """
        name, _, query = link.removeprefix(SCHEME).partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        options = dict(pairs)
        valid = " or ".join(f"link={face}" for face in FACES)
        if (query and not pairs) or len(options) < len(pairs) or options.keys() - {"link", "generator"}:
            raise ValueError(f"after sim:NAME? stand {valid}, and generator=NAME, joined by &, not {query!r}")
        face = options.get("link", "tcp")
        if face not in FACES:
            raise ValueError(f"after sim:NAME? stands {valid}, not 'link={face}'")
        if options.get("generator") == "":
            raise ValueError("generator= names no machine; leave it out, or write for instance generator=kestrel-2")
        return cls(name, face, options.get("generator"))

    @property
    def address(self) -> str:
        """What the simulator serves."""
        return FACES[self.face]
