"""Lesson 07 (attention_maps): figures of attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from course_utils.analysis.attention_maps import DeletionCurve, area_under_curve
from course_utils.plots.style import (
    BLACK,
    BLUE,
    GREY,
    TINT,
    VERMILLION,
    add_colour_bar,
    hide_frame,
    label_tiles,
    many_axes,
    mosaic,
    one_axes,
    show_image,
    styled,
)

MOST_TINT = 0.85  # where a map is largest: the picture still shines through


@styled
def attention_overlays(
    images: Tensor,
    maps: Tensor,
    captions: Sequence[str] | None = None,
    *,
    shared_scale: bool = False,
    top: float | None = None,
    uniform: float | None = None,
    label: str = "attention weight",
    columns: int = 1,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw for each image: the image, the map laid over it in orange, and the map with its numbers.

    Args:
        images: (B, C, H, W), uint8, or floats from 0 to 1. They may have more pixels than the maps.
        maps: (B, H, W), not negative, from :func:`course_utils.analysis.attention_maps.class_token_map` for example.
        captions: One for each image.
        shared_scale: Whether all maps share one scale. If not, each goes from 0 to its own largest value.
        top: Upper end of the shared scale. None: the largest value of all maps.
        uniform: The value that every patch would have if all were the same, 1/N: a line on the colour bar.
        label: Of the colour bar: what the numbers are.
        columns: Images side by side; two or more are drawn smaller.
        axes: 3 * B axes, image by image.

    Returns:
        The figure.

    Raises:
        ValueError: There is not one map and one caption for each image.
    """
    b = len(images)
    captions = [f"image {index}" for index in range(b)] if captions is None else list(captions)
    if maps.ndim != 3 or len(maps) != b or len(captions) != b:
        raise ValueError(
            f"{b} images need maps of shape ({b}, H, W) and {b} captions, not {tuple(maps.shape)} and {len(captions)}."
        )
    maps = maps.detach().cpu().float()
    largest = maps.amax(dim=(1, 2))  # (B, H, W) -> (B,)
    # Never below the uniform value: its line on the colour bar must lie on the bar.
    ends = [largest.max().item() if top is None else top] * b if shared_scale else largest.tolist()
    tops = [max(end, uniform or 1e-12) for end in ends]
    words = "; ".join(f"{caption}: largest value {peak:.3g}" for caption, peak in zip(captions, largest, strict=True))
    words = words.replace("\n", ", ")
    words = f"Attention maps over {b} images. {words}."
    if axes is None and columns > 1:
        figure, grid = _side_by_side(b, columns, words)
        titles = "map in orange", "map"
    else:
        figure, grid = many_axes(axes, (b, 3), (9, 2.75 * b + 0.2), words)
        titles = "map over the image, orange", "map, shared scale" if shared_scale else "map, own scale"
    for row, image, values, caption, end in zip(grid, images, maps, captions, tops, strict=True):
        show_image(row[0], image, caption)

        show_image(row[1], image, titles[0])
        tint = np.empty((*values.shape, 4))  # red, green, blue, and how much of it covers the picture
        tint[..., :3], tint[..., 3] = to_rgb(TINT), MOST_TINT * (values / end).clamp(max=1).numpy()
        height, width = image.shape[-2:]
        row[1].imshow(tint, extent=(-0.5, width - 0.5, height - 0.5, -0.5))

        drawn = row[2].imshow(values, vmin=0, vmax=end)
        row[2].set_title(titles[1])
        hide_frame(row[2])
        add_colour_bar(drawn, row[2], label, uniform)
    return figure


def _side_by_side(count: int, columns: int, words: str) -> tuple[Figure, np.ndarray]:
    """Make a figure with several images in a row, three axes (count, 3) for each, and room for the colour bars."""
    lines = math.ceil(count / columns)
    ratios = [1, 1, 1, 0.15] * columns
    figure, grid = many_axes(None, (lines, 4 * columns), (6.2 * columns, 2.2 * lines + 0.2), words, width_ratios=ratios)
    groups = grid.reshape(lines * columns, 4)
    for ax in [*groups[:, 3], *groups[count:, :3].flat]:
        ax.remove()
    return figure, groups[:count, :3]


