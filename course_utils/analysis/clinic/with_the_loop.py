"""Lesson 08 (clinic): what only the owner's own loop shows: optimiser, rate, gradients that add up."""

from __future__ import annotations

import functools
import math
import statistics

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.analysis.clinic import quick_tests
from course_utils.analysis.clinic.as_it_was import SeenOptimizers, as_it_was
from course_utils.analysis.clinic.findings import Examination, Probe, a_few, trained
from course_utils.analysis.clinic.quick_tests import Step

STEPS = 30  # at each rate
FIRST = 3  # steps in which every parameter should move
SLOW = 0.75  # a loss that is still above this share of the first one has hardly moved
LARGE_STEP = 0.3  # of a weight matrix's own size, in one step


def with_the_loop(
    model: nn.Module, images: Tensor, labels: Tensor, step: Step, reached: set[str], found: Examination
) -> None:
    """Let the loop take steps on one batch, and leave model and optimiser as they were.

    Args:
        model: Somebody's.
        images: A few, (B, C, H, W).
        labels: (B,).
        step: One step of its loop.
        reached: The parameters that get a gradient; none: the batch cannot be learned anyway.
        found: Takes what is found.

    Raises:
        ValueError: The step stops with an error.
    """
    take = functools.partial(_careful, step)
    with SeenOptimizers() as seen:
        still = _unmoved(model, images, labels, take)
        lost = [name for name in still if name in reached]
        if lost:
            found.find("nothing moves", _who_moves_nothing(model, lost, len(reached), seen))
        else:
            found.passed.append(f"6: {FIRST} steps of the loop move every parameter that gets a gradient.")
        seen.rewind()
        if _adds_up(model, images, labels, take, seen):
            with as_it_was(model):
                lengths = quick_tests.gradient_lengths(model, take, images, labels)
            words = f"The gradient's length is {lengths[0]:.2g} after one step and {lengths[-1]:.2g} after ten"
            found.find("gradients add up", f"{words}; what is left from one step goes into the next.")
        else:
            found.passed.append("The gradients of one step do not go into the next.")
        seen.rewind()
        if {"nothing moves", "gradients add up"} & set(found.symptoms) or not reached:
            found.passed.append("7: no rate was tried, because of what stands above.")
        else:
            _try_rates(model, images, labels, take, seen, found)


