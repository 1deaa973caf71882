"""Attempts at the exercises of lesson 06 (training), wrong and right, written as learners may write them."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from course_utils.checks import training
from course_utils.checks.core import Exercise

# --- learning_rate_at


def all_cosine(step, total_steps, peak, warmup_steps):
    return peak / 2 + peak / 2 * np.cos(np.pi * step / (total_steps - 1))


def full_at_once(step, total_steps, peak, warmup_steps):
    if step < warmup_steps:
        return peak
    return fall(step, total_steps, peak, warmup_steps)


def fall(step, total_steps, peak, warmup_steps):
    moves = total_steps - warmup_steps - 1
    return peak * math.cos(math.pi / 2 * (step - warmup_steps) / moves) ** 2  # cos² is half of 1 + cos of twice


def from_zero(step, total_steps, peak, warmup_steps):
    if step >= warmup_steps:
        return fall(step, total_steps, peak, warmup_steps)
    return step * peak / warmup_steps


def from_zero_to_the_peak(step, total_steps, peak, warmup_steps):
    if step >= warmup_steps:
        return fall(step, total_steps, peak, warmup_steps)
    return float(np.linspace(0, peak, warmup_steps)[step])


def never_up(step, total_steps, peak, warmup_steps):
    if step >= warmup_steps:
        return fall(step, total_steps, peak, warmup_steps)
    return float(np.linspace(0, peak, warmup_steps + 2)[step + 1])


def rise_then(curve):
    def rate(step, total_steps, peak, warmup_steps):
        if warmup_steps > step:
            return peak * (step + 1) / warmup_steps
        return curve(step - warmup_steps, total_steps - warmup_steps, peak, step, total_steps)

    return rate


def cosine(t):
    return (math.cos(t) + 1) / 2


never_at_the_end = rise_then(lambda i, n, peak, step, total: peak * cosine(math.pi * i / n))
since_the_start = rise_then(lambda i, n, peak, step, total: peak * cosine(math.pi * step / (total - 1)))
since_the_start_short = rise_then(lambda i, n, peak, step, total: peak * cosine(math.pi * step / total))
line = rise_then(lambda i, n, peak, step, total: peak * (n - 1 - i) / (n - 1))
whole_period = rise_then(lambda i, n, peak, step, total: peak * cosine(math.tau * i / (n - 1)))
quarter = rise_then(lambda i, n, peak, step, total: peak * math.sin(math.pi / 2 * (1 - i / (n - 1))))
degrees = rise_then(lambda i, n, peak, step, total: peak * cosine(180 * i / (n - 1)))
negative = rise_then(lambda i, n, peak, step, total: peak * math.cos(i / (n - 1) * math.pi))
double = rise_then(lambda i, n, peak, step, total: peak + peak * math.cos(i / (n - 1) * math.pi))


def always_to_one(step, total_steps, peak, warmup_steps):
    if step < warmup_steps:
        return (1 + step) / warmup_steps
    return fall(step, total_steps, 1, warmup_steps)


def one_too_many(step, total_steps, peak, warmup_steps):
    if step <= warmup_steps:
        return (step + 1) / warmup_steps * peak
    return fall(step, total_steps, peak, warmup_steps)


def with_a_floor(step, total_steps, peak, warmup_steps):
    rate = squared_cosine(step, total_steps, peak, warmup_steps)
    return rate if rate > 1e-5 else 1e-5


# --- cross_entropy


def one_by_one(logits, labels):
    return [functional.log_softmax(row, dim=0)[label] for row, label in zip(logits, labels, strict=True)]


def added_up(logits, labels):
    return -sum(one_by_one(logits, labels))


def divided_by_all(logits, labels):
    return -sum(one_by_one(logits, labels)) / (logits.shape[0] * logits.shape[1])


def unsigned(logits, labels):
    return sum(one_by_one(logits, labels)) / len(labels)


def along_the_batch(logits, labels):
    probabilities = torch.softmax(logits, 0)
    rows = torch.arange(len(labels))
    return -torch.log(probabilities[rows, labels]).mean()


def log_of_logits(logits, labels):
    return torch.mean(-torch.log(logits[torch.arange(len(labels)), labels]))


def only_logits(logits, labels):
    return -sum(row[label] for row, label in zip(logits, labels, strict=True)) / len(labels)


def only_probabilities(logits, labels):
    shares = torch.softmax(logits, dim=-1)
    return sum(1 - shares[i, label] for i, label in enumerate(labels)) / len(labels)


def pairs_of_all(logits, labels):
    logs = torch.log_softmax(logits, -1)
    return -torch.index_select(logs, 1, labels).mean()


def its_own_choice(logits, labels):
    answers = logits.argmax(dim=1)
    return functional.cross_entropy(logits, answers)


def everything(logits, labels):
    return torch.logsumexp(logits, 1).mean() - logits.mean()


def in_bits(logits, labels):
    return functional.cross_entropy(logits, labels) * math.log2(math.e)


def in_bits_and_overflowing(logits, labels):
    shares = logits.softmax(-1)[range(len(labels)), labels]
    return -shares.log2().mean()


def textbook(logits, labels):
    powers = torch.exp(logits)
    shares = powers / powers.sum(1)[:, None]
    return -torch.log(shares[range(len(labels)), labels]).mean()


def textbook_softmax(logits, labels):
    hot = functional.one_hot(labels, logits.shape[1]).bool()
    return -torch.log(torch.softmax(logits, 1))[hot].mean()


def twice(logits, labels):
    probabilities = torch.softmax(logits, dim=1)
    return functional.nll_loss(torch.log_softmax(probabilities, dim=1), labels)


def a_little_more(logits, labels):
    shares = logits.softmax(-1)[range(len(labels)), labels]
    return torch.log(shares + 1e-8).mean().neg()


def never_below(logits, labels):
    shares = torch.clamp(logits.softmax(-1), min=1e-12)
    return sum(-shares[i, label].log() for i, label in enumerate(labels)) / len(labels)


def borrowed(logits, labels):
    return torch.nn.CrossEntropyLoss()(logits, labels)


def as_a_number(logits, labels):
    return by_shifting(logits, labels).item()


# --- train_steps


def trained(model, optimizer, batches, parts=("forget", "backward", "step"), mode=True, loss=functional.cross_entropy):
    """Take the parts of each step in an order of one's choice."""
    model.train(mode)
    values = []
    for x, y in batches:
        value = loss(model(x), y)
        for part in parts:
            {"forget": optimizer.zero_grad, "backward": value.backward, "step": optimizer.step}[part]()
        values.append(float(value.detach()))
    return values


