"""Every lesson, opened in JupyterLab in a real browser and run whole."""

from pathlib import Path

import pytest
from lab_server import OpenLesson

LESSONS = sorted(path.name for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SECONDS = 600


@pytest.mark.parametrize("name", LESSONS)
def test_it_runs_without_an_error_and_asks_for_nothing_outside(browser, lab, name):
    lesson = OpenLesson(browser, lab, name)
    if "training" in name:  # nbval runs its training in full length
        assert lesson.replace("MINUTES = 2.0", "MINUTES = 0.5") == 1
    state = lesson.run_all(SECONDS)
    assert state["errors"] == []
    assert state["run"] == state["cells"] > 10
    assert lesson.page_errors == []
    assert lesson.requests_outside == []
    lesson.close()


def test_an_error_would_be_seen(browser, lab):
    """Otherwise the test above would show nothing."""
    lesson = OpenLesson(browser, lab, LESSONS[0])
    lesson.page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.content.model.cells.get(2).sharedModel.setSource('1 / 0') }"
    )
    lesson.page.evaluate("() => { setTimeout(() => { throw new Error('planted') }); fetch('http://192.0.2.1/') }")
    state = lesson.run_all(SECONDS)
    assert len(state["errors"]) == 1
    assert any("planted" in each for each in lesson.page_errors)
    assert lesson.requests_outside == ["http://192.0.2.1/"]
    lesson.close()
