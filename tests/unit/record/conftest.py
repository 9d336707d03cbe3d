"""A record built from the format page alone: json, hashlib and cryptography, nothing of rfctl.record's writing side."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rfctl.record.keys import PublicKey
from rfctl.record.verify import Verdict, verify

if TYPE_CHECKING:
    from pathlib import Path

SEED = bytes(range(32))


@dataclass
class Forge:
    """Makes records, sound and unsound.

    Attributes:
        seed: Private key that signs.
        origin: Origin that the header names and the seal signs.
        named_key: Public key that the header names, when not the signing one.
    """

    path: Path
    seed: bytes = SEED
    origin: str = "rfctl/bench-1"
    named_key: str | None = None
    lines: list[bytes] = field(default_factory=list)

    @property
    def key(self) -> PublicKey:
        """The public key that a verifier of this record holds."""
        return PublicKey(self._private.public_key().public_bytes_raw(), self.origin)

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def add(self, kind: str, t_ns: int, members: str = "") -> None:
        """Chain one line; ``members`` is JSON text, led by a comma."""
        prev = hashlib.sha256(self.lines[-1]).hexdigest() if self.lines else "0" * 64
        text = f'{{"seq":{len(self.lines)},"prev":"{prev}","kind":"{kind}","t":{t_ns}{members}}}\n'
        self.lines.append(text.encode())

    def open(self) -> None:
        """The first line."""
        header = {
            "format": "rfctl-record-0",
            "origin": self.origin,
            "public_key": self.named_key or self.key.raw.hex(),
            "station": "bench-1",
            "backend": "simulated",
            "medium": "tissue",
        }
        self.add("open", 0, "," + json.dumps(header, separators=(",", ":"))[1:-1])

    def seal(self, t_ns: int = 3_000) -> None:
        """The last line."""
        head = hashlib.sha256(self.lines[-1]).hexdigest()
        message = f"rfctl-record-0\n{self.origin}\n{len(self.lines)}\n{t_ns}\n{head}\n".encode()
        signature = self._private.sign(message).hex()
        self.add("seal", t_ns, f',"records":{len(self.lines)},"head":"{head}","signature":"{signature}"')

    def verdict(self, lines: list[bytes] | bytes | None = None, *, key: PublicKey | None = None) -> Verdict:
        """The verdict on these bytes, by default on the record as it stands."""
        content = self.lines if lines is None else lines
        self.path.write_bytes(content if isinstance(content, bytes) else b"".join(content))
        return verify(self.path, key or self.key)


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """An empty record."""
    return Forge(tmp_path / "record.jsonl")


@pytest.fixture
def golden(forge: Forge) -> Forge:
    """A small sealed record: header, two readings, a decision, seal."""
    forge.open()
    forge.add("reading", 1_000, ',"v":[37.0,"NaN",true]')
    forge.add("decision", 1_500, ',"act":"off","cause":"HZ-04"')
    forge.add("reading", 2_000, ',"v":[36.9,0.1,false]')
    forge.seal()
    return forge