def order(*parts, mode=True):
    return lambda model, optimizer, batches: trained(model, optimizer, batches, parts, mode)


def says_nothing(model, optimizer, batches):
    trained(model, optimizer, batches)


def list_in_the_loop(model, optimizer, batches):
    model.train()
    for images, labels in batches:
        losses = []
        loss = functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def clipped(model, optimizer, batches):
    model.train()
    losses = []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1)
        optimizer.step()
    return losses


def leaves_early(model, optimizer, batches):
    model.train()
    for images, labels in batches:
        optimizer.zero_grad()
        loss = torch.nn.CrossEntropyLoss()(model(images), labels)
        loss.backward()
        optimizer.step()
        return [loss.item()]


def mean_loss(model, optimizer, batches):
    total = 0.0
    model.train()
    for images, labels in batches:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(batches)


def last_loss(model, optimizer, batches):
    return trained(model, optimizer, batches)[-1]


def with_graphs(model, optimizer, batches):
    model.train()
    kept = []
    for images, labels in batches:
        kept += [functional.cross_entropy(model(images), labels)]
        optimizer.zero_grad()
        kept[-1].backward()
        optimizer.step()
    return kept


def stacked(model, optimizer, batches):
    return torch.stack([loss.detach() for loss in with_graphs(model, optimizer, batches)])


def forgets_once(model, optimizer, batches):
    optimizer.zero_grad()
    return trained(model, optimizer, batches, ("backward", "step"))


def flattered(model, optimizer, batches):
    model.train()
    losses = []
    for images, labels in batches:
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            losses.append(functional.cross_entropy(model(images), labels).item())
    return losses


def of_probabilities(model, optimizer, batches):
    return trained(model, optimizer, batches, loss=lambda x, y: functional.cross_entropy(torch.softmax(x, dim=-1), y))


def added(model, optimizer, batches):
    return trained(model, optimizer, batches, loss=lambda x, y: functional.cross_entropy(x, y, reduction="none").sum())


def all_together(model, optimizer, batches):
    model.train()
    losses, whole = [], 0
    for images, labels in batches:
        loss = functional.cross_entropy(model(images), labels)
        whole = whole + loss
        losses.append(loss.item())
    optimizer.zero_grad()
    whole.backward()
    optimizer.step()
    return losses


def asleep(model, optimizer, batches):
    model.eval()
    return trained(model, optimizer, batches, mode=False)


# --- confusion_matrix


def looped(predicted, labels, num_classes):
    table = torch.zeros(num_classes, num_classes, dtype=torch.long)
    for says, true in zip(predicted, labels, strict=True):
        table[true, says] += 1
    return table


