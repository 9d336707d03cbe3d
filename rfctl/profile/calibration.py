"""Where a generator tells when it was calibrated and until when that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.profile.blocks import Image

if TYPE_CHECKING:
    from rfctl.profile.blocks import Layout, Place
    from rfctl.profile.schema import ProfileFile


def places(file: ProfileFile, layout: Layout) -> dict[str, Place]:
    """Where each date lies, by name; nothing where the generator tells none."""
    stated = file.calibration
    if stated is None:
        return {}
    return {
        name: layout.place(f"calibration.{name}", item, table=stated.table)
        for name, item in (("done", stated.done), ("due", stated.due))
        if item is not None
    }


def image(file: ProfileFile, layout: Layout) -> Image:
    """The requests that read them, none of anything else."""
    return Image(layout.planned(places(file, layout).values()))


def check(file: ProfileFile, layout: Layout) -> None:
    """Refuse dates that cannot be read.

    Raises:
        ConfigError: The two overlap, or one lies in no table.
    """
    read = image(file, layout)
    layout.check(read.reads, "calibration")
    layout.require_readable(places(file, layout).values(), read)
