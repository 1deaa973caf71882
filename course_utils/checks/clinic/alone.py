"""Test 5: an image alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.clinic.models import (
    EXACT,
    HEALTHY,
    IMAGES,
    TRAIN,
    WHOLE,
    Case,
    far,
    logits_of,
    of_function,
    on_images,
    run_case,
    small_map,
    sums,
    vit,
)
from course_utils.checks.core import Exercise, Mistake


def _alone_cases() -> list[tuple[Any, ...]]:
    return [
        (
            Case("s and -s, where s is the sum of this image and all before it", False, of_function(_before)),
            IMAGES,
        ),
        *on_images([Case("the logits are the sum s of the image, and -s", True, of_function(sums))], WHOLE),
        *on_images(HEALTHY, IMAGES),
        *on_images(
            (
                Case("a ViT with attention over the batch", False, vit("attention over the batch, mean pooling")),
                Case("the mean of the batch is taken away from the logits", False, of_function(_centred)),
                Case("half of the next image comes in", False, of_function(lambda images: _next(sums(images), 0.5))),
                Case(
                    "a little of the next comes in",
                    False,
                    of_function(lambda images: _next(small_map(images), 0.05)),
                ),
                Case("what one logit gets from other images, the other one loses", False, of_function(_exchanged)),
            ),
            IMAGES,
        ),
    ]


def _before(images: Tensor) -> Tensor:
    return sums(images).cumsum(dim=0)


def _centred(images: Tensor) -> Tensor:
    return small_map(images) - small_map(images).mean(dim=0)


def _next(logits: Tensor, share: float) -> Tensor:
    """Add a share of the next image's logits (B, K); the last one has no next."""
    return logits + share * torch.cat([logits[1:], torch.zeros_like(logits[:1])])


def _exchanged(images: Tensor) -> Tensor:
    total = images.flatten(1).sum(dim=1)
    return torch.stack([total + total.sum(), -total - total.sum()], dim=1)


def _one_by_one(model: nn.Module, images: Tensor, evaluate: bool = True) -> Tensor:
    return torch.cat([logits_of(model, image[None], evaluate) for image in images])


def _alone(
    alone: Callable[[nn.Module, Tensor], Tensor] = _one_by_one,
    judge: Callable[..., Any] = lambda one, other: not far(one, other),
    evaluate: bool = True,
) -> Callable[[nn.Module, Tensor], Any]:
    return lambda model, images: judge(alone(model, images), logits_of(model, images, evaluate))


same_alone = Exercise(
    "same_alone",
    _alone(),
    _alone_cases,
    (
        Mistake(
            "always the same answer",
            "Your test says the same of every model. It must be False where an image gets other logits alone.",
            lambda model, images: True,
            lambda model, images: False,
        ),
        Mistake(
            "train mode",
            TRAIN,
            _alone(lambda model, images: _one_by_one(model, images, False), evaluate=False),
        ),
        Mistake(
            "the other way round",
            "True and False are exchanged: True is for a model that gives an image the same logits alone.",
            _alone(judge=far),
        ),
        Mistake(
            "exactly equal",
            EXACT + "exactly equal logits, so healthy models are accused. Up to 0.0001 is equal.",
            _alone(judge=torch.equal),
            _alone(judge=lambda one, other: bool((one == other).all())),
            _alone(judge=lambda one, other: not far(one, other, 1e-9)),
        ),
        Mistake(
            "too coarse",
            "You allow a difference that is too large: a small share of another image stays unseen. Allow 0.0001.",
            *(_alone(judge=lambda a, b, near=near: not far(a, b, near)) for near in (0.01, 0.05, 0.1)),
        ),
        Mistake(
            "only the first image",
            "You look at the first image only. A model may mix only the images behind it in: look at all of them.",
            lambda model, images: not far(logits_of(model, images[:1]), logits_of(model, images)[:1]),
        ),
        Mistake(
            "only the last image",
            "You look at the last image only. A model may mix only the images before it in: look at all of them.",
            lambda model, images: not far(logits_of(model, images[-1:]), logits_of(model, images)[-1:]),
        ),
        Mistake(
            "copies of one image",
            "You compare with a batch of copies. Where all images are equal, nothing can be mixed in. Use the batch.",
            lambda model, images: (
                not far(
                    torch.cat([logits_of(model, image.expand_as(images))[:1] for image in images]),
                    _one_by_one(model, images),
                )
            ),
        ),
        Mistake(
            "another order of the batch",
            "You give the same batch in another order. A model that mixes images mixes the same ones then. Give each "
            "image *alone*.",
            lambda model, images: not far(logits_of(model, images.flip(0)).flip(0), logits_of(model, images)),
            lambda model, images: not far(logits_of(model, images.roll(1, 0)).roll(-1, 0), logits_of(model, images)),
        ),
        Mistake(
            "each with the wrong one",
            "You compare each image with the whole batch, or with another image's logits. Row i of the batch belongs "
            "to image i.",
            lambda model, images: not far(_one_by_one(model, images)[:, None], logits_of(model, images)[None]),
            lambda model, images: not far(_one_by_one(model, images), logits_of(model, images)[:1]),
        ),
        Mistake(
            "only the predicted class",
            "You compare the predicted classes. Logits can change without another class winning: compare the logits.",
            _alone(judge=lambda one, other: torch.equal(one.argmax(dim=1), other.argmax(dim=1))),
        ),
        Mistake(
            "the logits are added up",
            "You add up the logits of an image, and what one of them gains another may lose. Compare them one by one.",
            _alone(judge=lambda one, other: not far(one.sum(dim=1), other.sum(dim=1))),
        ),
        Mistake(
            "a number",
            "You return how much changes. The task asks for True or False: is it at most 0.0001?",
            _alone(judge=lambda one, other: (one - other).abs().max().item()),
            _alone(judge=lambda one, other: (one - other).abs().max()),
        ),
    ),
    "It finds images that are mixed, and accuses no healthy model, with batch norm and dropout in it.",
    run=run_case,
    in_a_model=False,
)
