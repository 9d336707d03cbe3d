"""Logs with something wrong: some by somebody without a key, some by the holder of every key, some by a crash."""

from __future__ import annotations

import hashlib
import json
import random
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.log_forge import Forge, b64, broken, epoch_key, frame, golden, note, private, retired_content

if TYPE_CHECKING:
    from collections.abc import Callable

PAYLOADS = [
    "{}",
    '{"a":1,"a":2}',
    '{"a":[1,2.5,-0.0,1e9,1E-9,null,true,false,"NaN"]}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":-}',
    '{"a":+1}',
    '{"a":NaN}',
    '{"a":-Infinity}',
    '{"a":tru}',
    '{"a":"\\u00e9\\ud800"}',
    '{"a":"\\u00g9"}',
    '{"a":"\\x"}',
    '{"\\u0061":1}',
    '{"a":"b\\"c\\\\"}',
    '{"a" : 1 , "b" : [ ] , "c" : { } }',
    '{"a":1,}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a"}',
    "{,}",
    '{"a":1}{}',
    '{"a":' + "[" * 31 + "]" * 31 + "}",
    '{"a":' + "[" * 32 + "]" * 32 + "}",
    '{"a":' + '{"a":' * 31 + "1" + "}" * 31 + "}",
    '{"a":' + '{"a":' * 32 + "1" + "}" * 32 + "}",
    '{"a":' + "[" * 50_000 + "]" * 50_000 + "}",
    '{"a":"' + "[" * 100 + '"}',
    '{"a":' + "9" * 5000 + "}",
    '{"a":"\x7f"}',
    '{"a":"é"}',
    '{"a":"' + "x" * 700_000 + '"}',
    "[]",
    "1",
]


@dataclass
class Mutant:
    """Files, heads, and what was done."""

    what: str
    content: dict[str, bytes]
    heads: list[bytes] = field(default_factory=list)


def mutants(count: int, seed: int) -> list[Mutant]:
    """So many different ones, the same for the same seed."""
    chance = random.Random(seed)
    ways: list[Callable[[random.Random], Mutant]] = [
        *[by_nobody] * 5,
        *[by_a_key_holder] * 5,
        on_disk,
        *[in_a_chunk] * 2,
        with_heads,
        with_a_payload,
        retired,
    ]
    found: dict[str, Mutant] = {}
    while len(found) < count:
        mutant = chance.choice(ways)(chance)
        digest = hashlib.sha256(repr((sorted(mutant.content.items()), mutant.heads)).encode()).hexdigest()
        found.setdefault(digest, mutant)
    return list(found.values())


def any_log(chance: random.Random) -> Forge:
    """A sound one."""
    kind = chance.randrange(4)
    if kind < 2:
        return golden()
    log = Forge()
    log.open()
    log.checkpoint()
    log.chunk(b"some")
    if kind == 2:
        log.add("note")
        return log
    log.open(recovered=recovered(log))
    log.chunk(b"more")
    log.close()
    return log


def recovered(log: Forge, torn: bytes = b"", **changed: object) -> str:
    members = {
        "segment": len(log.segments) - 1,
        "torn_bytes": len(torn),
        "torn_sha256": hashlib.sha256(torn).hexdigest(),
        "torn_chunk_bytes": 0,
        "torn_chunk_sha256": hashlib.sha256().hexdigest(),
        "error": "",
    } | changed
    return json.dumps(members, separators=(",", ":"))


def changed_byte(chance: random.Random, some: bytes) -> bytes:
    place = chance.randrange(len(some))
    value = chance.choice([some[place] ^ 1 << chance.randrange(8), chance.randrange(256), *b'019afA"{}:,+'])
    return some[:place] + bytes([value]) + some[place + 1 :]


def by_nobody(chance: random.Random) -> Mutant:
    """Records changed, moved, removed, doubled; check sums made good, sometimes the chain, too."""
    log = any_log(chance)
    bodies = chance.choice(log.segments)
    place = chance.randrange(len(bodies))
    what = chance.choice(["change", "change", "change", "remove", "double", "swap", "move", "insert"])
    if what == "change":
        bodies[place] = changed_byte(chance, bodies[place])
    elif what == "remove":
        del bodies[place]
    elif what == "double":
        bodies.insert(place, bodies[place])
    elif what == "swap":
        bodies[place - 1], bodies[place] = bodies[place], bodies[place - 1]
    elif what == "move":
        chance.choice(log.segments).append(bodies.pop(place))
    else:
        bodies.insert(place, chance.choice(golden().segments[0]))
    if chance.random() < 0.5:
        try:
            log.rehash()
        except ValueError:
            what += ", cannot be chained"
    return Mutant(what, log.content())


