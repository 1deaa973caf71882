"""The picture that stands for the attention explorer where no kernel runs."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_utils.analysis.attention_maps import to_pixels
from course_utils.plots.attention import attention_overlays
from course_utils.plots.style import BLACK, add_colour_bar, label_tiles, mosaic, new_figure, styled


@styled
def attention_picture(
    image: Tensor,
    values: Tensor,
    caption: str,
    words: str,
    *,
    title: str = "",
    marked: tuple[int, int] | None = None,
    uniform: float | None = None,
    top: float | None = None,
    overview: Tensor | None = None,
) -> Figure:
    """Draw where one token looks in one picture, and below it in every layer and head.

    Args:
        image: (C, H, W), uint8, or floats from 0 to 1.
        values: (rows, columns), the weights on the patches.
        caption: Of the picture.
        words: What the figure shows: its label.
        title: Of the map.
        marked: Row and column of a patch that gets a black and white frame.
        uniform: The weight that every token would have if all were the same.
        top: Upper end of the scale. None: the largest of the values.
        overview: (L, h + 1, rows, columns), the same weights in all layers and heads; in the last column their mean.

    Returns:
        The figure.
    """
    height, width = image.shape[-2:]
    rows, columns = values.shape
    if overview is None:
        figure = new_figure((9, 3.2), words)
        axes = figure.subplots(1, 3)
    else:
        figure = new_figure((9, max(6.8, 0.6 * len(overview))), words)
        figure.set_layout_engine("constrained")  # "compressed" does not know subfigures
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.7))[0]
        axes = left.subplots(3, 1)
        _every_head(right.subplots(), overview, top)
    drawn = to_pixels(values[None], (height, width))  # (1, rows, columns) -> (1, H, W)
    one_scale = top is not None
    attention_overlays(image[None], drawn, [caption], shared_scale=one_scale, top=top, uniform=uniform, axes=axes)
    axes[1].set_title(title)
    for ax in axes:
        ax.set_anchor("C" if overview is None else "E")  # in line, also with the one that has a colour bar
    if marked is not None:
        high, wide = height / rows, width / columns
        corner = marked[1] * wide - 0.5, marked[0] * high - 0.5
        for ax in axes:
            for colour, line in ((BLACK, 3.5), ("white", 1.5)):
                ax.add_patch(Rectangle(corner, wide, high, fill=False, edgecolor=colour, linewidth=line))
    return figure


def _every_head(ax: Axes, maps: Tensor, top: float | None) -> None:
    """Draw the small maps (L, h + 1, rows, columns) and write under each its largest weight."""
    depth, heads, rows, columns = maps.shape
    largest = maps.amax(dim=(2, 3), keepdim=True)  # (L, h + 1, 1, 1)
    shown = maps if top is not None else maps / largest.clamp(min=1e-12)
    gap = max(1, columns * 3 // 8)  # room for the number
    drawn = ax.imshow(mosaic(shown.numpy(), gap), vmin=0, vmax=top or 1)
    label_tiles(ax, (depth, heads), (rows, columns), gap, "head", "layer")
    ax.set_xticks(ax.get_xticks(), [*map(str, range(heads - 1)), "mean"])
    ax.set_ylim(depth * (rows + gap) - 0.5, -0.5)
    for layer in range(depth):
        for head in range(heads):
            x, y = head * (columns + gap) + (columns - 1) / 2, layer * (rows + gap) + rows - 0.3
            ax.text(x, y, f"{100 * largest[layer, head].item():.0f}%", size="small", ha="center", va="top")
    ax.set_title("Every layer and head")
    ax.set_xlabel("head (under each map its largest weight)")
    add_colour_bar(drawn, ax, "attention weight" if top is not None else "weight / largest weight of the map")
