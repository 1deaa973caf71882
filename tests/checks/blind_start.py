"""Attempts at lesson 00 (start), written from the tasks' texts by someone who had not seen the checks."""
# ruff: noqa  - learners' code

from course_utils.checks import start as checks


def name_of_class_wrong_01():
    """Returns the first class."""

    def name_of_class(logits, classes):
        return classes[0]

    return name_of_class


def name_of_class_wrong_02():
    """Returns the place instead of the name."""

    def name_of_class(logits, classes):
        return int(logits.argmax())

    return name_of_class


def name_of_class_wrong_03():
    """Returns the largest logit instead of the name."""

    def name_of_class(logits, classes):
        return logits.max()

    return name_of_class


def name_of_class_wrong_04():
    """Prints instead of returning."""

    def name_of_class(logits, classes):
        print(classes[int(logits.argmax())])

    return name_of_class


def name_of_class_wrong_05():
    """Argmin."""

    def name_of_class(logits, classes):
        return classes[int(logits.argmin())]

    return name_of_class


def name_of_class_wrong_06():
    """Largest absolute value."""

    def name_of_class(logits, classes):
        best = int(logits.abs().argmax())
        return classes[best]

    return name_of_class


def name_of_class_wrong_07():
    """[corner] loop that starts with a best of 0, so all-negative logits give the first class."""

    def name_of_class(logits, classes):
        best, place = 0.0, 0
        for i, value in enumerate(logits.tolist()):
            if value > best:
                best, place = value, i
        return classes[place]

    return name_of_class


def name_of_class_wrong_08():
    """[corner] loop that forgets the last class."""

    def name_of_class(logits, classes):
        place = 0
        for i in range(len(classes) - 1):
            if logits[i] > logits[place]:
                place = i
        return classes[place]

    return name_of_class


def name_of_class_wrong_09():
    """[corner] hard-coded for three classes."""

    def name_of_class(logits, classes):
        if logits[0] > logits[1] and logits[0] > logits[2]:
            return classes[0]
        if logits[1] > logits[2]:
            return classes[1]
        return classes[2]

    return name_of_class


def name_of_class_wrong_10():
    """Rounds to whole numbers before searching."""

    def name_of_class(logits, classes):
        return classes[int(logits.int().argmax())]

    return name_of_class


def name_of_class_wrong_11():
    """Threshold of 0: the first positive logit."""

    def name_of_class(logits, classes):
        for value, name in zip(logits, classes):
            if value > 0:
                return name

    return name_of_class


def name_of_class_wrong_12():
    """Names in the order of the alphabet."""

    def name_of_class(logits, classes):
        return sorted(classes)[int(logits.argmax())]

    return name_of_class


def name_of_class_wrong_13():
    """Answer hard-coded from the example."""

    def name_of_class(logits, classes):
        return "dog"

    return name_of_class


def name_of_class_wrong_14():
    """Off by one."""

    def name_of_class(logits, classes):
        return classes[int(logits.argmax()) - 1]

    return name_of_class


def name_of_class_wrong_15():
    """[corner] softmax by hand overflows for large logits."""

    def name_of_class(logits, classes):
        probabilities = logits.exp() / logits.exp().sum()
        return classes[int(probabilities.argmax())]

    return name_of_class


def name_of_class_wrong_16():
    """Returns a tuple with the name in it."""

    def name_of_class(logits, classes):
        best = int(logits.argmax())
        return classes[best : best + 1]

    return name_of_class


def name_of_class_right_01():
    """Max over the places with a key."""

    def name_of_class(logits, classes):
        values = logits.tolist()
        return classes[max(range(len(values)), key=lambda place: values[place])]

    return name_of_class


def name_of_class_right_02():
    """Sorts the pairs by the logit."""

    def name_of_class(logits, classes):
        pairs = sorted(zip(logits.tolist(), classes), key=lambda pair: -pair[0])
        return pairs[0][1]

    return name_of_class


def name_of_class_right_03():
    """Numpy."""
    import numpy as np
    import torch

    def name_of_class(logits: torch.Tensor, classes: tuple[str, ...]) -> str:
        return classes[np.argmax(logits.detach().cpu().numpy())]

    return name_of_class


def name_of_class_right_04():
    """Loop from minus infinity."""
    import math

    def name_of_class(logits, classes):
        best, name = -math.inf, ""
        for value, candidate in zip(logits, classes):
            if value > best:
                best, name = value, candidate
        return name

    return name_of_class


def name_of_class_right_05():
    """Lambda, the tensor itself as the index."""
    name_of_class = lambda logits, classes: classes[logits.argmax()]

    return name_of_class


def name_of_class_right_06():
    """Topk."""
    import torch

    def name_of_class(logits, classes):
        values, places = torch.topk(logits, k=1)
        (place,) = places.tolist()
        return classes[place]

    return name_of_class


def name_of_class_right_07():
    """Recursion by halves."""

    def name_of_class(logits, classes):
        def best(first, last):
            if last - first == 1:
                return first
            middle = (first + last) // 2
            left, right = best(first, middle), best(middle, last)
            return right if logits[right] > logits[left] else left

        return classes[best(0, len(classes))]

    return name_of_class


