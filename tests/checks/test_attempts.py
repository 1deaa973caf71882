"""Attempts at every exercise, as learners write them: the wrong ones get their hint, the right ones pass."""

import importlib
from pathlib import Path

import pytest

from course_utils.checks.mistakes import GENERAL

LESSONS = sorted(path.stem for path in Path(__file__).parent.glob("attempts_*.py"))
MODULES = [importlib.import_module(name) for name in LESSONS]
BLIND = [importlib.import_module(path.stem) for path in Path(__file__).parent.glob("blind_*.py")]
WRONG = [attempt for module in MODULES for attempt in module.WRONG_ATTEMPTS]
RIGHT = [attempt for module in MODULES for attempt in module.RIGHT_ATTEMPTS]
EXERCISES = {exercise.name: exercise for exercise, *_ in WRONG}


@pytest.mark.parametrize(("exercise", "name", "attempt"), WRONG, ids=[f"{e.name}-{name}" for e, name, _ in WRONG])
def test_a_wrong_attempt_is_told_its_mistake(exercise, name, attempt):
    verdict = exercise.examine(attempt)
    assert (verdict.status, verdict.mistake) == ("wrong", name), verdict.message
    known = (*exercise.mistakes, *GENERAL)
    assert next(mistake.hint for mistake in known if mistake.name == name) in verdict.message


@pytest.mark.parametrize(("exercise", "attempt"), RIGHT, ids=[exercise.name for exercise, _ in RIGHT])
def test_a_right_attempt_is_correct_however_it_is_written(exercise, attempt):
    verdict = exercise.examine(attempt)
    assert verdict.status == "correct", verdict.message


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_every_mistake_has_an_attempt(exercise):
    blind = [attempt for module in BLIND for attempt in module.ATTEMPTS]
    tried = {name for other, name, _ in [*WRONG, *blind] if other is exercise}
    assert tried >= {mistake.name for mistake in exercise.mistakes}


def test_every_lesson_with_checks_has_attempts():
    package = Path(__file__).parents[2] / "course_utils" / "checks"
    machinery = {"core", "in_a_model", "hints", "mistakes", "slips", "values", "world"}
    lessons = {path.stem for path in package.glob("[!_]*")} - machinery
    assert lessons == {name.removeprefix("attempts_") for name in LESSONS}
    assert {exercise.name for exercise, _ in RIGHT} == set(EXERCISES)


def test_the_first_example_of_the_forward_pass_can_be_followed_by_hand():
    exercise = EXERCISES["vit_forward"]
    assert exercise.answer(*exercise.examples()[0]).tolist() == [[52.0]]  # (1+1)*2=4, (2+1)*2=6; 16+36
