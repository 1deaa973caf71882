"""Lesson 00 (start): the lessons as a map."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from matplotlib.figure import Figure

from course_utils.lessons import LESSONS, Lesson, span
from course_utils.plots.diagrams.shapes import spread
from course_utils.plots.drawing import Box, Page
from course_utils.plots.style import BLUE, GREY, styled


@styled
def course_map(lessons: Sequence[Lesson] = LESSONS) -> Figure:
    """Draw the lessons as a map.

    Args:
        lessons: In order. Those that are not written yet are drawn dashed.

    Returns:
        The figure.
    """
    parts = groupby(lessons, key=lambda lesson: lesson.part)
    said = [f"{span(list(group), ' to ')}: {part}" for part, group in parts if part]
    planned = [f"{lesson.number:02d}" for lesson in lessons if not lesson.written]
    rows, a_row = len(lessons) // 8 + 1, 8  # the last place of the last row is left for the legend
    page = Page(
        (10, 0.4 + 1.9 * rows),
        "The course, lesson by lesson",
        f"Map of the {len(lessons)} lessons in {rows} rows. {'; '.join(said)}. "
        f"Planned and drawn dashed: {', '.join(planned) or 'none'}.",
    )
    xs, ys = spread(0.4, 9.75, [1.06] * a_row), [0.85 + 1.9 * row for row in reversed(range(rows))]
    turns = [point for y in ys[:-1] for point in ((xs[-1], y), (xs[-1], y - 0.8), (0.2, y - 0.8), (0.2, y - 1.9))]
    end = (xs[(len(lessons) - 1) % a_row], ys[(len(lessons) - 1) // a_row])
    page.arrow((xs[0], ys[0]), *turns, end, head=False, linewidth=4, color="#BFBFBF", zorder=0.5)
    for (part, row), group in groupby(lessons, key=lambda lesson: (lesson.part, lesson.number // a_row)):
        if part:
            columns = [lesson.number % a_row for lesson in group]
            left, right, y = xs[columns[0]] - 0.53, xs[columns[-1]] + 0.53, ys[row] + 0.65
            page.text((left + right) / 2, y + 0.16, part)
            page.arrow((left, y - 0.05), (left, y), (right, y), (right, y - 0.05), head=False)
    dashed: dict[str, Any] = {"facecolor": "white", "linestyle": (0, (4, 3))}
    for lesson in lessons:
        box = Box(xs[lesson.number % a_row], ys[lesson.number // a_row], 1.06, 1.1)
        page.box(box, colour=BLUE if lesson.written else GREY, **({} if lesson.written else dashed))
        page.text(box.x, box.y + 0.33, f"{lesson.number:02d}", fontsize=14, weight="bold", zorder=2)
        title = "\n".join(textwrap.wrap(lesson.title, 12, break_long_words=False, break_on_hyphens=False))
        page.text(box.x, box.y - 0.14, title, fontsize=10, zorder=2)
    for name, y, settings in (("written", ys[-1] + 0.2, {"colour": BLUE}), ("planned", ys[-1] - 0.2, dashed)):
        page.box(Box(xs[-1] - 0.3, y, 0.3, 0.22), **settings)
        page.text(xs[-1] - 0.05, y, name, ha="left", fontsize=10)
    return page.figure
