"""How many steps a budget affords."""

from __future__ import annotations

import copy
import statistics
import time

from course_utils.support.devices import synchronize
from course_utils.training import distributed
from course_utils.training.learner import Learner
from course_utils.training.recipes import steps_of

STEPS_TO_MEASURE = 10
IMAGES_TO_MEASURE = 512
ASSUMED_STEPS = 1000  # while measuring: how many steps the run seems to have


def steps_in_budget(learner: Learner) -> int:
    """Turn the budget of a recipe into a number of steps; for minutes, measure the speed first."""
    start = time.perf_counter()
    recipe, images = learner.recipe, len(learner.task.train_set)
    steps = steps_of(recipe, images)
    if steps is not None:
        return steps
    assert recipe.minutes is not None
    step_seconds, look_seconds = _step_seconds(learner), _look_seconds(learner)
    left = recipe.minutes * 60 - (time.perf_counter() - start)
    per_step = step_seconds + look_seconds * recipe.batch_size / images  # one look at the validation images a pass
    return max(1, int(distributed.share_from_main(left / per_step, learner.device)))


def _step_seconds(learner: Learner) -> float:
    """Time a step, and leave the learner as it was."""
    before = copy.deepcopy(learner.state())
    early = learner.recipe.early
    stages = {0: early, round(early * ASSUMED_STEPS): 1 - early}  # first step -> share of the steps
    seconds = 0.0
    for first, share in stages.items():
        times = []
        for number in range(first, first + STEPS_TO_MEASURE + 2):
            start = time.perf_counter()
            learner.step(number, ASSUMED_STEPS)
            synchronize(learner.device)
            times.append(time.perf_counter() - start)
        seconds += share * statistics.median(times[2:])  # the first two warm up, and compile
    learner.load_state(before)
    return seconds


def _look_seconds(learner: Learner) -> float:
    """Time a look at the validation images, by a part of them."""
    images = learner.task.validation_set
    if images is None or not len(images):
        return 0.0
    some = images.subset(range(min(IMAGES_TO_MEASURE, len(images))))
    start = time.perf_counter()
    learner.task.figures(learner.at_work, some, learner.precision)
    return (time.perf_counter() - start) * len(images) / len(some)
