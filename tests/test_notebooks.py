"""Every lesson is kept in one form: run from top to bottom, with outputs, and without traces of a machine."""

import itertools
import json
from pathlib import Path

import pytest

LESSONS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return request.param, json.loads(request.param.read_text(encoding="utf-8"))


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_there_are_lessons():
    assert LESSONS


def test_it_was_run_once_from_top_to_bottom_without_an_error(lesson):
    cells = code_cells(lesson[1])
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", "".join(cell["source"])
            assert output.get("name") != "stderr", "".join(cell["source"])


def test_it_keeps_no_widget_state_and_no_paths_of_a_machine(lesson):
    path, notebook = lesson
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info", "accelerator"}
    text = path.read_text(encoding="utf-8")
    for word in ("application/vnd.jupyter.widget-view+json", "/home/", "/root/", "/Users/", "site-packages"):
        assert word not in text
    assert path.stat().st_size < 1_000_000


def test_its_pictures_are_png_and_have_a_description(lesson):
    pictures = [
        output["data"]
        for cell in code_cells(lesson[1])
        for output in cell["outputs"]
        if any(kind.startswith("image/") for kind in output.get("data", {}))
    ]
    assert pictures
    for data in pictures:
        assert "image/png" in data
        description = "".join(data["text/plain"])
        assert len(description) > 30
        assert not description.startswith("<")


def test_its_text_is_long_enough_to_teach_and_its_cells_short_enough_to_read(lesson):
    words = sum(len("".join(c["source"]).split()) for c in lesson[1]["cells"] if c["cell_type"] == "markdown")
    assert 600 <= words <= 3000
    for cell in code_cells(lesson[1]):
        assert len("".join(cell["source"]).splitlines()) <= 30, "".join(cell["source"])


def test_its_headings_go_down_one_level_at_a_time(lesson):
    levels = [
        len(line) - len(line.lstrip("#"))
        for cell in lesson[1]["cells"]
        if cell["cell_type"] == "markdown"
        for line in "".join(cell["source"]).splitlines()
        if line.startswith("#")
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
