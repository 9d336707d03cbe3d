"""rfctl keys: the root of a station's record, its epochs, and what others need to verify it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rfctl.cli.password import read_password

if TYPE_CHECKING:
    from datetime import datetime

    from rfctl.record.epochs import Signer
    from rfctl.record.notes import VerifierKey

ROOT_FILE = "root.key"
PUBLIC_FILE = "root.pub"
MOST_EPOCHS = 10_000
_PATH = click.Path(path_type=Path)
OPTION = "--passphrase-file"
PASSPHRASE = click.option(OPTION, type=_PATH, help="The passphrase is its first line, mode 0600; else it is asked for.")
ROOT = click.option("--root", "root_path", type=_PATH, required=True, help="The private root, as init wrote it.")


@click.group()
def keys() -> None:
    """Keys of a station's record: who may sign, and what others verify with.

    The root is made once and stays off the station, in a safe place. It certifies epochs in advance; the station uses
    one for each session and forgets its key afterwards. Whoever verifies needs the public key alone.

    \b
    rfctl keys init bench-1 --out safe/
    rfctl keys epoch --root safe/root.key --count 60 --out station-keys/
    rfctl keys export safe/root.key

    Without any of it a station makes a root for one record and throws it away, and says so: such a record shows that
    nothing was changed afterwards, and not who made it.

    Example: rfctl keys init bench-1 --out safe/
    """  # noqa: D301 - click's own mark


@keys.command()
@click.argument("station")
@click.option("--out", type=_PATH, required=True, help="Folder for root.key and root.pub; made when it is not there.")
@click.option("--plain", is_flag=True, help="Without a passphrase: whoever reads the file can sign for the station.")
@PASSPHRASE
def init(*, station: str, out: Path, plain: bool, passphrase_file: Path | None) -> None:
    """Make the root of a new record of STATION, private and public.

    Example: rfctl keys init bench-1 --out /media/safe
    """
    from uuid import uuid4

    from rfctl.record import epochs, root_file

    origin = f"rfctl/{station}-{uuid4()}"
    root = epochs.Signer(origin, epochs.generate())
    public = root.public  # refuses an origin that no log can have, before anything is written
    _make_folder(out)
    for path in (out / ROOT_FILE, out / PUBLIC_FILE):
        _refuse_existing(path)
    if plain and passphrase_file is not None:
        raise click.UsageError("--plain has no passphrase: leave one of them out")
    passphrase = None if plain else read_password(passphrase_file, "Passphrase of the root", twice=True, option=OPTION)
    root_file.save(out / ROOT_FILE, root, passphrase)
    epochs.write_public_key(out / PUBLIC_FILE, public)
    if plain:
        click.echo(f"warning: {out / ROOT_FILE} is not encrypted; keep it off the station", err=True)
    click.echo(f"private root  {out / ROOT_FILE}    keep it off the station, and a copy elsewhere")
    click.echo(f"public key    {out / PUBLIC_FILE}    give it to whoever verifies, by another way than the records")
    click.echo(f"origin        {origin}")
    click.echo(f"fingerprint   {fingerprint(public)}")


@keys.command()
@ROOT
@PASSPHRASE
@click.option("--out", type=_PATH, required=True, help="The station's folder of keys; made when it is not there.")
@click.option("--count", type=click.IntRange(1, MOST_EPOCHS), default=60, show_default=True, help="How many.")
@click.option("--first", type=click.IntRange(1), help="Number of the first; default behind those in the folder, or 1.")
@click.option("--log", type=_PATH, help="A copy of the log: go on behind its epochs, and countersign chained ones.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="They hold so long.")
def epoch(
    *,
    root_path: Path,
    passphrase_file: Path | None,
    out: Path,
    count: int,
    first: int | None,
    log: Path | None,
    days: int,
) -> None:
    """Certify epochs in advance, for a station that cannot reach the root. Each session uses one up.

    Writes root.pub beside them. Where the station has used up the last, it lets one epoch certify the next, and the
    verifier says so, until the root has countersigned them: give --log. Expired ones stop the station until there are
    others from that number on.

    Example: rfctl keys epoch --root safe/root.key --count 400 --out station-keys/ --log copy-of-the-log/
    """
    from datetime import timedelta

    from rfctl.record import epochs
    from rfctl.record.prepared import countersign

    root = _root(root_path, passphrase_file)
    public = out / PUBLIC_FILE
    if public.exists() and epochs.load_public_key(public) != root.public:
        raise _other_root(public, root.public)
    numbers = epochs.prepared_numbers(out)
    countersigned: list[int] = []
    if log is not None:
        _make_folder(out)
        countersigned, last = countersign(root, log, out)
        numbers.append(last)
    if first is None:
        first = max(numbers, default=0) + 1
    now = _now()
    not_after = now + timedelta(days=days)
    paths = epochs.prepare(root, out, first=first, count=count, not_before=now, not_after=not_after)
    if not public.exists():
        epochs.write_public_key(public, root.public)
    click.echo(f"epochs {first} to {first + count - 1} of {root.origin} in {out}, {len(paths)} files")
    if countersigned:
        click.echo(f"countersigned: epochs {', '.join(map(str, countersigned))}; the next session records it")
    click.echo(f"they hold until {not_after:%Y-%m-%d %H:%M} UTC. Move them to the station; keep no copy")


@keys.command()
@click.argument("path", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def export(*, path: Path, as_json: bool) -> None:
    """Show the public key of a root.key, a root.pub or a station's folder of keys.

    The one line ORIGIN+KEYID+KEY is the .pub file that rfctl record verify takes. PEM is the same key for other
    programs. A folder's prepared epochs are listed with the time to which they hold.

    Example: rfctl keys export safe/root.key
    """
    from rfctl.record import epochs

    folder = path if path.is_dir() else None
    public = _public(path)
    rows = []
    for number in epochs.prepared_numbers(folder) if folder is not None else []:
        certificate = epochs.Epoch.load(path / f"epoch-{number:08d}.json", public).certificate
        until = certificate.not_after.isoformat() if certificate.not_after is not None else None
        expired = certificate.not_after is not None and certificate.not_after < _now()
        rows.append({"epoch": number, "not_after": until, "expired": expired})
    if as_json:
        members = {
            "origin": public.origin,
            "public_key": public.text,
            "fingerprint": fingerprint(public),
            "pem": pem(public),
            "epochs": rows,
        }
        click.echo(json.dumps(members))
        return
    click.echo(public.text)
    click.echo(f"fingerprint {fingerprint(public)}")
    click.echo(pem(public), nl=False)
    for row in rows:
        click.echo(f"epoch {row['epoch']} to {row['not_after'] or 'ever'}{' EXPIRED' if row['expired'] else ''}")


@keys.command()
@click.argument("folder", type=_PATH)
@ROOT
@PASSPHRASE
@click.option("--from", "first", type=click.IntRange(1), default=1, show_default=True, help="From this epoch on.")
@click.option("--reason", required=True, help="Why: it is signed.")
@click.option("--out", type=_PATH, required=True, help="File for the root's signed statement.")
def retire(*, folder: Path, root_path: Path, passphrase_file: Path | None, first: int, reason: str, out: Path) -> None:
    """Take a station's unused epochs out of service: delete their keys, and sign that they were retired.

    The statement names every key, for the auditor's file: a signature of a retired key is worth nothing, even where the
    deleted key was copied before. Records that are signed already stay as they are.

    Example: rfctl keys retire station-keys/ --root safe/root.key --reason "laptop stolen" --out retired.note
    """
    from rfctl.record import epochs, retirement

    _refuse_existing(out)
    root = _root(root_path, passphrase_file)
    if epochs.load_public_key(folder / PUBLIC_FILE) != root.public:
        raise _other_root(folder / PUBLIC_FILE, root.public)
    retired = retirement.unused(folder, root.public, first)
    note = retirement.statement(root, retired, _now(), reason)
    _write_new(out, note)
    retirement.destroy(retired)
    numbers = f"{retired[0].certificate.epoch} to {retired[-1].certificate.epoch}"
    click.echo(f"epochs {numbers} of {root.origin}: {len(retired)} keys deleted; statement in {out}")


def fingerprint(public: VerifierKey) -> str:
    """SHA-256 of the public key's line, in groups of four: what two people compare on the telephone."""
    import hashlib

    digits = hashlib.sha256(public.text.encode("ascii")).hexdigest()
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def pem(public: VerifierKey) -> str:
    """The key as SubjectPublicKeyInfo in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PublicKey.from_public_bytes(public.raw)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def _root(path: Path, passphrase_file: Path | None) -> Signer:
    from rfctl.record import root_file

    return root_file.load(path, lambda: read_password(passphrase_file, f"Passphrase of {path}", option=OPTION))


def _public(path: Path) -> VerifierKey:
    from rfctl.record import epochs, root_file

    if path.is_dir():
        return epochs.load_public_key(path / PUBLIC_FILE)
    return root_file.load_public(path) if path.name.endswith(".key") else epochs.load_public_key(path)


def _now() -> datetime:
    from rfctl.clock import RealClock

    return RealClock().utc()


def _other_root(path: Path, root: VerifierKey) -> Exception:
    from rfctl.errors import ConfigError

    return ConfigError(
        f"is the public key of another root than {root.origin}",
        where=str(path),
        remedy="Use that root, or another folder.",
    )


def _refuse_existing(path: Path) -> None:
    from rfctl.errors import ConfigError

    if path.exists():
        raise ConfigError("exists already", where=str(path), remedy="A key is never overwritten: move it away.")


def _make_folder(folder: Path) -> None:
    from rfctl.errors import ConfigError

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(f"cannot be made: {problem.strerror}", where=str(folder), remedy="Check the path.") from None


def _write_new(path: Path, content: bytes) -> None:
    import os

    from rfctl.errors import ConfigError

    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise ConfigError(f"cannot be written: {problem.strerror}", where=str(path), remedy="Check the path.") from None
