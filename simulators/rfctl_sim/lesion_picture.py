"""A lesion as a picture: the highest temperature everywhere, isotherms, and the electrode, in millimetres."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from rfctl_sim.field.lesion import EDGES_C, log_damage

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl_sim.field.lesion import Heating, Lesion
    from rfctl_sim.field.mesh import Array

# Around the largest size, mm; so much is shown at least on each side of the axis.
MARGIN_MM, LEAST_HALF_MM = 3.0, 4.0
INK, SHAFT, TIP = "#1a1a1a", "#9aa0a6", "#e8eaed"
STYLES: tuple[Any, ...] = ("--", "-", "-.")
DAMAGE_INK, SENSOR_INK = "#4dd0e1", "#c62828"
WORDS: Any = {"svg.fonttype": "none", "font.size": 9.0}


def draw(heating: Heating, made: Lesion, path: Path) -> None:
    """Write the picture, PNG or SVG by the suffix of ``path``.

    Raises:
        OSError: It cannot be written.
    """
    import matplotlib as mpl

    with mpl.rc_context(WORDS):
        figure = Figure(figsize=(6.4, 7.2), layout="constrained")
        FigureCanvasAgg(figure)
        _fill(figure, heating, made)
        figure.savefig(path, dpi=150, metadata={"Title": _title(heating)})


def _title(heating: Heating) -> str:
    return f"{heating.gauge} G, {heating.tip_mm:g} mm tip, {heating.set_c:g} °C, {heating.hold_s:g} s"


def _fill(figure: Figure, heating: Heating, made: Lesion) -> None:
    axes: Any = figure.add_subplot()
    field, tissue = made.field, made.tissue
    x, y = _both_sides(1e3 * tissue.rho_m, odd=True), _both_sides(1e3 * tissue.z_m)
    peak_c = _both_sides(heating.start_c + tissue.everywhere(field.peak_rise))
    hottest_c = ceil(max(made.tissue_max_c, heating.set_c))
    colours = axes.contourf(x, y, peak_c, levels=np.linspace(heating.start_c, hottest_c, 41), cmap="inferno")
    tens = [ten for ten in range(0, hottest_c, 10) if ten > heating.start_c + 2.0 and ten < hottest_c - 2.0]
    bar = figure.colorbar(colours, ax=axes, shrink=0.8, label="highest temperature reached, °C")
    bar.set_ticks([heating.start_c, *tens, hottest_c])
    handles = []
    for edge, style in zip(EDGES_C, STYLES, strict=True):
        width, length = made.width_mm[str(edge)], made.length_mm[str(edge)]
        if width:
            axes.contour(x, y, peak_c, levels=[edge], colors="white", linestyles=style, linewidths=1.3)
        said = f"{width:.1f} x {length:.1f} mm" if width else "nowhere"
        handles.append(Line2D([], [], color="white", linestyle=style, label=f"{edge} °C: {said}"))
    width, length = made.width_mm["arrhenius"], made.length_mm["arrhenius"]
    if width:
        damage = _both_sides(tissue.of_tissue(log_damage(field)))
        axes.contour(x, y, damage, levels=[0.0], colors=DAMAGE_INK, linestyles=":", linewidths=1.6)
    said = f"{width:.1f} x {length:.1f} mm" if width else "nowhere"
    handles.append(Line2D([], [], color=DAMAGE_INK, linestyle=":", linewidth=1.6, label=f"Arrhenius: {said}"))

    half = max(LEAST_HALF_MM, max(made.width_mm.values()) / 2.0 + MARGIN_MM)
    beyond = max(0.0, (max(made.length_mm.values()) - heating.tip_mm) / 2.0) + MARGIN_MM
    top = heating.tip_mm + beyond
    _electrode(axes, 1e3 * field.mesh.radius_m, heating.tip_mm, top)
    axes.plot(0.0, 1.0, marker="x", color=SENSOR_INK, markersize=6)
    handles.append(Line2D([], [], color=SENSOR_INK, marker="x", linestyle="", label="thermocouple"))
    axes.set(xlim=(-half, half), ylim=(-beyond, top), aspect="equal")
    axes.set(xlabel="across the needle, mm", ylabel="along the needle from the tip's end, mm")
    dark: dict[str, Any] = {"facecolor": "#424242", "labelcolor": "white", "framealpha": 1.0}
    legend = figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=8.0, **dark)
    legend.set_title("edge: width x length")
    legend.get_title().set_color("white")
    axes.set_title(f"{_title(heating)} after a ramp of {heating.ramp_s:g} s; T0 {heating.start_c:g} °C")
    figure.supxlabel(
        f"Simulated. T0 {heating.start_c:g} °C; perfusion {heating.perfusion:g} 1/s; edges of the highest temperature "
        f"reached by RF off.\n{made.power_w:.2f} W and {made.impedance_ohm:.0f} ohm in the end, hottest tissue "
        f"{made.tissue_max_c:.0f} °C. Light: active tip; grey: insulated shaft.",
        fontsize=8.0,
    )


def _electrode(axes: Any, radius_mm: float, tip_mm: float, top_mm: float) -> None:
    """The needle, its active tip lighter than the insulated shaft."""
    angle = np.linspace(-np.pi / 2.0, np.pi / 2.0, 61)
    end = np.column_stack([radius_mm * np.sin(angle), radius_mm * (1.0 - np.cos(angle))])
    tip = np.vstack([end, [[radius_mm, tip_mm], [-radius_mm, tip_mm]]])
    shaft = [[-radius_mm, tip_mm], [radius_mm, tip_mm], [radius_mm, top_mm], [-radius_mm, top_mm]]
    axes.add_patch(Polygon(tip, facecolor=TIP, edgecolor=INK, linewidth=0.6))
    axes.add_patch(Polygon(shaft, facecolor=SHAFT, edgecolor=INK, linewidth=0.6))


def _both_sides(values: Array, *, odd: bool = False) -> Array:
    """``values`` (s, r), and mirrored at the axis: from the shaft on the left round the tip to that on the right."""
    mirrored: Array = np.vstack([(-values if odd else values)[:0:-1], values])
    return mirrored
