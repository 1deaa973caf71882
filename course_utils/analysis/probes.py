"""Lesson 09 (finetuning): what a frozen body knows, asked by a linear map or by the nearest neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.analysis.evaluation import predict


def features_of(model: nn.Module, images: Tensor, batch_size: int = 256) -> Tensor:
    """Return what a model's head reads, for many images.

    Args:
        model: With a ``head``. It is not changed.
        images: (N, C, H, W), as :func:`course_utils.analysis.evaluation.predict` takes them.
        batch_size: Images at a time.

    Returns:
        (N, D), float32, on the CPU, without gradient.

    Raises:
        ValueError: There are no images, or the model does not know how to normalise them.
    """
    kept: list[Tensor] = []
    handle = model.get_submodule("head").register_forward_pre_hook(lambda head, given: kept.append(given[0].detach()))
    try:
        predict(model, images, batch_size=batch_size)
    finally:
        handle.remove()
    return torch.cat([each.float().cpu() for each in kept])  # many (B, D) -> (N, D)


def linear_probe(features: Tensor, labels: Tensor, num_classes: int, penalty: float = 1e-3) -> nn.Linear:
    """Fit a linear map from features to classes: logistic regression, to the end, without a learning rate to choose.

    The loss is the mean cross-entropy plus ``penalty`` / 2 times the square of the weights on features that have mean 0
    and standard deviation 1; it has one minimum, which L-BFGS finds.

    Args:
        features: (N, D).
        labels: (N,), whole numbers from 0 to K - 1.
        num_classes: K.
        penalty: How strongly large weights are held back, above 0.

    Returns:
        A map from features (.., D), as they are, to logits (.., K).

    Raises:
        ValueError: The shapes do not fit, or the penalty is not above 0.
    """
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise ValueError(
            f"Features (N, D) and labels (N,) are needed, not {tuple(features.shape)}, {tuple(labels.shape)}."
        )
    if not penalty > 0:
        raise ValueError(f"penalty must be above 0, not {penalty}: without it, the weights may grow without end.")
    x = features.double()
    mean, std = x.mean(dim=0), x.std(dim=0, unbiased=False).clamp(min=1e-6)  # (D,)
    x = (x - mean) / std
    weight = torch.zeros(num_classes, x.shape[1], dtype=torch.float64, requires_grad=True)  # (K, D)
    bias = torch.zeros(num_classes, dtype=torch.float64, requires_grad=True)  # (K,)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=500, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(F.linear(x, weight, bias), labels) + penalty / 2 * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]  # it wants a float, and takes a tensor
    probe = nn.Linear(x.shape[1], num_classes)
    with torch.no_grad():  # standardising goes into the map: w (x - mean) / std + b
        probe.weight.copy_(weight / std)
        probe.bias.copy_(bias - (weight / std) @ mean)
    return probe.requires_grad_(False)


def knn(features: Tensor, labels: Tensor, queries: Tensor, k: int = 20, temperature: float = 0.07) -> Tensor:
    """Let the k nearest known images vote for each query; the nearer, the more a vote counts.

    Args:
        features: (N, D), of images whose class is known.
        labels: (N,).
        queries: (M, D).
        k: How many vote; at most N.
        temperature: A vote weighs exp(cosine / temperature).

    Returns:
        The share of the votes for each class, (M, K), K the largest label plus 1.

    Raises:
        ValueError: k or the temperature is impossible.

    Source: Wu et al. 2018, arXiv 1805.01978, section 3.4, with their temperature; k as in DINO, arXiv 2104.14294.
    """
    if not 1 <= k <= len(features):
        raise ValueError(f"k must be from 1 to the number of known images, {len(features)}, not {k}.")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}.")
    cosine = F.normalize(queries, dim=1) @ F.normalize(features, dim=1).T  # (M, D), (N, D) -> (M, N)
    nearest, places = cosine.topk(k, dim=1)  # (M, k)
    weights = (nearest / temperature).softmax(dim=1)  # (M, k): a common factor cancels
    votes = torch.zeros(len(queries), int(labels.max()) + 1, dtype=weights.dtype)
    return votes.scatter_add_(1, labels[places], weights)  # (M, k) -> (M, K)
