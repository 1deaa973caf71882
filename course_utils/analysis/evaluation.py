"""Lesson 06 (training): what a classifier gets right and wrong, and how far its probabilities can be believed.

One function runs the model. The others are plain functions of its logits (N, K) and the true labels (N,).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data.normalisation import normalisation_of


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[torch.device]:
    """Put a model into eval mode for a while, then give every part its own mode back. Yields the model's device."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    finally:
        for module, training in modes:  # a frozen part of a model in training may well have been in eval mode
            module.training = training


def predict(
    model: nn.Module,
    images: Tensor,
    *,
    batch_size: int = 256,
    precision: str = "fp32",
) -> Tensor:
    """Run a model over many images, batch by batch, without gradients and in eval mode.

    Args:
        model: Maps float images (B, C, H, W) to logits (B, K). It stays on its device; the images go there.
        images: (N, C, H, W): uint8, which the model's own normalisation is applied to, or floats that are normalised
            already.
        batch_size: Images at a time.
        precision: "fp32", or "bf16" for autocast: faster where the training is, and rounded.

    Returns:
        Logits (N, K) in the order of the images, float32, on the CPU.

    Raises:
        ValueError: There are no images; or they are uint8, and the model does not know how to normalise them.
    """
    if len(images) == 0:
        raise ValueError("There are no images to predict: the tensor is empty.")
    normalise = None if images.is_floating_point() else normalisation_of(model)
    logits = []
    with evaluation_mode(model) as device, torch.no_grad():
        for batch in images.split(batch_size):  # (N, C, H, W) -> (B, C, H, W)
            batch = batch.to(device)
            if normalise is not None:
                batch = normalise(batch)
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                logits.append(model(batch).float().cpu())
    return torch.cat(logits)  # many (B, K) -> (N, K)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of the images whose largest logit is that of the true class. Of equal logits the first counts.

    Args:
        logits: (N, K).
        labels: (N,), whole numbers from 0 to K - 1.

    Raises:
        ValueError: The shapes or the labels do not fit, or a logit is NaN. So for every function below.
    """
    return top_k_accuracy(logits, labels, k=1)


def top_k_accuracy(logits: Tensor, labels: Tensor, k: int = 5) -> float:
    """Share of the images whose true class is among the k largest logits.

    Raises:
        ValueError: k is not between 1 and the number of classes.
    """
    logits, labels = _checked(logits, labels)
    if not 1 <= k <= logits.shape[1]:
        raise ValueError(f"k must be between 1 and the number of classes, {logits.shape[1]}, not {k}.")
    # A stable sort breaks ties as argmax does. A model that says the same for all classes must not come out perfect.
    best = logits.argsort(dim=1, descending=True, stable=True)[:, :k]  # (N, K) -> (N, k)
    return (best == labels[:, None]).any(dim=1).double().mean().item()


def per_class_accuracy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Accuracy among the images of each true class, and how many they are.

    Returns:
        Accuracies (K,), float64, NaN where a class has no images; and counts (K,), int64.
    """
    matrix = confusion_matrix(logits, labels)
    counts = matrix.sum(dim=1)  # (K, K) -> (K,)
    return matrix.diagonal().double() / counts, counts


def confusion_matrix(logits: Tensor, labels: Tensor) -> Tensor:
    """Count the pairs of true and predicted class.

    Returns:
        (K, K), int64: row = true class, column = predicted class.
    """
    logits, labels = _checked(logits, labels)
    k = logits.shape[1]
    pairs = labels * k + logits.argmax(dim=1)  # (N,): the place of each pair in the flattened matrix
    return pairs.bincount(minlength=k * k).reshape(k, k)  # (K*K,) -> (K, K)


@dataclass(frozen=True)
class Calibration:
    """How well the probability of the predicted class fits the share of right predictions.

    The lists hold plain numbers, so that JSON can hold them: ``Calibration(**record["calibration"])`` brings one back.

    Attributes:
        edges: The M + 1 limits of the M bins, from 0 to 1. A bin holds its upper limit.
        confidence: Mean probability of the predicted class in each bin; None where a bin is empty.
        accuracy: Share of right predictions in each bin; None where a bin is empty.
        counts: Images in each bin.
        error: The expected calibration error: the mean over all images of the gap between the two in their bin.
    """

    edges: list[float]
    confidence: list[float | None]
    accuracy: list[float | None]
    counts: list[int]
    error: float