def name_of_class_wrong_17():
    """[corner] recursion that is too deep for 1000 classes [raises]."""
    import torch

    def name_of_class(logits, classes):
        if len(classes) == 1:
            return classes[0]
        if logits[0] >= logits[1]:
            return name_of_class(torch.cat([logits[:1], logits[2:]]), classes[:1] + classes[2:])
        return name_of_class(logits[1:], classes[1:])

    return name_of_class


def name_of_class_right_08():
    """Class with __call__."""

    class Namer:
        def __call__(self, logits, classes):
            _, place = logits.max(dim=0)
            return classes[place.item()]

    name_of_class = Namer()

    return name_of_class


def accuracy_wrong_01():
    """Argmax along the wrong axis."""

    def accuracy(logits, labels):
        answers = logits.argmax(dim=0)
        return sum(a == b for a, b in zip(answers.tolist(), labels.tolist())) / len(labels)

    return accuracy


def accuracy_wrong_02():
    """[raises] argmax without an axis, then compares."""

    def accuracy(logits, labels):
        answers = logits.argmax()
        return (answers == labels).float().mean().item()

    return accuracy


def accuracy_wrong_03():
    """The number of right answers, not the share."""

    def accuracy(logits, labels):
        return float((logits.argmax(dim=1) == labels).sum())

    return accuracy


def accuracy_wrong_04():
    """In per cent."""

    def accuracy(logits, labels):
        return 100 * (logits.argmax(dim=1) == labels).float().mean().item()

    return accuracy


def accuracy_wrong_05():
    """Share of the wrong ones."""

    def accuracy(logits, labels):
        return (logits.argmax(dim=1) != labels).float().mean().item()

    return accuracy


def accuracy_wrong_06():
    """Divides by the number of classes."""

    def accuracy(logits, labels):
        right = (logits.argmax(dim=1) == labels).sum().item()
        return right / logits.shape[1]

    return accuracy


