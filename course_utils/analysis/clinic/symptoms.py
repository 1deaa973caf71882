"""Lesson 08 (clinic): the table of symptoms: what is seen, the number that names it, and what may be behind it.

The lesson, the words of ``examine`` and the page SYMPTOMS.md all read this one table.
``python -m course_utils.analysis.clinic`` writes the page anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from course_utils.analysis.clinic.quick_tests import floor_of_bounded_logits

PAGE = "SYMPTOMS.md"


@dataclass(frozen=True)
class Symptom:
    """One thing that goes wrong.

    Attributes:
        seen: What a person sees.
        test: Which test finds it: its number, as in the lesson, and what it does.
        causes: What may be behind it, the likeliest first.
    """

    seen: str
    test: str
    causes: tuple[str, ...]


SYMPTOMS: dict[str, Symptom] = {
    "pixels": Symptom(
        "the numbers that enter are far too small, far too large, or the same everywhere",
        "0, look at what enters",
        (
            "pixels from 0 to 255 that nobody divided or normalised",
            "pixels divided by 255 twice: once by a transform such as ToTensor, once by hand",
            "images that were normalised twice",
        ),
    ),
    "labels": Symptom(
        "not even a straight line from pixels to classes does better than guessing",
        "0, look at what enters",
        (
            "labels that belong to other images: one of two lists was sorted, shuffled or cut, and the other was not",
            "a task in which colours and places of the pixels really say nothing (then this is no fault)",
        ),
    ),
    "not finite": Symptom(
        "the images, the logits or the loss hold NaN or infinity",
        "0 and 1",
        (
            "float16 without a gradient scaler",
            "a learning rate that is too high, often where the warm-up ends",
            "a logarithm or a division of 0; an attention row whose keys are all masked",
        ),
    ),
    "never the same": Symptom(
        "the same images get other logits each time, although the model is in eval mode",
        "1, twice",
        ("F.dropout without training=self.training", "random numbers drawn inside forward"),
    ),
    "first loss": Symptom(
        "the first loss lies far above ln K",
        "1, first loss",
        (
            "a head that starts with large weights: the model is sure of its guesses before it has seen anything",
            "pixels that are far too large",
            "a trained model whose classes are numbered in another way",
        ),
    ),
    "softmax": Symptom(
        "the loss of one batch stops at ln(1 + (K - 1) / e): 1.461 for 10 classes",
        "2, one batch by heart",
        ("a softmax, or a sigmoid, at the end of the model: cross-entropy takes logits and has its own softmax",),
    ),
    "tanh": Symptom(
        "the loss of one batch stops at ln(1 + (K - 1) / e²): 0.797 for 10 classes",
        "2, one batch by heart",
        ("a tanh at the end of the model, or logits that are cosines: they lie between -1 and 1",),
    ),
    "one batch": Symptom(
        "a few images cannot be learned by heart",
        "2, one batch by heart",
        (
            "residual connections that are missing: what enters a block is lost",
            "a part of the model that loses what the next one needs",
            "a norm at a place where it makes all images alike",
        ),
    ),
    "same answer": Symptom(
        "all images get the same logits; the loss stands at ln K: 2.303 for 10 classes",
        "3, other images",
        (
            "attention over the batch axis with a class token: nn.MultiheadAttention or nn.TransformerEncoderLayer "
            "without batch_first=True",
            "a causal mask left in, with the class token at the front, where it sees itself alone",
            "the read-out takes a token that never meets the patches",
            "images that are all but equal: see test 0",
        ),
    ),
    "no order": Symptom(
        "the patches may change places, and the logits stay",
        "4, shuffled patches",
        (
            "no position codes, or codes that are made and not added",
            "one code for all patches: an axis too few, and broadcasting did the rest",
            "a model that is meant to be so: a bag of patches",
        ),
    ),
    "not alone": Symptom(
        "an image gets other logits when it comes alone",
        "5, alone and in a batch",
        (
            "attention over the batch axis: nn.MultiheadAttention without batch_first=True, a transpose too few",
            "a norm or a mean over the batch axis",
            "a reshape that mixes images",
        ),
    ),
    "no gradient": Symptom(
        "some parameters, or all of them, never get a gradient",
        "6, every parameter",
        (
            ".detach(), .data, .item() or torch.no_grad() between the parameter and the loss",
            "a tensor that was made anew from values: torch.tensor(x), from NumPy, by argmax",
            "a part of the model that forward does not use",
            "requires_grad=False, left from a time when the part was frozen",
        ),
    ),
    "nothing moves": Symptom(
        "parameters get a gradient, and a step of the loop does not move them",
        "6, every parameter, with the loop",
        (
            "an optimiser that holds the parameters of another model: the model was made anew behind it",
            "a part that was added or replaced after the optimiser was made",
            "a learning rate of 0; an optimizer.step() that is missing",
        ),
    ),
    "crawls": Symptom(
        "the loss hardly falls in the loop's own steps, while AdamW at 0.001 learns the batch",
        "7, three rates",
        (
            "a learning rate that is far too small",
            "plain SGD at a rate that was meant for Adam",
            "a warm-up that is not over yet (then this is no fault)",
        ),
    ),
    "jumps": Symptom(
        "the loss jumps, and may end where one class wins",
        "7, three rates",
        ("a learning rate that is too high for this optimiser", "a warm-up that is missing or too short"),
    ),
    "gradients add up": Symptom(
        "the gradient is longer after each step: each adds to the one before",
        "the gradient's length, over ten steps",
        (
            "optimizer.zero_grad() is missing, or belongs to another optimiser",
            "gradients that are collected over several batches on purpose (then this is no fault)",
        ),
    ),
}

# What examine cannot see. It says so each time.
UNSEEN = (
    "patches or heads cut by a bare reshape, a wrong scale or a softmax over the wrong axis in attention, a missing "
    "last norm: such a model learns, only worse. Give the same weights to another program and compare (lesson 05 (vit))"
)
NO_FAULT = (
    "Training accuracy below validation accuracy: augmentation makes the training images harder.",
    "Others report 98%: their model was trained on millions of other images first.",
)


SAME = "nothing is learned, or all images get one answer: attention over the batch axis, or a causal mask left in"


def numbers() -> list[tuple[float, str, str]]:
    """Return the numbers at which a loss stops: the value in nats, how it comes about, what it says."""
    softmax, tanh = (SYMPTOMS[key].causes[0] for key in ("softmax", "tanh"))
    rows: list[tuple[float, str, str]] = []
    for k in (2, 10, 100, 1000):
        rows.append((math.log(k), f"ln {k}", f"{k} classes: {SAME}"))
        rows.append((floor_of_bounded_logits(k, 1), f"ln(1 + {k - 1}/e)", f"{k} classes: {softmax}"))
        rows.append((floor_of_bounded_logits(k, 2), f"ln(1 + {k - 1}/e²)", f"{k} classes: {tanh}"))
    rows.append((math.log(128), "ln 128", "CLIP with a batch of 128: both towers give one answer for everything"))
    rows.append((math.log(4096), "ln 4096", "DINO with 4,096 outputs: the same for all images, all outputs alike"))
    return sorted(rows)


def numbers_table(rows: list[tuple[float, str, str]] | None = None) -> list[str]:
    """Write the numbers as a Markdown table."""
    head = ["| the loss stops at | that is | what it says |", "| ---: | --- | --- |"]
    return head + [f"| {value:.3f} | {formula} | {words} |" for value, formula, words in rows or numbers()]


def symptoms_table() -> list[str]:
    """Write the symptoms as a Markdown table."""
    head = ["| what you see | the test that finds it | what may be behind it |", "| --- | --- | --- |"]
    return head + [f"| {each.seen} | {each.test} | {'; '.join(each.causes)} |" for each in SYMPTOMS.values()]


def page() -> str:
    """Write the page of symptoms."""
    return "\n".join(
        [
            "# My model does not learn",
            "",
            "Written by `python -m course_utils.analysis.clinic`; not by hand. Lesson",
            "08<!-- lesson: clinic --> builds the tests; `python -m course_utils examine FILE.py:make_model`",
            "runs them on your own model.",
            "",
            "## By the number at which the loss stops",
            "",
            "Cross-entropy in nats, of one batch that is shown again and again.",
            "",
            *numbers_table(),
            "",
            "## By what you see",
            "",
            *symptoms_table(),
            "",
            f"Not seen from outside: {UNSEEN.replace('lesson 05 (vit)', 'lesson 05<!-- lesson: vit -->')}.",
            "",
            "## No fault",
            "",
            *(f"- {each}" for each in NO_FAULT),
            "",
        ]
    )
