"""The learning rate of a step."""

from __future__ import annotations

import math
from collections.abc import Callable

from course_utils.checks.core import Exercise, Mistake
from course_utils.training import recipes


def _schedule(
    rise: Callable[[int, int], float] = lambda step, warmup: (step + 1) / warmup,
    fall: Callable[[float], float] = lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    progress: Callable[[int, int, int], float] = lambda step, total, warmup: (step - warmup) / (total - 1 - warmup),
) -> Callable[[int, int, float, int], float]:
    """Put a schedule together from its parts, each of which may be wrong."""

    def rate(step: int, total_steps: int, peak: float, warmup_steps: int) -> float:
        if step < warmup_steps:
            return peak * rise(step, warmup_steps)
        return peak * fall(progress(step, total_steps, warmup_steps))

    return rate


def _one_short(step: int, total: int, warmup: int) -> float:
    return (step - warmup) / (total - warmup)


learning_rate_at = Exercise(
    "learning_rate_at",
    lambda step, total_steps, peak, warmup_steps: recipes.learning_rate_at(
        step,
        total_steps,
        recipes.Recipe(
            steps=total_steps, learning_rate=peak, final_learning_rate=0.0, warmup=warmup_steps / total_steps
        ),
    ),
    lambda: [
        (step, total, peak, warmup)
        for total, peak, warmup in ((12, 1.0, 2), (9, 2.0, 4), (5, 0.5, 0))
        for step in range(total)
    ],
    (
        Mistake(
            "no warm-up",
            "The first steps have the full rate already. There is no warm-up: for the first `warmup_steps` steps the "
            "rate has to rise, because the weights are still random and a long step hurts.",
            lambda step, total_steps, peak, warmup_steps: (
                peak * 0.5 * (1 + math.cos(math.pi * step / (total_steps - 1)))
            ),
            lambda step, total_steps, peak, warmup_steps: peak * 0.5 * (1 + math.cos(math.pi * step / total_steps)),
            _schedule(rise=lambda step, warmup: 1.0),
            _schedule(rise=lambda step, warmup: 1.0, progress=_one_short),
        ),
        Mistake(
            "the warm-up starts at 0",
            "Step 0 gets a rate of 0: that step changes no weight, and a batch is spent for nothing. Which number must "
            "stand above the line so that the first step does something, and the last step of the warm-up has the "
            "peak?",
            _schedule(rise=lambda step, warmup: step / warmup),
            _schedule(rise=lambda step, warmup: step / warmup, progress=_one_short),
            _schedule(rise=lambda step, warmup: step / max(1, warmup - 1)),
        ),
        Mistake(
            "the warm-up is one step too long",
            "Steps 0 to warmup_steps - 1 are the warm-up: that is warmup_steps of them. Yours has one more, so its "
            "last step is above the peak, and without a warm-up step 0 divides by 0.",
            lambda step, total_steps, peak, warmup_steps: (
                peak * (step + 1) / warmup_steps
                if step <= warmup_steps
                else _schedule()(step, total_steps, peak, warmup_steps)
            ),
            lambda step, total_steps, peak, warmup_steps: (
                peak * ((step + 1) / warmup_steps)
                if step <= warmup_steps
                else _schedule()(step, total_steps, peak, warmup_steps)
            ),
            lambda step, total_steps, peak, warmup_steps: (
                peak * (step + 1) / max(1, warmup_steps)
                if step <= warmup_steps
                else _schedule()(step, total_steps, peak, warmup_steps)
            ),
        ),
        Mistake(
            "the warm-up does not reach the peak",
            "The last step of the warm-up, number warmup_steps - 1, should have the peak. Yours is lower: you divide "
            "by one too many.",
            _schedule(rise=lambda step, warmup: (step + 1) / (warmup + 1)),
            _schedule(rise=lambda step, warmup: (step + 1) / (warmup + 1), progress=_one_short),
        ),
        Mistake(
            "the cosine does not reach the end",
            "The last step, number total_steps - 1, should have a rate of 0. Yours is above it: you divide by the "
            "number of steps of the fall, but from the first to the last of n steps there are only n - 1 moves.",
            _schedule(progress=_one_short),
            _schedule(progress=lambda step, total, warmup: (step - warmup) / total),
            _schedule(progress=lambda step, total, warmup: (step - warmup) / (total - 1)),
        ),
        Mistake(
            "a floor above 0",
            "Your rate stops at a small number. That is a good habit in long trainings, but here the last step is to "
            "have exactly 0.",
            *(
                lambda step, total_steps, peak, warmup_steps, floor=floor: max(
                    floor, _schedule()(step, total_steps, peak, warmup_steps)
                )
                for floor in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
            ),
            *(
                lambda step, total, peak, warmup, share=share: max(share * peak, _schedule()(step, total, peak, warmup))
                for share in (1e-4, 1e-3, 1e-2, 1e-1)
            ),
        ),
        Mistake(
            "the cosine counts from step 0",
            "At the end of the warm-up your rate jumps down: your cosine has been running since step 0. The fall "
            "begins where the warm-up ends, so count the steps from there.",
            _schedule(progress=lambda step, total, warmup: step / (total - 1)),
            _schedule(progress=lambda step, total, warmup: step / total),
            _schedule(progress=lambda step, total, warmup: step / (total - warmup)),
            lambda step, total, peak, warmup: (
                peak * min(1, (step + 1) / max(1, warmup)) * (1 + math.cos(math.pi * step / (total - 1))) / 2
            ),
        ),
        Mistake(
            "a straight line",
            "The rate falls along a straight line. That is a schedule too, but the task asks for half a cosine: slow "
            "at the beginning, fast in the middle, slow at the end.",
            _schedule(fall=lambda progress: 1 - progress),
            _schedule(fall=lambda progress: 1 - progress, progress=_one_short),
        ),
        Mistake(
            "a whole period of the cosine",
            "Your rate falls and then climbs back to the peak: that is a whole period of the cosine. The last steps "
            "should be the shortest. How far has the angle to go for half a period?",
            _schedule(fall=lambda progress: 0.5 * (1 + math.cos(2 * math.pi * progress))),
            _schedule(fall=lambda progress: 0.5 * (1 + math.cos(2 * math.pi * progress)), progress=_one_short),
        ),
        Mistake(
            "a quarter of the cosine",
            "Your rate ends at 0, but it comes down like a stone: that is a quarter of the period. With half a period "
            "the curve is flat at the end, so that the model can settle.",
            _schedule(fall=lambda progress: math.cos(0.5 * math.pi * progress)),
            _schedule(fall=lambda progress: math.cos(0.5 * math.pi * progress), progress=_one_short),
        ),
        Mistake(
            "degrees instead of radians",
            "math.cos takes radians, but you gave it degrees, so the rate jumps up and down. Half a turn is 180 "
            "degrees. What is it in radians?",
            _schedule(fall=lambda progress: 0.5 * (1 + math.cos(180 * progress))),
            _schedule(fall=lambda progress: 0.5 * (1 + math.cos(180 * progress)), progress=_one_short),
        ),
        Mistake(
            "the rate becomes negative",
            "Your rate falls below 0: with such a step the model climbs instead of going down. A cosine goes from 1 to "
            "-1. Move it up and make it smaller, so that it goes from 1 to 0.",
            _schedule(fall=lambda progress: math.cos(math.pi * progress)),
            _schedule(fall=lambda progress: math.cos(math.pi * progress), progress=_one_short),
        ),
        Mistake(
            "twice the peak",
            "After the warm-up your rate is twice the peak. 1 + cos goes from 2 to 0, not from 1 to 0.",
            _schedule(fall=lambda progress: 1 + math.cos(math.pi * progress)),
            _schedule(fall=lambda progress: 1 + math.cos(math.pi * progress), progress=_one_short),
        ),
        Mistake(
            "the peak is left out",
            "Your curve has the right form, but its top is always 1. Stretch it to the height of `peak`.",
            lambda step, total_steps, peak, warmup_steps: _schedule()(step, total_steps, 1.0, warmup_steps),
            lambda step, total, peak, warmup: _schedule()(step, total, peak if step < warmup else 1.0, warmup),
            lambda step, total, peak, warmup: _schedule()(step, total, 1.0 if step < warmup else peak, warmup),
        ),
        Mistake(
            "the fall begins one step early",
            "Your t is not 0 in the first step after the warm-up: the fall begins one step too early. Count how many "
            "steps have passed since then: none.",
            _schedule(progress=lambda step, total, warmup: (step - warmup + 1) / (total - warmup)),
            _schedule(progress=lambda step, total, warmup: min(1, (step - warmup + 1) / (total - 1 - warmup))),
        ),
        Mistake(
            "a warm-up where there is none",
            "With `warmup_steps=0` the fall begins at once: step 0 has t = 0, step 1 the next. You make one step of "
            "warm-up of it, so everything comes one step late.",
            lambda step, total, peak, warmup: _schedule()(step, total, peak, max(1, warmup)),
        ),
        Mistake(
            "the cosine rises",
            "After the warm-up your rate begins at 0 and rises to the peak: there is a minus before the cosine.",
            _schedule(fall=lambda progress: 0.5 * (1 - math.cos(math.pi * progress))),
        ),
        Mistake(
            "whole-number division",
            "`//` throws the rest away: 1 // 2 is 0. Here fractions are needed: `/`.",
            lambda step, total, peak, warmup: _schedule(
                rise=lambda step, warmup: (step + 1) // warmup,
                progress=lambda step, total, warmup: (step - warmup) // (total - 1 - warmup),
            )(step, total, peak, warmup),
            _schedule(progress=lambda step, total, warmup: (step - warmup) // (total - 1 - warmup)),
            _schedule(rise=lambda step, warmup: (step + 1) // warmup),
        ),
    ),
    "It rises to the peak, falls along half a cosine, and the last step ends exactly at 0.",
    tolerance=5e-7,  # rounding in float32, and no floor of 1e-6
    forbidden=(recipes.learning_rate_at,),
)
