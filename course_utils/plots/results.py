"""Lesson 06 (training): figures of training and of evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from course_utils.analysis.evaluation import Calibration
from course_utils.plots.style import (
    BLACK,
    BLUE,
    GREY,
    LIGHT,
    SKY,
    VERMILLION,
    add_colour_bar,
    many_axes,
    one_axes,
    styled,
)

# For each panel: its title, the label of its axis, a factor, and the keys it draws with their names.
_PANELS: tuple[tuple[str, str, float, dict[str, str]], ...] = (
    ("Loss", "cross-entropy in nats", 1, {"train_loss": "training", "validation_loss": "validation"}),
    ("Accuracy", "accuracy in %", 100, {"train_accuracy": "training", "validation_accuracy": "validation"}),
    ("Learning rate", "learning rate", 1, {"learning_rate": "learning rate"}),
)


@styled
def training_curves(
    history: Sequence[Mapping[str, Any]], *, x: str = "epoch", axes: Sequence[Axes] | None = None
) -> Figure:
    """Draw loss, accuracy and learning rate over the course of a training run.

    Args:
        history: One dict for each point in time, with ``x`` and any of "train_loss", "validation_loss",
            "train_accuracy", "validation_accuracy" (shares from 0 to 1) and "learning_rate". A key may be missing, or
            None, now and then or always; a panel with nothing to draw is left out.
        x: The key of the horizontal axis: "epoch" or "step".
        axes: One Axes for each panel that has something to draw.

    Returns:
        The figure.

    Raises:
        ValueError: There is nothing to draw.
    """
    curves: dict[str, list[tuple[float, float]]] = {}
    for *_, scale, keys in _PANELS:
        for key in keys:
            points = [(entry[x], entry[key] * scale) for entry in history if _known(entry, x) and _known(entry, key)]
            if points:
                curves[key] = points
    panels = [panel for panel in _PANELS if any(key in curves for key in panel[-1])]
    if not panels:
        raise ValueError(f"The history holds nothing to draw over {x!r}: is it empty, or has it other keys?")
    last = ", ".join(f"{key.replace('_', ' ')} {points[-1][1]:.4g}" for key, points in curves.items())
    figure, grid = many_axes(
        axes, (1, len(panels)), (3.6 * len(panels), 3.3), f"Training curves over the {x}. Last values: {last}."
    )
    for ax, (title, label, _, keys) in zip(grid.flat, panels, strict=True):
        for key in keys:
            if key not in curves:
                continue
            horizontal, vertical = zip(*curves[key], strict=True)
            # Markers every few points: they tell the lines apart, more of them would hide the line.
            ax.plot(horizontal, vertical, label=keys[key], markevery=max(1, len(vertical) // 10))
        ax.set(title=title, xlabel=x, ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.grid(True)
        if len(keys) > 1:
            ax.legend()
    return figure


def _known(entry: Mapping[str, Any], key: str) -> bool:
    return entry.get(key) is not None


@styled
def class_accuracy_bars(
    accuracy: Sequence[float | None] | Tensor,
    classes: Sequence[str],
    counts: Sequence[int] | Tensor | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw the accuracy of each class as a bar, with its number, and the mean over the classes as a line.

    Args:
        accuracy: (K,), shares from 0 to 1; None or NaN for a class without images.
        classes: The K names.
        counts: (K,), images of each class. With them, each bar gets its binomial standard error.
        ax: Where to draw.

    Returns:
        The figure.

    Raises:
        ValueError: There is not one accuracy for each name, or no class has images.
    """
    if len(accuracy) != len(classes):
        raise ValueError(f"There are {len(accuracy)} accuracies, but {len(classes)} class names.")
    values = [math.nan if value is None else 100 * float(value) for value in accuracy]
    known = [(value, name) for value, name in zip(values, classes, strict=True) if not math.isnan(value)]
    if not known:
        raise ValueError("No class has any image, so there is nothing to draw.")
    mean = sum(value for value, _ in known) / len(known)
    (low, lowest), (high, highest) = min(known), max(known)
    figure, ax = one_axes(
        ax,
        (6.5, 0.9 + 0.34 * len(values)),
        f"Bars: accuracy by class, from {low:.1f}% ({lowest}) to {high:.1f}% ({highest}); mean {mean:.1f}%.",
    )
    errors = None
    if counts is not None:
        errors = [math.sqrt(v * (100 - v) / n) if n else 0 for v, n in zip(values, map(int, counts), strict=True)]
    places = range(len(values))
    ax.barh(places, values, color=SKY, xerr=errors, error_kw={"ecolor": BLACK, "elinewidth": 1.2, "capsize": 2.5})
    ax.axvline(mean, color=VERMILLION, linestyle="--")
    for place, value in zip(places, values, strict=True):
        text = "no images" if math.isnan(value) else f"{value:.1f}"
        ax.text(1.5, place, text, va="center", ha="left", color=BLACK)
    ax.set_yticks(places, classes)
    ax.invert_yaxis()  # the first class on top
    ax.set_xlim(0, 100)
    ax.set_title(f"Accuracy by class (dashed: mean over the classes, {mean:.1f}%)")
    ax.set_xlabel("accuracy in %" + (" (± one standard error)" if errors else ""))
    return figure


