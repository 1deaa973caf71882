"""Every exercise of every lesson: the stub is let be, the solution is right, the check knows the usual mistakes."""

import contextlib
import io

from lesson_files import LESSONS, Lesson

from course_utils.checks.core import Exercise


def run_cells(*sources):
    """Run cells in one namespace; return what they printed and the namespace."""
    names = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for source in sources:
            exec(compile(source, "cell", "exec"), names)
    return printed.getvalue(), names


def test_there_are_enough_exercises():
    counts = {path.name: len(list(Lesson(path).exercises())) for path in LESSONS}
    assert min(counts.values()) >= 2, counts
    assert sum(counts.values()) >= 20, counts


def test_an_untouched_stub_is_not_attempted_yet(lesson):
    for name, stub, check, _ in lesson.exercises():
        assert check == f"checks.{name}({name})"
        said, _ = run_cells(lesson.imports["source"], stub, check)
        assert said.startswith(f"{name}: not attempted yet"), said


def test_the_folded_solution_is_correct(lesson):
    for name, _, check, solution in lesson.exercises():
        said, _ = run_cells(lesson.imports["source"], solution, check)
        assert said.startswith(f"{name}: correct."), f"{name}: {said}"


def test_the_solution_has_the_signature_of_the_stub(lesson):
    for name, stub, _, solution in lesson.exercises():
        first_lines = [
            next(line for line in source.splitlines() if line.startswith("def ")) for source in (stub, solution)
        ]
        assert first_lines[0] == first_lines[1], name


def test_each_check_knows_four_mistakes_and_can_tell_them_apart(lesson):
    _, names = run_cells(lesson.imports["source"])
    for name, *_ in lesson.exercises():
        exercise = getattr(names["checks"], name)
        assert isinstance(exercise, Exercise)
        assert exercise.name == name
        assert len(exercise.mistakes) >= 4, name
        for mistake in exercise.mistakes:
            for imitation in mistake.imitations:
                assert exercise.examine(imitation).mistake == mistake.name, f"{name}: {mistake.name}"
        assert exercise.examine(exercise.answer).status == "correct"