def _careful(step: Step, model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Take a step, or say that it cannot be taken."""
    try:
        with torch.enable_grad():
            step(model, images, labels)
    except Exception as error:
        said = (str(error).strip() or "no message").splitlines()[0]
        raise ValueError(
            f"Your step(model, images, labels) stopped with {type(error).__name__}: {said.rstrip('.')}."
        ) from error


def _unmoved(model: nn.Module, images: Tensor, labels: Tensor, take: Step) -> list[str]:
    """Name the parameters that the first steps do not move: the very first may have a rate of 0."""
    with as_it_was(model):
        still = set(trained(model))
        for _ in range(FIRST):
            still &= set(quick_tests.unmoved(model, take, images, labels))
        return sorted(still)


def _who_moves_nothing(model: nn.Module, lost: list[str], count: int, seen: SeenOptimizers) -> str:
    of = f"{len(lost)} of {count} parameters get a gradient and did not move in {FIRST} steps"
    if not seen.found:
        return f"{of}: no optimiser of PyTorch took a step."
    held = seen.holds()
    mine = sum(id(each) in held for each in model.parameters())
    names = " and ".join(type(each).__name__ for each in seen.found)
    if not mine:
        return f"{of}: {names} holds {len(held)} parameters, and none of them is of this model."
    rates = ", ".join(f"{rate:g}" for rate in seen.rates)
    return f"{of}: {a_few(lost)}. {names} holds {mine} of this model's parameters, at a rate of {rates}."


def _adds_up(model: nn.Module, images: Tensor, labels: Tensor, take: Step, seen: SeenOptimizers) -> bool:
    """Give the model a gradient of the usual length in a random direction, and see whether a step forgets it."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    with as_it_was(model):
        take(model, images, labels)
        usual = [None if each.grad is None else each.grad.detach().clone() for each in parameters]
    seen.rewind()
    if not any(each is not None and each.any() for each in usual):
        return False  # they are set to zero at the end of a step
    with as_it_was(model):
        given: list[Tensor | None] = []
        for parameter, gradient in zip(parameters, usual, strict=True):
            if gradient is None:
                given.append(None)
                continue
            generator = torch.Generator().manual_seed(len(given))
            noise = torch.randn(gradient.shape, generator=generator).to(gradient) * gradient.square().mean().sqrt()
            parameter.grad = noise.clone()
            given.append(noise)
        take(model, images, labels)
        pairs = [
            (parameter.grad.double().flatten(), noise.double().flatten())
            for parameter, noise in zip(parameters, given, strict=True)
            if parameter.grad is not None and noise is not None
        ]
    if not pairs:
        return False
    left, right = (torch.cat(each) for each in zip(*pairs, strict=True))
    return F.cosine_similarity(left, right, dim=0).item() > 0.3


def _try_rates(
    model: nn.Module, images: Tensor, labels: Tensor, take: Step, seen: SeenOptimizers, found: Examination
) -> None:
    """Learn one batch by the loop's own steps; if it does not, at a tenth of its rate and ten times as much."""
    with as_it_was(model):
        share = _share_of_size(model, images, labels, take)
    curves = {1.0: _curve(model, images, labels, take, seen, 1.0)}
    own = curves[1.0]
    falls = own[-1] < SLOW * own[0] and max(own) < own[0] + 1
    if not falls and seen.found:
        curves |= {factor: _curve(model, images, labels, take, seen, factor) for factor in (0.1, 10.0)}
    rates = " and ".join(f"{rate:g}" for rate in seen.rates) or "its own rate"
    said = f"at {rates} the loss of one batch goes from {own[0]:.2f} to {own[-1]:.2f} in {STEPS} steps"
    if len(curves) > 1:
        said += f", at a tenth of that to {curves[0.1][-1]:.2f}, at ten times to {curves[10.0][-1]:.2f}"
    if not all(map(math.isfinite, own)):
        found.find("not finite", f"The loss is no number any more: {said}.")
    elif max(own) > own[0] + 1:
        found.find("jumps", f"The loss rises to {max(own):.2f} on its way: {said}.")
    elif share > LARGE_STEP:
        found.find(
            "jumps", f"The first step changes the weights by {share:.0%} of their size; 1 to 5% are usual: {said}."
        )
    elif not falls:
        found.find("crawls", f"The loop is slow: {said}.")
    else:
        found.passed.append(f"7: {said}.")


def _share_of_size(model: nn.Module, images: Tensor, labels: Tensor, take: Step) -> float:
    """Return how far the first step moves a weight matrix, as a share of its own length: the median of all."""
    before = {name: each.detach().clone() for name, each in trained(model).items() if each.ndim > 1 and each.any()}
    take(model, images, labels)
    after = trained(model)
    shares = [((after[name] - each).norm() / each.norm()).item() for name, each in before.items()]
    return statistics.median(shares) if shares else 0.0


def _curve(
    model: nn.Module, images: Tensor, labels: Tensor, take: Step, seen: SeenOptimizers, factor: float
) -> list[float]:
    """Learn one batch by the loop's own steps, at a multiple of its rate.

    Returns:
        The loss before the first step, after each of the first ten, then after each fifth.
    """
    probe = Probe(model)

    def loss() -> float:
        with torch.no_grad():
            return F.cross_entropy(probe.at_rest()(images), labels).item()

    seen.rewind()
    seen.at_rate(factor)
    with as_it_was(model):
        losses = [loss()]
        for number in range(1, STEPS + 1):
            take(model, images, labels)
            if number <= 10 or number % 5 == 0:
                losses.append(loss())
    seen.rewind()
    return losses
