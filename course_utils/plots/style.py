"""The look that all figures share, and a figure that notebooks can show without pyplot."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])

# Okabe and Ito, "Color Universal Design" (2008): told apart with every common kind of colour blindness.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
BLACK, GREY, LIGHT = "#000000", "#595959", "#D9D9D9"
TINT = "#FF8C00"  # a map laid over a photograph: a stronger orange, as there is much pale orange in photographs

# Line style and marker change with the colour, so that no reader depends on the colour alone.
SERIES = (
    cycler(color=[BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY])
    + cycler(linestyle=["-", "--", "-.", ":", "-", "--"])
    + cycler(marker=["o", "s", "^", "D", "v", "X"])
)

STYLE: Any = {  # not a dict[str, Any]: matplotlib types its keys one by one
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 11,
    "axes.unicode_minus": True,
    "axes.titlesize": 12,
    "axes.titleweight": "normal",
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "figure.titlesize": 13,
    "figure.dpi": 100,
    # Opaque white, and every ink set: a dark notebook theme must not shine through.
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.transparent": False,
    "savefig.dpi": "figure",
    "savefig.bbox": None,
    "text.color": BLACK,
    "axes.labelcolor": BLACK,
    "axes.titlecolor": BLACK,
    "axes.edgecolor": GREY,
    "xtick.color": BLACK,
    "ytick.color": BLACK,
    "grid.color": LIGHT,
    "grid.linewidth": 0.8,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": SERIES,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "image.cmap": "viridis",
    "image.interpolation": "nearest",  # a 32x32 image is shown as the pixels it has
}


def styled(function: Function) -> Function:
    """Decorate a plotting function so that it runs in the course's style and leaves matplotlib's settings alone."""
    return mpl.rc_context(STYLE)(function)


class NotebookFigure(Figure):
    """A figure that JupyterLab, Colab and VS Code show when it is the last value of a cell.

    A plain ``Figure`` is shown only after pyplot was imported, since that is what registers the display. This one
    brings its own. Where pyplot was imported too, its display is used: the figure still appears once. The figure's
    label is its description in words; it goes with the picture as alternative text.
    """

    def draw(self, renderer: Any) -> None:
        """Draw in the course's style: matplotlib makes some parts, such as ticks, only now."""
        with mpl.rc_context(STYLE):
            super().draw(renderer)

    def savefig(self, *arguments: Any, **settings: Any) -> None:
        """Save in the course's style: resolution and background come from matplotlib's settings too."""
        with mpl.rc_context(STYLE):
            super().savefig(*arguments, **settings)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the words only. IPython adds the picture, by ``_repr_png_`` or by pyplot's own display."""
        words = str(self.get_label())
        return {"text/plain": words}, {"image/png": {"alt": words}}


def new_figure(size: tuple[float, float], description: str) -> NotebookFigure:
    """Make an empty figure: width and height in inches, and what it shows, in words."""
    figure = NotebookFigure(figsize=size, layout="compressed")  # "constrained", and colour bars as high as the picture
    figure.set_label(description)
    return figure


def one_axes(ax: Axes | None, size: tuple[float, float], description: str) -> tuple[Figure, Axes]:
    """Return the axes given with their figure, or make both."""
    if ax is None:
        figure = new_figure(size, description)
        return figure, figure.subplots()
    return root_figure(ax), ax


def many_axes(
    axes: Sequence[Axes] | np.ndarray | None,
    shape: tuple[int, int],
    size: tuple[float, float],
    description: str,
    **layout: Any,
) -> tuple[Figure, np.ndarray]:
    """Return the axes given, in rows and columns, with their figure; or make both.

    Raises:
        ValueError: There are more or fewer axes than needed.
    """
    if axes is None:
        figure = new_figure(size, description)
        return figure, figure.subplots(*shape, squeeze=False, **layout)
    given = np.asarray(axes, dtype=object).reshape(-1)
    if given.size != shape[0] * shape[1]:
        raise ValueError(f"This figure needs {shape[0] * shape[1]} axes, but {given.size} were given.")
    return root_figure(given[0]), given.reshape(shape)


