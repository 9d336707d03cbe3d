"""Small records of the demonstration and of faults, with what was decided in them: kept, and decided again for ever."""

from __future__ import annotations

import io
import lzma
import re
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rfctl.clock import NS_PER_S
from rfctl.record.keys import load_public_key
from rfctl.record.replay import replay
from rfctl.record.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rfctl.kernel.state import KernelState

HERE: Final = Path(__file__).parent
ARCHIVES: Final = ("demo", "faults")
SUMMARY: Final = HERE / "summary.txt"
PUBLIC: Final = "root.pub"
_PORT: Final = re.compile(r"127\.0\.0\.1:[0-9]+")


def pack(archive: str, records: Iterable[tuple[str, Path]]) -> None:
    """Keep these records, each with its public key beside it, under these names."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, record in records:
            for path in sorted(record.iterdir()):
                tar.add(path, f"{name}/record/{path.name}", filter=_plain)
            tar.add(record.with_suffix(".pub"), f"{name}/{PUBLIC}", filter=_plain)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 26}]
    (HERE / f"{archive}.tar.xz").write_bytes(lzma.compress(packed.getvalue(), filters=filters))


def unpack(folder: Path) -> list[Path]:
    """All of them, each in a folder of its name."""
    for archive in ARCHIVES:
        with tarfile.open(HERE / f"{archive}.tar.xz") as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read())
    return sorted(folder.iterdir())


def summary(case: Path) -> str:
    """What verification and replay say of one of them.

    Raises:
        AssertionError: A decision comes out otherwise today.
    """
    verdict = verify(case / "record", load_public_key(case / PUBLIC))
    again = replay(case / "record")
    assert again.differences == 0, f"{case.name}: {again.differences} of {again.decisions}: {again.first_difference}"
    assert again.final is not None
    told = f"{case.name}: {verdict.verdict}, {verdict.records} records, {again.decisions} decisions"
    return "".join(f"{line}\n" for line in (told, *_end(again.final)))


def _end(state: KernelState) -> list[str]:
    trips = [
        f"  {trip.t_ns / NS_PER_S:.3f} s {trip.code} ({trip.hazard}): {trip.measured} against {trip.limit} {trip.unit}"
        for trip in state.trips
    ]
    return [*trips, f"  {state.outcome}: {_PORT.sub('127.0.0.1', state.ending)}"]


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
