"""The alarm is tried at the start: where somebody lies at the electrodes, whoever decides has to hear it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rfctl.station.station_file import Station

TONE = "\a"
"""What alarms sound with: the terminal's bell."""


def require_heard(station: Station) -> bool:
    """Sound the test tone and ask whether it was heard; without a patient nobody is asked.

    Returns:
        Somebody was asked, and has heard it.

    Raises:
        RefusedError: It was not heard, or nobody answers.
    """
    from rfctl.errors import RefusedError

    if not station.patient:
        return False
    click.echo(TONE, nl=False, err=True)
    try:
        heard = click.confirm(f"{station.id}: the alarm's test tone has sounded. Did you hear it?", err=True)
    except click.Abort:
        heard = False
    if not heard:
        raise RefusedError(
            "the test tone of the alarm was not heard",
            where=station.id,
            remedy="Turn on the bell and the sound of this terminal, then start again.",
        )
    return True
