"""Lessons 13 and 14 (masked, dino): how good features are, asked without training the model that makes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def knn(features: Tensor, labels: Tensor, queries: Tensor, k: int = 20, temperature: float = 0.07) -> Tensor:
    """Name classes by the nearest neighbours: nothing is trained.

    The k images whose features have the largest cosine with those of the query vote for their class, each with the
    weight exp(cosine / temperature).

    Args:
        features: Of images whose class is known, (M, D).
        labels: Their classes, (M,).
        queries: Features of the images to name, (N, D).
        k: How many neighbours vote; at most M.
        temperature: The smaller, the more the nearest count.

    Returns:
        Votes of each class, (N, K), K = largest label + 1. Each row sums to 1, so they can be read as logits' ranks.

    Raises:
        ValueError: k is below 1 or above M.

    Source: Wu et al. 2018, arXiv 1805.01978, section 3.4; k 20 and temperature 0.07 as in DINO, arXiv 2104.14294.
    """
    if not 1 <= k <= len(features):
        raise ValueError(f"k must lie between 1 and the number of known images, {len(features)}, not {k}.")
    known = F.normalize(features.float(), dim=1)  # (M, D)
    classes = F.one_hot(labels)  # (M,) -> (M, K)
    votes = []
    for some in F.normalize(queries.float(), dim=1).split(1000):  # (N, D) -> (n, D): all at once would fill the memory
        cosines, nearest = (some @ known.T).topk(k, dim=1)  # (n, D) @ (D, M) -> (n, M) -> two (n, k)
        weights = (cosines / temperature).softmax(dim=1)  # -> (n, k); the same ranks as exp, and never too large
        votes.append((weights[:, :, None] * classes[nearest]).sum(dim=1))  # (n, k, 1) * (n, k, K) -> (n, K)
    return torch.cat(votes)  # -> (N, K)
