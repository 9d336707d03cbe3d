"""Makes logs in record format 1, sound and unsound, from docs/formats/record.md alone and nothing of rfctl.record."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rfctl_verify import public_key
from rfctl_verify.public_key import PublicKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

ORIGIN = "rfctl/bench-1-3f1c0000-0000-4000-8000-000000000001"
BOOT = "0f0e0d0c-0b0a-4908-8706-050403020100"
BEGUN_NS = 1_795_424_400_000_000_000  # 2026-11-23T09:00:00Z
ROOT_SEED = bytes(range(32))


def private(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest())


def epoch_key(number: int) -> Ed25519PrivateKey:
    return private(b"epoch %d" % number)


ROOT_KEY = private(ROOT_SEED)


def raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def b64(some: bytes) -> str:
    return base64.b64encode(some).decode()


def sha256(some: bytes) -> bytes:
    return hashlib.sha256(some).digest()


def merkle_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, on leaf hashes."""
    if not leaves:
        return sha256(b"")
    while len(leaves) > 1:  # pairs level by level; an odd one goes up as it is, which is the same tree
        paired = [sha256(b"\1" + leaves[i] + leaves[i + 1]) for i in range(0, len(leaves) - 1, 2)]
        leaves = paired + leaves[len(paired) * 2 :]
    return leaves[0]


def key_id(name: str, public: bytes, kind: bytes = b"\1") -> bytes:
    return sha256(name.encode() + b"\n" + kind + public)[:4]


def note(text: str, key: Ed25519PrivateKey, name: str) -> bytes:
    """A signed note with one signature."""
    signature = key_id(name, raw_public(key)) + key.sign(text.encode())
    return f"{text}\n\N{EM DASH} {name} {b64(signature)}\n".encode()


def frame(body: bytes) -> bytes:
    return struct.pack(">II", len(body), zlib.crc32(body)) + body


