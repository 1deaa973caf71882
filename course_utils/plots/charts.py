"""Figures of numbers for any lesson: curves, bars, and a matrix with its values written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.plots.style import BLACK, BLUE, VERMILLION, add_colour_bar, one_axes, styled

MARKED_POINTS = 50  # in a longer curve the markers would make a thick band
LEGEND_INSIDE = 3  # more entries stand beside the figure, where they cover no curve


@styled
def line_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    reference: tuple[str, float] | None = None,
    description: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw one or more curves. Colour, line style and marker tell them apart.

    Args:
        series: Name -> (x values, y values).
        title: Over the figure.
        x_label: With the unit.
        y_label: With the unit.
        log_x: Whether the x axis is logarithmic. Its ticks are then the x values of the first curve.
        log_y: Whether the y axis is logarithmic.
        reference: A name and a height, for a thin line across the figure.
        description: What there is to see; the names, the first and the last point of each curve are added.
        ax: Axes to draw into.

    Raises:
        ValueError: There is no curve, or x and y of a curve have different lengths.
    """
    if not series:
        raise ValueError("There is nothing to draw: series is empty.")
    points = {name: (np.asarray(x, dtype=float), np.asarray(y, dtype=float)) for name, (x, y) in series.items()}
    for name, (x, y) in points.items():
        if x.shape != y.shape or x.ndim != 1 or not x.size:
            raise ValueError(f"The curve {name!r} needs as many x as y values, not {x.shape} and {y.shape}.")
    ends = "; ".join(f"{name}: {y[0]:.3g} at {x[0]:.4g}, {y[-1]:.3g} at {x[-1]:.4g}" for name, (x, y) in points.items())
    figure, ax = one_axes(ax, (7.0, 4.0), f"{title}. {description} {y_label} by {x_label}. {ends}.".replace("  ", " "))
    for name, (x, y) in points.items():
        (line,) = ax.plot(x, y, label=name)
        if x.size > MARKED_POINTS:
            line.set_marker("")
    if reference is not None:
        ax.axhline(reference[1], color=BLACK, linewidth=1, linestyle=(0, (1, 2)), label=reference[0])
    if log_x:
        ax.set_xscale("log")
        ticks = next(iter(points.values()))[0]
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.set_xticks([], minor=True)
    if log_y:
        ax.set_yscale("log")
    ax.set(title=title, xlabel=x_label, ylabel=y_label)
    ax.grid(visible=True)
    count = len(points) + (reference is not None)
    if count > LEGEND_INSIDE:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    elif count > 1:
        ax.legend()
    return figure


