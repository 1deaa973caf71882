"""Attempts at the exercises of lesson 00 (start), wrong and right, written as learners may write them."""

from collections.abc import Callable

import numpy as np
import torch

from course_utils.checks import start
from course_utils.checks.core import Exercise


def first_name(logits, classes):
    return list(classes)[0]  # noqa: RUF015


def least_likely(logits, classes):
    numbers = logits.tolist()
    return classes[numbers.index(min(numbers))]


def place(logits, classes):
    best = 0
    for i, value in enumerate(logits):
        if value > logits[best]:
            best = i
    return best


def place_as_tensor(logits, classes):
    return torch.argmax(logits)


def how_large(logits, classes):
    return max(logits)


def best_probability(logits, classes):
    shares = torch.exp(logits)
    return (shares / shares.sum()).max().item()


def farthest_from_zero(logits, classes):
    return classes[torch.argmax(torch.sqrt(logits * logits))]


def one_before(logits, classes):
    return classes[logits.tolist().index(max(logits.tolist())) - 1]


def one_after(logits, classes):
    number = logits.argmax() + 1
    return classes[number]


def by_alphabet(logits, classes):
    return sorted(classes)[-1]


def all_but_the_last(logits, classes):
    best = 0
    for i in range(len(logits) - 1):
        if logits[i] > logits[best]:
            best = i
    return classes[best]


def neighbours(logits, classes):
    best = 0
    for i in range(len(logits) - 1):
        if logits[i + 1] > logits[i]:
            best = i + 1
    return classes[best]


def rounded(logits, classes):
    whole = [round(value) for value in logits.tolist()]
    return classes[whole.index(max(whole))]


def columns(logits, labels):
    answers = torch.max(logits, 0).indices
    return torch.mean((answers == labels).float())


def one_answer_for_all(logits, labels):
    return sum(int(torch.argmax(logits) == label) for label in labels) / len(labels)


def believes_least(logits, labels):
    right = 0
    for row, label in zip(logits, labels, strict=True):
        right += int((-row).argmax() == label)
    return right / len(labels)


def how_many(logits, labels):
    return sum(int(row.argmax()) == int(label) for row, label in zip(logits, labels, strict=True))


def per_cent(logits, labels):
    return round(100 * how_many(logits, labels) / len(labels), 6)


def error_rate(logits, labels):
    return (logits.max(dim=1).indices != labels).double().mean().item()


def by_classes(logits, labels):
    return how_many(logits, labels) / logits.size(1)


def soft(logits, labels):
    probabilities = torch.softmax(logits, -1)
    return sum(probabilities[i, labels[i]] for i in range(len(labels))) / len(labels)


def all_right(logits, labels):
    return torch.equal(logits.argmax(dim=-1), labels)


def without_the_last(logits, labels):
    right = 0
    for i in range(len(labels) - 1):
        right += int(logits[i].argmax() == labels[i])
    return right / len(labels)


def from_one(logits, labels):
    right = [float(logits[i].argmax() == labels[i]) for i in range(1, len(labels))]
    return sum(right) / len(labels)


def rounded_rows(logits, labels):
    answers = torch.floor(logits + 0.5).argmax(dim=1)
    return (answers == labels).sum().item() / len(labels)


WRONG_ATTEMPTS: list[tuple[Exercise, str, Callable]] = [
    (start.name_of_class, "always the same class", first_name),
    (start.name_of_class, "the smallest logit", least_likely),
    (start.name_of_class, "the number instead of the name", place),
    (start.name_of_class, "the number instead of the name", place_as_tensor),
    (start.name_of_class, "the logit instead of its place", how_large),
    (start.name_of_class, "the logit instead of its place", best_probability),
    (start.name_of_class, "the sign is lost", farthest_from_zero),
    (start.name_of_class, "counted from 1", one_before),
    (start.name_of_class, "counted from 1", one_after),
    (start.name_of_class, "the last in the alphabet", by_alphabet),
    (start.name_of_class, "the last logit left out", all_but_the_last),
    (start.name_of_class, "neighbours compared", neighbours),
    (start.name_of_class, "the logits are rounded", rounded),
    (start.accuracy, "the last image left out", without_the_last),
    (start.accuracy, "the first image left out", from_one),
    (start.accuracy, "the logits are rounded", rounded_rows),
    (start.accuracy, "argmax over the images", columns),
    (start.accuracy, "argmax without an axis", one_answer_for_all),
    (start.accuracy, "the smallest logit", believes_least),
    (start.accuracy, "the number of right answers", how_many),
    (start.accuracy, "in per cent", per_cent),
    (start.accuracy, "the share of wrong answers", error_rate),
    (start.accuracy, "divided by the number of classes", by_classes),
    (start.accuracy, "the mean probability of the right class", soft),
    (start.accuracy, "only whether all are right", all_right),
]


def by_sorting(logits, classes):
    return max(zip(logits.tolist(), classes, strict=True))[1]


def by_loop(logits, classes):
    return classes[place(logits, classes)]


def counted(logits, labels):
    return how_many(logits, labels) / len(labels)


def as_tensor(logits, labels):
    return torch.eq(torch.argmax(logits, 1), labels).sum() / labels.numel()


def by_numpy(logits, labels):
    return np.mean(logits.numpy().argmax(axis=1) == labels.numpy()).item()


def by_topk(logits, classes):
    return classes[logits.topk(1).indices.item()]


RIGHT_ATTEMPTS: list[tuple[Exercise, Callable]] = [
    (start.name_of_class, by_sorting),
    (start.name_of_class, by_loop),
    (start.name_of_class, by_topk),
    (start.accuracy, by_numpy),
    (start.accuracy, counted),
    (start.accuracy, as_tensor),
]