@styled
def heads_overview(
    maps: Tensor, *, shared_scale: bool = True, uniform: float | None = None, title: str = "", ax: Axes | None = None
) -> Figure:
    """Draw the maps of all layers and heads of one image in one picture.

    Args:
        maps: (L, h, rows, columns), not negative: ``class_token_grid(weights[0], ...)`` for example.
        shared_scale: Whether all maps share one scale. If not, each map is divided by its own largest value.
        uniform: The value that every patch would have if all were the same: a line on the colour bar of a shared scale.
        title: Above the picture.
        ax: Where to draw.

    Returns:
        The figure.

    Raises:
        ValueError: The maps have another shape.
    """
    if maps.ndim != 4:
        raise ValueError(f"The maps must be (L, h, rows, columns), not {tuple(maps.shape)}.")
    depth, heads, rows, columns = maps.shape
    maps = maps.detach().cpu().float()
    largest = maps.amax().item()
    top = max(largest, uniform or 1e-12)
    if not shared_scale:
        maps, top, uniform = maps / maps.amax(dim=(2, 3), keepdim=True).clamp(min=1e-12), 1, None
    scale = "one scale for all" if shared_scale else "each map on its own scale"
    where = divmod(int(maps.amax(dim=(2, 3)).argmax()), heads)
    words = f"Attention maps of {depth} layers and {heads} heads, {scale}."
    if shared_scale:
        words += f" The largest weight, {largest:.3g}, is in layer {where[0]}, head {where[1]}."
    tile = 6.4 / max(heads, 4)  # inches
    gap = max(1, columns // 8)
    figure, ax = one_axes(ax, (tile * heads + 1.8, tile * depth * (rows + gap) / (columns + gap) + 1.0), words)
    drawn = ax.imshow(mosaic(maps.numpy(), gap), vmin=0, vmax=top)
    label_tiles(ax, (depth, heads), (rows, columns), gap, "head", "layer")
    ax.set_title(title or f"Attention by layer and head ({scale})")
    add_colour_bar(drawn, ax, "attention weight" if shared_scale else "weight / largest weight of the map", uniform)
    return figure


@styled
def attention_distance(
    distances: Tensor, *, uniform: float | None = None, title: str = "Mean attention distance", ax: Axes | None = None
) -> Figure:
    """Draw how far each head looks: one dot for each head, and a line for the mean of a layer.

    Args:
        distances: (L, h), in pixels, from :func:`course_utils.analysis.attention_maps.mean_attention_distance`.
        uniform: The distance of a head that looks everywhere alike: a dashed line.
        title: Above the figure.
        ax: Where to draw.

    Returns:
        The figure.

    Source: ViT, arXiv 2010.11929, figure 7, right.
    """
    values = distances.detach().cpu().numpy()  # (L, h)
    depth, heads = values.shape
    layers = np.arange(depth)
    means = values.mean(axis=1)
    figure, ax = one_axes(
        ax,
        (6.5, 3.8),
        f"Mean attention distance of {heads} heads in each of {depth} layers. Mean over the heads: {means[0]:.1f} "
        f"pixels in layer 0, {means[-1]:.1f} in layer {depth - 1}.",
    )
    ax.plot(layers, means, color=VERMILLION, linestyle="-", marker="", label="mean of the layer")
    places = np.repeat(layers, heads)
    ax.plot(places, values.ravel(), color=BLUE, linestyle="", marker="o", alpha=0.75, markersize=6, label="one head")
    if uniform is not None:
        ax.axhline(uniform, color=GREY, linestyle="--", label=f"all patches alike: {uniform:.1f}")
    ax.set(title=title, xlabel="layer", ylabel="distance in pixels")
    ax.set_ylim(0, 1.1 * max(values.max(), uniform or 0))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(True, axis="y")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


@styled
def deletion_curves(curves: Mapping[str, DeletionCurve], *, ax: Axes | None = None) -> Figure:
    """Draw deletion curves of one or more maps, and the random order of the first.

    Args:
        curves: Name of the map -> its curve.
        ax: Where to draw.

    Returns:
        The figure. Lines are means over the images, bands one standard error to both sides. The number in the legend is
        the area under the line: lower is better, and a map is worth something only if it lies below the random order.

    Raises:
        ValueError: There is no curve.
    """
    if not curves:
        raise ValueError("There is no deletion curve to draw.")
    first = next(iter(curves.values()))
    lines = {name: (curve.fractions, curve.ordered) for name, curve in curves.items()}
    lines["random order"] = (first.fractions, first.random)
    areas = {name: area_under_curve(x, y).mean().item() for name, (x, y) in lines.items()}
    words = ", ".join(f"{name} {area:.3f}" for name, area in areas.items())
    figure, ax = one_axes(
        ax, (6.5, 4.0), f"Deletion curves of {len(first.ordered)} images. Area under the line: {words}."
    )
    styles = list(mpl.rcParams["axes.prop_cycle"])
    for index, (name, (x, y)) in enumerate(lines.items()):
        style = styles[index % len(styles)]
        if name == "random order":
            style = {"color": BLACK, "linestyle": ":", "marker": ""}
        percent, mean = 100 * x.numpy(), y.mean(dim=0).numpy()  # (F,), (B, F) -> (F,)
        ax.plot(percent, mean, label=f"{name}: {areas[name]:.3f}", **style)
        if len(y) > 1:
            error = (y.std(dim=0) / len(y) ** 0.5).numpy()
            ax.fill_between(percent, mean - error, mean + error, color=style["color"], alpha=0.18, linewidth=0)
    ax.set(title="Deletion test", xlabel="patches taken away in %", ylabel="probability of the predicted class")
    ax.set(xlim=(0, 100), ylim=(0, 1.02))
    ax.grid(True)
    ax.legend(title="area under the line")
    return figure