def wall_text(ns: int) -> str:
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Forge:
    """A log in the making.

    Attributes:
        origin: Of the log.
        segments: The bodies of each segment.
        chunks: The chunk bytes of each segment.
        torn: Further files, by name.
        boot, sync, mono_ns, boottime_ns, wall_ns: What the next record says; ``pass_s`` moves them on.
        root: Signs certificates.
    """

    origin: str = ORIGIN
    segments: list[list[bytes]] = field(default_factory=list)
    chunks: list[bytearray] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    boot: str = BOOT
    sync: str = "synchronised"
    mono_ns: int = 1_000_000_000
    boottime_ns: int = 5_000_000_000
    wall_ns: int = BEGUN_NS
    root: Ed25519PrivateKey = ROOT_KEY
    epoch: int = 0
    key: Ed25519PrivateKey = ROOT_KEY
    leaves: list[bytes] = field(default_factory=list)
    last_note: bytes = b""
    last_certificate: str = ""
    seed: bytes = b""

    @property
    def public_key(self) -> PublicKey:
        """What the verifier of this log holds."""
        return PublicKey(raw_public(self.root), self.origin)

    @property
    def seq(self) -> int:
        return len(self.leaves)

    def pass_s(self, seconds: float) -> None:
        """Let time pass on every clock."""
        for name in ("mono_ns", "boottime_ns", "wall_ns"):
            setattr(self, name, getattr(self, name) + int(seconds * 1e9))

    def body(self, kind: str, payload: str | Callable[[str], str], **changed: object) -> bytes:
        members = {
            "seq": self.seq,
            "epoch": self.epoch,
            "boot_id": self.boot,
            "mono_ns": str(self.mono_ns),
            "boottime_ns": str(self.boottime_ns),
            "wall": wall_text(self.wall_ns),
            "wall_sync_state": self.sync,
            "kind": kind,
            "actor": "station",
            "backend": "simulated",
        } | changed
        prev = members.pop("prev", self.leaves[-1].hex() if self.leaves else "0" * 64)
        opening = json.dumps(members, separators=(",", ":"))[:-1] + ',"payload":'
        text = payload if isinstance(payload, str) else payload(opening)
        return f'{opening}{text},"prev":"{prev}"}}'.encode()

    def add(self, kind: str, payload: str | Callable[[str], str] = "{}", **changed: object) -> bytes:
        """Append a record; ``changed`` overrides members. A millisecond passes."""
        body = self.body(kind, payload, **changed)
        self.segments[-1].append(body)
        self.leaves.append(sha256(b"\0" + body))
        self.pass_s(0.001)
        return body

    def tree_root(self) -> bytes:
        return merkle_root(self.leaves)

    def begin(self, *, about: str = "{}", **changed: object) -> None:
        """A segment of the same epoch."""
        self.segments.append([])
        self.chunks.append(bytearray())
        members = {
            "format": "rfctl-record-1",
            "origin": self.origin,
            "index": len(self.segments) - 1,
            "size": self.seq,
            "root": self.tree_root().hex(),
        } | changed
        self.add("segment", f'{json.dumps(members, separators=(",", ":"))[:-1]},"about":{about}}}')

    def certificate(self, *, by: Ed25519PrivateKey | None = None, **changed: str) -> str:
        """Of this epoch, which began with the record before. Base64 of the note."""
        lines = {
            "origin": self.origin,
            "epoch": f"epoch {self.epoch}",
            "key": f"key {b64(raw_public(self.key))}",
            "start": f"start {self.seq - 1}",
            "prev": f"prev {b64(sha256(self.last_note)) if self.last_note else 'none'}",
            "not_before": "not-before 2026-01-01T00:00:00Z",
            "not_after": "not-after never",
        } | changed
        text = "rfctl-epoch-v1\n" + "".join(f"{line}\n" for line in lines.values())
        self.last_certificate = text
        return b64(note(text, by or self.root, self.origin))

    def open(self, *, by: Ed25519PrivateKey | None = None, recovered: str = "", **changed: str) -> None:
        """A segment that begins an epoch."""
        self.epoch += 1
        self.begin()
        self.key = private(self.seed + b"epoch %d" % self.epoch)
        self.add("epoch", f'{{"certificate":"{self.certificate(by=by, **changed)}"}}')
        if recovered:
            self.add("recovered", recovered)

    def chunk(self, some: bytes) -> None:
        offset = len(self.chunks[-1])
        self.chunks[-1] += some
        digest = hashlib.sha256(some).hexdigest()
        self.add("chunk", f'{{"offset":{offset},"bytes":{len(some)},"frames":1,"sha256":"{digest}"}}')

    def checkpoint(
        self,
        *,
        by: Ed25519PrivateKey | None = None,
        origin: str = "",
        size: int | None = None,
        root: bytes | None = None,
        name: str = "",
        why: str = "idle",
        spoil: Callable[[bytes], bytes] = bytes,
    ) -> None:
        size = self.seq if size is None else size
        root = self.tree_root() if root is None else root

        def payload(opening: str) -> str:
            before = f'{{"why":"{why}","note":"'
            binding = sha256((opening + before).encode())
            text = f"{origin or self.origin}\n{size}\n{b64(root)}\n{b64(binding)}\n"
            self.last_note = spoil(note(text, by or self.key, name or self.origin))
            return f'{before}{b64(self.last_note)}"}}'

        self.add("checkpoint", payload)

    def close(self, **changed: object) -> None:
        members = {"size": self.seq, "root": self.tree_root().hex()} | changed
        self.add("segment_close", json.dumps(members, separators=(",", ":")))
        self.checkpoint(why="segment_close")

    def head(self) -> bytes:
        """The newest checkpoint's note."""
        return self.last_note

    @property
    def last_kind(self) -> str:
        """Of the newest record; ``closed`` when that closed the segment."""
        kinds = [json.loads(body)["kind"] for body in self.segments[-1][-2:]]
        return "closed" if kinds == ["segment_close", "checkpoint"] else kinds[-1]

    def content(self) -> dict[str, bytes]:
        """The files of the log."""
        found = {f"{i:08}.seg": b"".join(map(frame, bodies)) for i, bodies in enumerate(self.segments)}
        found |= {f"{i:08}.chunk": bytes(chunk) for i, chunk in enumerate(self.chunks) if chunk}
        return found | self.files

    def rehash(self) -> None:
        """Number and chain all bodies again, as somebody without any key could."""
        self.leaves = []
        for bodies in self.segments:
            for i, body in enumerate(bodies):
                prev = self.leaves[-1].hex() if self.leaves else "0" * 64
                rest = body[body.index(b',"epoch"') : -75]
                bodies[i] = b'{"seq":%d' % self.seq + rest + f',"prev":"{prev}"}}'.encode()
                self.leaves.append(sha256(b"\0" + bodies[i]))


