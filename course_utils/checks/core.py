"""How an attempt at an exercise is checked.

An exercise knows the right answer and the usual mistakes, each as a function that makes it. An attempt is run on a few
examples. If it always gives what one of those functions gives, the learner has made that mistake, and is told so. If
all numbers are right, it must also leave its input and all settings alone, and a model must be able to use the result.
"""

from __future__ import annotations

import inspect
import linecache
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from course_utils.checks import mistakes as general
from course_utils.checks.in_a_model import Flawed, flaw_of
from course_utils.checks.mistakes import Mistake
from course_utils.checks.values import cut, describe, differs_how, guarded, kind, plain, same_kind, same_value
from course_utils.checks.world import Outcome, run_on, usual_settings

__all__ = ["Exercise", "Mistake", "Verdict", "describe", "kind", "progress", "same_value"]

_exercises: dict[str, Exercise] = {}
_solved: set[str] = set()
_ADVICE = {  # for results of a wrong kind
    "a generator": " Is there a `yield` in your function, where a `return` should stand?",
    "a function": " Are the parentheses of a call missing?",
    "a sparse tensor": " `.to_dense()` makes a usual one of it.",
    "a complex number": " Is it the root of a negative number?",
}


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        status: "not attempted", "wrong" or "correct".
        message: What the learner reads.
        mistake: The name of the mistake, if it is a known one.
        printed: What the attempt itself printed, the beginning.
    """

    status: str
    message: str
    mistake: str | None = None
    printed: str = ""


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
        forbidden: What the learner should do without: names of PyTorch's functions, and Python functions themselves.
        needed: Names of PyTorch's functions of which one is to be used.
        in_a_model: Whether the function is made for a model: then the exact type of floats and the gradient count.

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
    forbidden: tuple[Any, ...] = ()
    needed: tuple[str, ...] = ()
    in_a_model: bool = True

    def __post_init__(self) -> None:
        _exercises[self.name] = self

    def __call__(self, attempt: Callable[..., Any]) -> None:
        """Check an attempt, print what was found, and remember whether it is solved."""
        verdict = self.examine(attempt)
        (_solved.add if verdict.status == "correct" else _solved.discard)(self.name)
        print(verdict.message)
        if verdict.printed:
            print(f"Your code printed:\n{verdict.printed}")

    def examine(self, attempt: Callable[..., Any]) -> Verdict:
        """Check an attempt without printing."""
        if not callable(attempt):
            return self._wrong(f"{general.NOT_A_FUNCTION.hint[:-1]}: `checks.{self.name}({self.name})`.", "no function")
        try:
            with usual_settings():
                return self._examine(attempt)
        except Exception as error:  # the result is stranger than anything that is foreseen
            return self._wrong(f"The check cannot read what your function returns ({type(error).__name__}).")

    def _examine(self, attempt: Callable[..., Any]) -> Verdict:
        examples = self.examples()
        found = [run_on(self.run, attempt, example, warn=True) for example in examples]
        if (stub := next(filter(None, map(_stub, found)), None)) is not None:
            return self._not_attempted(attempt, stub)
        expected = [run_on(self.run, self.answer, example) for example in examples]
        wrong = [index for index in range(len(examples)) if not self._same(found[index], expected[index])]
        if not wrong:
            return self._with_right_numbers(attempt, examples, found, expected)
        first = wrong[0]
        shown, said = self._show(examples[first], found[first], expected[first]), found[first].printed
        for mistake in self.mistakes:
            for imitation in mistake.imitations:
                made = (run_on(self.run, imitation, example) for example in examples)
                if all(map(self._same, found, made)):
                    return self._wrong(f"{mistake.hint}\n{shown}", mistake.name, said)
        hint, name = self._general_hint(found[first], expected[first])
        if first and found[first].error is None:
            hint = f"Right for the first {first} of {len(examples)} examples, but not for the one below. {hint}"
        return self._wrong(f"{hint}\n{shown}", name, said)

    def _with_right_numbers(
        self, attempt: Callable[..., Any], examples: list[Any], found: list[Outcome], expected: list[Outcome]
    ) -> Verdict:
        """Judge an attempt whose numbers are all right."""
        said = found[0].printed
        if any(each.changed for each in found):
            return self._wrong(general.CHANGES_ITS_INPUT.hint, general.CHANGES_ITS_INPUT.name, said)
        if settings := next((each.settings for each in found if each.settings), ()):
            return self._wrong("\n  ".join((general.CHANGES_SETTINGS.hint, *settings)), "leaves settings changed", said)
        forbidden = (*self.forbidden, *getattr(self.run, "forbidden", ()))
        flaw = self._flaw(attempt, examples, found, expected, forbidden)
        if flaw is None:
            return Verdict("correct", f"{self.name}: correct. {self.proved}", printed=said)
        shown = self._show(examples[0], Outcome(flaw), expected[0])
        names = [
            each for each in forbidden if isinstance(each, str)
        ]  # an imitation may be made of the package's function
        for mistake in self.mistakes:
            for imitation in mistake.imitations:
                made = [run_on(self.run, imitation, example) for example in examples]
                right = all(map(self._same, made, expected))
                if right and self._flaw(imitation, examples, made, expected, names) == flaw:
                    return self._wrong(f"{mistake.hint}\n{shown}", mistake.name, said)
        mistake = flaw.mistake or general.READY_MADE
        return self._wrong(f"{mistake.hint}\n{shown}", mistake.name, said)

    def _flaw(
        self,
        attempt: Callable[..., Any],
        examples: list[Any],
        found: list[Outcome],
        expected: list[Outcome],
        forbidden: Sequence[Any],
    ) -> Flawed | None:
        results = [each.value for each in found], [each.value for each in expected]
        return flaw_of(self.run, attempt, self.answer, examples, results, forbidden, self.needed, self.in_a_model)

    def _wrong(self, text: str, mistake: str | None = None, printed: str = "") -> Verdict:
        return Verdict("wrong", f"{self.name}: not right yet. {text}", mistake, printed)

    def _not_attempted(self, attempt: Callable[..., Any], stub: str) -> Verdict:
        text = "Write your code in place of `raise NotImplementedError`, run that cell, then run this one again."
        if stub not in (self.name, getattr(attempt, "__name__", self.name)) and stub in _exercises:
            text = f"Your code calls `{stub}`, which still ends with `raise NotImplementedError`: write that one first."
        return Verdict("not attempted", f"{self.name}: not attempted yet.\n{text}")

    def _same(self, one: Outcome, other: Outcome) -> bool:
        if one.error is not None or other.error is not None:
            return type(one.error) is type(other.error) and _words(one.error) == _words(other.error)
        return same_value(one.value, other.value, self.tolerance)

    def _general_hint(self, found: Outcome, expected: Outcome) -> tuple[str, str | None]:
        """Say what is wrong when it is no mistake of this exercise, and its name if it has one."""
        if isinstance(found.error, SystemExit):
            return f"{general.EXIT.hint[:-1]}{_place(found.error)}.", general.EXIT.name
        if found.error is not None and not isinstance(found.error, Exception):
            return f"{general.STOPS_ITSELF.hint[:-1]}{_place(found.error)}.", general.STOPS_ITSELF.name
        if found.error is not None:
            words = cut(_words(found.error), 300, 3)
            return f"Your code stopped with {type(found.error).__name__}: {words}{_place(found.error)}.", None
        if found.value is None and expected.value is not None:
            printed = " To print a number is not to return it." if found.printed else ""
            return f"Your function returned None: is the `return` missing?{printed}", None
        if found.value is Ellipsis:
            return "There is still a `...` in your code, where your own should stand.", None
        return _difference(found.value, expected.value), None

    def _show(self, example: tuple[Any, ...], found: Outcome, expected: Outcome) -> str:
        """Lay an example out: arguments, what should come, what came."""
        names = list(inspect.signature(self.answer).parameters)
        lines = [f"{name} = {describe(value)}" for name, value in zip(names, example, strict=False)]
        for title, outcome in (("expected:", expected), ("found:   ", found)):
            lines.append(
                f"{title} {describe(outcome.value) if outcome.error is None else type(outcome.error).__name__}"
            )
        return "Example:\n" + "\n".join(f"  {line}" for line in lines)


def progress() -> None:
    """Print in one line which exercises of this session are done."""
    done = [name for name in _exercises if name in _solved]
    still_open = [name for name in _exercises if name not in _solved]
    parts = [f"{title}: {', '.join(names)}" for title, names in (("done", done), ("open", still_open)) if names]
    print(f"{len(done)} of {len(_exercises)} exercises done. {'; '.join(parts)}".strip())


def _difference(found: Any, expected: Any) -> str:
    """Say how a result differs from the right one: kind, shape, keys, values."""
    asked = f"a tensor of shape {tuple(expected.shape)}" if isinstance(expected, Tensor) else kind(expected)
    if not same_kind(found, expected):
        shape = f" of shape {tuple(found.shape)}" if isinstance(found, Tensor) and not found.is_nested else ""
        advice = _ADVICE.get(kind(found), "")
        if isinstance(expected, Tensor) and isinstance(found, (list, tuple)) and kind(found).count("tensor"):
            advice = " `torch.stack` makes one tensor of several."
        return f"The result should be {asked}, but it is {kind(found)}{shape}.{advice}"
    one, other = plain(found), plain(expected)
    if isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape != other.shape:
        return f"The shape should be {tuple(other.shape)}, but it is {tuple(one.shape)}."
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() != other.keys():
        more = ", ".join(repr(key) for key in one if key not in other)
        keys = f"The result should have the keys {', '.join(map(repr, other))}."
        return f"{keys} It has also {cut(more, 100)}." if more else keys
    return differs_how(found, expected)


def _stub(outcome: Outcome) -> str | None:
    """Return the name of the function whose stub was reached, if one was.

    A stub raises the error bare; PyTorch raises it with a sentence, for the mean of truth values for example.
    """
    if not isinstance(outcome.error, NotImplementedError) or outcome.error.args:
        return None
    return traceback.extract_tb(outcome.error.__traceback__)[-1].name


def _words(error: BaseException | None) -> str:
    return guarded(lambda: str(error))


def _place(error: BaseException) -> str:
    """Say which line of the learner's cell an error comes from, as far as that can be known."""
    package = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "site-packages" in frame.filename or "_sitebuiltins" in frame.filename or frame.filename.startswith(package):
            continue
        line = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
        return f" (line {frame.lineno} of your cell: `{line}`)" if line else ""
    return ""
