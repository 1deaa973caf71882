"""The table of lessons holds together: with the notebooks, the modules and the checks."""

import importlib

import pytest
from lesson_files import ROOT

from course_utils.lessons import LESSONS, read_lessons

WRITTEN = [each for each in LESSONS if each.written]


def test_it_names_every_notebook_and_no_other():
    found = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [each.file for each in WRITTEN] == found
    assert len(found) >= 8


def test_the_number_of_a_lesson_is_its_place():
    assert [each.number for each in LESSONS] == list(range(len(LESSONS)))


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry.key)
def test_its_module_says_which_lesson_builds_it(entry):
    said = importlib.import_module(f"course_utils.{entry.module}").__doc__
    assert f"Lesson {entry.number:02d} ({entry.key})" in said


def test_its_checks_bear_its_key(lesson):
    assert f"from course_utils.checks import {lesson.entry.key} as checks" in lesson.imports["source"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[a]\ntitle = "A"\nminuets = 5', "lesson a: .*minuets"),
        ("[a]\npart = 'p'", "lesson a: .*title"),
        ('[a]\ntitle = "A"\nnotebook = "a"\nmodule = "m"\nabout = "b"\nbudget = 1', "lesson a .*no minutes"),
        ("[a]\ntitle = 'A'\n[[a.questions]]\nasked = 'who'", "lesson a: .*answer"),
        ("[a", "TOML|Expected|expected"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path, text, fault):
    (tmp_path / "lessons.toml").write_text(text)
    with pytest.raises(ValueError, match=fault):
        read_lessons(tmp_path / "lessons.toml")
