"""Lesson 08 (clinic): the tests, cheapest first, each a few lines that work with any classifier.

Each takes a model that maps images (B, C, H, W) to logits (B, K). Those that call it once put it into eval mode first,
so that dropout and batch statistics do not disturb them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.model.patches import patchify, unpatchify

Step = Callable[[nn.Module, Tensor, Tensor], object]  # one step of a loop: model, images, labels


def floor_of_bounded_logits(num_classes: int, width: float) -> float:
    """Return the smallest cross-entropy in nats that logits within an interval of this width can reach.

    The best is the right class at its upper end and all others at its lower one: ln(1 + (K - 1) / e^width). A width of
    0 gives ln K, where nothing is known; 1 belongs to softmax and sigmoid (0 to 1), 2 to tanh (-1 to 1).
    """
    return math.log(1 + (num_classes - 1) * math.exp(-width))


@torch.no_grad()
def first_loss(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Test 1: the cross-entropy in nats before any training. A model that knows nothing has about ln K."""
    model.eval()
    return F.cross_entropy(model(images), labels).item()


def by_heart(
    model: nn.Module, images: Tensor, labels: Tensor, steps: int = 100, rate: float = 1e-3, enough: float = 0.0
) -> list[float]:
    """Test 2: train on one batch, over and over. The loss should come near 0: all else is in the way.

    Args:
        model: It is trained in place.
        images: (B, C, H, W), a few dozen at most.
        labels: (B,).
        steps: At most so many.
        rate: AdamW's learning rate.
        enough: Stop at this loss.

    Returns:
        The loss before each step.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    losses: list[float] = []
    while len(losses) < steps and not (losses and losses[-1] < enough):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def change_between_images(model: nn.Module, images: Tensor) -> float:
    """Test 3: how far the logits of the images lie from those of the first image, at most. Not 0."""
    model.eval()
    logits = model(images)  # (B, K)
    return (logits - logits[:1]).abs().max().item()


@torch.no_grad()
def change_by_shuffling(model: nn.Module, images: Tensor, patch_size: int) -> float:
    """Test 4: how far the logits move, at most, when the patches of each image change places. Not 0."""
    model.eval()
    patches = patchify(images, patch_size)  # (B, C, H, W) -> (B, N, C*P*P)
    order = torch.arange(patches.shape[1]).roll(1)  # every patch moves on by one place
    shuffled = unpatchify(patches[:, order], patch_size, (images.shape[2], images.shape[3]))  # -> (B, C, H, W)
    return (model(shuffled) - model(images)).abs().max().item()


@torch.no_grad()
def change_when_alone(model: nn.Module, images: Tensor) -> float:
    """Test 5: how far the logits of an image move, at most, when it comes alone. 0, but for rounding."""
    model.eval()
    alone = torch.cat([model(image) for image in images.split(1)])  # B times (1, K) -> (B, K)
    return (alone - model(images)).abs().max().item()


def without_gradient(model: nn.Module, images: Tensor, labels: Tensor) -> list[str]:
    """Test 6: name the parameters that are to be trained and get no gradient, or one of exactly 0. None."""
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    trained = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    return [name for name, each in trained if each.grad is None or not each.grad.any()]


def unmoved(model: nn.Module, step: Step, images: Tensor, labels: Tensor) -> list[str]:
    """Test 6, with a loop: name the parameters that one step does not move. None."""
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    step(model, images, labels)
    return [name for name, each in model.named_parameters() if torch.equal(each, before[name])]


def at_rates(
    make_model: Callable[[], nn.Module], images: Tensor, labels: Tensor, rates: Sequence[float], steps: int = 100
) -> dict[float, list[float]]:
    """Test 7: learn one batch by heart at several rates, ten times apart. The losses of each: one of them falls."""
    return {rate: by_heart(make_model(), images, labels, steps, rate) for rate in rates}


def gradient_lengths(model: nn.Module, step: Step, images: Tensor, labels: Tensor, steps: int = 10) -> list[float]:
    """Measure how long the whole gradient is after each of a few steps. It should not grow from step to step."""
    lengths = []
    for _ in range(steps):
        step(model, images, labels)
        squares = [each.grad.square().sum() for each in model.parameters() if each.grad is not None]
        lengths.append(torch.stack(squares).sum().sqrt().item() if squares else 0.0)
    return lengths
