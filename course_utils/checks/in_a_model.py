"""What an exercise's result needs besides the right numbers, if the function is to stand in a model."""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils.checks.mistakes import (
    A_LOOP,
    ANOTHER_WAY,
    LIST_FOR_TUPLE,
    NO_GRADIENT,
    NOT_WHOLE,
    OTHER_TYPE,
    PLAIN_NUMBER,
    READY_MADE,
    Mistake,
)
from course_utils.checks.values import is_number, plain
from course_utils.checks.world import guarded_run

ZERO = 1e-4  # a gradient below this may be rounding
MORE_CALLS = 4  # than this a loop makes for a large example, compared with a small one
Run = Callable[..., Any]  # how an attempt is run: with the attempt, then the arguments
Example = tuple[Any, ...]


@dataclass(frozen=True)
class Demands:
    """What is asked of right numbers.

    Attributes:
        forbidden: Names of PyTorch's functions, or functions of Python, that the learner should do without.
        needed: Names of PyTorch's functions of which one is to be used.
        exact_type: Whether float64 differs from float32.
        gradient: Whether a gradient must flow back.
        no_loop: A small and a large example that need the same number of calls if there is no loop; or nothing.
    """

    forbidden: tuple[Any, ...] = ()
    needed: tuple[str, ...] = ()
    exact_type: bool = True
    gradient: bool = True
    no_loop: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Flawed:
    """Stands for right numbers that a model could not use, or that were not the learner's own work.

    Attributes:
        words: What the flaw is; two flaws of the same words are the same.
        mistake: What the learner is told, where the exercise itself has no such mistake.
        seen: What the learner sees in place of a result, if that says more than ``words``.
    """

    words: str
    mistake: Mistake | None = field(default=None, compare=False)
    seen: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return self.seen or self.words


# --- who made the result


def others_work(run: Run, attempt: Callable[..., Any], examples: list[Example], demands: Demands) -> Flawed | None:
    """Say whether an attempt calls a function that it should not, or none of those that it should.

    Functions of PyTorch are known by their names, those of the package by themselves, whatever they are called.
    """
    names = {each for each in demands.forbidden if isinstance(each, str)}
    codes = {each.__code__ for each in demands.forbidden if hasattr(each, "__code__")}
    calls = _Calls(codes)
    for example in examples if demands.forbidden or demands.needed else ():
        guarded_run(functools.partial(run, calls.watching(attempt), *copy.deepcopy(example)))
    if calls.met:
        return Flawed("the package's", READY_MADE, "the right numbers, made by the course's own function")
    if calls.names & names:
        return Flawed("PyTorch's", READY_MADE, "the right numbers, made by PyTorch's own")
    if demands.needed and not calls.names.intersection(demands.needed):
        return Flawed("another way", ANOTHER_WAY, f"the right numbers, made without {demands.needed[0]}")
    return None


def looped(run: Run, attempt: Callable[..., Any], demands: Demands) -> Flawed | None:
    """Say whether an attempt calls PyTorch the more often the larger its input is."""
    calls, counts = _Calls(set()), []
    for example in demands.no_loop:
        calls.count = 0
        guarded_run(functools.partial(run, calls.watching(attempt), *copy.deepcopy(example)))
        counts.append(calls.count)
    if counts and counts[-1] >= counts[0] + MORE_CALLS:
        seen = f"the right numbers, with {counts[0]} calls of PyTorch for a small input, {counts[-1]} for a larger one"
        return Flawed("a loop", A_LOOP, seen)
    return None


class _Calls(TorchFunctionMode):
    """Note the names of the PyTorch functions that are called inside a ``with``, and whether some code is run."""

    def __init__(self, codes: set[CodeType]) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.met = False
        self.count = 0
        self._codes = codes
        self._before: Any = None

    def watching(self, attempt: Callable[..., Any]) -> Callable[..., Any]:
        """Return the attempt, watched while it runs."""

        def watched(*arguments: Any) -> Any:
            with self:
                return attempt(*arguments)

        return watched

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))

    def __enter__(self) -> Any:
        self._before = sys.getprofile()
        if self._codes:
            sys.setprofile(self._note)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        if self._codes:
            sys.setprofile(self._before)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in self._codes:
            self.met = True


