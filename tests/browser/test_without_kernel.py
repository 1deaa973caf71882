"""What is left of an explorer where no kernel runs: a picture each time, never an error in its place."""

import nbformat
import pytest
from lab_server import WIDGET, OpenLesson
from nbconvert import HTMLExporter

PICTURES = """root => [...root.querySelectorAll('img')].filter(image => image.naturalWidth > 200 && image.offsetParent)
    .map(image => image.alt)"""


@pytest.fixture(scope="module")
def saved(explorer_notebook, lab):
    """The notebook with the explorers as JupyterLab saves it after a run: views of widgets in its outputs."""
    explorer_notebook.page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save') }")
    notebook = nbformat.read(lab.root / "notebooks" / "explorers.ipynb", as_version=4)
    assert "widget-view" in nbformat.writes(notebook)
    return notebook


def test_as_a_static_page(saved, explorer_notebook, browser, tmp_path):
    text, _ = HTMLExporter().from_notebook_node(saved)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = browser.new_page()
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page.goto((tmp_path / "page.html").as_uri())
    described = page.evaluate_handle("document.body").evaluate(PICTURES)
    assert len(described) == len(explorer_notebook.names)
    assert "model not found" not in page.inner_text("body")
    page.close()


def test_as_an_untrusted_notebook(saved, explorer_notebook, browser, lab):
    other = nbformat.from_dict(saved)
    other.cells.append(nbformat.v4.new_markdown_cell("Changed by somebody else, so JupyterLab does not trust it."))
    nbformat.write(other, lab.root / "notebooks" / "untrusted.ipynb")
    lesson = OpenLesson(browser, lab, "untrusted.ipynb")
    lesson.page.locator(".jp-OutputArea-output img").first.wait_for()
    described = lesson.page.evaluate_handle("document.body").evaluate(PICTURES)
    assert len(described) == len(explorer_notebook.names)
    assert lesson.page.locator(".explorer").count() == 0
    assert "model not found" not in lesson.page.inner_text("body")
    lesson.close()


def test_as_a_lesson_of_the_course_before_it_is_run(browser, lab):
    lesson = OpenLesson(browser, lab, "00_start_here.ipynb")
    lesson.page.evaluate(f"async () => {{ await {WIDGET}.sessionContext.shutdown() }}")
    place = lesson.page.evaluate(
        f"() => [...{WIDGET}.content.model.cells].findIndex(cell => cell.sharedModel.source.includes('r.show()'))"
    )
    lesson.page.evaluate(f"async (place) => {{ await {WIDGET}.content.scrollToItem(place, 'center') }}", place)
    picture = lesson.page.locator(f".jp-Cell[data-windowed-list-index='{place}'] .jp-OutputArea-output img")
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") > 200
    lesson.page.close()
