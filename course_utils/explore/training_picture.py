"""The picture that stands for the training explorer where no kernel runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from course_utils import plots
from course_utils.plots.style import BLACK, new_figure, styled


@styled
def training_picture(
    words: str,
    history: Sequence[Mapping[str, Any]],
    epoch: float,
    pictures: Tensor,
    captions: Sequence[str],
    confusion: Tensor,
    classes: Sequence[str],
    name: str,
    shares: Mapping[str, float],
) -> Figure:
    """Draw one moment of a training run.

    Args:
        words: What there is to see.
        history: As for :func:`course_utils.plots.training_curves`.
        epoch: The moment, in passes.
        pictures: (P, 3, H, W), uint8.
        captions: P of them.
        confusion: (K, K), counts at this moment.
        classes: Names of the K classes.
        name: Of the picture that is looked at closely.
        shares: Its likeliest classes and their probabilities in percent.

    Returns:
        The figure: curves above, the pictures below them, then the confusion matrix beside the shares.
    """
    said = ", ".join(f"{label} {share:.1f}%" for label, share in shares.items())
    figure = new_figure((11.5, 12), f"{words} {name}: {said}.")
    figure.set_layout_engine("constrained")  # "compressed" cuts off what stands left of the axes of a subfigure
    upper, middle, lower = figure.subfigures(3, 1, squeeze=False, height_ratios=[3, 3.7, 5])[:, 0]

    axes = upper.subplots(1, 2)
    plots.training_curves(history, axes=axes)
    for ax in axes:
        ax.axvline(epoch, color=BLACK, linewidth=1)

    rows = max(n for n in range(1, 4) if len(captions) % n == 0)
    plots.image_gallery(pictures, captions, axes=middle.subplots(rows, len(captions) // rows).flat)

    left, right = (each.subplots() for each in lower.subfigures(1, 2, width_ratios=[3, 2]))
    plots.confusion_heatmap(confusion, classes, percent=True, ax=left)
    plots.bar_chart(shares, title=name, x_label="probability in %", number_format="{:.1f}", ax=right)
    return figure
