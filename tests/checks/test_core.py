"""The framework of the checks, on an exercise that is easy to get wrong."""

import numpy as np
import pytest
import torch

from course_utils.checks import core, progress
from course_utils.checks.core import Exercise, Mistake


@pytest.fixture
def exercise(monkeypatch):
    """Row sums of a matrix."""
    monkeypatch.setattr(core, "_exercises", {})
    monkeypatch.setattr(core, "_solved", set())
    return Exercise(
        "row_sums",
        lambda matrix: matrix.sum(dim=1),
        lambda: [(torch.tensor([[1.0, 2.0], [3.0, 5.0]]),), (torch.arange(6.0).reshape(2, 3),)],
        (
            Mistake("columns", "You went down the columns.", lambda m: m.sum(dim=0), lambda m: m.T.sum(dim=1)),
            Mistake("transposed back", "The shapes do not fit.", lambda m: m @ m),
        ),
        "Each row is added up.",
    )


def stub(matrix):
    raise NotImplementedError


def changes_its_input(matrix):
    matrix.cumsum_(dim=1)
    return matrix[:, -1].clone()


def test_an_untouched_stub_is_not_attempted(exercise):
    verdict = exercise.examine(stub)
    assert verdict.status == "not attempted"
    assert "not attempted yet" in verdict.message


def test_a_right_attempt_is_correct_and_counts_as_done(exercise, capsys):
    exercise(lambda m: torch.einsum("ij->i", m))
    progress()
    assert capsys.readouterr().out == (
        "row_sums: correct. Each row is added up.\n1 of 1 exercises done. done: row_sums\n"
    )
    exercise(lambda m: m.sum())  # a change for the worse counts too
    progress()
    assert "0 of 1 exercises done. open: row_sums" in capsys.readouterr().out


def test_a_known_mistake_is_named_with_the_smallest_example(exercise):
    verdict = exercise.examine(lambda m: torch.stack([m[:, j].sum() for j in range(m.shape[1])]))
    assert verdict.mistake == "columns"
    assert verdict.message == (
        "row_sums: not right yet. You went down the columns.\n"
        "Example:\n"
        "  matrix = tensor of shape (2, 2): [[1.0, 2.0], [3.0, 5.0]]\n"
        "  expected: tensor of shape (2,): [3.0, 8.0]\n"
        "  found:    tensor of shape (2,): [4.0, 7.0]"
    )


