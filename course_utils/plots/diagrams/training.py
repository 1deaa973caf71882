"""Lesson 06 (training): what the images are for."""

from __future__ import annotations

from matplotlib.figure import Figure

from course_utils.plots.drawing import Box, Page
from course_utils.plots.style import BLUE, styled


@styled
def data_splits(train: int, validation: int, test: int) -> Figure:
    """Draw the three parts of a data set: how many images each has and what it is for.

    Args:
        train: Images for training.
        validation: Images for choosing.
        test: Images for the last look.

    Returns:
        The figure.

    Raises:
        ValueError: A count is negative, or all are 0.
    """
    counts = (train, validation, test)
    if min(counts) < 0 or max(counts) == 0:
        raise ValueError(f"Counts of images must be 0 or more, and not all 0, but they are {counts}.")
    page = Page(
        (10, 3.0),
        "Three parts of the data, three jobs",
        f"Three bars: {train:,} images for training, {validation:,} for validation, {test:,} for the test. The weights "
        "are fitted to the first, settings are chosen on the second, the third is looked at once, at the end.",
    )
    jobs = (
        ("training", "the weights are fitted to these"),
        ("validation", "settings are chosen on these"),
        ("test", "looked at once, at the end"),
    )
    for i, (count, (name, job)) in enumerate(zip(counts, jobs, strict=True)):
        y, width = 2.05 - 0.72 * i, 5.2 * count / max(counts)
        page.text(0.4, y + 0.13, name, fontsize=12, weight="bold", ha="left")
        page.text(0.4, y - 0.13, job, ha="left")
        page.box(Box(3.5 + width / 2, y, width, 0.42), rounded=False, facecolor=BLUE, linewidth=0)
        page.text(3.6 + width, y, f"{count:,}", ha="left", fontsize=12)
    return page.figure
