"""Six diagnoses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from course_utils.analysis.clinic import patients
from course_utils.analysis.clinic.symptoms import SYMPTOMS
from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.in_a_model import Flawed

_RIGHT = {letter: patients.diagnosis(letter) for letter in patients.LETTERS}
_TELLS = {
    "same answer": "its row of test 3 is 0: other images change nothing",
    "no order": "its row of test 4 is 0, but for rounding, while test 3 is not",
    "not alone": "its row of test 5 is far above rounding",
    "no gradient": "test 6 counts parameters without a gradient, and test 3 is not 0",
    "softmax": "look at the number at which one batch stops",
    "gradients add up": "compare the gradient's length after ten steps with that after one",
}


def _run_diagnoses(attempt: Callable[[], Any]) -> Any:
    """Return "right", or which patient comes first whose diagnosis is wrong, or what is wrong with the form."""
    found = attempt()
    if not isinstance(found, dict):
        return found
    for letter, right in _RIGHT.items():
        if letter not in found:
            return Flawed(f"no diagnosis of patient {letter}")
        if found[letter] not in SYMPTOMS:
            return Flawed("a word that is not in the list")
        if found[letter] != right:
            return Flawed(f"another diagnosis of patient {letter}")
    return "all six are right" if len(found) == len(_RIGHT) else Flawed("more than six patients")


def _wrong_of(letter: str) -> Callable[[], dict[str, str]]:
    other = "labels" if _RIGHT[letter] != "labels" else "pixels"
    return lambda: {**_RIGHT, letter: other}


def _without(letter: str) -> Callable[[], dict[str, str]]:
    return lambda: {key: value for key, value in _RIGHT.items() if key != letter}


diagnoses = Exercise(
    "diagnoses",
    lambda: dict(_RIGHT),
    lambda: [()],
    (
        *(
            Mistake(
                f"patient {letter}",
                f"Patient {letter} has something else. Which test tells: {_TELLS[_RIGHT[letter]]}.",
                _wrong_of(letter),
            )
            for letter in _RIGHT
        ),
        Mistake(
            "a patient is missing",
            "One of the six patients has no diagnosis. The keys are the letters A to F.",
            *map(_without, _RIGHT),
        ),
        Mistake(
            "another word",
            "One of your words is not in the list of symptoms. Copy them letter by letter.",
            lambda: {**_RIGHT, "A": "position codes"},
        ),
        Mistake(
            "too many patients",
            "There are six patients, A to F. G comes later.",
            lambda: {**_RIGHT, "G": "no order"},
        ),
    ),
    "All six: you would have found each of these slips in your own model.",
    run=_run_diagnoses,
    in_a_model=False,
)