def calibration(logits: Tensor, labels: Tensor, bins: int = 15) -> Calibration:
    """Sort the predictions into bins by their probability and compare it with the accuracy in each bin.

    Args:
        logits: (N, K).
        labels: (N,).
        bins: Number M of bins of equal width.

    Raises:
        ValueError: There is not even one bin.

    Source: Guo et al. 2017, arXiv 1706.04599, section 2.
    """
    logits, labels = _checked(logits, labels)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}.")
    confidence, predicted = logits.double().softmax(dim=1).max(dim=1)  # (N, K) -> two (N,)
    right = (predicted == labels).double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    index = (torch.bucketize(confidence, edges) - 1).clamp(0, bins - 1)  # bin m is (edges[m], edges[m + 1]]
    counts = index.bincount(minlength=bins)
    confidence_sum = index.bincount(weights=confidence, minlength=bins)
    right_sum = index.bincount(weights=right, minlength=bins)

    def mean(sums: Tensor) -> list[float | None]:
        return [s / n if n else None for s, n in zip(sums.tolist(), counts.tolist(), strict=True)]

    return Calibration(
        edges=edges.tolist(),
        confidence=mean(confidence_sum),
        accuracy=mean(right_sum),
        counts=counts.tolist(),
        # The sum over bins of (n / N) * |accuracy - confidence|: n cancels.
        error=(confidence_sum - right_sum).abs().sum().item() / len(labels),
    )


def most_confident_mistakes(logits: Tensor, labels: Tensor, k: int = 12) -> Tensor:
    """Find the wrong predictions with the highest probability.

    Returns:
        Indices of at most k images, the most confident mistake first. Fewer if the model makes fewer mistakes.
    """
    logits, labels = _checked(logits, labels)
    confidence, predicted = logits.double().softmax(dim=1).max(dim=1)  # (N, K) -> two (N,)
    wrong = (predicted != labels).nonzero().squeeze(1)  # (mistakes,)
    return wrong[confidence[wrong].argsort(descending=True, stable=True)[:k]]


def evaluate(logits: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """Put all figures into one record that JSON can hold.

    Args:
        logits: (N, K).
        labels: (N,).
        classes: The K names.

    Returns:
        - "n": images; "classes": the names.
        - "accuracy", and "accuracy_standard_error": sqrt(p (1 - p) / n), the spread that chance in the choice of n
          images alone gives. It knows nothing of the spread between training runs.
        - "top_k" (5, or K if that is smaller) and "top_k_accuracy".
        - "loss": mean cross-entropy in nats.
        - "per_class_accuracy" (None for a class without images) and "per_class_count", in the order of the names.
        - "confusion": rows true, columns predicted.
        - "calibration_error", and "calibration" with the fields of :class:`Calibration`.

    Raises:
        ValueError: There are not as many names as logits for each image.
    """
    logits, labels = _checked(logits, labels)
    n, k = logits.shape
    if len(classes) != k:
        raise ValueError(f"There are {len(classes)} class names, but {k} logits for each image.")
    share = accuracy(logits, labels)
    class_accuracy, class_count = per_class_accuracy(logits, labels)
    reliability = calibration(logits, labels)
    return {
        "n": n,
        "classes": list(classes),
        "accuracy": share,
        "accuracy_standard_error": math.sqrt(share * (1 - share) / n),
        "top_k": min(5, k),
        "top_k_accuracy": top_k_accuracy(logits, labels, min(5, k)),
        "loss": F.cross_entropy(logits.double(), labels).item(),
        "per_class_accuracy": [None if math.isnan(value) else value for value in class_accuracy.tolist()],
        "per_class_count": class_count.tolist(),
        "confusion": confusion_matrix(logits, labels).tolist(),
        "calibration_error": reliability.error,
        "calibration": dataclasses.asdict(reliability),
    }


def _checked(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits and labels on the CPU, or say what is wrong with them."""
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"Logits must be (N, K) and labels (N,), but they are {tuple(logits.shape)} and {tuple(labels.shape)}."
        )
    if logits.numel() == 0:
        raise ValueError("There is nothing to evaluate: the logits are empty.")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"Labels must be whole numbers, not {labels.dtype}.")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(
            f"Labels must lie between 0 and {logits.shape[1] - 1}, but they go from {labels.min()} to {labels.max()}."
        )
    if logits.isnan().any():
        raise ValueError("The logits hold NaN: the model has diverged. Train it again with a smaller learning rate.")
    return logits.detach().cpu(), labels.long().cpu()
