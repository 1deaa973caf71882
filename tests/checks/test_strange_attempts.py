"""Attempts that do what no check foresees: in every exercise they get a sentence, and the lesson goes on."""

import copy
import itertools
import os
import random
import signal
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from test_blind_attempts import ATTEMPTS
from torch import nn

from course_utils.checks import core, in_a_model
from course_utils.checks.world import run_on, usual_settings

pytestmark = pytest.mark.filterwarnings("ignore")
EXERCISES = {exercise.name: exercise for exercise, *_ in ATTEMPTS}  # of part one; the rules are the same for all
ALL = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)


class Hostile:
    """An object whose words and comparisons raise."""

    def __repr__(self):
        raise RuntimeError("no words")

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = None


class SilentError(Exception):
    """An error that has no words."""

    def __str__(self):
        raise RuntimeError("no words")


def raises(error):
    def attempt(*arguments):
        raise error

    return attempt


def holds_itself():
    one = [1.0]
    one.append(one)
    return one


def without_end():
    yield from itertools.count()


async def later():
    return 1.0


RESULTS = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "meta": lambda: torch.zeros(2, 3, device="meta"),
    "meta without axes": lambda: torch.zeros((), device="meta"),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(2, 3), 0.1, 0, torch.qint8),
    "empty": lambda: torch.zeros(0),
    "no columns": lambda: torch.zeros(2, 0, 3),
    "truth values": lambda: torch.ones(2, 3, dtype=torch.bool),
    "one truth value": lambda: torch.tensor(True),
    "complex": lambda: torch.ones(2, 3) * 1j,
    "one complex number": lambda: torch.tensor(1j),
    "Python's complex": lambda: 2 + 1j,
    "half": lambda: torch.ones(2, 3).half(),
    "tensors": lambda: [torch.ones(2), torch.ones(3)],
    "pairs": lambda: (torch.ones(2), {"a": torch.ones(3)}),
    "a parameter": lambda: nn.Parameter(torch.ones(3)),
    "a layer": lambda: nn.Linear(2, 3),
    "what max gives": lambda: torch.ones(2, 3).max(dim=1),
    "one number": lambda: torch.tensor(0.123),
    "one number in a row": lambda: torch.tensor([0.123]),
    "array": lambda: np.ones((2, 3)),
    "array of objects": lambda: np.array([None, "a", {}], dtype=object),
    "array of strings": lambda: np.array(["a", "b"]),
    "record": lambda: np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]),
    "NumPy's number": lambda: np.float16(0.123),
    "nothing": lambda: None,
    "dots": lambda: ...,
    "a function": lambda: len,
    "a class": lambda: Hostile,
    "hostile": Hostile,
    "hostile in a list": lambda: [Hostile(), Hostile()],
    "holds itself": holds_itself,
    "generator": without_end,
    "coroutine": lambda: (lambda c: (c.close(), c)[1])(later()),
    "set": lambda: {1, 2},
    "dict": lambda: {"a": 1},
    "dict of numbers": lambda: {1: 2, None: Hostile},
    "huge number": lambda: 10**5000,
    "long text": lambda: "a" * 1_000_000,
    "bytes": lambda: b"abc",
    "long list": lambda: list(range(100_000)),
    "infinite": lambda: float("inf"),
    "range": lambda: range(3),
}
ERRORS = {
    "long": ValueError("long " * 1_000_000),
    "many lines": RuntimeError("line\n" * 100_000),
    "no words": SilentError(),
    "system": SystemExit(3),
    "interrupt": KeyboardInterrupt(),
    "generator": GeneratorExit(),
    "recursion": RecursionError("maximum recursion depth exceeded"),
    "memory": MemoryError(),
    "assertion": AssertionError(),
    "stop": StopIteration(),
    "base": BaseException("base"),
}
MOST = 6_000  # letters of a message
# a string, a tensor, a dict, a number in a tensor, whole numbers: these meet everything, the others what is worst
ONE_OF_EACH = ("name_of_class", "softmax", "shapes_of_forward", "cross_entropy", "confusion_matrix")
WORST = ("nested", "meta", "complex", "hostile", "holds itself", "generator", "huge number", "array of objects")
WORST_ERRORS = ("long", "no words", "interrupt")


@ALL
def test_a_strange_result_gets_a_sentence(exercise):
    for name, result in RESULTS.items():
        if name not in WORST and exercise.name not in ONE_OF_EACH:
            continue
        verdict = exercise.examine(lambda *arguments, result=result: result())
        assert verdict.status == "wrong", name
        assert len(verdict.message) < MOST, name
        assert "cannot read" not in verdict.message, name


