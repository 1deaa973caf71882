"""The loss of soft targets, and that of a student with two heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.beyond import distillation
from course_utils.checks.core import Exercise, Mistake


def _logits(rows: int, classes: int, seed: int, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed))


# ---- soft_loss


def _soft_examples() -> list[tuple[Any, ...]]:
    """One image that a hand can follow; then other numbers of images and classes, and logits that are large."""
    teacher = torch.tensor([[16.0, 4.0, 1.0]]).log()
    return [
        (torch.zeros(1, 3), teacher, 2.0),
        (_logits(4, 3, 0), _logits(4, 3, 1), 1.0),
        (_logits(2, 5, 2), _logits(2, 5, 3), 4.0),
        (_logits(5, 5, 4).double(), _logits(5, 5, 5).double(), 0.5),
        (_logits(3, 4, 6, 60.0), _logits(3, 4, 7, 60.0), 3.0),  # exp() of such logits overflows, or the log of a share
    ]


def _kl(said: Tensor, wanted: Tensor, dim: int = 1) -> Tensor:
    """Kullback-Leibler divergence of each row from logarithms of shares (B, K): (B,)."""
    return (wanted.exp() * (wanted - said)).sum(dim=dim)


def _soft(student: Tensor, teacher: Tensor, t: float, factor: float, dim: int = 1) -> Tensor:
    said, wanted = (student / t).log_softmax(dim=dim), (teacher / t).log_softmax(dim=dim)
    return _kl(said, wanted).mean() * factor


def _cross_entropy(student: Tensor, teacher: Tensor, t: float, factor: float) -> Tensor:
    return F.cross_entropy(student / t, (teacher / t).softmax(dim=1)) * factor


def _with_a_teacher(attempt: Callable[..., Any], student: Tensor, teacher: Tensor, temperature: float) -> Any:
    """Call an attempt with a teacher that no gradient reaches: whether an attempt cuts it off itself is free."""
    return attempt(student, teacher.detach(), temperature)


soft_loss = Exercise(
    "soft_loss",
    distillation.soft_loss,
    _soft_examples,
    (
        Mistake(
            "T squared forgotten",
            "The factor T² is missing. Divided by T, logits have gradients about T² times smaller: the factor makes up "
            "for it, so that a new T does not need a new learning rate.",
            lambda s, t, T: _soft(s, t, T, 1.0),
            lambda s, t, T: F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="batchmean"),
        ),
        Mistake(
            "T in place of T squared",
            "You multiply by T. The gradient becomes smaller by T twice, once for each division by T, so the factor is "
            "T·T.",
            lambda s, t, T: _soft(s, t, T, T),
        ),
        Mistake(
            "divided by T squared",
            "You divide by T². The division by T has made the gradients too small already: multiply.",
            lambda s, t, T: _soft(s, t, T, T**-2),
        ),
        Mistake(
            "student and teacher exchanged",
            "This is the divergence the other way round, from the student's shares to the teacher's. The teacher's "
            "shares are the weights in front of the logarithms. (`F.kl_div` takes the student first, and that as a "
            "logarithm.)",
            lambda s, t, T: _soft(t, s, T, T**2),
            lambda s, t, T: _soft(t, s, T, 1.0),
        ),
        Mistake(
            "divided by images and classes",
            "You take the mean over all numbers, B·K of them. That is what `F.kl_div` does unless you say "
            '`reduction="batchmean"`. Add up over the classes, and take the mean over the images.',
            lambda s, t, T: _soft(s, t, T, T**2) / s.shape[1],
            lambda s, t, T: _soft(s, t, T, 1.0) / s.shape[1],
        ),
        Mistake(
            "the sum over the images",
            "You add up over the images too. Take their mean, or the step would grow with the batch.",
            lambda s, t, T: _soft(s, t, T, T**2) * len(s),
            lambda s, t, T: _soft(s, t, T, 1.0) * len(s),
        ),
        Mistake(
            "one loss for each image",
            "There is one loss for each image. Take their mean: one number.",
            lambda s, t, T: _kl((s / T).log_softmax(1), (t / T).log_softmax(1)) * T**2,
        ),
        Mistake(
            "softmax over the images",
            "The shares are made along the images: axis 0. Each image has shares of its own, which sum to 1 over the "
            "classes: `dim=1`.",
            lambda s, t, T: _soft(s, t, T, T**2, dim=0),
            lambda s, t, T: _kl((s / T).log_softmax(0), (t / T).log_softmax(0), dim=0).mean() * T**2,
        ),
        Mistake(
            "only the teacher softened",
            "The temperature reaches the teacher alone. Both are divided by T: else the student learns to be as "
            "unsure as the softened teacher.",
            lambda s, t, T: _kl(s.log_softmax(1), (t / T).log_softmax(1)).mean() * T**2,
            lambda s, t, T: _kl(s.log_softmax(1), (t / T).log_softmax(1)).mean(),
        ),
        Mistake(
            "only the student softened",
            "The temperature reaches the student alone. Both are divided by T.",
            lambda s, t, T: _kl((s / T).log_softmax(1), t.log_softmax(1)).mean() * T**2,
            lambda s, t, T: _kl((s / T).log_softmax(1), t.log_softmax(1)).mean(),
        ),
        Mistake(
            "nothing softened",
            "The temperature does not reach the shares: divide the logits of both by T before the softmax.",
            lambda s, t, T: _soft(s, t, 1.0, T**2),
            lambda s, t, T: _soft(s, t, 1.0, 1.0),
        ),
        Mistake(
            "multiplied by T",
            "You multiply the logits by T. That sharpens the shares. Dividing makes them softer.",
            lambda s, t, T: _soft(s, t, 1 / T, T**2),
            lambda s, t, T: _soft(s, t, 1 / T, 1.0),
        ),
        Mistake(
            "divided by T after the softmax",
            "You divide shares by T. They no longer sum to 1 then. Divide the logits, before the softmax.",
            lambda s, t, T: ((t.softmax(1) / T) * (t.softmax(1) / s.softmax(1)).log()).sum(1).mean() * T**2,
            lambda s, t, T: _soft(s, t, 1.0, T),
        ),
        Mistake(
            "cross-entropy",
            "This is the cross-entropy with the teacher's shares. It has the same gradient for the student, but it "
            "does not end at 0: where both agree, the entropy of the teacher's shares is left. Take that away, as the "
            "divergence does.",
            lambda s, t, T: _cross_entropy(s, t, T, T**2),
            lambda s, t, T: _cross_entropy(s, t, T, 1.0),
        ),
        Mistake(
            "the minus of it",
            "The sign is turned round: a divergence is never below 0. It is the teacher's share times (logarithm of "
            "the teacher's share minus logarithm of the student's).",
            lambda s, t, T: -_soft(s, t, T, T**2),
        ),
        Mistake(
            "the student's shares without a logarithm",
            "`F.kl_div` takes the *logarithm* of the student's shares as its first argument: `log_softmax`. You give "
            "it the shares.",
            lambda s, t, T: F.kl_div((s / T).softmax(1), (t / T).softmax(1), reduction="batchmean") * T**2,
            lambda s, t, T: F.kl_div((s / T).softmax(1), (t / T).softmax(1), reduction="batchmean"),
        ),
        Mistake(
            "the teacher's shares as logarithms, unsaid",
            "`F.kl_div` expects the teacher's shares as they are. If you give it their logarithms, say so with "
            "`log_target=True`.",
            lambda s, t, T: F.kl_div((s / T).log_softmax(1), (t / T).log_softmax(1), reduction="batchmean") * T**2,
        ),
        Mistake(
            "logits in place of shares",
            "The logits themselves are compared. First make shares of them, with a softmax.",
            lambda s, t, T: F.mse_loss(s / T, t / T) * T**2,
            lambda s, t, T: F.mse_loss(s, t),
            lambda s, t, T: F.kl_div(s / T, t / T, reduction="batchmean") * T**2,
        ),
        Mistake(
            "the squared distance of the shares",
            "You take the squared distance of the shares. The task asks for the divergence: share times difference of "
            "logarithms, added up.",
            lambda s, t, T: ((s / T).softmax(1) - (t / T).softmax(1)).square().sum(1).mean() * T**2,
            lambda s, t, T: F.mse_loss((s / T).softmax(1), (t / T).softmax(1)) * T**2,
        ),
        Mistake(
            "the teacher's first choice",
            "You learn from the teacher's first choice alone. That is the hard way, section 5. Here all shares count.",
            lambda s, t, T: F.cross_entropy(s, t.argmax(1)),
            lambda s, t, T: F.cross_entropy(s / T, t.argmax(1)) * T**2,
        ),
    ),
    "The student is drawn towards all shares of the teacher, as strongly at every temperature.",
    run=_with_a_teacher,
    forbidden=(distillation.soft_loss,),
)


# ---- two_heads_loss


def _two_heads(class_logits: Tensor, token_logits: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Half the cross-entropy of the class head with the labels, half that of the other with the teacher's choice."""
    return (F.cross_entropy(class_logits, labels) + F.cross_entropy(token_logits, teacher.argmax(dim=1))) / 2


