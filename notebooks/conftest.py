"""How nbval runs the lessons: one failure for one bug, and time for slow cells."""

import pytest

OUTPUT_SECONDS = 60  # nbval waits 5 s for a cell's output, whatever the cell's own limit is
_broken = set()


def pytest_collection_modifyitems(items):
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = OUTPUT_SECONDS


def pytest_runtest_setup(item):
    if item.parent in _broken:
        pytest.skip("an earlier cell of this lesson failed")


def pytest_runtest_makereport(item, call):
    if call.when == "call" and call.excinfo is not None:
        _broken.add(item.parent)
