"""Lesson 04 (blocks): the picture that stands for the block explorer where no kernel runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_utils.plots.charts import line_chart
from course_utils.plots.diagrams.shapes import ATTENTION, MLP, NORM, TOKEN
from course_utils.plots.style import BLACK, GREY, new_figure, show_image, styled

COLOURS = {"stream": TOKEN, "norm": NORM, "attention": ATTENTION, "MLP": MLP}


@styled
def block_picture(
    image: Tensor,
    name: str,
    token: str,
    place: tuple[int, int] | None,
    grid: tuple[int, int],
    layer: int,
    stations: Sequence[tuple[str, str, bool]],
    lengths: Tensor,
    cosines: Tensor,
    along: Tensor,
    *,
    since: str,
    readings: Sequence[str] = (),
) -> Figure:
    """Draw one token at the stations of one block, what the branches add to it, and its length in all blocks.

    Args:
        image: (3, H, W), uint8, or floats from 0 to 1.
        name: Of the image.
        token: Its name.
        place: Row and column of its patch; None for a token without a place.
        grid: Rows and columns of patches.
        layer: The block, counted from 0.
        stations: S times name, kind, whether it lies on the residual stream.
        lengths: (L, S), of the token.
        cosines: (S,), with the token that angles are told from.
        along: (2,), cosines of what attention and MLP add with the stream that they are added to.
        since: At the entry of what the token is that angles are told from.
        readings: L classes: what the head would say of the token after each block.

    Returns:
        The figure.
    """
    here, angles = lengths[layer].tolist(), cosines.clamp(-1, 1).arccos().rad2deg().tolist()
    words = "; ".join(
        f"{name} {length:.3g} long at {angle:.0f}°"
        for (name, *_), length, angle in zip(stations, here, angles, strict=True)
    )
    words = f"The {token} on its way through block {layer}; angles from the token as it entered {since}: {words}."
    words += f" The picture: {name}."
    if readings:
        words += f" Read early, after each block, the head would say: {', '.join(readings)}."
    figure = new_figure((10, 6.4), words)
    figure.set_layout_engine("constrained")  # "compressed" would cut labels here
    axes = figure.subplot_mosaic("PBBB;SSSA", height_ratios=[1, 1.15])
    left, right, path = axes["P"], axes["B"], axes["S"]  # picture, blocks, stations
    show_image(left, image, f"{name}\n{token}")
    if place is not None:
        high, wide = image.shape[1] / grid[0], image.shape[2] / grid[1]
        corner = place[1] * wide - 0.5, place[0] * high - 0.5
        for colour, thick in ((BLACK, 5), ("white", 2)):
            left.add_patch(Rectangle(corner, wide, high, fill=False, edgecolor=colour, linewidth=thick))
    kinds = [kind for _, kind, _ in stations]
    blocks = range(len(lengths))
    attention, mlp = kinds.index("attention"), kinds.index("MLP")
    line_chart(
        {
            "the token after the block": (blocks, lengths[:, -1].tolist()),
            "what attention adds": (blocks, lengths[:, attention].tolist()),
            "what the MLP adds": (blocks, lengths[:, mlp].tolist()),
        },
        title="In all blocks",
        x_label="block, and what the head would say of the token after it" if readings else "block",
        y_label="length",
        ax=right,
    )
    for line, colour in zip(right.get_lines(), (TOKEN, ATTENTION, MLP), strict=True):
        line.set_color(colour)
    right.set_xticks(blocks, [f"{block}\n{name}" for block, name in enumerate(readings)] if readings else None)
    right.set_ylim(0, 1.5 * lengths.max().item())  # the legend stands above the curves
    right.axvspan(layer - 0.15, layer + 0.15, color="#E5E5E5", zorder=0)
    right.legend(loc="upper left", ncols=2)  # anew, in the colours of the diagrams

    names = [name.replace(" + ", " +\n") for name, *_ in stations]
    bars = path.bar(range(len(names)), here, 0.6, color=[COLOURS[kind] for kind in kinds])
    for bar, (*_, on_stream) in zip(bars, stations, strict=True):
        bar.set_hatch("" if on_stream else "//")
        bar.set_edgecolor("white")
    labels = [f"{length:.3g}\n{angle:.0f}°" for length, angle in zip(here, angles, strict=True)]
    path.bar_label(bars, labels, padding=2, fontsize=10)
    path.set_xticks(range(len(names)), names)
    path.set(title=f"Through block {layer} (hatched: in a branch)", ylabel="length")
    path.set_xlabel(f"angles: from the token as it entered {since}")
    path.margins(y=0.28)
    _draw_sums(axes["A"], here, kinds, along.tolist())
    return figure


def _draw_sums(ax: Axes, lengths: Sequence[float], kinds: Sequence[str], along: Sequence[float]) -> None:
    """Draw the two additions of a block as arrows with their true lengths and angles, one above the other."""
    floor = 0.0
    for name, cosine, before in (("MLP", along[1], 3), ("attention", along[0], 0)):
        stream, added = lengths[before], lengths[kinds.index(name)]
        tip = np.array([stream + added * cosine, floor + added * math.sqrt(max(0.0, 1 - cosine**2))])
        for start, end, colour, style in (
            ((0, floor), (stream, floor), GREY, "--"),
            ((stream, floor), tip, COLOURS[name], "-"),
            ((0, floor), tip, TOKEN, "-"),
        ):
            ax.plot(*zip(start, end, strict=True), color=colour, linestyle=style, marker="")
            ax.plot(*end, color=colour, marker="o", markersize=4)
        words = f"{name} adds {added:.3g} at {math.degrees(math.acos(max(-1, min(1, cosine)))):.0f}°"
        ax.annotate(words, (0, floor), (0, -5), textcoords="offset points", va="top")
        floor = tip[1] + 0.35 * max(lengths)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.12, 0.2)
    ax.set_axis_off()
    ax.set_title("What is added, and at\nwhich angle to the stream")