def root_figure(ax: Axes) -> Figure:
    """Return the whole figure that an Axes belongs to, also from inside a subfigure."""
    figure = ax.figure
    return figure.figure if isinstance(figure, SubFigure) else figure


def hide_frame(ax: Axes) -> None:
    """Take ticks and frame away from an Axes that holds a picture."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def add_colour_bar(drawn: ScalarMappable, ax: Axes, label: str, uniform: float | None = None) -> Colorbar:
    """Put a numbered colour bar beside an Axes; a white line with a black edge marks the value ``uniform``."""
    bar = ax.figure.colorbar(drawn, ax=ax, label=label)
    bar.outline.set_visible(False)  # type: ignore[operator]  # matplotlib's types call it a function
    if uniform is not None:
        for colour, width in ((BLACK, 3.5), ("white", 1.5)):
            bar.ax.axhline(uniform, color=colour, linewidth=width)
        bar.ax.set_title(f"line: uniform\n{uniform:.3g}", fontsize=9, loc="left")
    return bar


def display_array(image: Tensor) -> np.ndarray:
    """Turn an image (C, H, W) into what ``imshow`` takes: (H, W, 3), or (H, W) for one channel, from 0 to 1.

    Raises:
        ValueError: It is not an image of one or three channels, or floats lie outside 0 to 1.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(f"An image to draw must be (3, H, W) or (1, H, W), not {tuple(image.shape)}.")
    pixels = image.detach().cpu().float() / (1 if image.is_floating_point() else 255)
    if pixels.min() < -1e-4 or pixels.max() > 1 + 1e-4:
        raise ValueError(
            f"These floats go from {pixels.min():.2f} to {pixels.max():.2f}, so they are normalised: "
            "give the uint8 image, or floats from 0 to 1."
        )
    return pixels.clamp(0, 1).permute(1, 2, 0).squeeze(-1).numpy()  # (C, H, W) -> (H, W, C) or (H, W)


def show_image(ax: Axes, image: Tensor, title: str = "") -> None:
    """Draw an image (C, H, W) with its own pixels, without a frame."""
    ax.imshow(display_array(image), cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
    hide_frame(ax)


def mosaic(tiles: np.ndarray, gap: int = 1, fill: float = np.nan) -> np.ndarray:
    """Lay small pictures out in one, which is much faster to draw than one Axes for each.

    Args:
        tiles: (R, C, height, width) or (R, C, height, width, 3).
        gap: Pixels between two tiles.
        fill: What stands in the gaps.

    Returns:
        (R * (height + gap) - gap, C * (width + gap) - gap), and 3 if the tiles have colours.
    """
    rows, columns, height, width, *colours = tiles.shape
    canvas = np.full((rows, height + gap, columns, width + gap, *colours), fill, dtype=np.float64)
    canvas[:, :height, :, :width] = tiles.swapaxes(1, 2)  # (R, C, height, width) -> (R, height, C, width)
    canvas = canvas.reshape(rows * (height + gap), columns * (width + gap), *colours)
    return canvas[: canvas.shape[0] - gap, : canvas.shape[1] - gap]


def label_tiles(ax: Axes, shape: tuple[int, int], tile: tuple[int, int], gap: int, x_label: str, y_label: str) -> None:
    """Number the tiles of a :func:`mosaic` along both edges, counted from 0."""
    (rows, columns), (height, width) = shape, tile
    ax.set_xticks(
        [column * (width + gap) + (width - 1) / 2 for column in range(columns)],
        [str(column) for column in range(columns)],
    )
    ax.set_yticks([row * (height + gap) + (height - 1) / 2 for row in range(rows)], [str(row) for row in range(rows)])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
