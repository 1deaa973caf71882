"""Test 4: shuffled patches."""

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
    FIRST_IN_ORDER,
    HEALTHY,
    IMAGES,
    LAST_IN_ORDER,
    NEAR,
    ONE_CLASS,
    TRAIN,
    Case,
    bag,
    far,
    in_order,
    logits_of,
    of_function,
    on_images,
    one_logit,
    run_case,
    small_map,
    vit,
    with_dropout,
)
from course_utils.checks.core import Exercise, Mistake
from course_utils.model.patches import patchify, unpatchify


def _order_cases() -> list[tuple[Any, ...]]:
    little = [
        Case(f"logit {k} of one image {word}, by 0.0006", True, of_function(partial(_by_little, which=k, size=size)))
        for k in range(3)
        for word, size in (("falls", 6e-4), ("rises", -6e-4))
    ]
    return [
        *_on_random_images(),
        *on_images(little, LAST_IN_ORDER, 4),
        *on_images(little[:2], FIRST_IN_ORDER, 4),
        *on_images(
            [Case("all logits move, by about 0.0005", True, of_function(_faint))], LAST_IN_ORDER[[4, 4, 4, 4]], 4
        ),
        (Case("two logits, s and -s", True, of_function(_opposite)), IMAGES, 4),
        (Case("one linear map", True, of_function(_steep)), torch.cat([IMAGES[:2], -IMAGES[:2]]), 4),
        (Case("one linear map, 2 x 2 patches", True, of_function(_opposite)), IMAGES[..., :8], 4),
    ]


def _by_little(images: Tensor, which: int, size: float) -> Tensor:
    """Three logits; one of them moves, by up to twice the size, if the patches of an image leave their order."""
    return one_logit(size / 2 * in_order(images), which)


def _faint(images: Tensor) -> Tensor:
    return 0.3 + 4e-4 * in_order(images)[:, None] * torch.ones(3)


def _steep(images: Tensor) -> Tensor:
    return 1000 * small_map(images)[:, :1] * torch.tensor([1.0, 2.0])


def _opposite(images: Tensor) -> Tensor:
    return 1000 * small_map(images)[:, :1] * torch.tensor([1.0, -1.0])


def _on_random_images() -> list[tuple[Any, ...]]:
    return on_images(
        (
            Case("a bag of patches: the largest of their first numbers", False, of_function(_largest)),
            *HEALTHY,
            Case("a bag of patches: the mean of one number each", False, of_function(bag)),
            Case("a ViT without position codes", False, vit("no position codes")),
            Case("a ViT with one code for all patches", False, vit("one code for all")),
            Case("a bag of patches, and dropout", False, with_dropout(bag)),
            Case("one linear map with small weights", True, of_function(small_map)),
            Case("a linear map whose first class always wins", True, of_function(_one_winner)),
        ),
        IMAGES,
        4,
    )


def _one_winner(images: Tensor) -> Tensor:
    """Two logits that depend on the place of a patch; the first one is always the larger."""
    score = 1000 * small_map(images)[:, 0]
    return torch.stack([score + 10, score], dim=1)


def _largest(images: Tensor) -> Tensor:
    """Two logits: the largest number among the first ones of the patches, and minus that; nothing is rounded."""
    first = patchify(images, 4)[:, :, 0].amax(dim=1)  # (B, C, H, W) -> (B, N, C*P*P) -> (B,)
    return torch.stack([first, -first], dim=1)


def _shuffle(images: Tensor, patch_size: int) -> Tensor:
    patches = patchify(images, patch_size)  # (B, C, H, W) -> (B, N, C*P*P)
    return unpatchify(patches.roll(1, dims=1), patch_size, (images.shape[2], images.shape[3]))


def _backwards(images: Tensor, patch_size: int) -> Tensor:
    return unpatchify(patchify(images, patch_size).flip(1), patch_size, (images.shape[2], images.shape[3]))


def _ordered(
    change: Callable[[Tensor, int], Tensor] = _shuffle,
    judge: Callable[..., Any] = far,
    evaluate: bool = True,
) -> Callable[[nn.Module, Tensor, int], Any]:
    return lambda model, images, patch_size: judge(
        logits_of(model, change(images, patch_size), evaluate), logits_of(model, images, evaluate)
    )


def _inside(images: Tensor, patch_size: int) -> Tensor:
    patches = patchify(images, patch_size).roll(1, dims=2)
    return unpatchify(patches, patch_size, (images.shape[2], images.shape[3]))


def _bare(images: Tensor, patch_size: int) -> Tensor:
    count = images.shape[2] * images.shape[3] // patch_size**2
    return images.reshape(len(images), count, -1).roll(1, dims=1).reshape(images.shape)