def _heads_examples() -> list[tuple[Any, ...]]:
    """The teacher does not always say what the label says; never as many images as classes, but once."""
    first = (torch.tensor([[2.0, 0, 0]]), torch.tensor([[0.0, 1, 0]]), torch.tensor([[0.0, 3, 1]]), torch.tensor([0]))
    return [
        first,
        (_logits(4, 3, 10), _logits(4, 3, 11), _logits(4, 3, 12), torch.tensor([0, 2, 1, 2])),
        (_logits(2, 5, 13), _logits(2, 5, 14), _logits(2, 5, 15), torch.tensor([4, 0])),
        (_logits(5, 5, 16).double(), _logits(5, 5, 17).double(), _logits(5, 5, 18).double(), torch.arange(5)),
    ]


def _with_a_taught_head(
    attempt: Callable[..., Any], class_logits: Tensor, token_logits: Tensor, teacher: Tensor, labels: Tensor
) -> Any:
    """Call an attempt with a teacher that no gradient reaches."""
    return attempt(class_logits, token_logits, teacher.detach(), labels)


two_heads_loss = Exercise(
    "two_heads_loss",
    _two_heads,
    _heads_examples,
    (
        Mistake(
            "the heads exchanged",
            "The heads are exchanged: the class token learns from the labels, the distillation token from the teacher.",
            lambda c, d, t, y: (F.cross_entropy(d, y) + F.cross_entropy(c, t.argmax(1))) / 2,
        ),
        Mistake(
            "the sum, not the mean of both",
            "You add the two losses. Each counts half.",
            lambda c, d, t, y: F.cross_entropy(c, y) + F.cross_entropy(d, t.argmax(1)),
        ),
        Mistake(
            "the mean of the heads learns",
            "You take the mean of the two heads before the loss. At the test that is right; in training each head has "
            "a target of its own, or both tokens would become alike.",
            lambda c, d, t, y: F.cross_entropy((c + d) / 2, y),
            lambda c, d, t, y: (F.cross_entropy((c + d) / 2, y) + F.cross_entropy((c + d) / 2, t.argmax(1))) / 2,
        ),
        Mistake(
            "one head learns from both",
            "Both targets go to the same head. The class head gets the labels, the distillation head the teacher's "
            "choice.",
            lambda c, d, t, y: (F.cross_entropy(c, y) + F.cross_entropy(c, t.argmax(1))) / 2,
            lambda c, d, t, y: (F.cross_entropy(d, y) + F.cross_entropy(d, t.argmax(1))) / 2,
        ),
        Mistake(
            "both learn from the labels",
            "The teacher does not take part: both heads learn from the labels.",
            lambda c, d, t, y: (F.cross_entropy(c, y) + F.cross_entropy(d, y)) / 2,
        ),
        Mistake(
            "both learn from the teacher",
            "The labels do not take part: both heads learn from the teacher.",
            lambda c, d, t, y: (F.cross_entropy(c, t.argmax(1)) + F.cross_entropy(d, t.argmax(1))) / 2,
        ),
        Mistake(
            "one of the two losses is missing",
            "Only one of the two losses is there.",
            lambda c, d, t, y: F.cross_entropy(c, y),
            lambda c, d, t, y: F.cross_entropy(d, t.argmax(1)),
            lambda c, d, t, y: F.cross_entropy(c, y) / 2,
            lambda c, d, t, y: F.cross_entropy(d, t.argmax(1)) / 2,
        ),
        Mistake(
            "the teacher's shares",
            "The distillation head learns from all shares of the teacher. Here the hard way is asked for: the class "
            "with the teacher's largest logit is the target.",
            lambda c, d, t, y: (F.cross_entropy(c, y) + F.cross_entropy(d, t.softmax(1))) / 2,
            lambda c, d, t, y: (F.cross_entropy(c, y) + distillation.soft_loss(d, t)) / 2,
        ),
        Mistake(
            "argmax over the images",
            "`argmax` goes down the columns: it names an image for each class. Along the classes it is `dim=1`.",
            lambda c, d, t, y: (F.cross_entropy(c, y) + F.cross_entropy(d, t.argmax(0)[: len(d)])) / 2,
            lambda c, d, t, y: (F.cross_entropy(c, y) + F.cross_entropy(d, t.argmax(0))) / 2,
        ),
        Mistake(
            "the student's own choice",
            "The target is the student's own first choice. It would learn that it is right. The target is the "
            "teacher's.",
            lambda c, d, t, y: (F.cross_entropy(c, y) + F.cross_entropy(d, d.argmax(1))) / 2,
            lambda c, d, t, y: (F.cross_entropy(c, y) + F.cross_entropy(d, c.argmax(1))) / 2,
        ),
        Mistake(
            "the teacher's worst choice",
            "You take the class with the teacher's *smallest* logit.",
            lambda c, d, t, y: (F.cross_entropy(c, y) + F.cross_entropy(d, t.argmin(1))) / 2,
        ),
        Mistake(
            "softmax before the cross-entropy",
            "`F.cross_entropy` takes logits and does the softmax itself. You give it probabilities.",
            lambda c, d, t, y: (F.cross_entropy(c.softmax(1), y) + F.cross_entropy(d.softmax(1), t.argmax(1))) / 2,
        ),
        Mistake(
            "the sum over the images",
            "You add the losses of the images. Take their mean.",
            lambda c, d, t, y: _two_heads(c, d, t, y) * len(y),
        ),
    ),
    "Two tokens, two teachers: the labels for the one, the teacher's first choice for the other.",
    run=_with_a_taught_head,
)
