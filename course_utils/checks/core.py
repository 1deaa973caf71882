"""How an attempt at an exercise is checked.

An exercise knows the right answer and the usual mistakes, each as a function that makes it. An attempt is run on a few
examples. If it always gives what one of those functions gives, the learner has made that mistake, and is told so.
"""

from __future__ import annotations

import copy
import inspect
import linecache
import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SMALL = 32  # larger tensors are described by their shape

_exercises: dict[str, Exercise] = {}
_solved: set[str] = set()


@dataclass(frozen=True)
class Mistake:
    """A mistake that learners make.

    Attributes:
        name: What it is, in a few words: "scaled by the model width".
        hint: What to look at, in the learner's terms; it does not give the solution away.
        imitations: Functions that make it; a mistake may come in several forms. They take what the exercise takes.
    """

    name: str
    hint: str
    imitations: tuple[Callable[..., Any], ...]

    def __init__(self, name: str, hint: str, *imitations: Callable[..., Any]) -> None:
        for attribute, value in (("name", name), ("hint", hint), ("imitations", imitations)):
            object.__setattr__(self, attribute, value)


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        status: "not attempted", "wrong" or "correct".
        message: What the learner reads.
        mistake: The name of the mistake, if it is a known one.
    """

    status: str
    message: str
    mistake: str | None = None


@dataclass(frozen=True)
class Exercise:
    """One exercise. Call it with an attempt: it prints what it found, and never raises.

    Attributes:
        name: As the learner's function is called.
        answer: The right function, usually the package's own.
        examples: Makes the arguments to try, the smallest first: it is the one that is shown to the learner.
        mistakes: Those that can be told by name.
        proved: What a correct attempt has shown, in a sentence.
        run: How an attempt is run on one example; by default it is called with the arguments.
        tolerance: How far numbers may lie from the right ones, absolutely and relatively.

    Example:
        >>> double = Exercise("double", lambda x: 2 * x, lambda: [(1.0,), (3.0,)], (), "It doubles.")
        >>> double(lambda x: x + x)
        double: correct. It doubles.
    """

    name: str
    answer: Callable[..., Any]
    examples: Callable[[], list[tuple[Any, ...]]]
    mistakes: tuple[Mistake, ...]
    proved: str
    run: Callable[..., Any] = field(default=lambda attempt, *arguments: attempt(*arguments))
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        _exercises[self.name] = self

    def __call__(self, attempt: Callable[..., Any]) -> None:
        """Check an attempt, print what was found, and remember whether it is solved."""
        verdict = self.examine(attempt)
        (_solved.add if verdict.status == "correct" else _solved.discard)(self.name)
        print(verdict.message)

    def examine(self, attempt: Callable[..., Any]) -> Verdict:
        """Check an attempt without printing."""
        examples = self.examples()
        found = [self._outcome(attempt, example) for example in examples]
        # A stub raises it bare; PyTorch raises it with a sentence, for the mean of truth values for example.
        if any(isinstance(each.error, NotImplementedError) and not each.error.args for each in found):
            return Verdict(
                "not attempted",
                f"{self.name}: not attempted yet.\n"
                "Write your code in place of `raise NotImplementedError`, run that cell, then run this one again.",
            )
        expected = [self._outcome(self.answer, example) for example in examples]
        wrong = [index for index in range(len(examples)) if not self._same(found[index], expected[index])]
        if not wrong:
            if any(each.changed for each in found):
                return self._wrong("The result is right, but your code changes its input. Make a new tensor instead.")
            return Verdict("correct", f"{self.name}: correct. {self.proved}")
        first = wrong[0]
        shown = self._show(examples[first], found[first], expected[first])
        for mistake in self.mistakes:
            for imitation in mistake.imitations:
                made = (self._outcome(imitation, example) for example in examples)
                if all(map(self._same, found, made)):
                    return self._wrong(f"{mistake.hint}\n{shown}", mistake.name)
        return self._wrong(f"{self._general_hint(found[first], expected[first])}\n{shown}")

    def _wrong(self, text: str, mistake: str | None = None) -> Verdict:
        return Verdict("wrong", f"{self.name}: not right yet. {text}", mistake)

    def _outcome(self, function: Callable[..., Any], example: tuple[Any, ...]) -> _Outcome:
        """Run a function on a copy of the example, with the same random numbers each time."""
        arguments = copy.deepcopy(example)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                value = self.run(function, *arguments)
            except Exception as error:  # whatever the learner's code does, the lesson goes on
                return _Outcome(error=error)
        return _Outcome(value, changed=not same_value(arguments, example, 0.0))

    def _same(self, one: _Outcome, other: _Outcome) -> bool:
        if one.error is not None or other.error is not None:
            return type(one.error) is type(other.error) and str(one.error) == str(other.error)
        return same_value(one.value, other.value, self.tolerance)

    def _general_hint(self, found: _Outcome, expected: _Outcome) -> str:
        """Say what is wrong when it is no mistake that has a name."""
        if found.error is not None:
            return f"Your code stopped with {type(found.error).__name__}: {found.error}{_place(found.error)}."
        if found.value is None:
            return "Your function returned None: is the `return` missing?"
        if found.value is Ellipsis:
            return "There is still a `...` in your code, where your own should stand."
        if kind(found.value) != kind(expected.value):
            return f"The result should be {kind(expected.value)}, but it is {kind(found.value)}."
        if isinstance(found.value, Tensor) and found.value.shape != expected.value.shape:
            return f"The shape should be {tuple(expected.value.shape)}, but it is {tuple(found.value.shape)}."
        if isinstance(expected.value, dict) and found.value.keys() != expected.value.keys():
            return f"The result should have the keys {', '.join(map(repr, expected.value))}."
        return "The result has the right form, but other values."

    def _show(self, example: tuple[Any, ...], found: _Outcome, expected: _Outcome) -> str:
        """Lay an example out: arguments, what should come, what came."""
        names = list(inspect.signature(self.answer).parameters)
        lines = [f"{name} = {describe(value)}" for name, value in zip(names, example, strict=False)]
        for title, outcome in (("expected:", expected), ("found:   ", found)):
            lines.append(
                f"{title} {describe(outcome.value) if outcome.error is None else type(outcome.error).__name__}"
            )
        return "Example:\n" + "\n".join(f"  {line}" for line in lines)


@dataclass(frozen=True)
class _Outcome:
    """What a run gave: a value, or an error; and whether it changed its arguments."""

    value: Any = None
    error: Exception | None = None
    changed: bool = False


def progress() -> None:
    """Print in one line which exercises of this session are done."""
    done = [name for name in _exercises if name in _solved]
    still_open = [name for name in _exercises if name not in _solved]
    parts = [f"{title}: {', '.join(names)}" for title, names in (("done", done), ("open", still_open)) if names]
    print(f"{len(done)} of {len(_exercises)} exercises done. {'; '.join(parts)}".strip())


def same_value(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two results are the same: kind, shape, and values within the tolerance.

    A tensor that holds one number counts as that number, and NaN as the same as NaN.
    """
    one, other = _plain_number(one), _plain_number(other)
    if isinstance(one, nn.Module) and isinstance(other, nn.Module):
        return same_value(one.state_dict(), other.state_dict(), tolerance)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if one.shape != other.shape:
            return False
        a, b = one.detach().double(), other.detach().double()
        return torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return same_value(torch.as_tensor(one), torch.as_tensor(other), tolerance)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(same_value(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[key], other[key], tolerance) for key in one)
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance) or (one != one and other != other)
    return type(one) is type(other) and one == other