def in_floats(predicted, labels, num_classes):
    table = torch.zeros(num_classes, num_classes)
    for i in range(len(labels)):
        table[labels[i], predicted[i]] += 1
    return table


def exchanged(predicted, labels, num_classes):
    return looped(predicted, labels, num_classes).T


def all_at_once(predicted, labels, num_classes):
    table = torch.zeros((num_classes, num_classes)).long()
    table[labels, predicted] = table[labels, predicted] + 1
    return table


def agreeing(predicted, labels, num_classes):
    table = torch.zeros(num_classes, num_classes, dtype=torch.long)
    for says, true in zip(predicted, labels, strict=True):
        if says == true:
            table[true, says] += 1
    return table


def disagreeing(predicted, labels, num_classes):
    return looped(predicted, labels, num_classes).fill_diagonal_(0)


def row_shares(predicted, labels, num_classes):
    table = looped(predicted, labels, num_classes)
    return table / table.sum(1, keepdim=True)


def shares_of_all(predicted, labels, num_classes):
    table = looped(predicted, labels, num_classes).float()
    return table / table.sum()


def as_large_as_needed(predicted, labels, num_classes):
    k = max(predicted.tolist() + labels.tolist()) + 1
    return looped(predicted, labels, k)


def counted_too_short(predicted, labels, num_classes):
    return torch.bincount(predicted + num_classes * labels).view(num_classes, num_classes)


def counted_too_short_reshape(predicted, labels, num_classes):
    return torch.bincount(predicted + num_classes * labels).reshape((num_classes, num_classes))


WRONG_ATTEMPTS: list[tuple[Exercise, str, Callable]] = [
    (training.learning_rate_at, "no warm-up", all_cosine),
    (training.learning_rate_at, "no warm-up", full_at_once),
    (training.learning_rate_at, "the warm-up starts at 0", from_zero),
    (training.learning_rate_at, "the warm-up starts at 0", from_zero_to_the_peak),
    (training.learning_rate_at, "the warm-up does not reach the peak", never_up),
    (training.learning_rate_at, "the cosine does not reach the end", never_at_the_end),
    (training.learning_rate_at, "the warm-up is one step too long", one_too_many),
    (training.learning_rate_at, "a floor above 0", with_a_floor),
    (training.learning_rate_at, "the cosine counts from step 0", since_the_start),
    (training.learning_rate_at, "the cosine counts from step 0", since_the_start_short),
    (training.learning_rate_at, "a straight line", line),
    (training.learning_rate_at, "a whole period of the cosine", whole_period),
    (training.learning_rate_at, "a quarter of the cosine", quarter),
    (training.learning_rate_at, "degrees instead of radians", degrees),
    (training.learning_rate_at, "the rate becomes negative", negative),
    (training.learning_rate_at, "twice the peak", double),
    (training.learning_rate_at, "the peak is left out", always_to_one),
    (training.cross_entropy, "sum instead of mean", added_up),
    (training.cross_entropy, "mean over all classes", divided_by_all),
    (training.cross_entropy, "the minus is missing", unsigned),
    (training.cross_entropy, "softmax over the batch", along_the_batch),
    (training.cross_entropy, "the logarithm of a logit", log_of_logits),
    (training.cross_entropy, "no softmax and no logarithm", only_logits),
    (training.cross_entropy, "no logarithm", only_probabilities),
    (training.cross_entropy, "every image with every label", pairs_of_all),
    (training.cross_entropy, "the labels are not used", its_own_choice),
    (training.cross_entropy, "the labels are not used", everything),
    (training.cross_entropy, "another logarithm", in_bits),
    (training.cross_entropy, "another logarithm", in_bits_and_overflowing),
    (training.cross_entropy, "large numbers overflow", textbook),
    (training.cross_entropy, "large numbers overflow", textbook_softmax),
    (training.cross_entropy, "softmax twice", twice),
    (training.cross_entropy, "a small number against the logarithm of 0", a_little_more),
    (training.cross_entropy, "a small number against the logarithm of 0", never_below),
    (training.cross_entropy, "the ready-made function", borrowed),
    (training.cross_entropy, "a plain number", as_a_number),
    (training.train_steps, "the losses are not returned", says_nothing),
    (training.train_steps, "only the first batch", leaves_early),
    (training.train_steps, "one number for all batches", mean_loss),
    (training.train_steps, "one number for all batches", last_loss),
    (training.train_steps, "one number for all batches", list_in_the_loop),
    (training.train_steps, "the gradients are clipped", clipped),
    (training.train_steps, "the losses are tensors", with_graphs),
    (training.train_steps, "the losses are tensors", stacked),
    (training.train_steps, "gradients add up", forgets_once),
    (training.train_steps, "gradients add up", order("backward", "step", mode=False)),
    (training.train_steps, "the weights never change", order("backward", "forget")),
    (training.train_steps, "the weights never change", order("backward", "forget", "step")),
    (training.train_steps, "the weights never change", order("forget", "step")),
    (training.train_steps, "the step comes before the gradients", order("step", "forget", "backward")),
    (training.train_steps, "the step comes before the gradients", order("step", "backward")),
    (training.train_steps, "the loss is measured after the step", flattered),
    (training.train_steps, "softmax before the loss", of_probabilities),
    (training.train_steps, "sum instead of mean", added),
    (training.train_steps, "one step for all batches", all_together),
    (training.train_steps, "not in training mode", asleep),
    (training.confusion_matrix, "floats instead of whole numbers", in_floats),
    (training.confusion_matrix, "rows and columns exchanged", exchanged),
    (training.confusion_matrix, "each pair is counted once", all_at_once),
    (training.confusion_matrix, "only the right answers", agreeing),
    (training.confusion_matrix, "only the mistakes", disagreeing),
    (training.confusion_matrix, "shares instead of counts", row_shares),
    (training.confusion_matrix, "shares instead of counts", shares_of_all),
    (training.confusion_matrix, "the size comes from the data", as_large_as_needed),
    (training.confusion_matrix, "the size comes from the data", counted_too_short),
    (training.confusion_matrix, "the size comes from the data", counted_too_short_reshape),
]