# --- the type of its numbers


def wrong_type(found: list[Any], expected: list[Any], strict: bool) -> Flawed | None:
    """Compare the types of right results, one for each example.

    Whole numbers, floats, truth values: these always differ. Among floats, the exact type counts if ``strict``.
    """
    pairs = [pair for both in zip(found, expected, strict=True) for pair in _pairs(*both)]
    for mine, right in pairs:
        if not (isinstance(mine, Tensor) and isinstance(right, Tensor) and right.ndim):
            continue
        floats = strict and mine.is_floating_point() and right.is_floating_point()
        if _sort(mine) != _sort(right) or (floats and mine.dtype != right.dtype):
            return Flawed(
                "another type", OTHER_TYPE, f"the right numbers, but as {mine.dtype} in place of {right.dtype}"
            )
    if expected and all(_is_shape(each) for each in expected) and not all(_is_shape(each) for each in found):
        return Flawed("lists", LIST_FOR_TUPLE)
    numbers = [(plain(mine), plain(right)) for mine, right in pairs]
    counts = all(isinstance(right, int) and not isinstance(right, bool) for _, right in numbers)
    if counts and any(isinstance(mine, float) for mine, _ in numbers):
        return Flawed("fractions", NOT_WHOLE)
    return None


def _is_shape(value: Any) -> bool:
    """Whether a result is a shape, a tuple of whole numbers, or a dict of shapes."""
    if isinstance(value, dict):
        return bool(value) and all(map(_is_shape, value.values()))
    return isinstance(value, tuple) and all(is_number(plain(each)) for each in value)


