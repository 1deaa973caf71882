"""nbval on the lessons: one failure for one bug, and the time that each one takes."""

import collections

import pytest

from course_utils.lessons import LESSONS

OUTPUT_SECONDS = (
    60  # nbval waits 5 s for a cell's output, whatever the cell's own limit is
)
BUDGETS = {
    each.file.removesuffix(".ipynb"): each.budget for each in LESSONS if each.written
}

_broken = set()
_seconds = collections.Counter()


def pytest_collection_modifyitems(items):
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = OUTPUT_SECONDS


def pytest_runtest_setup(item):
    if item.parent in _broken:
        pytest.skip("an earlier cell of this lesson failed")


def pytest_runtest_makereport(item, call):
    _seconds[item.path.stem] += call.duration  # the start of the kernel too
    if call.when == "call" and call.excinfo is not None:
        _broken.add(item.parent)


def pytest_terminal_summary(terminalreporter):
    """Print the times. They are no reason to fail: machines differ."""
    for lesson, seconds in sorted(_seconds.items()):
        budget = BUDGETS.get(lesson, 0)
        over = "   over its budget" if seconds > budget else ""
        terminalreporter.write_line(f"{lesson:32} {seconds:6.0f} s of {budget} s{over}")
