"""One step of a student: the teacher looks at the same images, and nothing of it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.beyond.distillation import Distillation, soft_loss
from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.in_a_model import Flawed
from course_utils.checks.values import is_number


class Taught(nn.Module):
    """Stands for a student: logits from the mean colour of an image."""

    def __init__(self, classes: int, seed: int) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(classes, 3, generator=draw))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, K)."""
        return images.mean(dim=(2, 3)) @ self.weight.T  # (B, 3, H, W) -> (B, 3) -> (B, K)


class Teaching(Taught):
    """Stands for a teacher: in train mode it normalises over the batch, and moves what it knows, as batch norm does."""

    mean: Tensor

    def __init__(self, classes: int, seed: int) -> None:
        super().__init__(classes, seed)
        self.register_buffer("mean", torch.zeros(classes))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, K)."""
        logits = super().forward(images)
        if self.training:
            self.mean += 1
            return 3 * (logits - logits.mean(dim=0)) + 1
        return 3 * (logits - self.mean)


MOVED = Flawed("the teacher is not as it was: it ran in train mode, or was changed")
REACHED = Flawed("a loss whose gradient would run into the teacher")
A_NUMBER = Flawed("a number, from which no gradient leads back")
CUT_OFF = Flawed("a loss from which the student cannot learn")
STUDENT_STOPPED = Flawed("the student is no longer in train mode")
WENT_BACK = Flawed("a loss whose gradient has been computed already")


def _right(student: nn.Module, teacher: nn.Module, images: Tensor, labels: Tensor, alpha: float, t: float) -> Tensor:
    teacher.eval()
    with torch.no_grad():
        taught = teacher(images)  # (B, K)
    logits = student(images)  # (B, K)
    return (1 - alpha) * F.cross_entropy(logits, labels) + alpha * soft_loss(logits, taught, t)


def _in_a_step(
    attempt: Callable[..., Any], student: Taught, teacher: Teaching, images: Tensor, labels: Tensor, alpha: float,
    temperature: float,
) -> Any:  # fmt: skip
    """Call an attempt as a training would, and look at what it did to student and teacher."""
    student.train()
    teacher.train()
    loss = attempt(student, teacher, images, labels, alpha, temperature)
    if not isinstance(loss, Tensor) or loss.shape != ():
        return A_NUMBER if is_number(loss) else loss
    if student.weight.grad is not None:
        return WENT_BACK
    if teacher.mean.any():
        return MOVED
    if not student.training:
        return STUDENT_STOPPED
    if loss.requires_grad:
        loss.backward()
    if teacher.weight.grad is not None:
        return REACHED
    return loss.detach() if student.weight.grad is not None else CUT_OFF


def _examples() -> list[tuple[Any, ...]]:
    draw = torch.Generator().manual_seed(0)
    return [
        (Taught(3, 0), Teaching(3, 1), torch.randn(2, 3, 4, 4, generator=draw), torch.tensor([2, 0]), 0.25, 2.0),
        (Taught(5, 2), Teaching(5, 3), torch.randn(4, 3, 2, 6, generator=draw), torch.tensor([4, 0, 1, 1]), 0.8, 3.0),
        (Taught(4, 4), Teaching(4, 5), torch.randn(4, 3, 4, 4, generator=draw), torch.tensor([0, 1, 2, 3]), 0.5, 1.5),
    ]


def _taught(teacher: nn.Module, images: Tensor) -> Tensor:
    teacher.eval()
    with torch.no_grad():
        return teacher(images)


def _made(share: Callable[[float], tuple[float, float]]) -> Callable[..., Any]:
    """Make an imitation that weighs the two losses in another way."""

    def imitation(s: nn.Module, m: nn.Module, x: Tensor, y: Tensor, a: float, t: float) -> Tensor:
        logits, (of_labels, of_teacher) = s(x), share(a)
        return of_labels * F.cross_entropy(logits, y) + of_teacher * soft_loss(logits, _taught(m, x), t)

    return imitation


def _in_train_mode(s: nn.Module, m: nn.Module, x: Tensor, y: Tensor, a: float, t: float) -> Tensor:
    with torch.no_grad():
        taught = m(x)
    return (1 - a) * F.cross_entropy(s(x), y) + a * soft_loss(s(x), taught, t)


def _no_graph(s: nn.Module, m: nn.Module, x: Tensor, y: Tensor, a: float, t: float) -> Tensor:
    with torch.no_grad():
        return _right(s, m, x, y, a, t)


def _both_stopped(s: nn.Module, m: nn.Module, x: Tensor, y: Tensor, a: float, t: float) -> Tensor:
    s.eval()
    return _right(s, m, x, y, a, t)


def _into_the_teacher(s: nn.Module, m: nn.Module, x: Tensor, y: Tensor, a: float, t: float) -> Tensor:
    m.eval()
    return (1 - a) * F.cross_entropy(s(x), y) + a * soft_loss(s(x), m(x), t)


def _backward(s: nn.Module, m: nn.Module, x: Tensor, y: Tensor, a: float, t: float) -> Tensor:
    loss = _right(s, m, x, y, a, t)
    loss.backward()
    return loss


step_loss = Exercise(
    "step_loss",
    _right,
    _examples,
    (
        Mistake(
            "the teacher in train mode",
            "The teacher runs in train mode. There batch norm takes the mean of this batch, and changes what it has "
            "learned; dropout would be at work too. Put the teacher into eval mode: `teacher.eval()`.",
            _in_train_mode,
            lambda s, m, x, y, a, t: (1 - a) * F.cross_entropy(s(x), y) + a * soft_loss(s(x), m(x), t),
        ),
        Mistake(
            "a gradient into the teacher",
            "The gradient runs into the teacher: it costs time and memory, and an optimiser that holds the teacher's "
            "parameters would change them. Ask the teacher inside `with torch.no_grad():`.",
            _into_the_teacher,
        ),
        Mistake(
            "the student without a gradient",
            "No gradient leads to the student. Only the teacher belongs inside `no_grad`, and the loss stays a tensor.",
            _no_graph,
            lambda *given: _right(*given).detach(),
        ),
        Mistake(
            "a Python number",
            "You return a number from which no gradient leads back. Return the loss as the tensor that it is.",
            lambda *given: _right(*given).item(),
        ),
        Mistake(
            "the student in eval mode",
            "The student is in eval mode now. This is a step of its training: leave its mode as it is.",
            _both_stopped,
        ),
        Mistake(
            "alpha and 1 - alpha exchanged",
            "The shares are exchanged: alpha belongs to the teacher, 1 - alpha to the labels.",
            _made(lambda a: (a, 1 - a)),
        ),
        Mistake(
            "both count in full",
            "The two losses are added in full. They share 1: alpha for the teacher, 1 - alpha for the labels.",
            _made(lambda a: (1.0, 1.0)),
            _made(lambda a: (0.5, 0.5)),
            _made(lambda a: (1.0, a)),
        ),
        Mistake(
            "one of the two losses is missing",
            "Only one of the two losses is there: labels and teacher both count.",
            _made(lambda a: (1.0, 0.0)),
            _made(lambda a: (0.0, 1.0)),
            _made(lambda a: (1 - a, 0.0)),
            _made(lambda a: (0.0, a)),
        ),
        Mistake(
            "student and teacher exchanged in the loss",
            "`soft_loss` takes the student's logits first, then the teacher's.",
            lambda s, m, x, y, a, t: (1 - a) * F.cross_entropy(s(x), y) + a * soft_loss(_taught(m, x), s(x), t),
        ),
        Mistake(
            "the temperature forgotten",
            "The temperature is not used: give it to `soft_loss`.",
            lambda s, m, x, y, a, t: (1 - a) * F.cross_entropy(s(x), y) + a * soft_loss(s(x), _taught(m, x)),
        ),
        Mistake(
            "the labels at a temperature",
            "The cross-entropy with the labels takes the logits as they are. Only the teacher's part is softened.",
            lambda s, m, x, y, a, t: (1 - a) * F.cross_entropy(s(x) / t, y) + a * soft_loss(s(x), _taught(m, x), t),
        ),
        Mistake(
            "softened twice",
            "`soft_loss` divides by the temperature itself. You divide before, too.",
            lambda s, m, x, y, a, t: (1 - a) * F.cross_entropy(s(x), y) + a * soft_loss(s(x) / t, _taught(m, x) / t, t),
        ),
        Mistake(
            "T squared a second time",
            "`soft_loss` has the factor T² in it already. You multiply by it once more.",
            lambda s, m, x, y, a, t: (1 - a) * F.cross_entropy(s(x), y) + a * t**2 * soft_loss(s(x), _taught(m, x), t),
        ),
        Mistake(
            "backward inside",
            "You call `backward()` inside. The trainer does that with the loss that you return. Return the loss only.",
            _backward,
        ),
    ),
    "The teacher looks at the same images, at rest, and only the student learns.",
    run=_in_a_step,
    in_a_model=False,  # the gradient is looked at in the step
    forbidden=(Distillation.loss,),
)
