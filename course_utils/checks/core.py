"""How an attempt at an exercise is checked.

An exercise knows the right answer and the usual mistakes, each as a function that makes it. An attempt is run on a few
examples. If it always gives what one of those functions gives, the learner has made that mistake, and is told so. If
all numbers are right, it must also leave its input and all settings alone, and a model must be able to use the result.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from course_utils.checks import mistakes as general
from course_utils.checks.hints import general_mistake, words
from course_utils.checks.in_a_model import Demands, Flawed, flaw_of
from course_utils.checks.mistakes import Mistake
from course_utils.checks.slips import RANDOM
from course_utils.checks.values import all_finite, describe, kind, same_value
from course_utils.checks.world import Outcome, run_on, usual_settings

__all__ = ["Exercise", "Mistake", "Verdict", "describe", "kind", "progress", "same_value"]

_exercises: dict[str, Exercise] = {}
_solved: set[str] = set()


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
        gradient: Whether the gradient counts, if so.
        no_loop: A small and a large example that need the same number of PyTorch's calls if there is no loop.

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
    gradient: bool = True
    no_loop: tuple[tuple[Any, ...], ...] = ()

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
        if (mistake := self._recognised(examples, found, range(len(examples)))) is not None:
            return self._named(mistake, examples[first], found[first], expected[first])
        # a second slip may hide the first: numbers too large for a float, sizes that do not fit
        sound = [index for index, each in enumerate(found) if each.error is None and all_finite(each.value)]
        seen = [index for index in sound if index in wrong] if 1 < len(sound) < len(found) else []
        if seen and (mistake := self._recognised(examples, found, sound)) is not None:
            return self._named(mistake, examples[seen[0]], found[seen[0]], expected[seen[0]])
        mistake = general_mistake(found, expected, first, self._same)
        if not mistake.name and self._draws(attempt, examples[first], found[first], expected[first]):
            mistake = RANDOM
        return self._named(mistake, examples[first], found[first], expected[first])

    def _draws(self, attempt: Callable[..., Any], example: Any, found: Outcome, expected: Outcome) -> bool:
        """Whether a result depends on random numbers, and the answer does not."""
        again, right = (run_on(self.run, each, example, seed=1) for each in (attempt, self.answer))
        return not self._same(again, found) and self._same(right, expected)

    def _recognised(self, examples: list[Any], found: list[Outcome], among: Sequence[int]) -> Mistake | None:
        """Return the mistake of this exercise that gives what was found, in these examples."""
        for mistake in self.mistakes:
            for imitation in mistake.imitations:
                if all(self._same(found[index], run_on(self.run, imitation, examples[index])) for index in among):
                    return mistake
        return None

    def _named(self, mistake: Mistake, example: Any, found: Outcome, expected: Outcome) -> Verdict:
        shown = self._show(example, found, expected)
        return self._wrong(f"{mistake.hint}\n{shown}", mistake.name, found.printed)

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
        if flaw is None and any(map(self._draws, [attempt] * len(examples), examples, found, expected)):
            return self._named(RANDOM, examples[0], found[0], expected[0])
        if flaw is None:
            return Verdict("correct", f"{self.name}: correct. {self.proved}", printed=said)
        shown = self._show(examples[0], Outcome(flaw), expected[0])
        # an imitation may be made of the package's own function
        names = [each for each in forbidden if isinstance(each, str)]
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
        return flaw_of(self.run, attempt, self.answer, examples, results, self._demands(forbidden))

    def _demands(self, forbidden: Sequence[Any]) -> Demands:
        return Demands(tuple(forbidden), self.needed, self.in_a_model, self.in_a_model and self.gradient, self.no_loop)

    def _wrong(self, text: str, mistake: str | None = None, printed: str = "") -> Verdict:
        return Verdict("wrong", f"{self.name}: not right yet. {text}", mistake or None, printed)

    def _not_attempted(self, attempt: Callable[..., Any], stub: str) -> Verdict:
        text = "Write your code in place of `raise NotImplementedError`, run that cell, then run this one again."
        if stub not in (self.name, getattr(attempt, "__name__", self.name)) and stub in _exercises:
            text = f"Your code calls `{stub}`, which still ends with `raise NotImplementedError`: write that one first."
        return Verdict("not attempted", f"{self.name}: not attempted yet.\n{text}")

    def _same(self, one: Outcome, other: Outcome) -> bool:
        if one.error is not None or other.error is not None:
            return type(one.error) is type(other.error) and words(one.error) == words(other.error)
        return same_value(one.value, other.value, self.tolerance)

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


def _stub(outcome: Outcome) -> str | None:
    """Return the name of the function whose stub was reached, if one was.

    A stub raises the error bare; PyTorch raises it with a sentence, for the mean of truth values for example.
    """
    if not isinstance(outcome.error, NotImplementedError) or outcome.error.args:
        return None
    return traceback.extract_tb(outcome.error.__traceback__)[-1].name
