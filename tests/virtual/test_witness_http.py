"""The witness over HTTP, on real sockets: two stations, a fork, and clients that send anything."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from rfctl.anchors.cosignature import WitnessKey
from rfctl.anchors.http import MOST_BODY_BYTES, MOST_CONNECTIONS, REQUEST_S, HttpServer
from rfctl.anchors.submit import WitnessClient
from rfctl.anchors.witness import Reply, Witness
from rfctl.errors import ConfigError, LinkError, RefusedError
from rfctl.record.tree import Leaves
from rfctl_verify.note import parse_note
from tests.small_log import SmallLog, heads_in, size_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rfctl.clock import Clock

NOW_S = 1_800_000_000


class Served:
    """A witness for two stations, listening."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = [SmallLog.begin(name).grow(4) for name in ("one", "two")]
        self.key = WitnessKey.in_folder(folder, "witness/test")
        self.failed: list[BaseException] = []
        self.witness = Witness(folder, self.key, [log.root.public for log in self.logs], lambda: NOW_S)
        self.server = HttpServer(self.witness.answer, self.failed.append)

    async def submit(self, log: SmallLog) -> bytes:
        client = WitnessClient(self.server.address)
        return await asyncio.to_thread(client.submit, Leaves(log.leaves), log.checkpoint(), log.certificates)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.server.address.removeprefix("http://").rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def raw(self, request: bytes) -> bytes:
        """What comes back until the server hangs up, or for a request."""
        reader, writer = await self.connect()
        writer.write(request)
        writer.write_eof()
        reply = await reader.read()
        writer.close()
        return reply


@pytest.fixture
async def served(clock: Clock, tmp_path: Path) -> AsyncIterator[Served]:
    served = Served(tmp_path)
    await served.server.open("127.0.0.1", 0)
    yield served
    await served.server.close()
    served.witness.close()


async def test_two_stations_have_their_heads_cosigned_as_they_grow(served: Served) -> None:
    for count in (0, 1, 0, 9, 100):
        for log in served.logs:
            cosigned = await served.submit(log.grow(count))
            note = parse_note(cosigned)
            assert [each.name for each in note.signatures] == [log.root.origin, "witness/test"]
            cosignature = note.signatures[1].value
            served.key.private.public_key().verify(
                cosignature[8:], f"cosignature/v1\ntime {NOW_S}\n".encode() + note.text
            )
            log.next_epoch(chained=count == 1)
    for log in served.logs:
        (path,) = (served.folder / "heads").glob(f"{log.root.origin.removeprefix('rfctl/')}.*")
        assert [size_of(note) for note in heads_in(path)] == [4, 5, 5, 14, 114]


async def test_a_fork_by_the_real_key_is_refused_in_words(served: Served) -> None:
    log = served.logs[0]
    await served.submit(log)
    other = log.fork().grow(3, "other ")
    await served.submit(log.grow(3))
    with pytest.raises(RefusedError, match="another root for 7 records: two histories of one log"):
        await served.submit(other)
    with pytest.raises(RefusedError, match="no proof that it goes on from the 7 records"):
        await served.submit(other.grow(1))
    await served.submit(log.grow(1))


async def test_an_older_copy_is_refused_in_words(served: Served) -> None:
    log = served.logs[0]
    older = log.fork()
    await served.submit(log.grow(3))
    with pytest.raises(RefusedError, match="cosigned 7 records already, more than these 4"):
        await served.submit(older)


async def test_a_stranger_is_refused(served: Served) -> None:
    with pytest.raises(RefusedError, match="403"):
        await served.submit(SmallLog.begin("one").grow(4))
    with pytest.raises(RefusedError, match="404"):
        await served.submit(SmallLog.begin("three").grow(4))


async def test_a_witness_that_is_none_is_told_from_one(clock: Clock) -> None:
    log = SmallLog.begin().grow(1)
    answers = [Reply(HTTPStatus.OK, b""), Reply(HTTPStatus.OK, b"hello\n"), Reply(HTTPStatus.OK, b"\xe2\x80\x94 a\n")]
    for answer in answers:
        server = HttpServer(lambda *_, answer=answer: answer, lambda _: None)  # type: ignore[misc]
        await server.open("127.0.0.1", 0)
        client = WitnessClient(server.address)
        with pytest.raises(LinkError, match="no cosignature"):
            await asyncio.to_thread(client.submit, log.leaves, log.checkpoint(), [])
        await server.close()
    with pytest.raises(LinkError, match="does not answer"):
        await asyncio.to_thread(client.submit, log.leaves, log.checkpoint(), [])


@pytest.mark.parametrize("url", ["", "https://a", "http://", "http://a:b", "http://a/b", "http://u:p@a", "a:1"])
def test_what_is_no_url_of_a_witness_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="a witness is http://HOST:PORT"):
        WitnessClient(url)


def post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /add-checkpoint HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post(b"nonsense"), b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + b"x" * 200 + b"\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /add-checkpoint HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000, b"431"),
        (post(b"x" * (MOST_BODY_BYTES + 1)), b"413"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n" + b"x" * 40_000, b"413"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nxxxx", b"400"),
    ],
)
async def test_whatever_is_sent_gets_an_answer_and_the_next_client_too(
    served: Served, request_: bytes, status: bytes
) -> None:
    reply = await served.raw(request_)
    assert reply.split(b" ")[1:2] == [status]
    assert await served.submit(served.logs[0])
    assert served.failed == []


async def test_one_connection_carries_several_requests(served: Served) -> None:
    log = served.logs[0]
    reader, writer = await served.connect()
    for body in (b"nonsense", b"old 0\n\n" + log.checkpoint(), b"nonsense"):
        writer.write(post(body))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
    assert head.startswith(b"HTTP/1.1 400")
    writer.close()


async def test_a_client_that_says_nothing_is_hung_up_on(served: Served, clock: Clock) -> None:
    reader, writer = await served.connect()
    writer.write(b"POST /add-checkpoint HTTP/1.1\r\n")
    began_ns = clock.monotonic_ns()
    assert await reader.read() == b""
    assert (clock.monotonic_ns() - began_ns) / 1e9 == pytest.approx(REQUEST_S, abs=0.1)
    writer.close()


async def test_more_connections_than_allowed_are_hung_up_on_at_once(served: Served, clock: Clock) -> None:
    open_ones = [await served.connect() for _ in range(MOST_CONNECTIONS)]
    await asyncio.sleep(0.1)
    began_ns = clock.monotonic_ns()
    reader, writer = await served.connect()
    assert await reader.read() == b""
    assert clock.monotonic_ns() - began_ns < 1_000_000_000
    writer.close()
    for _, each in open_ones:
        each.close()
    await asyncio.sleep(0.1)
    assert await served.submit(served.logs[0])


async def test_a_disk_that_refuses_ends_the_witness(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    log = served.logs[0]
    reply = await served.raw(post(b"old 0\n\n" + log.checkpoint()))
    assert reply.startswith(b"HTTP/1.1 403")  # its certificate is not known yet
    certificate = log.certificates[0]
    lines = f"POST /add-certificate HTTP/1.1\r\nHost: x\r\nContent-Length: {len(certificate)}\r\n\r\n".encode()
    assert (await served.raw(lines + certificate)).startswith(b"HTTP/1.1 200")

    def refuse(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", refuse)
    assert await served.raw(post(b"old 0\n\n" + log.checkpoint())) == b""
    assert isinstance(served.failed[0], ConfigError)