notices_the_order = Exercise(
    "notices_the_order",
    _ordered(),
    _order_cases,
    (
        Mistake(
            "always the same answer",
            "Your test says the same of every model. It must be False where patches may change places unnoticed.",
            lambda model, images, patch_size: True,
            lambda model, images, patch_size: False,
            _ordered(judge=lambda one, other: False),
        ),
        Mistake("train mode", TRAIN, _ordered(evaluate=False)),
        Mistake(
            "the other way round",
            "True and False are exchanged: True is for a model that notices that patches have changed places.",
            _ordered(judge=lambda one, other: not far(one, other)),
        ),
        Mistake(
            "exactly equal",
            EXACT + "exactly equal logits, so rounding counts as a change. Call it a change from 0.0001 on.",
            _ordered(judge=lambda one, other: not torch.equal(one, other)),
            _ordered(judge=lambda one, other: far(one, other, 1e-9)),
        ),
        Mistake(
            "too far apart",
            "You ask for a large change. A new model has small logits: a change from 0.0001 on counts.",
            *(
                _ordered(change, judge=lambda a, b, near=near: far(a, b, near))
                for change in (_shuffle, _backwards)
                for near in (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
            ),
        ),
        Mistake(
            "the images are shuffled",
            "You change the order of the images in the batch: then the logits move along with them, in every model. "
            "Leave axis 0 as it is; the patches stand on axis 1 of what patchify returns.",
            _ordered(lambda images, patch_size: images.roll(1, dims=0)),
            _ordered(lambda images, patch_size: images.flip(0)),
        ),
        Mistake(
            "shuffled inside the patches",
            "You shuffle the numbers inside each patch. The patches should stay whole and change places: axis 1 of "
            "(B, N, C*P*P), not axis 2.",
            _ordered(_inside),
            _ordered(lambda images, patch_size: images.roll(1, dims=1)),
        ),
        Mistake(
            "the image is turned over",
            "You turn the image over. That moves the patches, but it turns each of them over too, which any model "
            "notices. Move patches, and leave what is in them as it is.",
            _ordered(lambda images, patch_size: images.flip(-1)),
            _ordered(lambda images, patch_size: images.flip(-2)),
            _ordered(lambda images, patch_size: images.flip((-1, -2))),
        ),
        Mistake(
            "moved by some pixels",
            "You move the image by a few pixels, so each patch gets a part of its neighbour. Move by whole patches.",
            _ordered(lambda images, patch_size: images.roll(1, dims=-1)),
            _ordered(lambda images, patch_size: images.roll(1, dims=-2)),
            _ordered(lambda images, patch_size: images.roll((1, 1), dims=(-2, -1))),
        ),
        Mistake(
            "pieces by a bare reshape",
            "Your pieces are no patches: one reshape of (B, C, H, W) cuts each channel into rows of pixels. Use "
            "patchify and unpatchify.",
            _ordered(_bare),
        ),
        Mistake(
            "only the predicted class",
            "You compare the predicted classes. Logits can change without another class winning: compare the logits.",
            _ordered(judge=lambda one, other: not torch.equal(one.argmax(dim=1), other.argmax(dim=1))),
        ),
        Mistake(
            "nothing moves",
            "Your patches come back to where they were, so no logit can change: in every image, or in one of 2 x 2 "
            "patches. Is the new order in use, and is it another one for any number of patches?",
            _ordered(lambda images, patch_size: images),
            _ordered(
                lambda images, p: unpatchify(patchify(images, p).roll(p, 1), p, (images.shape[2], images.shape[3]))
            ),
        ),
        Mistake(
            "without the absolute value",
            ABSOLUTE,
            _ordered(judge=lambda one, other: bool((one - other).max() > NEAR)),
            _ordered(judge=lambda one, other: bool((other - one).max() > NEAR)),
        ),
        Mistake(
            "a mean of the changes",
            AVERAGED,
            _ordered(judge=lambda one, other: bool((one - other).abs().mean() > NEAR)),
            _ordered(judge=lambda one, other: bool((one - other).mean().abs() > NEAR)),
            _ordered(judge=lambda one, other: bool((one - other).mean(dim=0).abs().max() > NEAR)),
            _ordered(judge=lambda one, other: bool((one - other).sum(dim=1).abs().max() > NEAR)),
            _ordered(judge=lambda one, other: bool((one - other).mean(dim=1).abs().max() > NEAR)),
        ),
        Mistake(
            "only one image",
            "You look at one image of the batch only. Another one may notice what this one does not: look at all.",
            _ordered(judge=lambda one, other: far(one[0], other[0])),
            _ordered(judge=lambda one, other: far(one[-1], other[-1])),
        ),
        Mistake(
            "only one class",
            ONE_CLASS,
            _ordered(judge=lambda one, other: far(one[:, 0], other[:, 0])),
            _ordered(judge=lambda one, other: far(one[:, -1], other[:, -1])),
        ),
        Mistake(
            "a number",
            "You return how much changes. The task asks for True or False: is it more than 0.0001?",
            _ordered(judge=lambda one, other: (one - other).abs().max().item()),
            _ordered(judge=lambda one, other: (one - other).abs().max()),
        ),
    ),
    "It finds missing codes and one code for all, and accuses no healthy model.",
    run=run_case,
    in_a_model=False,
)
