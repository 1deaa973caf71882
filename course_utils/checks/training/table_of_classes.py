"""The confusion matrix."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.analysis import evaluation
from course_utils.checks.core import Exercise, Mistake


def _confusion_examples() -> list[tuple[Any, ...]]:
    numbers = torch.Generator().manual_seed(6)
    draw = [torch.randint(5, (40,), generator=numbers) for _ in range(2)]
    return [
        (torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 2),
        (torch.tensor([2, 2, 2, 0]), torch.tensor([1, 1, 2, 0]), 3),  # one pair twice
        (torch.tensor([0, 1, 1]), torch.tensor([1, 0, 0]), 4),  # two classes do not occur
        (*draw, 6),  # class 5 does not occur
        (torch.ones(300, dtype=torch.int64), torch.arange(300) % 2, 2),
        (torch.ones(300, dtype=torch.int64), torch.ones(300, dtype=torch.int64), 3),  # more than a byte can count
    ]


def _matrix(predicted: Tensor, labels: Tensor, k: int) -> Tensor:
    return (labels * k + predicted).bincount(minlength=k * k).reshape(k, k)


def _each_pair_once(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    matrix[labels, predicted] += 1
    return matrix


confusion_matrix = Exercise(
    "confusion_matrix",
    lambda predicted, labels, num_classes: evaluation.confusion_matrix(
        F.one_hot(predicted, num_classes).float(), labels
    ),
    _confusion_examples,
    (
        Mistake(
            "floats instead of whole numbers",
            "The counts are right, but they are floats: torch.zeros makes floats if it is not told otherwise. Counts "
            "are whole numbers: dtype=torch.int64.",
            lambda predicted, labels, num_classes: _matrix(predicted, labels, num_classes).float(),
        ),
        Mistake(
            "rows and columns exchanged",
            "Your rows are what the model says. Here a row is what the image shows, and a column what the model says. "
            "Both forms are in use, so always look which one a figure has.",
            lambda predicted, labels, num_classes: _matrix(labels, predicted, num_classes),
        ),
        Mistake(
            "each pair is counted once",
            "Where a pair comes twice, you count it once: `matrix[labels, predicted] += 1` reads all cells, adds 1, "
            "and writes them back, so the second writing only repeats the first. Count in a loop, or give each pair a "
            "number and let bincount count the numbers.",
            _each_pair_once,
            lambda predicted, labels, num_classes: _each_pair_once(labels, predicted, num_classes),
        ),
        Mistake(
            "only the right answers",
            "You count where the two agree: that is the diagonal alone. The other cells say which classes are taken "
            "for each other, which is what the matrix is for.",
            lambda predicted, labels, num_classes: _matrix(predicted, labels, num_classes).diagonal().diag(),
        ),
        Mistake(
            "only the mistakes",
            "You leave the right answers out: the diagonal is empty. They belong to the matrix, so that a row sums to "
            "the number of images of that class.",
            lambda predicted, labels, num_classes: (
                _matrix(predicted, labels, num_classes) * (1 - torch.eye(num_classes, dtype=torch.int64))
            ),
        ),
        Mistake(
            "shares instead of counts",
            "You divide. The task asks for counts: whole numbers. Counts can be turned into shares later, of a row or "
            "of everything; from shares nobody gets the counts back.",
            lambda predicted, labels, num_classes: _matrix(predicted, labels, num_classes) / len(labels),
            lambda predicted, labels, num_classes: (
                _matrix(predicted, labels, num_classes)
                / _matrix(predicted, labels, num_classes).sum(dim=1, keepdim=True)
            ),
            lambda predicted, labels, num_classes: (
                _matrix(predicted, labels, num_classes)
                / _matrix(predicted, labels, num_classes).sum(dim=1, keepdim=True).clamp(min=1)
            ),
            lambda predicted, labels, num_classes: 100 * _matrix(predicted, labels, num_classes) // len(labels),
            lambda predicted, labels, num_classes: 100 * _matrix(predicted, labels, num_classes) / len(labels),
        ),
        Mistake(
            "the size comes from the data",
            "Here are four classes, of which only two occur. Your matrix is only as large as the largest number that "
            "occurs, or your code stops. It should have num_classes rows and columns always: bincount, for example, "
            "takes a `minlength`.",
            lambda predicted, labels, num_classes: _matrix(
                predicted, labels, int(max(labels.max(), predicted.max())) + 1
            ),
            lambda predicted, labels, num_classes: (
                (labels * num_classes + predicted).bincount().reshape(num_classes, num_classes)
            ),
        ),
        Mistake(
            "counted in both directions",
            "You count each mistake twice, once in each direction. Cat taken for dog and dog taken for cat are two "
            "different cells.",
            lambda predicted, labels, k: (
                (both := _matrix(predicted, labels, k) + _matrix(labels, predicted, k)) - both.diagonal().diag() // 2
            ),
        ),
        Mistake(
            "an image left out",
            "The last image is not counted, or the first. `range(len(labels) - 1)` stops one place too early.",
            lambda predicted, labels, k: _matrix(predicted[:-1], labels[:-1], k),
            lambda predicted, labels, k: _matrix(predicted[1:], labels[1:], k),
        ),
        Mistake(
            "the counts overflow",
            "In one cell more than 255 images are counted, and your numbers are too short for it (uint8 ends at 255, "
            "int8 at 127). Use torch.int64.",
            lambda predicted, labels, k: _matrix(predicted, labels, k).to(torch.uint8).long(),
            lambda predicted, labels, k: _matrix(predicted, labels, k).to(torch.int8).long(),
        ),
        Mistake(
            "all rows are the same list",
            "All your rows are one and the same list: `[[0] * K] * K` makes one row and shows it K times. Make a new "
            "list for each row, or use torch.zeros.",
            lambda predicted, labels, k: _matrix(predicted, labels, k).sum(dim=0).expand(k, k),
        ),
        Mistake(
            "every label with every prediction",
            "You count every label with every prediction, N times N pairs. Image i has one label and one prediction: "
            "go through both lists side by side.",
            lambda predicted, labels, k: labels.bincount(minlength=k)[:, None] * predicted.bincount(minlength=k),
        ),
    ),
    "Every pair is counted, every class has its row and its column, and a row is what the image shows.",
    forbidden=(evaluation.confusion_matrix,),
)