@styled
def bar_chart(
    values: Mapping[str, float],
    *,
    title: str,
    x_label: str,
    number_format: str = "{:.3g}",
    description: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw one lying bar for each name, in the order given, with its number at the end.

    Args:
        values: Name -> length.
        title: Over the figure.
        x_label: With the unit.
        number_format: How the number is written, as for ``str.format``.
        description: What there is to see; names and numbers are added.
        ax: Axes to draw into.

    Raises:
        ValueError: There is no bar.
    """
    if not values:
        raise ValueError("There is nothing to draw: values is empty.")
    labels = [number_format.format(value) for value in values.values()]
    listed = ", ".join(f"{name} {label}" for name, label in zip(values, labels, strict=True))
    words = f"{title}. {description} {x_label}: {listed}.".replace("  ", " ")
    figure, ax = one_axes(ax, (7.0, 1.1 + 0.42 * len(values)), words)
    bars = ax.barh(list(values), list(values.values()), color=BLUE)
    ax.bar_label(bars, labels, padding=4)
    ax.margins(x=0.14)
    ax.invert_yaxis()
    ax.set(title=title, xlabel=x_label)
    return figure


@styled
def matrix(
    values: Tensor,
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    columns: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    label: str | None = None,
    limits: tuple[float, float] | None = None,
    description: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw a matrix as coloured cells, with the numbers written in if there is room.

    Args:
        values: (rows, columns). Cells that are NaN or minus infinity stay white.
        title: Over the figure.
        x_label: What the columns are.
        y_label: What the rows are.
        columns: A name for each column; numbers from 0 if left out.
        rows: A name for each row, likewise.
        label: What the colour means, for a colour bar. None draws none.
        limits: The values of the darkest and the brightest colour.
        description: What there is to see; the size and the range are added.
        ax: Axes to draw into.

    Raises:
        ValueError: It is no matrix, or the names do not fit.
    """
    if values.ndim != 2 or not values.numel():
        raise ValueError(f"A matrix has two axes, not the shape {tuple(values.shape)}.")
    cells = values.detach().cpu().float().numpy()
    cells = np.where(np.isfinite(cells), cells, np.nan)
    for names, count, what in ((rows, cells.shape[0], "rows"), (columns, cells.shape[1], "columns")):
        if names is not None and len(names) != count:
            raise ValueError(f"{len(names)} names do not fit {count} {what}.")
    write = max(cells.shape) <= 12  # more numbers would not fit
    low, high = limits or (float(np.nanmin(cells)), float(np.nanmax(cells)))
    words = f"{title}. {description} A matrix of {cells.shape[0]} rows and {cells.shape[1]} columns"
    words = f"{words}, values from {np.nanmin(cells):.3g} to {np.nanmax(cells):.3g}.".replace("  ", " ")
    size = 0.62 if write else 3.2 / max(cells.shape)
    width, height = (max(2.2, size * count) for count in reversed(cells.shape))
    figure, ax = one_axes(ax, (width + 1.6 + 0.9 * (label is not None), height + 1.2), words)
    drawn = ax.imshow(cells, vmin=low, vmax=high)
    if write:
        for (row, column), value in np.ndenumerate(cells):
            if not np.isnan(value):
                bright = (value - low) / max(high - low, 1e-12) > 0.55
                text = f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:.0f}"
                ax.text(column, row, text, ha="center", va="center", color=BLACK if bright else "white", fontsize=10)
    if rows is not None or write:
        ax.set_yticks(range(cells.shape[0]), rows if rows is not None else map(str, range(cells.shape[0])))
    if columns is not None or write:
        ax.set_xticks(range(cells.shape[1]), columns if columns is not None else map(str, range(cells.shape[1])))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(title=title, xlabel=x_label, ylabel=y_label)
    if label is not None:
        add_colour_bar(drawn, ax, label)
    return figure


@styled
def histogram(
    series: Mapping[str, Tensor],
    *,
    title: str,
    x_label: str,
    bins: int = 40,
    description: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw how one or two sets of numbers are spread, as outlines over common bins.

    Args:
        series: Name -> numbers of any shape.
        title: Over the figure.
        x_label: With the unit.
        bins: How many.
        description: What there is to see; mean and standard deviation of each set are added.
        ax: Axes to draw into.

    Raises:
        ValueError: There are no numbers, or more than two sets.
    """
    numbers = {name: values.detach().cpu().float().flatten().numpy() for name, values in series.items()}
    if not 1 <= len(numbers) <= 2 or not all(values.size for values in numbers.values()):
        raise ValueError("A histogram shows one or two sets of numbers, none of them empty.")
    spread = "; ".join(f"{name}: mean {x.mean():.3g}, standard deviation {x.std():.3g}" for name, x in numbers.items())
    figure, ax = one_axes(ax, (7.0, 3.6), f"{title}. {description} {spread}.".replace("  ", " "))
    edges = np.histogram_bin_edges(np.concatenate(list(numbers.values())), bins)
    for (name, values), colour, style in zip(numbers.items(), (BLUE, VERMILLION), ("-", "--"), strict=False):
        heights = np.histogram(values, edges)[0] / values.size
        ax.stairs(heights, edges, label=name, color=colour, linestyle=style, linewidth=1.8)
    ax.set(title=title, xlabel=x_label, ylabel="share of the numbers")
    if len(numbers) > 1:
        ax.legend()
    return figure