def by_a_key_holder(chance: random.Random) -> Mutant:
    """Everything signed and chained, and now and then not as it must be."""
    log = Forge()
    steps: list[str] = []

    def odd(*wrong: object) -> object | None:
        return chance.choice(wrong) if chance.random() < 0.05 else None

    def given(**members: object | None) -> dict[str, object]:
        return {name: value for name, value in members.items() if value is not None}

    def open_() -> None:
        certificate = given(
            origin=odd("rfctl/other", "rf ctl"),
            epoch=odd("epoch 1", "epoch 2", "epoch 01"),
            start=odd("start any", "start 0", "start x"),
            prev=odd("prev any", "prev none", f"prev {b64(bytes(32))}", "prev AAA="),
            not_before=odd("not-before 2027-02-30T00:00:00Z", "not-before 2027-13-01T00:00:00Z"),
            not_after=odd("not-after 2026-01-01T00:00:00Z", "not-after 1969-01-01T00:00:00Z"),
            by=odd(log.key, private(b"other")) if log.epoch else odd(private(b"other")),
        )
        if log.epoch and chance.random() < 0.3:
            certificate["by"] = log.key
        unclosed = log.segments and log.last_kind != "closed"
        text = recovered(log, **given(segment=odd(0, 7))) if unclosed != (odd(1) is not None) else ""
        log.open(recovered=text if log.segments else "", **certificate)  # type: ignore[arg-type]

    def checkpoint() -> None:
        log.checkpoint(
            **given(  # type: ignore[arg-type]
                by=odd(epoch_key(1), epoch_key(2), log.root),
                origin=odd("rfctl/other", "rfctl/bench-1", "x y"),
                name=odd("rfctl/other"),
                size=odd(0, log.seq + 1),
                root=odd(bytes(32), bytes(31)),
                why=odd("", "A", "x" * 33),
                spoil=odd(
                    broken,
                    broken,
                    broken,
                    lambda some: some + b"\n",
                    lambda some: some.replace(b"\n\n", b"\n"),
                    lambda some: changed_byte(chance, some),
                    lambda some: some + some[some.rindex("\N{EM DASH}".encode()) :],
                ),
            )
        )

    def change_segment() -> None:
        log.close(**given(size=odd(0, log.seq + 1), root=odd("0" * 64, "x")))
        if odd(1) is None:
            log.begin(**given(origin=odd("rfctl/other", "bench"), index=odd(0, 9), size=odd(3), root=odd("0" * 64)))

    def chunk() -> None:
        log.chunk(chance.randbytes(chance.randrange(1, 40)))
        if odd(1):
            log.chunks[-1] += b"x"

    def pass_time() -> None:
        for name in chance.sample(["mono_ns", "boottime_ns", "wall_ns"], chance.choice([1, 2, 3, 3, 3])):
            setattr(log, name, max(0, getattr(log, name) + chance.choice([-2, 1, 2, 119, 121]) * 10**9))
        if odd(1):
            log.boot = "f" * 36
        if odd(1):
            log.sync = "simulated"

    def tell() -> None:
        kind = chance.choice(["note", "clock", "clock", "Note", "segment", "epoch", "recovered", "x" * 33, "9x"])
        payload = '{"wall_step_ns":"-5","suspended_ns":"0"}' if kind == "clock" else "{}"
        members = given(
            epoch=odd(0, 1, 2, 3, "1"),
            seq=odd(0, log.seq + 1, "0"),
            boot_id=odd("x", "F" * 36),
            mono_ns=odd("-1", "00", 5, "9" * 18, "9" * 19),
            wall=odd("2026-02-31T00:00:00.000000Z", "2026-11-23T24:00:00.000000Z", "2026-11-23T09:00:00Z"),
            wall_sync_state=odd("", "x" * 17),
            actor=odd("x" * 400, "x" * 401, '"', "\x7f", "é" * 66, "é" * 67),
            backend=odd("sim"),
            prev=odd("0" * 64, "F" * 64),
        )
        log.add("note" if chance.random() < 0.8 else kind, payload if kind == "clock" else "{}", **members)

    def countersign() -> None:
        text = odd("rfctl-epoch-v1\n") or log.last_certificate
        raw = note(str(text), odd(log.key) or log.root, log.origin)  # type: ignore[arg-type]
        log.add("countersigned", f'{{"certificate":"{b64(raw)}"}}')

    def retire() -> None:
        index = chance.randrange(len(log.segments) + 1)
        size = sum(map(len, log.segments[:index]))
        root = Forge(leaves=log.leaves[:size]).tree_root().hex()
        log.add("retired", f'{{"segments":{index},"size":{odd(1) or size},"root":"{odd("0" * 64) or root}"}}')

    open_()
    for _ in range(chance.randrange(2, 9)):
        step = chance.choice(
            [checkpoint, checkpoint, change_segment, chunk, tell, tell, pass_time, countersign, retire]
        )
        steps.append(step.__name__)
        step()
        if chance.random() < 0.15:
            if chance.random() < 0.8:
                log.close()
            open_()
    if chance.random() < 0.8:
        log.close()
    return Mutant(" ".join(steps), log.content())


