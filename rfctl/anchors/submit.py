"""Takes a checkpoint to a witness: what it needs to know, the proof from where it stands, and its cosignature back."""

from __future__ import annotations

import http.client
from base64 import b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rfctl.errors import ConfigError, LinkError, RefusedError
from rfctl_verify.note import BadNote, parse_checkpoint, parse_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl.record.tree import Leaves

TIMEOUT_S = 10.0
_LONGEST_REPLY = 64 << 10
EXPECTED = "a witness is http://HOST:PORT"


class WitnessClient:
    """One witness."""

    def __init__(self, url: str) -> None:
        """Nothing is sent yet.

        Raises:
            ConfigError: Not such a URL.
        """
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query or parts.username:
            raise ConfigError(f"{EXPECTED}, not {url!r}", remedy="What is sent is signed: it needs no TLS of its own.")
        self.url = url
        self._host, self._port = host, port or 80

    def submit(self, leaves: Leaves, checkpoint: bytes, certificates: Sequence[bytes]) -> bytes:
        """Have a checkpoint cosigned.

        Args:
            leaves: Leaf hashes of the log, at least as many as the checkpoint covers.
            checkpoint: Its note.
            certificates: Of the log's epochs, in their order: the witness learns their keys.

        Returns:
            The note with the cosignature behind the log's own signature: a head for ``rfctl record verify --head``.

        Raises:
            ConfigError: What the witness has cosigned last was retired since.
            RefusedError: The witness did not cosign: it has seen another history, or a longer one.
            LinkError: It does not answer, or not like one.
        """
        for certificate in certificates:
            answered, said = self._post("/add-certificate", certificate)
            if answered != HTTPStatus.OK:
                raise self._refused(answered, said)
        size = parse_checkpoint(parse_note(checkpoint).text).size
        if size > len(leaves):
            raise ConfigError(f"a checkpoint of {size} records, and there are {len(leaves)}", remedy="Verify the log.")
        seen, status, body = 0, HTTPStatus.CONFLICT, b""
        for _ in range(2):  # the first time only asks how far the witness is
            if seen > size:
                raise RefusedError(
                    f"has cosigned {seen} records already, more than these {size}",
                    where=self.url,
                    remedy="Take the newest copy of the log. If this is the newest, records are missing.",
                )
            proof = self._proof(leaves, seen, size)
            lines = [f"old {seen}", *(b64encode(node).decode("ascii") for node in proof)]
            status, body = self._post("/add-checkpoint", "\n".join(lines).encode("ascii") + b"\n\n" + checkpoint)
            if status == HTTPStatus.OK:
                return self._cosigned(checkpoint, body)
            known = body.strip()
            if status != HTTPStatus.CONFLICT or not known.isdigit() or int(known[:15]) == seen:
                break
            seen = int(known[:15])
        raise self._refused(status, body)

    def _proof(self, leaves: Leaves, seen: int, size: int) -> list[bytes]:
        if not 0 < seen < size:
            return []
        try:
            return leaves.consistency_proof(seen, size)
        except LookupError:
            raise ConfigError(
                f"has cosigned {seen} records, and more than these were retired from this log since",
                where=self.url,
                remedy="Submit a copy of the log from before that; then this one.",
            ) from None

    def _cosigned(self, checkpoint: bytes, lines: bytes) -> bytes:
        note = checkpoint + lines
        try:
            if len(parse_note(note).signatures) < 2 or not lines:
                raise BadNote("no further signature")
        except BadNote as problem:
            raise LinkError(f"answers no cosignature: {problem}", where=self.url) from None
        return note

    def _refused(self, status: int, body: bytes) -> RefusedError:
        said = body[:200].decode("ascii", "replace").strip()
        if status == HTTPStatus.CONFLICT:
            said = f"it has cosigned another root for {said} records: two histories of one log"
        return RefusedError(f"did not cosign ({status}): {said}", where=self.url, remedy="Verify the log.")

    def _post(self, path: str, body: bytes) -> tuple[HTTPStatus, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", path, body, {"Content-Type": "text/plain; charset=utf-8"})
            response = connection.getresponse()
            return HTTPStatus(response.status), response.read(_LONGEST_REPLY)
        except (OSError, ValueError, http.client.HTTPException) as problem:
            raise LinkError(
                f"does not answer: {str(problem) or type(problem).__name__}",
                where=self.url,
                remedy="Check that it runs.",
            ) from None
        finally:
            connection.close()