def _sort(tensor: Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "truth values"
    return "floats" if tensor.is_floating_point() else "whole numbers"


def _pairs(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Go through two results of the same form, part by part."""
    if isinstance(other, dict):
        for key in other:
            yield from _pairs(one[key], other[key])
    elif isinstance(other, (list, tuple)):
        for a, b in zip(one, other, strict=True):
            yield from _pairs(a, b)
    elif isinstance(other, Tensor) or is_number(plain(other)):
        yield one, other


# --- the way back


def lost_gradient(
    run: Run, attempt: Callable[..., Any], answer: Callable[..., Any], examples: list[Example]
) -> Flawed | None:
    """Compare what an attempt sends back to the floats among its arguments with what the answer sends back.

    A gradient that is not there is a flaw. One that differs is a flaw only if it differs in every example: where two
    numbers are equally large, or at a corner, two right functions may send back different ones.
    """
    lost, same = False, []
    for example in examples:
        wanted = _gradients(run, answer, example)
        asked = [_counts(each) for each in wanted]
        if not any(asked):
            continue
        found = _gradients(run, attempt, example, asked)
        if not found or any(wants and not _flows(each) for each, wants in zip(found, asked, strict=True)):
            lost = True
            break
        same.append(all(_close(f, w) for f, w, wants in zip(found, wanted, asked, strict=True) if wants))
    if lost or (same and not any(same)):
        return Flawed("no gradient", NO_GRADIENT, "the right numbers, but a gradient is lost on the way back")
    return None


def _gradients(
    run: Run, function: Callable[..., Any], example: Example, asked: Sequence[bool] = ()
) -> list[Tensor | None]:
    """Return the gradients of a weighted sum of the results, for each float among the arguments, or those asked for.

    Nothing comes back if there is no way back at all.
    """
    arguments = copy.deepcopy(example)
    leaves = [leaf for leaf in _leaves(arguments) if leaf.is_leaf]
    chosen = [leaf for leaf, wants in zip(leaves, asked or [True] * len(leaves), strict=True) if wants]
    for leaf in leaves:
        leaf.requires_grad_(False)
    for leaf in chosen:
        leaf.requires_grad_()

    def forth_and_back() -> list[Tensor | None]:
        total = sum(_weighted(run(function, *_passed(arguments))), torch.zeros(()))
        found = iter(torch.autograd.grad(total, chosen, allow_unused=True))
        return [next(found) if leaf.requires_grad else None for leaf in leaves]

    return guarded_run(forth_and_back).value or [] if chosen else []


def _leaves(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor) and value.is_floating_point():
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each)


def _passed(value: Any) -> Any:
    """Return what the function gets: a leaf must not be changed in place, so copies that belong to the leaves."""
    if isinstance(value, Tensor):
        return value * 1 if value.is_floating_point() else value
    return type(value)(map(_passed, value)) if type(value) in (list, tuple) else value


def _weighted(value: Any) -> Iterator[Tensor]:
    """Multiply the numbers of a result by 1 to 2, so that none of them is like another, and add up each tensor."""
    if isinstance(value, Tensor) and value.is_floating_point():
        yield (value.double() * torch.linspace(1, 2, value.numel()).reshape(value.shape)).sum()
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _weighted(each)
    elif isinstance(value, dict):
        yield from _weighted(list(value.values()))


def _counts(wanted: Tensor | None) -> bool:
    """Whether a gradient of the answer is one to ask for."""
    return wanted is not None and bool(wanted.isfinite().all()) and bool((wanted.abs() > ZERO).any())


def _flows(found: Tensor | None) -> bool:
    return found is not None and bool((found != 0).any())


def _close(found: Tensor | None, wanted: Tensor | None) -> bool:
    return found is not None and wanted is not None and torch.allclose(found, wanted, rtol=1e-2, atol=1e-3)


# --- for exercises


class _InAModel:
    """Runs an attempt as it is; says which functions it should do without."""

    def __init__(self, forbidden: Sequence[Any]) -> None:
        self.forbidden = tuple(forbidden)

    def __call__(self, attempt: Callable[..., Any], *arguments: Any) -> Any:
        return attempt(*arguments)


def as_in_a_model(answer: Callable[..., Any], forbidden: Sequence[Any] = (), tolerance: float = 1e-4) -> Run:
    """Make the ``run`` of an exercise whose function stands in a model; the same as its field ``forbidden``."""
    return _InAModel(forbidden)


def no_gradient(answer: Callable[..., Any], *imitations: Callable[..., Any]) -> Mistake:
    """Return the mistake of a right result that a gradient does not pass."""
    return Mistake(NO_GRADIENT.name, NO_GRADIENT.hint, lambda *arguments: answer(*arguments).detach(), *imitations)


def other_type(answer: Callable[..., Any]) -> Mistake:
    """Return the mistake of a right result in another type of number."""
    return Mistake(OTHER_TYPE.name, OTHER_TYPE.hint, lambda *arguments: answer(*arguments).double())


def flaw_of(
    run: Run,
    attempt: Callable[..., Any],
    answer: Callable[..., Any],
    examples: list[Example],
    results: tuple[list[Any], list[Any]],
    demands: Demands,
) -> Flawed | None:
    """Say what is wrong with an attempt whose numbers are all right; None if nothing is.

    Args:
        run: How an attempt is run on an example.
        attempt: The attempt.
        answer: The right function.
        examples: The arguments that were tried.
        results: What the attempt gave for each example, and what is right.
        demands: What is asked besides the numbers.
    """
    if attempt is answer:
        return None
    if (flaw := others_work(run, attempt, examples, demands)) is not None:
        return flaw
    if (flaw := wrong_type(*results, strict=demands.exact_type)) is not None:
        return flaw
    if demands.gradient and (flaw := lost_gradient(run, attempt, answer, examples)) is not None:
        plain_number = any(isinstance(b, Tensor) and not isinstance(a, Tensor) for a, b in zip(*results, strict=True))
        return Flawed("a plain number", PLAIN_NUMBER) if plain_number else flaw
    return looped(run, attempt, demands)
