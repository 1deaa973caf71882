"""Test 5: an image alone."""

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
    TRAIN,
    WHOLE,
    Case,
    far,
    logits_of,
    of_function,
    on_images,
    one_logit,
    others,
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
        *on_images(
            (
                *(
                    Case(
                        f"logit {k} of image 0 {word}, by 0.0005",
                        False,
                        of_function(partial(_first_moves, which=k, size=size)),
                    )
                    for k in range(3)
                    for word, size in (("rises", 5e-4), ("falls", -5e-4))
                ),
                Case("the last image gets something of the others", False, of_function(_last_moves)),
                Case("image 2 gets something of the others", False, of_function(_middle_moves)),
                Case("logit 1 of the last image rises, by 0.0005", False, of_function(_last_rises)),
                Case("images 0 and 1 are mixed, 2 and 3", False, of_function(partial(_neighbours, step=2))),
                Case("images 0 and 1 are mixed, 3 and 4", False, of_function(partial(_neighbours, step=3))),
                Case("in a batch all logits are higher", False, of_function(partial(_in_company, size=0.1))),
                Case("in a batch all logits are lower", False, of_function(partial(_in_company, size=-0.1))),
                Case("in a batch all logits are higher by 0.0005", False, of_function(_a_little_higher)),
                Case("logits near 100 move by 0.01", False, of_function(_around_100)),
            ),
            IMAGES,
        ),
    ]


def _first_moves(images: Tensor, which: int, size: float) -> Tensor:
    """Let one logit of image 0 depend on the other images."""
    is_first = (torch.arange(len(images)) == 0).float()
    return one_logit(size * is_first * others(images), which)


def _last_moves(images: Tensor) -> Tensor:
    is_last = (torch.arange(len(images)) == len(images) - 1).float()
    return small_map(images) + 0.1 * (is_last * others(images))[:, None]


def _middle_moves(images: Tensor) -> Tensor:
    is_third = (torch.arange(len(images)) == 2).float()
    return small_map(images) + 0.5 * (is_third * others(images))[:, None]


def _last_rises(images: Tensor) -> Tensor:
    is_last = (torch.arange(len(images)) == len(images) - 1).float()
    return one_logit(5e-4 * is_last * others(images), 1)


def _neighbours(images: Tensor, step: int) -> Tensor:
    """Give every ``step``-th image half of the next one's logits."""
    logits = small_map(images)
    chosen = (torch.arange(len(images)) % step == 0).float()[:, None]
    return logits + chosen * (_next(logits, 0.5) - logits)


def _a_little_higher(images: Tensor) -> Tensor:
    return small_map(images) + 5e-4 * others(images)[:, None]


def _around_100(images: Tensor) -> Tensor:
    return 100 + small_map(images) + 0.01 * others(images)[:, None]


def _in_company(images: Tensor, size: float) -> Tensor:
    """Move all logits by the same amount if an image is not alone, and hardly by what the other images are."""
    company = float(len(images) > 1) + 7e-4 * others(images)
    return small_map(images) + size * company[:, None]


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


def _beside_black(model: nn.Module, images: Tensor, count: int) -> Tensor:
    """Run each image in a batch with black ones."""
    black = torch.zeros_like(images[:1]).expand(count, -1, -1, -1)
    return torch.cat([logits_of(model, torch.cat([image[None], black]))[:1] for image in images])


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
            *(_alone(judge=lambda a, b, near=near: not far(a, b, near)) for near in (0.001, 0.01, 0.05, 0.1)),
            *(
                _alone(judge=lambda a, b, near=near: torch.allclose(a, b, near, NEAR))  # relative
                for near in (1e-3, 1e-2, 1e-1)
            ),
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
            "one image is left out",
            "You leave the first or the last image out. Just this one may be the one that changes: look at all.",
            lambda model, images: not far(_one_by_one(model, images[1:]), logits_of(model, images)[1:]),
            lambda model, images: not far(_one_by_one(model, images[:-1]), logits_of(model, images)[:-1]),
        ),
        Mistake(
            "only the first two images",
            "You look at the first two images only. A model may change others: look at all of them.",
            lambda model, images: not far(_one_by_one(model, images[:2]), logits_of(model, images)[:2]),
        ),
        Mistake(
            "not alone",
            "You give the model two images or more at a time. These may be mixed with each other, or just their number "
            "may count. Alone means: a batch of one, (1, C, H, W).",
            _alone(lambda model, images: torch.cat([logits_of(model, each) for each in images.split(2)])),
            _alone(lambda model, images: torch.cat([logits_of(model, each) for each in images.chunk(2)])),
            _alone(lambda model, images: torch.cat([logits_of(model, each) for each in (images[:2], images[2:])])),
            _alone(lambda model, images: _beside_black(model, images, 1)),
            _alone(lambda model, images: _beside_black(model, images, len(images) - 1)),
        ),
        Mistake(
            "without the absolute value",
            ABSOLUTE,
            _alone(judge=lambda one, other: bool((one - other).max() <= NEAR)),
            _alone(judge=lambda one, other: bool((other - one).max() <= NEAR)),
        ),
        Mistake(
            "a mean of the changes",
            AVERAGED,
            _alone(judge=lambda one, other: bool((one - other).abs().mean() <= NEAR)),
            _alone(judge=lambda one, other: bool((one - other).mean().abs() <= NEAR)),
        ),
        Mistake(
            "only one class",
            ONE_CLASS,
            _alone(judge=lambda one, other: not far(one[:, 0], other[:, 0])),
            _alone(judge=lambda one, other: not far(one[:, -1], other[:, -1])),
        ),
        Mistake(
            "probabilities",
            "You compare probabilities. If all logits of an image move by the same amount, a softmax does not see it: "
            "compare the logits.",
            _alone(judge=lambda one, other: not far(one.softmax(dim=1), other.softmax(dim=1))),
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
