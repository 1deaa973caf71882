"""Recipes refuse the impossible by name, and the schedule is the one they describe."""

import itertools
import json
import math

import pytest

from course_utils.training.recipes import RECIPES, Recipe, learning_rate_at


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "one budget"),
        ({"epochs": 1, "steps": 5}, "one budget"),
        ({"epochs": 0}, "epochs must be a number above 0, not 0"),
        ({"minutes": -1}, "minutes must be a number above 0, not -1"),
        ({"steps": 5, "batch_size": 0}, "batch_size must be a whole number of at least 1, not 0"),
        ({"steps": 5, "accumulate": 0}, "accumulate"),
        ({"steps": 5, "batch_size": 10, "accumulate": 3}, "accumulate 3 does not divide"),
        ({"steps": 5, "optimizer": "sgd"}, "optimizer must be 'adamw' or 'muon', not 'sgd'"),
        ({"steps": 5, "learning_rate": 0.0}, "learning_rate"),
        ({"steps": 5, "learning_rate": math.nan}, "learning_rate must be a number above 0, not nan"),
        ({"steps": 5, "clip_norm": math.nan}, "clip_norm"),
        ({"epochs": math.inf}, "epochs"),
        ({"steps": 5, "final_learning_rate": 1.0}, "final_learning_rate"),
        ({"steps": 5, "weight_decay": -0.1}, "weight_decay"),
        ({"steps": 5, "clip_norm": -1.0}, "clip_norm"),
        ({"steps": 5, "early_patch_size": 8}, "belong together"),
        ({"steps": 5, "early": 0.5}, "belong together"),
        ({"steps": 5, "early_patch_size": -8, "early": 0.5}, "early_patch_size must be a whole number of at least 0"),
        ({"steps": 5, "early_patch_size": 8, "early": 1.0}, "early must be a number from 0 to below 1"),
        ({"steps": 5, "whitening": -0.3}, "whitening must be a number of at least 0"),
        ({"steps": 5, "crop_padding": -1}, "crop_padding"),
        ({"steps": 5, "rand_augment_n": -1}, "rand_augment_n"),
        ({"steps": 5, "rand_augment_m": 31}, "rand_augment_m must be a whole number from 0 to 30, not 31"),
        ({"steps": 5, "betas": (0.9, 1.0)}, "betas must be two numbers from 0 to below 1"),
        ({"steps": 5, "betas": [0.9]}, "betas must be two numbers"),
        ({"steps": 5, "warmup": 1.5}, "warmup"),
        ({"steps": 5, "cutmix": 0.7, "mixup": 0.7}, "exclusive"),
        ({"steps": 5, "mixup_alpha": 0.0}, "mixup_alpha"),
        ({"steps": 5, "label_smoothing": 1.0}, "label_smoothing"),
        ({"steps": 5, "ema": 1.0}, "ema"),
    ],
)
def test_an_impossible_recipe_is_refused_by_name(changes, words):
    with pytest.raises(ValueError, match=words):
        Recipe(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": "0.01x"}, "learning_rate must be a number above 0, not '0.01x'"),
        ({"batch_size": 2.5}, "batch_size must be a whole number of at least 1, not 2.5"),
        ({"betas": 0.9}, "betas must be two numbers from 0 to below 1, not 0.9"),
        ({"flip": 3}, "flip must be true or false, not 3"),
        ({"optimizer": None}, "optimizer must be 'adamw' or 'muon', not None"),
        ({"warmup": True}, "warmup must be a number from 0 to 1, not True"),
        ({"steps": 2.5}, "steps must be a whole number of at least 1, not 2.5"),
    ],
)
def test_a_setting_of_the_wrong_type_is_refused_by_name(changes, words):
    with pytest.raises(TypeError, match=words):
        Recipe(**{"steps": 5} | changes)


@pytest.mark.parametrize("name", RECIPES)
def test_presets_survive_json(name):
    recipe = Recipe.preset(name)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_new_budget_replaces_the_old_one():
    recipe = Recipe.preset("cpu-minutes", steps=7)
    assert (recipe.steps, recipe.minutes, recipe.epochs) == (7, None, None)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no setting named learning_rte"):
        Recipe(steps=1).replace(learning_rte=1.0)
    with pytest.raises(ValueError, match=r"no recipe .fast.: .*cpu-minutes"):
        Recipe.preset("fast")


def test_the_schedule_rises_straight_and_falls_as_half_a_cosine():
    recipe = Recipe(steps=100, learning_rate=1.0, final_learning_rate=0.1, warmup=0.1)
    rates = [learning_rate_at(step, 100, recipe) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(1.0)
    assert rates[99] == pytest.approx(0.1)
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    middle = (rates[54] + rates[55]) / 2  # half way between step 10 and step 99
    assert middle == pytest.approx((1.0 + 0.1) / 2, abs=1e-3)


def test_a_schedule_of_one_step_and_one_without_warm_up():
    recipe = Recipe(steps=1, learning_rate=0.5, warmup=0.0)
    assert learning_rate_at(0, 1, recipe) == 0.5
    assert learning_rate_at(0, 10, recipe) == 0.5
