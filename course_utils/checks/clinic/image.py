"""Test 3: other images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.clinic.models import (
    ABSOLUTE,
    AVERAGED,
    EXACT,
    HEALTHY,
    IMAGES,
    NEAR,
    ONE_CLASS,
    ONE_OTHER,
    TRAIN,
    WHOLE,
    Case,
    far,
    level,
    logits_of,
    of_function,
    on_images,
    one_logit,
    run_case,
    sums,
    vit,
    with_dropout,
)
from course_utils.checks.core import Exercise, Mistake


def _image_cases() -> list[tuple[Any, ...]]:
    sum_case = Case("the logits are the sum s of the image, and -s", True, of_function(sums))
    return [
        (Case("all logits are 0.3, whatever the image", False, of_function(_constant)), IMAGES),
        *on_images([sum_case], WHOLE),
        *on_images([sum_case], ONE_OTHER),
        *on_images([sum_case], IMAGES[[2, 3, 2, 2, 2]]),
        *on_images(HEALTHY, IMAGES),
        *on_images(
            (
                Case("a ViT whose causal mask was left in", False, vit("causal mask left in")),
                Case("a ViT with attention over the batch", False, vit("attention over the batch, class token")),
                Case("the same logits, and dropout", False, with_dropout(_constant)),
                Case("logits that differ by rounding only", False, of_function(_nearly_constant)),
                Case("logits that differ by about 0.01", True, of_function(_slightly)),
            ),
            IMAGES,
        ),
        *(
            (Case(f"logit {k} alone differs, by 0.0006", True, of_function(partial(_by_little, which=k))), ONE_LEVEL)
            for k in range(3)
        ),
        *(
            (Case("all logits grow with the brightness", True, of_function(_brightness)), WHOLE[order])
            for order in ([4, 3, 2, 1, 0], [0, 1, 2, 3, 4], [2, 1, 3, 0, 4])
        ),
        (Case("the logits are the sum s of the image, and -s", False, of_function(sums)), WHOLE[[2, 2, 2, 2, 2]]),
        (Case("all logits of half of the images differ by 0.0005", True, of_function(_faint)), WHOLE[[0, 0, 1, 1, 1]]),
        (Case("logits near 100 that differ by 0.01", True, of_function(_around_100)), WHOLE),
    ]


ONE_LEVEL = WHOLE[[0, 0, 0, 0, 1]]  # the last one is brighter by 1


def _by_little(images: Tensor, which: int) -> Tensor:
    return one_logit(6e-4 * level(images), which)


def _faint(images: Tensor) -> Tensor:
    return 0.3 + 5e-4 * level(images)[:, None] * torch.ones(3)


def _brightness(images: Tensor) -> Tensor:
    return level(images)[:, None] * torch.tensor([0.1, 0.2, 0.3])


def _around_100(images: Tensor) -> Tensor:
    return 100 + 1e-2 * level(images)[:, None] * torch.ones(3)


def _constant(images: Tensor) -> Tensor:
    return torch.full((len(images), 3), 0.3)


def _nearly_constant(images: Tensor) -> Tensor:
    return _constant(images) + 1e-5 * images.sum(dim=(1, 2, 3)).tanh()[:, None]


def _slightly(images: Tensor) -> Tensor:
    return _constant(images) + 5e-3 * images.sum(dim=(1, 2, 3)).tanh()[:, None]


def _notices(compare: Callable[..., bool], evaluate: bool = True) -> Callable[[nn.Module, Tensor], bool]:
    return lambda model, images: compare(logits_of(model, images, evaluate))


notices_the_image = Exercise(
    "notices_the_image",
    lambda model, images: far((logits := logits_of(model, images)), logits[:1]),
    _image_cases,
    (
        Mistake(
            "always the same answer",
            "Your test says the same of every model. It must be False where all images get the same logits.",
            lambda model, images: True,
            lambda model, images: False,
        ),
        Mistake("train mode", TRAIN, _notices(lambda logits: far(logits, logits[:1]), evaluate=False)),
        Mistake(
            "the other way round",
            "True and False are exchanged: True is for a model that notices which image it sees.",
            _notices(lambda logits: not far(logits, logits[:1])),
        ),
        Mistake(
            "exactly equal",
            EXACT + "exactly equal logits, so rounding counts as a difference. Call it a change from 0.0001 on.",
            _notices(lambda logits: not torch.equal(logits, logits[:1].expand_as(logits))),
            _notices(lambda logits: not torch.allclose(logits, logits[:1])),
            _notices(lambda logits: far(logits, logits[:1], 1e-7)),
        ),
        Mistake(
            "too far apart",
            "You ask for a large difference. A new model has small logits: a change from 0.0001 on counts.",
            *(
                _notices(lambda logits, near=near: far(logits, logits[:1], near))
                for near in (0.001, 0.01, 0.05, 0.1, 0.5)
            ),
            *(
                _notices(lambda logits, near=near: not torch.allclose(logits, logits[:1], near, NEAR))
                for near in (1e-3, 1e-2, 1e-1)
            ),
        ),
        Mistake(
            "classes instead of images",
            "You compare the classes of one image with each other. Compare the *images*: the rows of (B, K).",
            _notices(lambda logits: far(logits, logits[:, :1])),
            _notices(lambda logits: bool((logits.std(dim=1) > NEAR).any())),
        ),
        Mistake(
            "only the first two images",
            "You look at two images only, and they may happen to be equal. Compare all images with one of them.",
            _notices(lambda logits: far(logits[0], logits[1])),
            lambda model, images: far(*logits_of(model, images[:2])),
        ),
        Mistake(
            "all images must differ",
            "You ask that every image differs from the next. It is enough if some image gets other logits.",
            _notices(lambda logits: bool(((logits[1:] - logits[:-1]).abs() > NEAR).any(dim=1).all())),
            _notices(lambda logits: bool(((logits[1:] - logits[:1]).abs() > NEAR).all())),
        ),
        Mistake(
            "only the predicted class",
            "You compare the predicted classes. A new model names the same class for nearly every image, although its "
            "logits differ: compare the logits.",
            _notices(lambda logits: len(logits.argmax(dim=1).unique()) > 1),
        ),
        Mistake(
            "the same images twice",
            "You give the model the same images twice. The *images* should be different, not the calls.",
            lambda model, images: far(logits_of(model, images), logits_of(model, images)),
        ),
        Mistake(
            "the logits are added up",
            "You add up the logits of an image, and what one of them gains another may lose. Compare them one by one.",
            _notices(lambda logits: far(logits.sum(dim=1), logits.sum(dim=1)[:1])),
            _notices(lambda logits: far(logits.mean(dim=1), logits.mean(dim=1)[:1])),
        ),
        Mistake(
            "without the absolute value",
            ABSOLUTE,
            _notices(lambda logits: bool((logits - logits[:1]).max() > NEAR)),
            _notices(lambda logits: bool((logits[:1] - logits).max() > NEAR)),
            _notices(lambda logits: bool((logits - logits[:1]).max().abs() > NEAR)),
            _notices(lambda logits: bool((logits[:1] - logits).max().abs() > NEAR)),
        ),
        Mistake(
            "a mean of the changes",
            AVERAGED,
            _notices(lambda logits: bool((logits - logits[:1]).abs().mean() > NEAR)),
            _notices(lambda logits: bool((logits - logits[:1]).mean().abs() > NEAR)),
            _notices(lambda logits: bool((logits - logits[:1]).mean(dim=0).abs().max() > NEAR)),
        ),
        Mistake(
            "only one class",
            ONE_CLASS,
            _notices(lambda logits: far(logits[:, 0], logits[:1, 0])),
            _notices(lambda logits: far(logits[:, -1], logits[:1, -1])),
        ),
        Mistake(
            "compared with an image of your own",
            "You compare with an image that is not in the batch, a black one or noise. Compare the images that are "
            "given with each other: if they are all equal, the answer is False.",
            lambda model, images: far(logits_of(model, images), logits_of(model, torch.zeros_like(images))),
            lambda model, images: far(logits_of(model, images), logits_of(model, torch.randn_like(images))),
            lambda model, images: far(logits_of(model, images), logits_of(model, torch.zeros_like(images[:1]))),
            lambda model, images: far(logits_of(model, images), logits_of(model, torch.randn_like(images[:1]))),
        ),
        Mistake(
            "a number",
            "You return how much changes. The task asks for True or False: is it more than 0.0001?",
            lambda model, images: ((logits := logits_of(model, images)) - logits[:1]).abs().max().item(),
            lambda model, images: ((logits := logits_of(model, images)) - logits[:1]).abs().max(),
        ),
    ),
    "It finds a mask left in and attention over the batch, and accuses no healthy model.",
    run=run_case,
    in_a_model=False,
)