@ALL
def test_a_strange_error_gets_a_sentence(exercise):
    for name, error in ERRORS.items():
        if name not in WORST_ERRORS and exercise.name not in ONE_OF_EACH:
            continue
        verdict = exercise.examine(raises(error))
        assert verdict.status == "wrong", name
        assert len(verdict.message) < MOST, name
        assert "Traceback" not in verdict.message, name


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_an_interrupt_that_is_raised_is_no_stop_button_where_there_is_none(handler):
    """A program that a shell starts in the background ignores Ctrl-C."""
    exercise, before = EXERCISES["softmax"], signal.signal(signal.SIGINT, handler)
    try:
        assert exercise.examine(raises(KeyboardInterrupt())).status == "wrong"
    finally:
        signal.signal(signal.SIGINT, before)


@ALL
@pytest.mark.parametrize("leave", [sys.exit, exit, quit, raises(SystemExit)], ids=["sys.exit", "exit", "quit", "raise"])
def test_an_attempt_that_ends_the_program_does_not(exercise, leave):
    verdict = exercise.examine(lambda *arguments: leave())
    assert verdict.mistake == "ends the program"


def with_right_results(change):
    """Make attempts that give the right result, changed."""
    return lambda exercise: lambda *arguments: change(exercise.answer(*arguments))


def switches(call):
    """Make attempts that give the right result and change a setting."""

    def attempt_at(exercise):
        def attempt(*arguments):
            result = exercise.answer(*arguments)
            call()
            return result

        return attempt

    return attempt_at


@ALL
@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("gradients are computed", lambda: torch.set_grad_enabled(False)),
        ("type of new tensors", lambda: torch.set_default_dtype(torch.float64)),
        ("device of new tensors", lambda: torch.set_default_device("meta")),
        ("repeatable", lambda: torch.use_deterministic_algorithms(True)),
        ("division by 0", lambda: np.seterr(all="ignore")),
        ("threads", lambda: torch.set_num_threads(torch.get_num_threads() + 1)),
    ],
    ids=["gradients", "type", "device", "deterministic", "NumPy", "threads"],
)
def test_a_setting_that_is_left_changed_is_named_and_put_back(exercise, words, call):
    before = torch.get_default_dtype(), torch.get_default_device(), np.geterr(), torch.get_num_threads()
    verdict = exercise.examine(switches(call)(exercise))
    assert verdict.mistake == "leaves settings changed"
    assert words in verdict.message
    assert (torch.get_default_dtype(), torch.get_default_device(), np.geterr(), torch.get_num_threads()) == before
    assert torch.is_grad_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


@ALL
def test_random_numbers_are_left_alone(exercise):
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    seeds = (torch.manual_seed, random.seed, np.random.seed)
    assert free(exercise).examine(switches(lambda: [seed(5) for seed in seeds])(exercise)).status == "correct"
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]  # noqa: NPY002


def outcome(exercise):
    """What the answer gives for the first example."""
    with usual_settings():
        return run_on(exercise.run, exercise.answer, exercise.examples()[0]).value


def sends_a_gradient_back(exercise):
    """Whether the answer sends a gradient back to a tensor among its arguments, in the first example of all."""
    if not (exercise.in_a_model and exercise.gradient):
        return False

    def detached(*arguments):
        return exercise.answer(*(each.detach() if isinstance(each, torch.Tensor) else each for each in arguments))

    with usual_settings():
        return in_a_model.lost_gradient(exercise.run, detached, exercise.answer, exercise.examples()) is not None


RESULTS_OF = {each.name: outcome(each) for each in EXERCISES.values()}
TENSORS = [each for each in EXERCISES.values() if isinstance(RESULTS_OF[each.name], torch.Tensor)]
NUMBERS = [
    each for each in EXERCISES.values() if core.kind(RESULTS_OF[each.name]) == "a number" and each not in TENSORS
]
LEARNING = [each for each in TENSORS if sends_a_gradient_back(each)]
tensors = pytest.mark.parametrize("exercise", TENSORS, ids=lambda each: each.name)


def own(exercise):
    """The right function, but not the one that the check knows as the answer."""
    exercise = exercise.answer
    return lambda *arguments: exercise(*arguments)


def free(exercise):
    """The exercise without forbidden or needed functions: the answer calls the package's."""
    registered = dict(core._exercises)
    try:
        return core.Exercise(**{**vars(exercise), "forbidden": (), "needed": ()})
    finally:
        core._exercises.clear()
        core._exercises.update(registered)


def without_gradient(exercise):
    def attempt(*arguments):
        with torch.no_grad():
            return exercise.answer(*arguments)

    return attempt


def from_detached(exercise):
    def attempt(*arguments):
        return exercise.answer(*(each.detach() if isinstance(each, torch.Tensor) else each for each in arguments))

    return attempt


def through_numpy(exercise):
    return lambda *arguments: torch.from_numpy(exercise.answer(*arguments).detach().numpy())


def through_lists(exercise):
    return lambda *arguments: torch.tensor(exercise.answer(*arguments).tolist())


@pytest.mark.parametrize("exercise", LEARNING, ids=lambda each: each.name)
@pytest.mark.parametrize("lose", [without_gradient, from_detached, through_numpy, through_lists])
def test_a_lost_gradient_is_named(exercise, lose):
    assert free(exercise).examine(lose(exercise)).mistake == "no gradient"


