"""A plan file to begin with, as text."""

from __future__ import annotations

import json

CHECKLIST = (
    "implanted device: none",
    "anticoagulant and last dose noted",
    "no infection, pregnancy excluded, able to cooperate awake",
    "allergies noted; metal hardware and skin at the pad site checked",
    "dispersive electrode placed on muscle, away from prep",
    "two-person time-out: patient, side, level",
)


def text_of(
    *,
    title: str,
    sites: list[tuple[int, str]],
    preset: str,
    gauge: int,
    tip_mm: float,
    batch: bool,
    drop: bool,
    medium: str,
    agent: str,
) -> str:
    """The file, with the same electrode and preset at every site.

    Args:
        title: What the plan is called.
        sites: Channel and name of each.
        preset: Name of a shipped preset, or a path.
        gauge: Of the cannula.
        tip_mm: Active tip, mm.
        batch: All are checked, then all anaesthetised, then all heated together.
        drop: A fault of one channel drops that channel only.
        medium: ``tissue`` or ``phantom``.
        agent: Local anaesthetic; empty where the preset uses none.
    """
    lines = [
        "[plan]",
        f"title = {_quoted(title)}",
        f'medium = "{medium}"',
        f'order = "{"batch" if batch else "site by site"}"',
        f'on_fault = "{"drop the channel" if drop else "stop all"}"',
        "checklist = [",
        *(f"    {_quoted(item)}," for item in CHECKLIST),
        "]",
    ]
    for channel, name in sites:
        lines += [
            "",
            "[[site]]",
            f"name = {_quoted(name)}",
            f"preset = {_quoted(preset)}",
            f"channel = {channel}",
            "pad = 1  # the dispersive electrode that returns its current",
            f"electrode = {{ gauge = {gauge}, tip_mm = {tip_mm:g} }}",
            f"anaesthetic = {{ agent = {_quoted(agent)}, volume_ml = 0.5 }}" if agent else "anaesthetic = {}",
            "# What stands here goes before the preset, for example:",
            "# lesion = { set_temperature_c = 80, hold_s = 90, ramp_c_per_s = 4.3 }",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's, whose escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