def on_disk(chance: random.Random) -> Mutant:
    """What a disk, a crash or somebody with a file manager does."""
    content = any_log(chance).content()
    name = chance.choice(sorted(content))
    some = content[name]
    what = chance.choice(["byte", "cut", "add", "zeros", "remove", "copy", "foreign", "insert", "torn", "frame"])
    place = chance.randrange(len(some) + 1)
    if what == "byte":
        content[name] = changed_byte(chance, some)
    elif what == "cut":
        content[name] = some[:place]
    elif what == "add":
        content[name] = some + chance.randbytes(chance.randrange(1, 30))
    elif what == "zeros":
        content[name] = some[:place] + bytes(chance.randrange(1, 3000))
    elif what == "remove":
        del content[name]
    elif what == "copy":
        content[chance.choice(sorted(content))] = some
    elif what == "foreign":
        content[
            chance.choice(["x", "00000000.SEG", "0000000.seg", "00000005.chunk", "00000004.seg", "retired.json"])
        ] = b""
    elif what == "insert":
        content[name] = some[:place] + chance.randbytes(chance.randrange(1, 9)) + some[place:]
    elif what == "torn":
        content[chance.choice(["00000000.seg.torn", "00000002.seg.torn", "00000001.chunk.torn"])] = some[:place]
    else:
        body = b"x" * chance.choice([0, 1, 100])
        content[name] = (
            some + struct.pack(">II", len(body) + chance.choice([0, 1, 2**20, 2**31]), zlib.crc32(body)) + body
        )
    return Mutant(what, content)


def in_a_chunk(chance: random.Random) -> Mutant:
    """Readings changed, cut, moved or doubled; sometimes the record about them agrees, and all are chained anew."""
    log = golden()
    number = chance.randrange(len(log.chunks))
    some = bytes(log.chunks[number])
    one, other = sorted(chance.choices(range(len(some) + 1), k=2))
    what, changed = chance.choice(
        [
            ("byte", changed_byte(chance, some)),
            ("cut", some[:one]),
            ("without", some[:one] + some[other:]),
            ("double", some[:other] + some[one:]),
            ("swap", some[one:] + some[:one]),
            ("more", some + some[one:other]),
        ]
    )
    log.chunks[number] = bytearray(changed)
    if chance.random() < 0.5:
        what += ", stated"
        offset = 0
        for place, body in enumerate(log.segments[number]):
            if b'"kind":"chunk"' in body:
                length = json.loads(body)["payload"]["bytes"]
                told = changed[offset : offset + length]
                begin, end = body.index(b'"payload":') + 10, body.index(b',"prev"')
                digest = hashlib.sha256(told).hexdigest()
                payload = f'{{"offset":{offset},"bytes":{len(told)},"frames":1,"sha256":"{digest}"}}'
                log.segments[number][place] = body[:begin] + payload.encode() + body[end:]
                offset += length
        log.rehash()
    return Mutant(f"chunk {what}", log.content())


def with_heads(chance: random.Random) -> Mutant:
    """A log beside what others have seen of it."""
    log = any_log(chance)
    size = chance.choice([log.seq - 1, log.seq, 0, 3, log.seq + 5])
    root = Forge(leaves=log.leaves[:size]).tree_root() if chance.random() < 0.6 else chance.randbytes(32)
    text = f"{log.origin}\n{size}\n{b64(root)}\n"
    signed = note(text, chance.choice([log.key, epoch_key(1), private(b"x")]), log.origin)
    other = note(f"{log.origin}\n{size}\n{b64(chance.randbytes(32))}\n", log.key, log.origin)
    heads = [
        [signed],
        [f"{log.origin} {size} {root.hex()[:16]}\n".encode()],
        [b64(signed).encode() + b"\n" + b64(other).encode() + b"\n"],
        [signed, other],
    ]
    return Mutant("heads", log.content(), chance.choice(heads))


def with_a_payload(chance: random.Random) -> Mutant:
    """A record of a kind that no verifier reads, properly chained and signed over."""
    log = Forge()
    log.open()
    text = chance.choice(PAYLOADS)
    if chance.random() < 0.3:
        text = changed_byte(chance, text.encode()).decode("latin-1")
    log.add("note", text)
    log.close()
    return Mutant(f"payload {text[:40]}", log.content())


def retired(chance: random.Random) -> Mutant:
    """A log whose beginning was retired, and whose stub says so more or less."""
    log = golden()
    log.pass_s(60)
    log.open(by=chance.choice([log.key, None]))
    segments, size, epoch = chance.choice([(2, 14, 1), (2, 14, 1), (3, 22, 2), (1, 9, 1)])
    root = Forge(leaves=log.leaves[:size]).tree_root().hex()
    if chance.random() < 0.8:
        log.add("retired", f'{{"segments":{segments},"size":{size},"root":"{root}"}}')
    if chance.random() < 0.5:
        raw = note(log.last_certificate, log.root, log.origin)
        log.add("countersigned", f'{{"certificate":"{b64(raw)}"}}')
    if chance.random() < 0.8:
        log.close()
    content = retired_content(log, segments, size, epoch)
    if chance.random() < 0.3:
        content["retired.json"] = changed_byte(chance, content["retired.json"])
    if chance.random() < 0.2:
        name = chance.choice(sorted(content))
        content[name] = changed_byte(chance, content[name]) if content[name] else b"x"
    for name, some in content.items():
        if name.endswith(".seg") and chance.random() < 0.1:
            content[name] = some + frame(b"{}")
    return Mutant(f"retired {segments}", content)
