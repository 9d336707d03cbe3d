"""Where the identity and the traits of the channels lie, and in which requests they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.link.registers import Space
from rfctl.profile.blocks import Image, Read

if TYPE_CHECKING:
    from rfctl.profile.blocks import Layout, Place
    from rfctl.profile.schema import ProfileFile


def places(file: ProfileFile, layout: Layout) -> dict[str, Place]:
    """Every item of the identity that is read, by name."""
    return {
        name: layout.place(f"identity.{name}", item)
        for name, item in file.identity.items.items()
        if item.address is not None
    }


def image(file: ProfileFile, layout: Layout) -> Image:
    """The requests that read the identity."""
    block = file.identity
    if block.address is not None and block.count is not None and block.table is not None:
        return Image((Read(Space(block.table), block.address, block.count),))
    return Image(layout.planned(places(file, layout).values()))


def trait_places(file: ProfileFile, layout: Layout, channels: int) -> list[dict[str, Place]]:
    """Every trait that is read, by name, for each channel."""
    traits = file.traits
    return [
        {
            name: layout.place(
                f"traits.{name}",
                item,
                base=traits.address or 0,
                table=traits.table,
                shift=channel * (item.stride or traits.stride or 0),
            )
            for name, item in traits.items.items()
            if item.stated is None
        }
        for channel in range(channels)
    ]


def trait_image(file: ProfileFile, layout: Layout, channels: int) -> Image:
    """The requests that read the traits; none where all are stated."""
    traits = file.traits
    if traits.address is not None and traits.stride is not None and traits.table is not None:
        return Image((Read(Space(traits.table), traits.address, traits.stride * channels),))
    every = [place for each in trait_places(file, layout, channels) for place in each.values()]
    return Image(layout.planned(every))


def check(file: ProfileFile, layout: Layout) -> None:
    """Refuse an identity or traits that cannot be read.

    Raises:
        ConfigError: A value in no block, one that overlaps another, or a block that is too long.
    """
    for name, item in file.identity.items.items():
        if item.offset is not None:
            raise layout.refuse(f"identity.{name}", "an offset where an address is needed", "Give its address.")
    read = image(file, layout)
    layout.check(read.reads, "identity")
    expected = [place for name, place in places(file, layout).items() if name.startswith("expect")]
    others = [place for name, place in places(file, layout).items() if not name.startswith("expect")]
    layout.require_readable(others, read)  # what is expected is often read a second time, in another way
    layout.require_readable(expected, read)
    most = file.profile.channels
    traits = trait_image(file, layout, most)
    layout.check(traits.reads, "traits")
    layout.require_readable(
        [place for each in trait_places(file, layout, most) for place in dict(each).values()]
        if file.traits.stride
        else list(trait_places(file, layout, 1)[0].values()),
        traits,
    )
