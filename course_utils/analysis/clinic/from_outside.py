"""Lesson 08 (clinic): tests 1 to 6 on anybody's model, which is only called, and trained by our own few lines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.analysis.clinic import quick_tests
from course_utils.analysis.clinic.as_it_was import as_it_was
from course_utils.analysis.clinic.findings import Examination, Probe, a_few, trained
from course_utils.analysis.clinic.quick_tests import floor_of_bounded_logits

STEPS, RATES = 100, (3e-3, 3e-4)  # the second only if a batch is not learned at the first
LEARNED = 0.1  # a loss of one batch, in nats
UNCHANGED = 1e-3  # a change of the logits, as a share of what it is compared with
PATCH_SIZES = (2, 4, 7, 8, 14, 16, 32)
ALONE = 8  # so many images are also given one by one
EXPLAINS = {"pixels", "same answer", "no gradient"}  # why one batch cannot be learned


@dataclass(frozen=True)
class Changes:
    """How far the logits move.

    Attributes:
        between: From image to image, as a share of the largest logit.
        shuffled: When patches change places: patch size -> share of what other images change.
        alone: When an image comes alone: a share of what other images change.
    """

    between: float
    shuffled: dict[int, float]
    alone: float

    @classmethod
    def of(cls, probe: Probe, images: Tensor) -> Changes:
        """Run tests 3, 4 and 5."""
        with torch.no_grad():
            largest = probe.eval()(images).abs().max().item()
        between = quick_tests.change_between_images(probe, images)
        if between <= UNCHANGED * largest:  # then nothing can be a share of it
            return cls(between / max(largest, 1e-30), {}, 0.0)
        height, width = images.shape[2:]
        fitting = [p for p in PATCH_SIZES if not height % p and not width % p and height * width >= 4 * p * p]
        shuffled = {p: quick_tests.change_by_shuffling(probe, images, p) / between for p in fitting}
        return cls(between / largest, shuffled, quick_tests.change_when_alone(probe, images[:ALONE]) / between)

    @property
    def least(self) -> tuple[int, float]:
        """The patch size whose shuffling changes least, and how much that is."""
        return min(self.shuffled.items(), key=lambda each: each[1], default=(0, 1.0))


@dataclass(frozen=True)
class ByHeart:
    """How one batch was learned.

    Attributes:
        losses: Before each step.
        reached: The parameters that got a gradient which is not 0.
        logits: (B, K) at the end.
        changes: At the end.
    """

    losses: list[float]
    reached: set[str]
    logits: Tensor
    changes: Changes


def from_outside(probe: Probe, images: Tensor, labels: Tensor, found: Examination) -> set[str]:
    """Run the tests.

    Args:
        probe: It is left as it was.
        images: A few, (B, C, H, W).
        labels: (B,).
        found: Takes what is found.

    Returns:
        The parameters that got a gradient; none if the batch could not be learned.
    """
    with torch.no_grad():
        once, again = probe.eval()(images), probe(images)
    if not once.isfinite().all():
        found.find("not finite", "The logits hold NaN or infinity, before any training.")
        return set()
    noise = (once - again).abs().max().item()
    if noise > 1e-4 * max(1.0, once.abs().max().item()):
        found.find("never the same", f"In eval mode the same images got logits that differ by {noise:.2g}.")
        return set()
    new = Changes.of(probe, images)
    _judge_first_loss(probe, images, labels, found)
    tries = []
    for rate in RATES:
        tries.append(_learn(probe, images, labels, rate))
        best = min(tries, key=lambda each: min(each.losses))
        if best.losses[-1] < LEARNED or not best.reached or bounded(best.logits):
            break
    reached = set.union(*(each.reached for each in tries))
    unreached = [name for name in trained(probe.model) if name not in reached]
    _judge_answers(new, best.changes, found)
    if unreached:
        of = f"{len(unreached)} of {len(unreached) + len(reached)} parameters"
        found.find("no gradient", f"{of} got no gradient in any step: {a_few(unreached)}.")
    else:
        found.passed.append(f"6: each of {len(reached)} parameters got a gradient.")
    _judge_by_heart(best, explained=bool(EXPLAINS & set(found.symptoms)), found=found)
    return reached if best.losses[-1] < LEARNED else set()


def _learn(probe: Probe, images: Tensor, labels: Tensor, rate: float) -> ByHeart:
    """Learn one batch by heart, look at what came out, and leave the model as it was."""
    with as_it_was(probe.model):
        probe.at_rest()
        losses: list[float] = []
        reached: set[str] = set()
        for steps in (1, STEPS - 1):  # at first a head of zeros lets no gradient through, later a rate may be too high
            try:
                losses += quick_tests.by_heart(probe, images, labels, steps, rate, LEARNED)
            except RuntimeError as error:
                if "does not require grad" not in str(error):
                    raise
                with torch.no_grad():  # no parameter has a part in the loss
                    losses.append(F.cross_entropy(probe(images), labels).item())
            reached |= {
                name for name, each in trained(probe.model).items() if each.grad is not None and each.grad.any()
            }
        with torch.no_grad():
            logits = probe.at_rest()(images)
        return ByHeart(losses, reached, logits, Changes.of(probe, images))


def bounded(logits: Tensor) -> str:
    """Name the layer that holds logits (B, K) in an interval: "softmax" (or sigmoid), "tanh", or ""."""
    low, high = logits.min().item(), logits.max().item()
    if low >= 0 and (logits.sum(dim=1) - 1).abs().max() < 1e-3:
        return "softmax"
    close = logits.double().softmax(dim=1).amax(dim=1).neg().add(1).min().item()  # to the best that it could say
    k = logits.shape[1]
    for name, lowest, width in (("softmax", -1e-6, 1), ("tanh", -1.000001, 2)):
        best = 1 - math.exp(-floor_of_bounded_logits(k, width))
        if low >= lowest and high <= 1.000001 and close < best + 0.1:
            return name
    return ""


def _judge_first_loss(probe: Probe, images: Tensor, labels: Tensor, found: Examination) -> None:
    with as_it_was(probe.model), torch.no_grad():
        logits = probe.at_rest()(images)
    first, k = F.cross_entropy(logits, labels).item(), logits.shape[1]
    if not math.isfinite(first):
        found.find("not finite", f"The first loss is {first}.")
    elif first > math.log(k) + 1.5:
        words = f"The first loss is {first:.2f}, but who knows nothing of {k} classes has ln {k} = {math.log(k):.2f}."
        found.find("first loss", words)
    else:
        found.passed.append(f"1: the first loss is {first:.2f}; ln {k} = {math.log(k):.2f}.")


def _judge_by_heart(best: ByHeart, explained: bool, found: Examination) -> None:
    """Say how one batch was learned, or at which number it stopped."""
    last, k = best.losses[-1], best.logits.shape[1]
    layer = bounded(best.logits)
    if best.losses[-1] < LEARNED:
        found.passed.append(f"2: {len(best.logits)} images were learned by heart in {len(best.losses)} steps.")
    elif layer and best.reached:
        width = {"softmax": 1, "tanh": 2}[layer]
        range_ = f"between {best.logits.min():.3g} and {best.logits.max():.3g}"
        floor = floor_of_bounded_logits(k, width)
        words = (
            f"One batch stopped at a loss of {last:.3f}: all logits lie {range_}, so it cannot fall below {floor:.3f}."
        )
        found.find(layer, words)
    elif not explained:
        words = f"One batch of {len(best.logits)} images stopped at a loss of {last:.2f}; ln {k} = {math.log(k):.2f}."
        found.find("one batch", words)
    else:
        found.passed.append(f"2: one batch stopped at a loss of {last:.2f}; see above.")


def _judge_answers(new: Changes, after: Changes, found: Examination) -> None:
    """Accuse a model only if new and after some training it does the same: a head may well start with zeros."""
    if max(new.between, after.between) <= UNCHANGED:
        words = f"Other images change the logits by {after.between:.1g} of their size, also after {STEPS} steps."
        found.find("same answer", words)
        return
    found.passed.append(f"3: other images change the logits by {after.between:.0%} of their size.")
    (size, least), (_, at_first) = after.least, new.least
    if not after.shuffled:
        found.passed.append("4: no patch size fits these images.")
    elif least <= UNCHANGED and (not new.shuffled or at_first <= UNCHANGED):
        words = f"Shuffled patches of {size} pixels change the logits by {least:.1g} of what another image changes."
        found.find("no order", words)
    else:
        found.passed.append(f"4: shuffled patches change the logits, by {least:.0%} of what another image changes.")
    alone = max(new.alone, after.alone)
    if alone > 10 * UNCHANGED:
        words = (
            f"An image that comes alone has other logits than in a batch: by {alone:.0%} of what another image changes."
        )
        found.find("not alone", words)
    else:
        found.passed.append(f"5: an image has the same logits alone and in a batch, to {alone:.0g}.")