@pytest.mark.parametrize(
    ("attempt", "words", "mistake"),
    [
        (lambda m: None, "is the `return` missing?", "nothing is returned"),
        (lambda m: print(m.sum(dim=1)), "To print a number is not to return it", "nothing is returned"),
        (lambda m: ..., "still a `...`", None),
        (lambda m: m.sum(dim=1).tolist(), "they come as a list", "a list in place of a tensor"),
        (lambda m: list(m.sum(dim=1)), "`torch.stack` makes one", "a list in place of a tensor"),
        (lambda m: [m[0], m[1]], "list of 2 tensors. `torch.stack` makes one", "another kind of result"),
        (lambda m: m.sum(dim=1).numpy(), "they come as a NumPy array", "an array in place of a tensor"),
        (lambda m: m.numpy(), "should be a tensor of shape (2,), but it is a NumPy array", "another kind of result"),
        (lambda m: m.sum(), "The shape should be (2,), but it is ()", None),
        (lambda m: m.sum, "parentheses of a call", "another kind of result"),
        (lambda m: (yield m.sum(dim=1)), "Is there a `yield`", "another kind of result"),
        (lambda m: m.sum(dim=1).flip(0), "in reverse order", "in reverse order"),
        (lambda m: m.sum(dim=1, keepdim=True), "of length 1", "an axis of length 1 too many"),
        (lambda m: m.sum(dim=1)[:, None, None], "shape should be (2,), but it is (2, 1, 1)", None),
        (lambda m: m.sum(dim=1) + 1, "off by one", "one too many or one too few"),
        (lambda m: m.sum(dim=1) + 1.5, "other values", None),
        (lambda m: m.sum(dim=1).roll(1) + m.ne(m).sum(), "in reverse", "in reverse order"),
        (lambda m: m.sum(dim=1) * float("nan"), "Some are nan", None),
        (lambda m: m.sum(dim=1) / 0, "Some are infinite", None),
        (lambda m: m.sum(dim=1).round(decimals=-1) / 3, "other values", None),
        (lambda m: (m.sum(dim=1), m), "there is more behind it", "more than one result"),
        (lambda m: (m.sum(dim=1),), "a comma behind it", "wrapped in a tuple or a list"),
        (lambda m: m.sum(dim=1) * -1, "wrong sign", "the wrong sign"),
        (lambda m: m.mean(dim=1) * 100 * m.shape[1], "same factor", "too large or too small by a factor"),
        (lambda m: m[:2, :2].sum(dim=1), "Right for the first 1 of 2 examples", None),
        (lambda m: m.reshape(2, 2).sum(dim=1), "Right for the first 1 of 2", "right for some sizes only"),
        (lambda m: torch.rand(2), "another one every time", "random numbers of its own"),
        (lambda m: m.permute(1, 0).view(-1), "`reshape` does the same", "view after permute"),
        (lambda m: m.reshape(7), "must multiply", "a reshape that does not fit"),
        (lambda m: torch.cdist(m.int(), m.int()), "takes floats", "whole numbers where floats are needed"),
        (lambda m: m @ torch.arange(2), "different types", "two types of numbers"),
        (lambda m: m.add_(1).sum(dim=1), "also changes its input", "changes its input"),
        (lambda: None, "stopped with TypeError", None),
        (lambda m: m.sum(dim=7), "stopped with IndexError", None),
        (lambda m: m @ torch.ones(9), "stopped with RuntimeError", None),
        (lambda m: (m > 0).mean(), "stopped with", None),  # PyTorch's NotImplementedError is no stub
    ],
)
def test_other_wrong_attempts_get_one_sentence(exercise, attempt, words, mistake):
    verdict = exercise.examine(attempt)
    assert verdict.status == "wrong"
    assert words in verdict.message
    assert verdict.mistake == mistake
    assert "Traceback" not in verdict.message


@pytest.mark.parametrize(
    ("attempt", "mistake"),
    [
        (changes_its_input, "changes its input"),
        ("no function", "no function"),
        (None, "no function"),
        (torch.ones(2), "no function"),
        (lambda m: exit(), "ends the program"),
        (lambda m: m.detach().sum(dim=1), "no gradient"),
        (lambda m: m.sum(dim=1).double(), "another type of number"),
        (lambda m: m.double().sum(dim=1).half(), "another type of number"),
        (lambda m: m.sum(dim=1).long(), "another type of number"),
        (lambda m: torch.stack([m[0].detach().sum(), m[1].sum()]), "no gradient"),  # a part of it
    ],
)
def test_mistakes_of_every_exercise_have_a_name(exercise, attempt, mistake):
    verdict = exercise.examine(attempt)
    assert (verdict.status, verdict.mistake) == ("wrong", mistake), verdict.message


def test_a_flaw_that_the_exercise_knows_gets_its_own_hint():
    exercise = Exercise(
        "total",
        lambda x: x.sum(),
        lambda: [(torch.tensor([1.0, 2.0]),)],
        (Mistake("the ready-made one", "Write a loop.", lambda x: x.cumsum(0)[-1]),),
        "",
        forbidden=("cumsum", sum),
    )
    assert exercise.examine(lambda x: torch.cumsum(x, 0)[-1]).mistake == "the ready-made one"
    assert exercise.examine(lambda x: x[0] + x[1]).status == "correct"
    assert exercise.examine(lambda x: (x[0] + x[1]).item()).mistake == "a plain number"
    assert exercise.examine(lambda x: (x[0] + x[1]).detach()).mistake == "no gradient"


