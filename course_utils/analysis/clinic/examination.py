"""Lesson 08 (clinic): ``examine``: all the tests that need no second program, on anybody's classifier."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils.analysis.clinic import from_outside, quick_tests, with_the_loop
from course_utils.analysis.clinic.as_it_was import as_it_was
from course_utils.analysis.clinic.findings import Examination, Probe
from course_utils.analysis.clinic.look import look
from course_utils.analysis.clinic.quick_tests import Step

FEW = 12  # images in the batch that is learned by heart
PATIENCE = 60.0  # seconds; if it may take longer, that is said beforehand


def examine(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    step: Step | None = None,
    say: Callable[[str], object] = print,
) -> Examination:
    """Look for the usual faults of a classifier that does not learn, and leave it as it was, to the last bit.

    Weights, buffers, gradients, modes and random numbers are put back, and so are the optimisers of PyTorch that
    ``step`` uses. What ``step`` keeps elsewhere is not, such as the count of a schedule.

    Example:
        >>> def step(model, images, labels):  # one step of your own loop  # doctest: +SKIP
        ...     optimizer.zero_grad()
        ...     F.cross_entropy(model(images), labels).backward()
        ...     optimizer.step()
        >>> print(examine(model, images, labels, step))  # doctest: +SKIP

    Args:
        model: Maps images to logits (B, K): a tensor, a tuple that begins with one, or something with ``logits``. On
            any device; 16-bit weights are examined as copies of 32 bits.
        images: (N, C, H, W), as your loop gives them to the model: 200 or more, of all classes.
        labels: (N,), whole numbers from 0.
        step: Takes one step of your own loop on the images that it is given, so that optimiser and loop can be seen.
        say: Is told beforehand if it may take longer than a minute.

    Returns:
        What was found. ``print`` shows it in words.

    Raises:
        ValueError: Images, labels and model do not fit each other, or model or step stop with an error.
    """
    begun = time.perf_counter()
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    images, labels = images.to(device), labels.to(device)
    _check(model, images, labels)
    labels = labels.long()
    few = varied(labels)
    x, y = images[few], labels[few]
    seconds = _seconds(model, x, y, with_step=step is not None)
    if seconds > PATIENCE:
        say(f"This may take {seconds / 60:.0f} to {3 * seconds / 60:.0f} minutes.")
    found = Examination(with_step=step is not None)
    if look(images, labels, found):
        with as_it_was(model, full_precision=True):
            reached = from_outside.from_outside(Probe(model), x, y, found)
        if step is not None:
            with_the_loop.with_the_loop(model, x, y, step, reached, found)
    found.seconds = time.perf_counter() - begun
    return found


def varied(labels: Tensor) -> Tensor:
    """Choose a few images, of as many classes as there are and each about as often. Returns their numbers."""
    places = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    turns = [place[turn] for turn in range(max(map(len, places))) for place in places if turn < len(place)]
    return torch.stack(turns[:FEW])


def _check(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Refuse what cannot be examined, in a sentence."""
    if not any(each.requires_grad for each in model.parameters()):
        raise ValueError("There is nothing to train in this model: no parameter has requires_grad=True.")
    if images.ndim != 4 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"Give images (N, C, H, W) and labels (N,), not {tuple(images.shape)} and {tuple(labels.shape)}."
        )
    if labels.is_floating_point() or labels.dtype == torch.bool or (len(labels) and int(labels.min()) < 0):
        raise ValueError("Labels are whole numbers from 0, one for each image.")
    if len(labels) < 4 or len(labels.unique()) < 2:
        raise ValueError("Give at least four images, of two classes or more.")
    with as_it_was(model, full_precision=True), torch.no_grad():
        classes = Probe(model).eval()(images[:2]).shape[1]
    if int(labels.max()) >= classes:
        raise ValueError(f"The model has {classes} logits, but a label is {int(labels.max())}; the first class is 0.")


def _seconds(model: nn.Module, images: Tensor, labels: Tensor, with_step: bool) -> float:
    """Estimate how long it takes, if one batch is learned at the first rate."""
    with as_it_was(model, full_precision=True):
        probe = Probe(model).at_rest()
        if not probe(images).requires_grad:
            return 0.0
        quick_tests.by_heart(probe, images, labels, steps=1)  # the first one makes things ready
        start = time.perf_counter()
        quick_tests.by_heart(probe, images, labels, steps=2)
        once = (time.perf_counter() - start) / 2
    return once * (from_outside.STEPS + with_step * 3 * with_the_loop.STEPS)
