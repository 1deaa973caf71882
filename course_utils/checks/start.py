"""Lesson 00 (start): checks of the exercises."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils.analysis import evaluation as package
from course_utils.checks.core import Exercise, Mistake

# --- name_of_class


def _name_examples() -> list[tuple[Any, ...]]:
    return [
        (torch.tensor([0.5, 2.0, -3.0]), ("cat", "dog", "ship")),
        (torch.tensor([0.3, 0.2, 0.1]), ("deer", "frog", "horse")),  # the first
        (torch.tensor([-1.0, -4.0, -0.2, -2.0]), ("cat", "dog", "deer", "bird")),  # none is above 0
        (torch.tensor([4.0, 0.1, 0.2, 0.3, 9.0, -20.0]), ("ship", "truck", "cat", "frog", "bird", "dog")),
        # 3.1 and 3.4 round to the same; the last number is larger than the one before it
        (torch.tensor([1.3, 3.1, 2.2, 3.4, 1.0, 2.5]), ("horse", "deer", "ship", "cat", "dog", "truck")),
        (torch.tensor([0.6, -1000.0, 0.9, 1.4]), ("truck", "bird", "frog", "dog")),  # the last; 0.9 and 1.4 round to 1
        (torch.tensor([900.0, 1000.0, -5.0]), ("bird", "ship", "frog")),  # too large for exp()
        (torch.arange(2000.0) % 1999, tuple(f"class {number}" for number in range(2000))),  # many classes
    ]


def _last_rise(logits: Tensor, classes: tuple[str, ...]) -> str:
    rises = [place for place in range(1, len(logits)) if logits[place] > logits[place - 1]]
    return classes[rises[-1] if rises else 0]


def _first_fall(logits: Tensor, classes: tuple[str, ...]) -> str:
    falls = [place for place in range(len(logits) - 1) if logits[place] > logits[place + 1]]
    return classes[falls[0] if falls else -1]


def _first_above(logits: Tensor, classes: tuple[str, ...]) -> str | None:
    return next((name for logit, name in zip(logits, classes, strict=True) if logit > 0), None)


name_of_class = Exercise(
    "name_of_class",
    lambda logits, classes: classes[int(logits.argmax())],
    _name_examples,
    (
        Mistake(
            "always the same class",
            "You return the name at the same place of `classes` for every picture, whatever the logits are. The answer "
            "must depend on them: find the place of the largest one, and return the name that stands at this place.",
            lambda logits, classes: classes[0],
            lambda logits, classes: classes[-1],
        ),
        Mistake(
            "the smallest logit",
            "You return the class with the smallest logit, the one that the model believes in least. A large logit "
            "means: I think it is this one.",
            lambda logits, classes: classes[int(logits.argmin())],
        ),
        Mistake(
            "the number instead of the name",
            "You return the place of the class, a number. That is nearly it: a person wants to read a word. "
            "`classes` holds the words, in the same order as the logits.",
            lambda logits, classes: int(logits.argmax()),
            lambda logits, classes: float(logits.argmax()),
        ),
        Mistake(
            "the logit instead of its place",
            "You return how large the largest number is. But which class is it? What is needed is the place of the "
            "largest number: `max` and `argmax` are two different things.",
            lambda logits, classes: float(logits.max()),
            lambda logits, classes: float(logits.softmax(dim=-1).max()),
            lambda logits, classes: float(100 * logits.softmax(dim=-1).max()),
        ),
        Mistake(
            "the sign is lost",
            "You take the logit that is farthest from 0, but a logit of -20 means: surely not. The sign matters, so "
            "leave it in.",
            lambda logits, classes: classes[int(logits.abs().argmax())],
            lambda logits, classes: classes[int((logits**2).argmax())],
        ),
        Mistake(
            "counted from 1",
            "You are one place off. Python and PyTorch count from 0: the first logit belongs to classes[0].",
            lambda logits, classes: classes[int(logits.argmax()) - 1],
            lambda logits, classes: classes[int(logits.argmax()) + 1],
        ),
        Mistake(
            "the last logit left out",
            "You search all logits but the last one. `range(len(logits) - 1)` stops one place too early, and so does "
            "`logits[:-1]`.",
            lambda logits, classes: classes[int(logits[:-1].argmax())],
        ),
        Mistake(
            "neighbours compared",
            "You compare each logit with the one beside it, so you find where the numbers go up. Compare each logit "
            "with the largest one found so far.",
            _last_rise,
            _first_fall,
        ),
        Mistake(
            "the logits are rounded",
            "You lose what stands behind the point: 3.1 and 3.4 become the same number, and the first of them wins. "
            "Compare the logits as they are.",
            lambda logits, classes: classes[int(logits.round().argmax())],
            lambda logits, classes: classes[int(logits.int().argmax())],
        ),
        Mistake(
            "the last in the alphabet",
            "You compare the names, and the alphabet knows nothing about the picture. Compare the logits.",
            lambda logits, classes: max(classes),
            lambda logits, classes: min(classes),
        ),
        Mistake(
            "a best of 0 to begin with",
            "Your search begins with 0 as the best logit so far, so it finds nothing where all logits are negative. "
            "Begin with the first logit, or with minus infinity.",
            lambda logits, classes: classes[int(logits.clamp(min=0).argmax())],
            lambda logits, classes: classes[int(logits.argmax())] if logits.max() > 0 else None,
            lambda logits, classes: classes[int(logits.argmax())] if logits.max() > 0 else "",
            lambda logits, classes: classes[int(logits.argmax())] if logits.max() > 0 else classes[-1],
        ),
        Mistake(
            "the first logit above 0",
            "You return the first class whose logit is above 0. Several may be above 0, or none: the largest one "
            "decides.",
            _first_above,
            lambda logits, classes: _first_above(logits, classes) or classes[0],
            lambda logits, classes: _first_above(logits, classes) or classes[-1],
            lambda logits, classes: _first_above(logits, classes) or "",
        ),
        Mistake(
            "the names are sorted",
            "You bring the names into another order. The logits stand in the order of `classes`: leave it as it is.",
            lambda logits, classes: sorted(classes)[int(logits.argmax())],
            lambda logits, classes: classes[::-1][int(logits.argmax())],
        ),
        Mistake(
            "probabilities overflow",
            "You compute probabilities with exp(), and exp(1000) is too large for a computer: the result is nan. The "
            "largest logit has the largest probability, so no probability is needed.",
            lambda logits, classes: classes[int((logits.exp() / logits.exp().sum()).argmax())],
            lambda logits, classes: classes[int(logits.exp().argmax())],
        ),
    ),
    "The largest logit decides, also when all of them are negative. This is how a classifier answers.",
)


# --- accuracy


def _accuracy_examples() -> list[tuple[Any, ...]]:
    return [
        (torch.tensor([[4.0, 0.0], [0.0, 1.0], [3.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 1, 0, 1])),  # right: 3 of 4
        (torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 4.0], [3.0, 5.0, 1.0]]), torch.tensor([0, 1, 0])),  # 1 of 3
        (torch.tensor([[0.1, 0.4, 0.2], [0.9, 0.3, 0.8]]), torch.tensor([1, 2])),  # 1 of 2
        (torch.tensor([[-1.0, -2.0, -3.0, -9.0, -4.0]]), torch.tensor([3])),  # 0 of 1
        # 2 of 5: the last is right, and the next to last; 1.4 and 1.2 round to the same
        (
            torch.tensor([[1.2, 1.4], [0.0, -1.0], [5.0, 2.0], [1000.0, 0.0], [0.3, 0.4]]),
            torch.tensor([0, 1, 1, 0, 1]),
        ),
        (torch.tensor([[1.2, 1.4, 0.1], [0.2, -0.4, -3.0]]), torch.tensor([1, 0])),  # 2 of 2
    ]


def _hits(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(dim=1) == labels).float()


accuracy = Exercise(
    "accuracy",
    package.accuracy,
    _accuracy_examples,
    (
        Mistake(
            "argmax over the images",
            "You look for the largest number of each column. A column holds one class for all images, so you found "
            "an image for each class. Each row is one image: which axis counts the classes? `logits` is (N, K).",
            lambda logits, labels: (logits.argmax(dim=0) == labels).float().mean(),
            lambda logits, labels: (labels == logits.argmax(dim=0)).float().mean(),
            lambda logits, labels: (logits.argmax(dim=0) == labels).float().sum() / len(labels),
            lambda logits, labels: (
                sum(a == b for a, b in zip(logits.argmax(dim=0), labels, strict=False)) / len(labels)
            ),
        ),
        Mistake(
            "argmax without an axis",
            "You have one answer for all images: the place of the largest number of the whole table (this is what "
            "argmax gives without `dim`). Comparing it with N labels raises no error, which makes this mistake hard to "
            "see. Each image needs its own answer.",
            lambda logits, labels: (logits.argmax() == labels).float().mean(),
        ),
        Mistake(
            "the smallest logit",
            "You compare the label with the class that the model believes in least. The largest logit is its answer.",
            lambda logits, labels: (logits.argmin(dim=1) == labels).float().mean(),
        ),
        Mistake(
            "the number of right answers",
            "You count the right answers. Right: but 3 of 4 is good and 3 of 1,000 is not. An accuracy is a share "
            "from 0 to 1.",
            lambda logits, labels: _hits(logits, labels).sum(),
        ),
        Mistake(
            "in per cent",
            "Your result is a hundred times too large: you return per cent. The task asks for a share from 0 to 1. "
            "Which of the two a number is leads to many mix-ups, so one form is kept throughout the course.",
            lambda logits, labels: 100 * _hits(logits, labels).mean(),
        ),
        Mistake(
            "the share of wrong answers",
            "You return the share of the images for which the model is wrong (the error rate). Accuracy is the share "
            "for which it is right.",
            lambda logits, labels: 1 - _hits(logits, labels).mean(),
        ),
        Mistake(
            "divided by the number of classes",
            "You divide by the number of classes. A share of the images needs the number of images below the line.",
            lambda logits, labels: _hits(logits, labels).sum() / logits.shape[1],
            lambda logits, labels: _hits(logits, labels).sum() / logits.numel(),
        ),
        Mistake(
            "the mean probability of the right class",
            "You average how much the model believes in the right class. That is worth knowing, but accuracy asks only "
            "whether the right class comes first: right or wrong, 1 or 0.",
            lambda logits, labels: logits.softmax(dim=1).gather(1, labels[:, None]).mean(),
            lambda logits, labels: logits.gather(1, labels[:, None]).mean(),
        ),
        Mistake(
            "the last image left out",
            "The last image does not count in your result. `range(len(labels) - 1)` stops one place too early, and so "
            "does `[:-1]`.",
            lambda logits, labels: _hits(logits, labels)[:-1].sum() / len(labels),
            lambda logits, labels: _hits(logits, labels)[:-1].mean(),
        ),
        Mistake(
            "the first image left out",
            "The first image does not count in your result: Python counts from 0.",
            lambda logits, labels: _hits(logits, labels)[1:].sum() / len(labels),
            lambda logits, labels: _hits(logits, labels)[1:].mean(),
        ),
        Mistake(
            "the logits are rounded",
            "You lose what stands behind the point: 1.4 and 1.2 become the same number, and the first of them wins. "
            "Compare the logits as they are.",
            lambda logits, labels: _hits(logits.round(), labels).mean(),
            lambda logits, labels: _hits(logits.int(), labels).mean(),
        ),
        Mistake(
            "only whether all are right",
            "You say whether all answers are right (as `//` does too: it rounds down). That is one yes or no for the "
            "whole set; the share of right answers says more.",
            lambda logits, labels: bool(_hits(logits, labels).all()),
        ),
        Mistake(
            "the largest logit compared with the label",
            "You compare the largest logit itself with the label. The label is the number of a class, so compare it "
            "with the *place* of the largest logit: `max` and `argmax` are two different things.",
            lambda logits, labels: (logits.amax(dim=1) == labels).float().mean(),
        ),
        Mistake(
            "mean over the classes",
            "You take the share of right answers in each class, and then the mean over the classes. A class with few "
            "images then counts as much as one with many. Here every image counts the same.",
            lambda logits, labels: torch.stack(
                [_hits(logits, labels)[labels == k].mean() for k in labels.unique()]
            ).mean(),
        ),
        Mistake(
            "only the first image counts",
            "Only the first image counts in your result. Does the `return` stand inside the loop?",
            lambda logits, labels: _hits(logits, labels)[0] / len(labels),
            lambda logits, labels: _hits(logits, labels)[0],
        ),
        Mistake(
            "divided by one less",
            "You divide by the number of images less 1. Of N images, N can be right.",
            lambda logits, labels: _hits(logits, labels).sum() / max(1, len(labels) - 1),
            lambda logits, labels: _hits(logits, labels).sum() / (len(labels) - 1),
        ),
        Mistake(
            "a logit above 0 counts as right",
            "You ask whether the logit of the true class is above 0. It must be the largest of its row, whatever its "
            "sign.",
            lambda logits, labels: (logits.gather(1, labels[:, None]) > 0).float().mean(),
        ),
    ),
    "Each image has its own answer, and the share of right ones lies between 0 and 1.",
    forbidden=(package.accuracy,),
)
