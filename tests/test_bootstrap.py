"""The first cell of a lesson where the course is missing: it ends in one sentence, and the run stops there."""

import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from publish import FETCH, bootstrap

NOWHERE = "file:///nowhere/course.tar.gz"
UNFILLED = bootstrap("YOUR_NAME/vit-course", "main")
MISSING = "import sys\nsys.modules['course_utils'] = None  # as if it were not installed"


def run(cell, before):
    """Run the cell in a notebook; return the run's error, what the cell printed, and whether the next cell ran."""
    sources = [before, cell, "import course_utils"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    error = None
    try:
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    except CellExecutionError as caught:
        error = caught
    _, fetch, following = notebook.cells
    assert all(output.output_type == "stream" for output in fetch.outputs)  # no traceback
    said = re.sub(r"\x1b\[\d*m", "", "".join(output.text for output in fetch.outputs))
    return error, said, following.execution_count is not None


def test_where_the_course_is_installed_nothing_happens():
    for cell in (UNFILLED, FETCH.replace("ARCHIVE", NOWHERE)):
        assert run(cell, before="") == (None, "", True)


def test_without_an_address_it_says_so_in_one_sentence_and_the_run_stops():
    error, said, went_on = run(UNFILLED, before=MISSING)
    assert error.ename == "UsageError"
    assert not went_on
    assert said.startswith("UsageError: This copy of the course has no address")
    assert "make publish REPO=owner/name" in said
    assert said.strip().count("\n") == 0


def test_a_fetch_that_fails_ends_in_one_sentence_and_the_run_stops():
    error, said, went_on = run(FETCH.replace("ARCHIVE", NOWHERE), before=MISSING)
    assert error.ename == "UsageError"
    assert not went_on
    *pips, last = said.strip().splitlines()
    assert "No such file" in " ".join(pips)
    assert last.startswith(
        f"UsageError: The course could not be fetched from {NOWHERE}, and pip says above why: go online"
    )
    assert "restart" not in said


@pytest.mark.parametrize(("slug", "filled"), [("YOUR_NAME/vit-course", False), ("someone/vit-course", True)])
def test_a_filled_address_is_fetched(slug, filled):
    address = f"https://github.com/{slug}/archive/v1.0.tar.gz"
    assert (address in bootstrap(slug, "v1.0")) == filled