@styled
def confusion_heatmap(
    matrix: Sequence[Sequence[int]] | Tensor, classes: Sequence[str], *, percent: bool = False, ax: Axes | None = None
) -> Figure:
    """Draw a confusion matrix with its numbers.

    Args:
        matrix: (K, K) counts: rows true, columns predicted.
        classes: The K names.
        percent: Whether to show each number as a share of its row, which makes the diagonal the accuracy by class.
        ax: Where to draw.

    Returns:
        The figure. With more than 20 classes the cells hold no numbers: they would not be legible.

    Raises:
        ValueError: The matrix does not fit the names.
    """
    counts = torch.as_tensor(matrix)
    k = len(classes)
    if counts.shape != (k, k):
        raise ValueError(f"{k} class names need a confusion matrix of {k}x{k}, not {tuple(counts.shape)}.")
    values = 100 * counts / counts.sum(dim=1, keepdim=True).clamp(min=1) if percent else counts
    off = counts - counts.diagonal().diag()
    true, predicted = divmod(int(off.argmax()), k)
    share = counts.diagonal().sum().item() / max(counts.sum().item(), 1)
    figure, ax = one_axes(
        ax,
        (2.6 + 0.52 * k, 1.7 + 0.48 * k),
        f"Confusion matrix of {k} classes. {share:.1%} lie on the diagonal. The most frequent mistake: "
        f"{off.max()} times {classes[predicted]} instead of {classes[true]}.",
    )
    top = max(float(values.max()), 1)
    drawn = ax.imshow(values, vmin=0, vmax=top)
    if k <= 20:
        for row in range(k):
            for column in range(k):
                value = values[row, column].item()
                colour = "white" if value < 0.55 * top else BLACK
                ax.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=9.5)
    ax.set_xticks(range(k), classes, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(k), classes)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    unit = "% of the true class" if percent else "images"
    ax.set(title=f"Confusion matrix ({unit})", xlabel="predicted class", ylabel="true class")
    add_colour_bar(drawn, ax, unit)
    return figure


@styled
def reliability_diagram(calibration: Calibration, *, axes: Sequence[Axes] | None = None) -> Figure:
    """Draw how often predictions of a given probability are right, and below it how many there are.

    Args:
        calibration: From :func:`course_utils.analysis.evaluation.calibration`.
        axes: Two axes: for the diagram, and for the number of images.

    Returns:
        The figure.

    Source: Guo et al. 2017, arXiv 1706.04599, figure 1.
    """
    c = calibration
    figure, grid = many_axes(
        axes,
        (2, 1),
        (5.2, 5.8),
        f"Reliability diagram. Expected calibration error {100 * c.error:.1f} percentage points.",
        sharex=True,
        gridspec_kw={"height_ratios": [3, 1]},
    )
    upper, lower = grid[:, 0]
    width = c.edges[1] - c.edges[0]
    centres = [edge + width / 2 for edge in c.edges[:-1]]
    points = [
        (centre, confidence, share)
        for centre, confidence, share in zip(centres, c.confidence, c.accuracy, strict=True)
        if confidence is not None
    ]
    centre, confidence, share = zip(*points, strict=True)
    upper.bar(centre, share, width, color=SKY, edgecolor="white", label="accuracy in the bin")
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", marker="", label="perfect: accuracy = probability")
    upper.plot(confidence, share, color=BLACK, linestyle="", marker="o", label="mean probability in the bin")
    upper.set(title=f"Reliability (expected calibration error {100 * c.error:.1f} points)", ylabel="accuracy")
    upper.set(xlim=(0, 1), ylim=(0, 1))
    upper.legend(loc="upper left")
    lower.bar(centres, c.counts, width, color=BLUE, edgecolor="white")
    lower.set(xlabel="probability of the predicted class", ylabel="images", xlim=(0, 1))
    lower.grid(True, axis="y", color=LIGHT)
    return figure
