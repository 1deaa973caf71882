"""Which training images are set aside for validation: the same ones on every machine, the same share of each class."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

VALIDATION_SHARE = 10  # one image in ten


def shuffled_by_class(labels: Tensor, indices: Tensor, seed: int) -> list[Tensor]:
    """Put the images of each class into a random order that depends on nothing but the seed and their numbers.

    Each image gets a random key by its number in the official data set, and a class is sorted by key. So two
    images stand in the same order in the whole data set and in the shipped sample.

    Args:
        labels: int64 ``(N,)``.
        indices: int64 ``(N,)``: the number of each image in the official order, 0 or more.
        seed: 0 or more.

    Returns:
        For each class, positions into ``labels``.
    """
    # The raw stream of PCG64 is the same in every release of NumPy; torch.randperm makes no such promise.
    keys = np.random.PCG64(seed).random_raw(int(indices.max()) + 1)[indices.numpy()]
    order = torch.from_numpy(np.argsort(keys, kind="stable"))
    return [order[labels[order] == label] for label in range(int(labels.max()) + 1)]


def split_positions(labels: Tensor, indices: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Divide training images into training and validation, class by class.

    Args:
        labels: As in :func:`shuffled_by_class`.
        indices: As in :func:`shuffled_by_class`.
        seed: As in :func:`shuffled_by_class`.

    Returns:
        Positions for training (nine tenths of each class) and for validation (one tenth), each ascending.
    """
    classes = shuffled_by_class(labels, indices, seed)
    train = torch.cat([order[len(order) // VALIDATION_SHARE :] for order in classes])
    validation = torch.cat([order[: len(order) // VALIDATION_SHARE] for order in classes])
    return train.sort().values, validation.sort().values
