"""790 attempts that were written from the tasks' texts alone: no false pass, no false refusal, and most have a name."""

import importlib
import inspect
from pathlib import Path

import pytest

MODULES = [importlib.import_module(path.stem) for path in sorted(Path(__file__).parent.glob("blind_*.py"))]
ATTEMPTS = [attempt for module in MODULES for attempt in module.ATTEMPTS]
IDS = [f"{make.__name__}-{inspect.getdoc(make)}" for _, _, make in ATTEMPTS]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("exercise", "said", "make"), ATTEMPTS, ids=IDS)
def test_the_check_says_what_is_so(exercise, said, make):
    verdict = exercise.examine(make())
    assert verdict.status == ("correct" if said == "correct" else "wrong"), verdict.message
    assert verdict.mistake == (None if said == "correct" else said), verdict.message
    assert "cannot read" not in verdict.message


def test_nearly_all_wrong_attempts_are_told_their_mistake():
    wrong = [said for _, said, _ in ATTEMPTS if said != "correct"]
    assert len(wrong) == 592
    assert wrong.count(None) <= 0.05 * len(wrong)