def test_a_forbidden_function_of_python_is_seen_whatever_it_is_called(exercise):
    def row_sums_of_the_package(matrix):
        return matrix.sum(dim=1)

    own = Exercise("sums", exercise.answer, exercise.examples, (), "", forbidden=(row_sums_of_the_package,))
    mine = {"sums": row_sums_of_the_package}
    assert own.examine(lambda m: mine["sums"](m)).mistake == "a ready-made function"


def test_counts_are_whole_numbers():
    exercise = Exercise("size", lambda x: {"a": x * 2, "b": (1, x)}, lambda: [(3,), (4,)], (), "")
    assert exercise.examine(lambda x: {"a": np.int64(x) * 2, "b": [1, x]}).status == "correct"
    assert exercise.examine(lambda x: {"a": 4 * x / 2, "b": (1, x)}).mistake == "not whole numbers"
    assert exercise.examine(lambda x: {"a": x * 2, "b": (True, x)}).status == "wrong"


def test_an_analysis_may_leave_pytorch():
    exercise = Exercise("sums", lambda x: x.sum(1), lambda: [(torch.ones(2, 3),)], (), "", in_a_model=False)
    assert exercise.examine(lambda x: torch.tensor(x.numpy().astype("float64").sum(1))).status == "correct"
    assert exercise.examine(lambda x: x.sum(1).int()).mistake == "another type of number"


def test_missing_keys_are_named():
    exercise = Exercise("named", lambda: {"a": 1, "b": 2}, lambda: [()], (), "")
    assert "should have the keys 'a', 'b'" in exercise.examine(lambda: {"a": 1}).message
    assert "other values for 'b'" in exercise.examine(lambda: {"a": 1, "b": 3}).message
    assert "It has also 'c'" in exercise.examine(lambda: {"a": 1, "b": 2, "c": 3}).message


def test_the_line_that_failed_is_shown(exercise):
    def attempt(m):
        return m.reshape(7)

    assert "of your cell: `return m.reshape(7)`" in exercise.examine(attempt).message


def test_a_mistake_that_raises_is_told_from_other_errors_by_its_words(exercise):
    assert exercise.examine(lambda m: torch.matmul(m, m)).mistake == "transposed back"


def test_random_attempts_get_the_same_numbers_and_the_generator_is_left_alone(exercise):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    dropout = Exercise("noise", lambda x: x + torch.randn(2), lambda: [(torch.zeros(2),)], (), "")
    assert dropout.examine(lambda x: torch.randn(2) + x).status == "correct"
    assert dropout.examine(lambda x: torch.randn(2)).mistake == "no gradient"
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1.0, 1.1, False),
        ("a", "a", True),
        ((1, [2.0]), [1, (2.0,)], True),
        ((1,), (1, 2), False),
        ({"a": torch.ones(2)}, {"a": torch.ones(2)}, True),
        ({"a": 1}, {"b": 1}, False),
        (np.ones(2), np.ones(2), True),
        (torch.ones(2), torch.ones(2, 1), False),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")]), True),
        (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), False),
        (None, 0, False),
        (True, 1, False),
        (np.float32(0.5), 0.5, True),
        (np.array(3), 3, True),
        (np.str_("a"), "a", True),
        (1j, 0, False),
        (torch.ones(2) * (1 + 0j), torch.ones(2), False),
        (torch.ones(2, device="meta"), torch.ones(2), False),
        (np.array(["a"]), np.array(["a"]), False),
        (10**400, 1.0, False),
        (torch.tensor(2.0), 2, True),
        (torch.tensor([2.0]), 2.0, False),
        (float("nan"), torch.tensor(float("nan")), True),
        (float("nan"), 1.0, False),
    ],
)
def test_same_value(one, other, same):
    assert core.same_value(one, other, 1e-6) is same


def test_long_values_are_described_by_their_shape():
    assert core.describe((torch.zeros(8, 8), 0.25, np.ones(1))) == (
        "(tensor of shape (8, 8), 0.25, array of shape (1,): [1.0])"
    )
    assert core.describe(torch.nn.ReLU()) == "ReLU"
    assert core.kind(True) == "True or False"
    assert core.kind(3) == "a number"