def squared_cosine(step, total_steps, peak, warmup_steps):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return fall(step, total_steps, peak, warmup_steps)


def by_table(step, total_steps, peak, warmup_steps):
    up = np.linspace(0, peak, warmup_steps + 1)[1:]
    down = peak * (1 + np.cos(np.linspace(0, np.pi, total_steps - warmup_steps))) / 2
    return float(np.concatenate([up, down])[step])


def mean_of_rows(logits, labels):
    return -sum(one_by_one(logits, labels)) / len(labels)


def log_sum_exp(logits, labels):
    return (torch.logsumexp(logits, dim=1) - logits[torch.arange(len(labels)), labels]).mean()


def by_shifting(logits, labels):
    shifted = logits - logits.max(1, keepdim=True).values
    right = (shifted * functional.one_hot(labels, logits.shape[1])).sum(1)
    return torch.mean(shifted.exp().sum(1).log() - right)


def by_gather(logits, labels):
    return -torch.take_along_dim(functional.log_softmax(logits, dim=1), labels.unsqueeze(1), dim=1).mean(dim=0)[0]


def plain_loop(model, optimizer, batches):
    model.train()
    losses = []
    for images, labels in batches:
        logits = model(images)
        loss = functional.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def forgets_in_the_model(model, optimizer, batches):
    model.train()

    def step(batch):
        model.zero_grad()
        loss = torch.nn.CrossEntropyLoss()(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss.detach().numpy()

    return tuple(step(batch).item() for batch in batches)


def with_a_closure(model, optimizer, batches):
    losses = []
    for i in range(len(batches)):
        model.train()

        def closure(i=i):
            optimizer.zero_grad(set_to_none=False)
            loss = (
                torch.logsumexp(model(batches[i][0]), 1)
                - model(batches[i][0])[range(len(batches[i][1])), batches[i][1]]
            )
            loss.mean().backward()
            return loss.mean()

        losses += [np.float64(optimizer.step(closure).item())]
    return losses


def counted(predicted, labels, num_classes):
    return torch.bincount(labels * num_classes + predicted, minlength=num_classes**2).view(num_classes, -1)


def multiplied(predicted, labels, num_classes):
    true, says = (functional.one_hot(each, num_classes) for each in (labels, predicted))
    return true.T @ says


RIGHT_ATTEMPTS: list[tuple[Exercise, Callable]] = [
    (training.learning_rate_at, squared_cosine),
    (training.learning_rate_at, by_table),
    (training.cross_entropy, mean_of_rows),
    (training.cross_entropy, log_sum_exp),
    (training.cross_entropy, by_shifting),
    (training.cross_entropy, by_gather),
    (training.train_steps, plain_loop),
    (training.train_steps, order("forget", "backward", "step")),
    (training.train_steps, order("backward", "step", "forget")),
    (training.train_steps, forgets_in_the_model),
    (training.train_steps, with_a_closure),
    (training.confusion_matrix, looped),
    (training.confusion_matrix, counted),
    (training.confusion_matrix, multiplied),
]