def kind(value: Any) -> str:
    """Name the kind of a result in words."""
    value = _plain_number(value)
    if isinstance(value, Tensor):
        return "a tensor"
    if isinstance(value, bool):
        return "True or False"
    if isinstance(value, (int, float, np.number)):
        return "a number"
    if isinstance(value, (tuple, list)):
        return f"{len(value)} values"
    return f"of type {type(value).__name__}"


def _plain_number(value: Any) -> Any:
    """Return the number in a tensor without axes; anything else as it is."""
    return value.item() if isinstance(value, Tensor) and value.ndim == 0 else value


def describe(value: Any) -> str:
    """Write a value out if it is small, else its shape."""
    if isinstance(value, Tensor):
        values = value.detach().double().round(decimals=4) if value.is_floating_point() else value
        numbers = f": {values.tolist()}" if value.numel() <= SMALL else ""
        return f"tensor of shape {tuple(value.shape)}{numbers}"
    if isinstance(value, np.ndarray):
        return describe(torch.as_tensor(value)).replace("tensor", "array")
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(describe, value))})"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, nn.Module):
        return type(value).__name__
    return repr(value)


def _place(error: Exception) -> str:
    """Say which line of the learner's cell an error comes from, as far as that can be known."""
    package = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "site-packages" in frame.filename or frame.filename.startswith(package):
            continue
        line = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
        return f" (line {frame.lineno} of your cell: `{line}`)" if line else ""
    return ""
