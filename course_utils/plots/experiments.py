"""Figures of experiments: every run is a dot, so that nobody takes chance for a finding."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.plots.style import BLACK, BLUE, GREY, one_axes, styled


@styled
def seed_dots(
    values: Mapping[str, Sequence[float]],
    *,
    title: str,
    x_label: str,
    number_format: str = "{:.1f}",
    description: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw one row for each variant: every seed a ring, the mean a tall line, one standard deviation a bar around it.

    Args:
        values: Variant -> one number for each seed.
        title: Over the figure.
        x_label: With the unit.
        number_format: How mean and standard deviation are written, as for ``str.format``.
        description: What there is to see; the numbers are added.
        ax: Axes to draw into.

    Returns:
        The figure. The axis need not begin at 0: lengths mean nothing here, places do.

    Raises:
        ValueError: There is no variant, or one without a number.
    """
    if not values or not all(len(each) for each in values.values()):
        raise ValueError("Every variant needs at least one number to draw.")
    texts = {name: _mean_and_spread(each, number_format) for name, each in values.items()}
    runs = ", ".join(dict.fromkeys(str(len(each)) for each in values.values()))
    listed = "; ".join(f"{name} {text}" for name, text in texts.items())
    words = f"{title}. {description} {x_label}, runs for each variant: {runs}. {listed}.".replace("  ", " ")
    figure, ax = one_axes(ax, (7.5, 1.3 + 0.42 * len(values)), words)
    for row, each in enumerate(values.values()):
        mean = statistics.fmean(each)
        if len(each) > 1:
            deviation = statistics.stdev(each)
            ax.hlines(row, mean - deviation, mean + deviation, color=GREY, linewidth=6, alpha=0.35)
        ax.plot([mean], [row], color=BLACK, marker="|", markersize=17, markeredgewidth=2)
        ax.plot(each, [row] * len(each), color=BLUE, marker="o", markersize=6, fillstyle="none", linestyle="")
    ax.set_yticks(range(len(values)), list(values))
    right = ax.secondary_yaxis("right")  # the numbers stand in one column, where no dot can lie under them
    right.set_yticks(range(len(values)), list(texts.values()))
    for side in (ax, right):
        side.tick_params(axis="y", length=0)
        side.spines[:].set_visible(side is ax)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_ylim(len(values) - 0.4, -0.6)  # the first variant on top
    ax.grid(visible=True, axis="both")
    ax.set(title=title, xlabel=f"{x_label}\nring: one run; line: mean; bar: ± one standard deviation")
    return figure


@styled
def seed_lines(
    series: Mapping[str, tuple[Sequence[float], np.ndarray | Sequence[Sequence[float]]]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_ticks: Sequence[float] = (),
    description: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw one line for each series through the means, and every seed as a small mark of the series' own shape.

    Args:
        series: Name -> (x values, (seeds, x values)).
        title: Over the figure.
        x_label: With the unit.
        y_label: With the unit.
        log_ticks: If given, the x axis is logarithmic, with a tick at each of these.
        description: What there is to see; first and last mean of each line are added.
        ax: Axes to draw into.

    Raises:
        ValueError: There is no series, or x and y do not fit.
    """
    if not series:
        raise ValueError("There is nothing to draw: series is empty.")
    points = {name: (np.asarray(x, dtype=float), np.asarray(y, dtype=float)) for name, (x, y) in series.items()}
    for name, (x, y) in points.items():
        if y.ndim != 2 or not y.size or y.shape[1:] != x.shape:
            raise ValueError(f"{name!r} needs values of shape (seeds, {x.size}), not {y.shape}.")
    ends = "; ".join(
        f"{name} ({len(y)} runs): mean {y[:, 0].mean():.3g} at {x[0]:.4g}, {y[:, -1].mean():.3g} at {x[-1]:.4g}"
        for name, (x, y) in points.items()
    )
    words = f"{title}. {description} {y_label} by {x_label}. {ends}.".replace("  ", " ")
    figure, ax = one_axes(ax, (7.5, 4.0), words)
    styles = list(mpl.rcParams["axes.prop_cycle"])
    for index, (name, (x, y)) in enumerate(points.items()):
        style = styles[index % len(styles)]
        ax.plot(x, y.mean(axis=0), **style | {"marker": ""})  # (seeds, T) -> (T,)
        ax.plot(np.tile(x, len(y)), y.ravel(), fillstyle="none", **style | {"linestyle": ""})
        label = textwrap.fill(name, 24)  # a long name must not make the axes narrow
        ax.plot([], [], fillstyle="none", label=label, **style)  # one entry of the legend for both
    if log_ticks:
        ax.set_xscale("log")
        ax.set_xticks(log_ticks, [f"{tick:,g}" for tick in log_ticks])
        ax.set_xticks([], minor=True)
    ax.set(title=title, xlabel=x_label, ylabel=y_label)
    ax.grid(visible=True)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="line: mean; mark: one run")
    return figure


def _mean_and_spread(values: Sequence[float], number_format: str) -> str:
    """Write "66.1 ± 0.4", or the one number there is."""
    mean = number_format.format(statistics.fmean(values))
    return f"{mean} ± {number_format.format(statistics.stdev(values))}" if len(values) > 1 else mean
