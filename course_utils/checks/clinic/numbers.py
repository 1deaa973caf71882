"""The number at which a loss stops."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from course_utils.analysis.clinic.quick_tests import floor_of_bounded_logits
from course_utils.checks.core import Exercise, Mistake


def _named(
    *,
    read: Callable[[Sequence[float]], float] = lambda losses: sum(losses[-10:]) / len(losses[-10:]),
    floors: Callable[..., tuple[float, ...]] = lambda k: (
        math.log(k),
        floor_of_bounded_logits(k, 1),
        floor_of_bounded_logits(k, 2),
    ),
    names: tuple[str, str, str] = ("same answer", "softmax", "tanh"),
    low: float = 0.1,
    near: float = 0.05,
) -> Callable[[Sequence[float], int], str]:
    """Make a way to name the number; each part of it can be done wrongly."""

    def name_the_number(losses: Sequence[float], num_classes: int) -> str:
        last = read(losses)
        if last < low:
            return "learned"
        for floor, name in zip(floors(num_classes), names, strict=True):
            if abs(last - floor) <= near:
                return name
        return "unknown"

    return name_the_number


def _rounded_mean(digits: int, losses: Sequence[float]) -> float:
    return round(sum(losses[-10:]) / len(losses[-10:]), digits)


def _around(value: float, wobble: float = 0.02, start: float = 3.0) -> tuple[float, ...]:
    """Fall from a start, then wobble around a value; the very last one is 0.2 off, and another one makes up for it."""
    tail = [value + wobble * (-1) ** i for i in range(8)]
    return (start, start, (start + value) / 2, *tail, value - 0.2, value + 0.2)


def _name_the_number_examples() -> list[tuple[Any, ...]]:
    floors = [(k, width, floor_of_bounded_logits(k, width)) for k in (10, 4, 100) for width in (0, 1, 2)]
    return [
        ((2.3, 2.31, 2.30, 2.3), 10),  # ln 10 = 2.303; fewer than ten
        *((_around(floor), k) for k, _, floor in floors),
        ((2.3, 1.0, *[0.02] * 8, 0.3, 0.1), 10),
        (_around(1.0), 10),
        (_around(1.9), 10),
        (_around(math.log(10) - 0.12), 10),
        (_around(math.log(10) - 0.08), 10),
        (_around(floor_of_bounded_logits(10, 2) + 0.04), 10),
        ((0.797,) * 3, 3),  # of 10 classes, not of 3
        ((2.3, *[0.1 + 0.02] * 10), 10),
        ((*[0.0] * 20, *[1.461] * 10), 10),
        ((3.0, 1.461 + 0.8, *[1.461 - 0.02] * 9), 10),  # the tenth from the end matters
        ((3.0, *[1.461 - 0.02] * 9, 1.461 + 0.8), 10),  # the very last matters
        ((0.1,), 10),  # not below
        ((0.097,) * 4, 10),
        ((*[1.0] * 9, 0.05), 10),
    ]


name_the_number = Exercise(
    "name_the_number",
    _named(),
    _name_the_number_examples,
    (
        Mistake(
            "only the last loss",
            "You look at one loss alone. Losses wobble: take the mean of the last ten (of all, if there are fewer).",
            _named(read=lambda losses: losses[-1]),
        ),
        Mistake(
            "the mean of all losses",
            "You take the mean of all losses, the high ones at the beginning too. Where does the curve *stop*? Take "
            "the last ten.",
            _named(read=lambda losses: sum(losses) / len(losses)),
        ),
        Mistake(
            "the smallest loss",
            "You take the smallest loss. One lucky step says little: take the mean of the last ten.",
            _named(read=min),
            _named(read=lambda losses: min(losses[-10:])),
        ),
        Mistake(
            "not the last ten",
            "You take the mean of other losses than the last ten: one too few, or without the very last.",
            _named(read=lambda losses: sum(losses[-9:]) / len(losses[-9:])),
            _named(read=lambda losses: sum(losses[-10:-1] or losses) / len(losses[-10:-1] or losses)),
            _named(read=lambda losses: sum(losses[-11:]) / len(losses[-11:])),
            _named(read=lambda losses: sum(losses[-11:-1] or losses) / len(losses[-11:-1] or losses)),
        ),
        Mistake(
            "the median",
            "You take the median of the last ten losses. It does not move when one of them is far off: take the mean.",
            _named(read=lambda losses: statistics.median(losses[-10:])),
        ),
        Mistake(
            "rounded",
            "You round the mean before you compare: 0.097 is below 0.1, and 0.10 is not. Compare it as it is.",
            *(_named(read=partial(_rounded_mean, digits)) for digits in (1, 2)),
        ),
        Mistake(
            "exactly 0.1",
            "A mean of exactly 0.1 is not *below* 0.1.",
            _named(low=math.nextafter(0.1, 1)),
        ),
        Mistake(
            "one small loss",
            "You say 'learned' where a single one of the last losses is below 0.1. Their mean must be.",
            lambda losses, num_classes: "learned" if min(losses[-10:]) < 0.1 else _named()(losses, num_classes),
        ),
        Mistake(
            "the first losses",
            "You take the first ten losses. The number that names a cause is the one at which the curve stops.",
            _named(read=lambda losses: sum(losses[:10]) / len(losses[:10])),
        ),
        Mistake(
            "always divided by ten",
            "You divide by ten, also where there are fewer losses than ten. Divide by how many there are.",
            _named(read=lambda losses: sum(losses[-10:]) / 10),
        ),
        Mistake(
            "always ten classes",
            "Your numbers are those of ten classes. With another K all three of them change.",
            _named(floors=lambda k: _floors(10)),
        ),
        Mistake(
            "K in place of K - 1",
            "Beside the right class there are K - 1 others, not K.",
            _named(floors=lambda k: (math.log(k), math.log(1 + k / math.e), math.log(1 + k / math.e**2))),
        ),
        Mistake(
            "times e in place of divided by e",
            "Your numbers for softmax and tanh lie above ln K. The others get *less* than the right class: divide by "
            "e, do not multiply.",
            _named(floors=lambda k: (math.log(k), math.log(1 + (k - 1) * math.e), math.log(1 + (k - 1) * math.e**2))),
        ),
        Mistake(
            "softmax and tanh exchanged",
            "A softmax ends between 0 and 1, a tanh between -1 and 1. The wider interval can say more: its loss stops "
            "lower.",
            _named(names=("same answer", "tanh", "softmax")),
        ),
        Mistake(
            "another logarithm",
            "Your ln K is to base 2 or 10. The natural logarithm is meant, math.log.",
            *(
                _named(floors=lambda k, base=base: tuple(each / math.log(base) for each in _floors(k)))
                for base in (2, 10)
            ),
            *(_named(floors=lambda k, base=base: (math.log(k, base), *_floors(k)[1:])) for base in (2, 10)),
        ),
        Mistake(
            "the nearest, however far",
            "You name the nearest number, however far it is. If none is within 0.05, say 'unknown'.",
            _named(near=math.inf),
            lambda losses, num_classes: _nearest(losses, num_classes),
        ),
        Mistake(
            "not near enough",
            "Your numbers must be met nearly exactly. Within 0.05 is near enough.",
            _named(near=1e-2),
            _named(near=1e-3),
            _named(near=1e-9),
        ),
        Mistake(
            "too far",
            "You call a number near that is more than 0.05 away.",
            _named(near=0.1),
            _named(near=0.15),
            _named(near=0.2),
        ),
        Mistake(
            "learned is forgotten",
            "A batch that was learned has a loss near 0: below 0.1 the name is 'learned'.",
            _named(low=-1.0),
        ),
    ),
    "ln K, ln(1 + (K - 1)/e) and ln(1 + (K - 1)/e²) are told apart, for any K.",
    in_a_model=False,
)


def _floors(k: int) -> tuple[float, float, float]:
    return math.log(k), floor_of_bounded_logits(k, 1), floor_of_bounded_logits(k, 2)


def _nearest(losses: Sequence[float], num_classes: int) -> str:
    last = sum(losses[-10:]) / len(losses[-10:])
    if last < 0.1:
        return "learned"
    return min(
        zip(_floors(num_classes), ("same answer", "softmax", "tanh"), strict=True), key=lambda each: abs(each[0] - last)
    )[1]
