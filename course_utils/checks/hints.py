"""What is said of a wrong attempt whose mistake the exercise does not know."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from course_utils.checks import mistakes as general
from course_utils.checks.mistakes import Mistake
from course_utils.checks.slips import (
    ANOTHER_KIND,
    CHANGED_TOO,
    MORE_THAN_ASKED,
    NOTHING_RETURNED,
    OTHER_KEYS,
    SIZES_WRITTEN_IN,
    SLIPS,
    slipped,
)
from course_utils.checks.values import cut, describe, differs_how, guarded, kind, plain, same_kind, unusual
from course_utils.checks.world import Outcome

UNKNOWN = ""  # the name of a mistake that has none
_ADVICE = {  # for results of a wrong kind
    "a generator": " Is there a `yield` in your function, where a `return` should stand?",
    "a function": " Are the parentheses of a call missing?",
    "a sparse tensor": " `.to_dense()` makes a usual one of it.",
    "a complex number": " Is it the root of a negative number?",
}
_ERRORS = (  # the beginning of what PyTorch says, or a part of it; the mistake's name; what it means
    (
        "view size is not compatible",
        "view after permute",
        "`view` needs the numbers in the order in which they lie in memory, and after `permute` or `transpose` they no "
        "longer do. `reshape` does the same, and copies them if it must.",
    ),
    (
        "is invalid for input of size",
        "a reshape that does not fit",
        "The sizes of a reshape must multiply to the number of values that are there. Is a size written into your "
        "code, or taken from the wrong place?",
    ),
    (
        "only supports floating-point",
        "whole numbers where floats are needed",
        "This function of PyTorch takes floats, and gets whole numbers. `torch.arange` makes whole numbers; `.float()` "
        "makes floats of them.",
    ),
    (
        "the same dtype",
        "two types of numbers",
        "Two tensors meet that have numbers of different types. `torch.arange` makes whole numbers, NumPy float64; "
        "PyTorch's usual type is float32.",
    ),
)


def general_mistake(
    found: Sequence[Outcome], expected: Sequence[Outcome], first: int, same: Callable[[Outcome, Outcome], bool]
) -> Mistake:
    """Say what is wrong with an attempt, by what it gave.

    Args:
        found: What the attempt gave, for each example.
        expected: What is right.
        first: The first example that is wrong.
        same: Whether two outcomes are the same.
    """
    pairs = list(zip(found, expected, strict=True))
    for slip in SLIPS:
        for change in slip.imitations:
            if all(same(mine, Outcome(slipped(change, right.value))) for mine, right in pairs):
                return slip
    firsts = [mine.value[0] if isinstance(mine.value, (list, tuple)) and mine.value else None for mine in found]
    if all(same(Outcome(one), right) for one, right in zip(firsts, expected, strict=True)):
        return MORE_THAN_ASKED
    mistake = _of_one(found[first], expected[first])
    if found[first].changed and not mistake.name:
        mistake = Mistake(CHANGED_TOO.name, f"{mistake.hint} {CHANGED_TOO.hint}")
    if not first:
        return mistake
    hint = f"Right for the first {first} of {len(found)} examples, but not for the next. {mistake.hint}"
    stops = isinstance(found[first].error, Exception) or _other_shape(found[first].value, expected[first].value)
    return Mistake(SIZES_WRITTEN_IN.name, f"{hint} {SIZES_WRITTEN_IN.hint}") if stops else Mistake(mistake.name, hint)


def _of_one(found: Outcome, expected: Outcome) -> Mistake:
    """Say what is wrong with one result."""
    if isinstance(found.error, SystemExit):
        return Mistake(general.EXIT.name, f"{general.EXIT.hint[:-1]}{place(found.error)}.")
    if found.error is not None and not isinstance(found.error, Exception):
        return Mistake(general.STOPS_ITSELF.name, f"{general.STOPS_ITSELF.hint[:-1]}{place(found.error)}.")
    if found.error is not None:
        said = words(found.error)
        where = f"Your code stopped with {type(found.error).__name__}: {cut(said, 300, 3)}{place(found.error)}."
        for part, name, hint in _ERRORS:
            if part in said[:1_000]:
                return Mistake(name, f"{where} {hint}")
        return Mistake(UNKNOWN, where)
    if found.value is None and expected.value is not None:
        printed = " To print a number is not to return it." if found.printed else ""
        return Mistake(NOTHING_RETURNED.name, f"{NOTHING_RETURNED.hint}{printed}")
    if found.value is Ellipsis:
        return Mistake(UNKNOWN, "There is still a `...` in your code, where your own should stand.")
    return _difference(found.value, expected.value)


def _difference(found: Any, expected: Any) -> Mistake:
    """Say how a result differs from the right one: kind, shape, keys, values."""
    if isinstance(found, Tensor) and isinstance(expected, Tensor) and not unusual(found):
        if found.shape != expected.shape:
            return Mistake(UNKNOWN, f"The shape should be {tuple(expected.shape)}, but it is {tuple(found.shape)}.")
        return Mistake(UNKNOWN, differs_how(found, expected))
    asked = f"a tensor of shape {tuple(expected.shape)}" if isinstance(expected, Tensor) else kind(expected)
    if not same_kind(found, expected):
        shape = f" of shape {tuple(found.shape)}" if isinstance(found, Tensor) and not found.is_nested else ""
        advice = _ADVICE.get(kind(found), "")
        if isinstance(expected, Tensor) and isinstance(found, (list, tuple)) and kind(found).count("tensor"):
            advice = " `torch.stack` makes one tensor of several."
        return Mistake(ANOTHER_KIND, f"The result should be {asked}, but it is {kind(found)}{shape}.{advice}")
    one, other = plain(found), plain(expected)
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() != other.keys():
        more = ", ".join(describe(key) for key in one if key not in other)
        hint = f"The result should have the keys {', '.join(map(repr, other))}."
        return Mistake(OTHER_KEYS, f"{hint} It has also {cut(more, 100)}." if more else hint)
    return Mistake(UNKNOWN, differs_how(found, expected))


def _other_shape(one: Any, other: Any) -> bool:
    return isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape != other.shape


def words(error: BaseException | None) -> str:
    """Return what an error says; nothing if saying it raises another one."""
    return guarded(lambda: str(error))


def place(error: BaseException) -> str:
    """Say which line of the learner's cell an error comes from, as far as that can be known."""
    package = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "site-packages" in frame.filename or "_sitebuiltins" in frame.filename or frame.filename.startswith(package):
            continue
        line = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
        return f" (line {frame.lineno} of your cell: `{line}`)" if line else ""
    return ""