def write(folder: Path, content: dict[str, bytes]) -> Path:
    """Put files into a new folder."""
    folder.mkdir()
    for name, some in content.items():
        (folder / name).write_bytes(some)
    return folder


def golden() -> Forge:
    """Two sessions: the first of two segments, the second chained and countersigned; chunks, a decision, a clock."""
    log = Forge()
    log.open()
    log.add("session", '{"station":"bench-1","plan":{"sites":[1,2]}}')
    log.checkpoint(why="open")
    log.chunk(b"reading " * 20)
    log.add("decision", '{"input":1,"t_ns":"5","event":null,"effects":[["off",[1,"NaN",0.5,-1e-3,true,null]]]}')
    log.chunk(b"more " * 11)
    log.close()
    log.begin(about='{"why":"size"}')
    log.add("note", '{"text":"caf\\u00e9 \\"quoted\\" \\\\ /"}', actor="Ada \\u00dc")
    log.chunk(b"third")
    log.close()
    log.pass_s(3600)
    before = log.key
    log.open(by=before)
    log.checkpoint(why="open")
    text = log.last_certificate
    log.add("countersigned", f'{{"certificate":"{b64(note(text, log.root, log.origin))}"}}')
    log.wall_ns += 2_500_000_000
    log.add("clock", '{"wall_step_ns":"2500000000","suspended_ns":"0"}')
    log.chunk(b"fourth")
    log.close()
    return log


def note_in(body: bytes) -> bytes:
    """The note of a checkpoint record."""
    return base64.b64decode(json.loads(body)["payload"]["note"])


def broken(some: bytes) -> bytes:
    """The note with one bit of its signature changed."""
    opening, _, text = some[:-1].rpartition(b" ")
    signature = bytearray(base64.b64decode(text))
    signature[20] ^= 1
    return opening + b" " + base64.b64encode(bytes(signature)) + b"\n"


def retired_content(log: Forge, segments: int, size: int, epoch: int) -> dict[str, bytes]:
    """The log without its first segments, with the stub in their place."""
    nodes, begin = [], 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            nodes.append(Forge.tree_root(Forge(leaves=log.leaves[begin : begin + (1 << bit)])).hex())
            begin += 1 << bit
    notes = [note_in(body) for bodies in log.segments[:segments] for body in bodies if b'"kind":"checkpoint"' in body]
    members = {
        "segments": segments,
        "size": size,
        "epoch": epoch,
        "root": Forge.tree_root(Forge(leaves=log.leaves[:size])).hex(),
        "last_leaf": log.leaves[size - 1].hex(),
        "last_checkpoint": sha256(notes[-1]).hex(),
        "nodes": nodes,
    }
    content = {name: some for name, some in log.content().items() if int(name[:8]) >= segments}
    return content | {"retired.json": json.dumps(members, separators=(",", ":")).encode() + b"\n"}


class _Remembering:
    """A public key that checks each good signature once; a bad one raises and is checked again."""

    def __init__(self, raw: bytes) -> None:
        self.verify = lru_cache(maxsize=None)(public_key.Ed25519PublicKey.from_public_bytes(raw).verify)


def remember_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the verifier check each signature of this test once."""
    monkeypatch.setattr(public_key, "_key", lru_cache(maxsize=None)(_Remembering))