@ALL
def test_the_right_function_is_right_under_another_name(exercise):
    verdict = free(exercise).examine(own(exercise))
    assert verdict.status == "correct", verdict.message


@tensors
def test_complex_numbers_are_no_result(exercise):
    verdict = exercise.examine(with_right_results(lambda result: result.to(torch.complex64))(exercise))
    assert verdict.status == "wrong"


@tensors
def test_the_package_function_itself_is_no_work_of_the_learner(exercise):
    if not any(callable(each) for each in exercise.forbidden):
        pytest.skip("the package has no such function")
    if exercise.name in ("attention_weights", "confusion_matrix", "class_token_map", "mean_attention_distance"):
        verdict = exercise.examine(own(exercise))
    else:
        package = next(each for each in exercise.forbidden if callable(each))
        verdict = exercise.examine(lambda *arguments: package(*arguments))
    assert verdict.mistake == "a ready-made function"


@tensors
def test_a_float64_result_is_another_type_where_a_model_uses_it(exercise):
    if not RESULTS_OF[exercise.name].is_floating_point():
        pytest.skip("whole numbers")
    if RESULTS_OF[exercise.name].ndim == 0:
        pytest.skip("one number")
    verdict = free(exercise).examine(with_right_results(torch.Tensor.double)(exercise))
    assert verdict.mistake == ("another type of number" if exercise.in_a_model else None), verdict.message


@tensors
def test_an_input_that_is_changed_is_named(exercise):
    def attempt(*arguments):
        result = exercise.answer(*copy.deepcopy(arguments))
        next(each for each in arguments if isinstance(each, torch.Tensor)).add_(1)
        return result

    if not any(isinstance(each, torch.Tensor) for each in exercise.examples()[0]):
        pytest.skip("takes no tensor")
    assert free(exercise).examine(attempt).mistake == "changes its input"


@pytest.mark.parametrize("exercise", NUMBERS, ids=lambda each: each.name)
@pytest.mark.parametrize(
    "number", [np.float32, np.float64, torch.tensor, np.array, Fraction], ids=lambda kind: kind.__name__
)
def test_a_number_may_come_in_any_type(exercise, number):
    whole = isinstance(RESULTS_OF[exercise.name], int)
    if whole and number in (np.float32, np.float64, Fraction):
        number = np.int64
    verdict = free(exercise).examine(with_right_results(number)(exercise))
    assert verdict.status == "correct", verdict.message


@pytest.mark.parametrize("exercise", NUMBERS, ids=lambda each: each.name)
def test_a_wrong_number_in_a_tensor_gets_a_hint(exercise):
    verdict = exercise.examine(with_right_results(lambda result: torch.tensor(result + 0.37))(exercise))
    assert verdict.status == "wrong"
    assert "other values" in verdict.message


@ALL
def test_what_is_printed_is_shown_in_part(exercise, capsys):
    verdict = free(exercise).examine(switches(lambda: print("a line\n" * 100_000))(exercise))
    assert verdict.status == "correct"
    assert 500 < len(verdict.printed) < 2_000
    assert capsys.readouterr().out == ""


def test_a_result_that_the_attempt_goes_on_changing_is_kept_as_it_was():
    exercise, kept = EXERCISES["drop_path"], torch.zeros(3, 3, 3)

    def attempt(branch, draw, rate):
        images, tokens, width = branch.shape
        result = kept[:images, :tokens, :width]
        return result.copy_(exercise.answer(branch, draw, rate))

    assert exercise.examine(attempt).status == "correct"


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="no signals")
def test_the_stop_button_still_stops():
    exercise = EXERCISES["drop_path"]
    before = torch.get_rng_state()

    def attempt(branch, draw, rate):
        torch.set_grad_enabled(False)
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            pass

    before_handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            exercise.examine(attempt)
    finally:
        signal.signal(signal.SIGINT, before_handler)
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_check_computes_as_usual_where_the_lesson_has_changed_a_setting():
    exercise = EXERCISES["softmax"]
    with torch.no_grad():
        assert exercise.examine(lambda x: exercise.answer(x).detach()).mistake == "no gradient"
        assert not torch.is_grad_enabled()
    torch.set_default_dtype(torch.float64)
    try:
        assert exercise.examine(lambda x: exercise.answer(x)).status == "correct"
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_filters_of_warnings_are_put_back():
    before = list(warnings.filters)
    EXERCISES["gelu"].examine(switches(lambda: warnings.simplefilter("ignore"))(EXERCISES["gelu"]))
    assert warnings.filters == before


def test_another_stub_that_is_called_is_named():
    def add_class_token(tokens, class_token):
        raise NotImplementedError

    verdict = EXERCISES["embed"].examine(lambda i, p, w, b, c, e: add_class_token(i, c))
    assert verdict.status == "not attempted"
    assert "calls `add_class_token`" in verdict.message