def accuracy_wrong_07():
    """Whole-number division."""

    def accuracy(logits, labels):
        right = (logits.argmax(dim=1) == labels).sum().item()
        return float(right // len(labels))

    return accuracy


def accuracy_wrong_08():
    """Mean probability of the true class."""
    import torch

    def accuracy(logits, labels):
        p = logits.softmax(dim=1)
        return p[torch.arange(len(labels)), labels].mean().item()

    return accuracy


def accuracy_wrong_09():
    """Compares the largest logits, not their places."""

    def accuracy(logits, labels):
        return (logits.max(dim=1).values == labels).float().mean().item()

    return accuracy


def accuracy_wrong_10():
    """Prints instead of returning."""

    def accuracy(logits, labels):
        print((logits.argmax(dim=1) == labels).float().mean().item())

    return accuracy


def accuracy_wrong_11():
    """[corner] two classes only: sign of the difference."""

    def accuracy(logits, labels):
        answers = (logits[:, 1] > logits[:, 0]).long()
        return (answers == labels).float().mean().item()

    return accuracy


def accuracy_wrong_12():
    """[corner] rounded to two digits."""

    def accuracy(logits, labels):
        return round((logits.argmax(dim=1) == labels).float().mean().item(), 2)

    return accuracy


def accuracy_wrong_13():
    """A list of shares, one for each class."""

    def accuracy(logits, labels):
        answers = logits.argmax(dim=1)
        return [(answers[labels == k] == k).float().mean().item() for k in range(logits.shape[1])]

    return accuracy


def accuracy_wrong_14():
    """Mean of the shares of the classes (balanced accuracy)."""
    import torch

    def accuracy(logits, labels):
        answers = logits.argmax(dim=1)
        shares = [(answers[labels == k] == k).float().mean() for k in labels.unique()]
        return torch.stack(shares).mean().item()

    return accuracy


def accuracy_wrong_15():
    """Return inside the loop: only the first image counts."""

    def accuracy(logits, labels):
        right = 0
        for row, label in zip(logits, labels):
            if row.argmax() == label:
                right += 1
            return right / len(labels)

    return accuracy


def accuracy_wrong_16():
    """[corner] divides by len - 1."""

    def accuracy(logits, labels):
        right = (logits.argmax(dim=1) == labels).sum().item()
        return right / max(1, len(labels) - 1)

    return accuracy


def accuracy_wrong_17():
    """A logit above 0 counts as the answer."""
    import torch

    def accuracy(logits, labels):
        own = logits[torch.arange(len(labels)), labels]
        return (own > 0).float().mean().item()

    return accuracy


def accuracy_wrong_18():
    """[mutates] puts logits to 0/1 in place."""
    import torch

    def accuracy(logits, labels):
        answers = logits.argmax(dim=1)
        logits.zero_()
        logits[torch.arange(len(answers)), answers] = 1
        return (answers == labels).float().mean().item()

    return accuracy


def accuracy_right_01():
    """Loop."""

    def accuracy(logits, labels):
        right = 0
        for row, label in zip(logits, labels):
            if int(row.argmax()) == int(label):
                right += 1
        return right / len(labels)

    return accuracy


def accuracy_right_02():
    """Numpy, float() around it."""
    import numpy as np

    def accuracy(logits, labels):
        table, true = np.asarray(logits.detach()), np.asarray(labels)
        return float(np.mean(np.argmax(table, axis=-1) == true))

    return accuracy


def accuracy_right_03():
    """Own logit against the largest one."""

    def accuracy(logits, labels):
        own = logits.gather(1, labels[:, None].long())[:, 0]
        return float((own == logits.amax(dim=1)).double().mean())

    return accuracy


def accuracy_right_04():
    """Sum over a generator."""
    import torch

    def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
        return sum(max(range(len(r)), key=r.__getitem__) == y for r, y in zip(logits.tolist(), labels.tolist())) / len(
            labels
        )

    return accuracy


def accuracy_right_05():
    """Nn.Module with forward."""
    import torch
    from torch import nn

    class Accuracy(nn.Module):
        def forward(self, logits, labels):
            hits = torch.eq(logits.max(dim=-1)[1], labels)
            return hits.sum().item() / hits.numel()

    accuracy = Accuracy()

    return accuracy


def accuracy_right_06():
    """Keyword names, default value, sort."""
    import torch

    def accuracy(logits, labels, k=1):
        best = torch.argsort(logits, dim=1, descending=True)[:, :k]
        return (best == labels[:, None]).any(dim=1).float().mean().item()

    return accuracy


# exercise, what the check says (None: wrong, without a name), attempt
ATTEMPTS = [
    (checks.name_of_class, "always the same class", name_of_class_wrong_01),
    (checks.name_of_class, "the number instead of the name", name_of_class_wrong_02),
    (checks.name_of_class, "the logit instead of its place", name_of_class_wrong_03),
    (checks.name_of_class, "nothing is returned", name_of_class_wrong_04),
    (checks.name_of_class, "the smallest logit", name_of_class_wrong_05),
    (checks.name_of_class, "the sign is lost", name_of_class_wrong_06),
    (checks.name_of_class, "a best of 0 to begin with", name_of_class_wrong_07),
    (checks.name_of_class, "the last logit left out", name_of_class_wrong_08),
    (checks.name_of_class, None, name_of_class_wrong_09),
    (checks.name_of_class, "the logits are rounded", name_of_class_wrong_10),
    (checks.name_of_class, "the first logit above 0", name_of_class_wrong_11),
    (checks.name_of_class, "the names are sorted", name_of_class_wrong_12),
    (checks.name_of_class, None, name_of_class_wrong_13),
    (checks.name_of_class, "counted from 1", name_of_class_wrong_14),
    (checks.name_of_class, "probabilities overflow", name_of_class_wrong_15),
    (checks.name_of_class, "wrapped in a tuple or a list", name_of_class_wrong_16),
    (checks.name_of_class, "correct", name_of_class_right_01),
    (checks.name_of_class, "correct", name_of_class_right_02),
    (checks.name_of_class, "correct", name_of_class_right_03),
    (checks.name_of_class, "correct", name_of_class_right_04),
    (checks.name_of_class, "correct", name_of_class_right_05),
    (checks.name_of_class, "correct", name_of_class_right_06),
    (checks.name_of_class, "correct", name_of_class_right_07),
    (checks.name_of_class, "right for some sizes only", name_of_class_wrong_17),
    (checks.name_of_class, "correct", name_of_class_right_08),
    (checks.accuracy, "argmax over the images", accuracy_wrong_01),
    (checks.accuracy, "argmax without an axis", accuracy_wrong_02),
    (checks.accuracy, "the number of right answers", accuracy_wrong_03),
    (checks.accuracy, "in per cent", accuracy_wrong_04),
    (checks.accuracy, "the share of wrong answers", accuracy_wrong_05),
    (checks.accuracy, "divided by the number of classes", accuracy_wrong_06),
    (checks.accuracy, "rounded", accuracy_wrong_07),
    (checks.accuracy, "the mean probability of the right class", accuracy_wrong_08),
    (checks.accuracy, "the largest logit compared with the label", accuracy_wrong_09),
    (checks.accuracy, "nothing is returned", accuracy_wrong_10),
    (checks.accuracy, None, accuracy_wrong_11),
    (checks.accuracy, "rounded", accuracy_wrong_12),
    (checks.accuracy, "another kind of result", accuracy_wrong_13),
    (checks.accuracy, "mean over the classes", accuracy_wrong_14),
    (checks.accuracy, "only the first image counts", accuracy_wrong_15),
    (checks.accuracy, "divided by one less", accuracy_wrong_16),
    (checks.accuracy, "a logit above 0 counts as right", accuracy_wrong_17),
    (checks.accuracy, "changes its input", accuracy_wrong_18),
    (checks.accuracy, "correct", accuracy_right_01),
    (checks.accuracy, "correct", accuracy_right_02),
    (checks.accuracy, "correct", accuracy_right_03),
    (checks.accuracy, "correct", accuracy_right_04),
    (checks.accuracy, "correct", accuracy_right_05),
    (checks.accuracy, "correct", accuracy_right_06),
]
