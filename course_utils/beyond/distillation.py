"""Lesson 12 (distillation): a student learns from what a trained teacher says, not from the labels alone.

Soft: the student shall say what the teacher says, class by class (Hinton et al. 2015, arXiv 1503.02531). Hard: the
teacher's first choice is a second label. With a distillation token: that second label has a token and a head of its own
(DeiT, Touvron et al. 2021, arXiv 2012.12877).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.analysis.evaluation import accuracy, predict
from course_utils.data import ImageSet, Normalisation, classes_of, normalisation_of
from course_utils.model.config import ViTConfig
from course_utils.model.initialise import initialise
from course_utils.model.vit import VisionTransformer
from course_utils.support.settings import Size
from course_utils.training.recipes import Recipe
from course_utils.training.tasks import Classification

WAYS = ("soft", "hard")


# ---------------------------------------------------------------------- the losses


def soft_loss(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Return how far the student's shares are from the teacher's, both softened: KL(teacher || student) T^2.

    Divided by T, logits come nearer to each other, so the classes behind the first one count more. Gradients would
    become about T^2 times smaller; the factor T^2 makes up for it. The sum runs over the classes, the mean over the
    images. DeiT's code divides by the number of classes too, so its loss is K times smaller.

    Args:
        student: Logits (B, K).
        teacher: Likewise.
        temperature: T, above 0.
    """
    wanted = F.log_softmax(teacher / temperature, dim=1)  # (B, K)
    said = F.log_softmax(student / temperature, dim=1)  # (B, K)
    return F.kl_div(said, wanted, reduction="batchmean", log_target=True) * temperature**2


def hard_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the cross-entropy between the student's logits (B, K) and the teacher's first choice."""
    return F.cross_entropy(student, teacher.argmax(dim=1))  # (B, K) -> (B,)


# ---------------------------------------------------------------------- the student with two heads


@dataclass(frozen=True)
class DistilledConfig(ViTConfig):
    """Settings of a :class:`DistilledViT`: those of a Vision Transformer whose first register has a head of its own.

    Attributes:
        num_registers: At least 1: the first one is the distillation token.

    Raises:
        TypeError, ValueError: As for :class:`ViTConfig`; or there is no class token, or there are no classes.
    """

    num_registers: Size = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.has_class_token:
            raise ValueError(f"A distilled ViT reads its class token: pooling must be class_token, not {self.pooling}.")
        if not self.num_classes:
            raise ValueError("A distilled ViT has two heads: num_classes must be at least 1.")


class DistilledViT(VisionTransformer):
    """A Vision Transformer with a distillation token beside the class token, each with a head of its own.

    One learns from the labels and the other from the teacher; the answer is the mean of both.

    Args:
        config: The settings.

    Example:
        >>> model = DistilledViT(DistilledConfig(embed_dim=96, depth=4))
        >>> model(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, config: DistilledConfig) -> None:
        super().__init__(config)
        self.head_distillation = nn.Linear(config.embed_dim, config.num_classes)
        initialise(self.head_distillation, config.depth)

    def forward(self, images: Tensor, apart: bool = False) -> Any:
        """Map images (B, C, H, W) to logits (B, K): the mean of both heads; or to those of the two heads, each (B, K).

        Args:
            images: Floats, normalised.
            apart: Whether the two heads answer one by one: class head, distillation head.

        Raises:
            ValueError: As for :class:`VisionTransformer`.
        """
        tokens, _ = self.encoder(self.embed(images))  # (B, C, H, W) -> (B, N, D)
        answers = self.answers(tokens)
        return answers if apart else sum(answers) / 2

    def forward_with_attention(
        self, images: Tensor, layers: Collection[int] | None = None
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Like :meth:`VisionTransformer.forward_with_attention`; the logits (B, K) are the mean of both heads."""
        tokens: list[Tensor] = []
        handle = self.encoder.register_forward_hook(lambda encoder, given, output: tokens.append(output[0]))
        try:
            _, maps = super().forward_with_attention(images, layers)
        finally:
            handle.remove()
        return sum(self.answers(tokens[0])) / 2, maps  # type: ignore[return-value]

    def answers(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Map the encoder's tokens (B, N, D) to the logits of class head and distillation head, each (B, K)."""
        return self.head(tokens[:, 0]), self.head_distillation(tokens[:, 1])


# ---------------------------------------------------------------------- the task


class Distillation(Classification):
    """Name the class of an image as the labels say and as a teacher says.

    The loss is (1 - alpha) of the usual cross-entropy and alpha of the teacher's. The teacher sees the very images that
    the student sees, crop, flip, mixture and all. A :class:`DistilledViT` learns the first with its class token and the
    second with its distillation token.

    Args:
        train_set: The images to learn from.
        validation_set: Looked at after every pass.
        teacher: A trained model of the same classes. It is not changed.
        way: "soft" or "hard".
        temperature: T of the soft way.
        alpha: Share of the teacher in the loss, from 0 to 1.

    Raises:
        ValueError: The training set is empty, or a setting is impossible, or the teacher knows other classes.
    """

    name = "distillation"

    def __init__(
        self,
        train_set: ImageSet,
        validation_set: ImageSet | None = None,
        teacher: nn.Module | None = None,
        way: str = "soft",
        temperature: float = 1.0,
        alpha: float = 0.5,
    ) -> None:
        super().__init__(train_set, validation_set)
        if way not in WAYS or not temperature > 0 or not 0 <= alpha <= 1:
            raise ValueError(
                f"way must be one of {', '.join(WAYS)}, temperature above 0 and alpha from 0 to 1, not {way!r}, "
                f"{temperature} and {alpha}."
            )
        if not isinstance(teacher, nn.Module):
            raise ValueError("distillation needs a teacher: a trained model, or in an experiment its name.")
        if classes_of(teacher) != train_set.classes:
            raise ValueError(
                f"The teacher knows the classes {classes_of(teacher)}, the images have {train_set.classes}."
            )
        self.teacher, self.way, self.temperature, self.alpha = teacher, way, temperature, alpha
        numbers = b"".join(tensor.cpu().numpy().tobytes() for tensor in teacher.state_dict().values())
        self.about_teacher = {"class": type(teacher).__name__, "sha256": hashlib.sha256(numbers).hexdigest()}

    def prepare(self, model: nn.Module, recipe: Recipe, seed: int, device: torch.device) -> None:
        """Get ready, see :meth:`Classification.prepare`."""
        super().prepare(model, recipe, seed, device)
        self.has_token = isinstance(model, DistilledViT)
        self.teacher = self.teacher.to(next(model.parameters()).device).eval()

    def loss(self, model: nn.Module, *batch: Tensor) -> dict[str, Tensor]:
        """Return "loss", "accuracy", and "agreement": how often student and teacher have the same first choice."""
        images, targets = batch  # (B, C, H, W), and classes (B,) or shares (B, K)
        with torch.no_grad():
            taught = self.teacher(renormalised(images, self.train_set.normalisation, normalisation_of(self.teacher)))
        if self.has_token:
            logits, echo = (answer.float() for answer in model(images, apart=True))  # (B, K) each
        else:
            logits = echo = model(images).float()
        labels = F.cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing)
        taught = taught.float()  # (B, K)
        teacher = soft_loss(echo, taught, self.temperature) if self.way == "soft" else hard_loss(echo, taught)
        said = ((logits + echo) / 2).detach().argmax(dim=1)  # (B,)
        hard = targets if targets.ndim == 1 else targets.argmax(dim=1)  # (B,)
        return {
            "loss": (1 - self.alpha) * labels + self.alpha * teacher,
            "accuracy": (said == hard).float().mean(),
            "agreement": (said == taught.argmax(dim=1)).float().mean(),
        }

    def figures(self, model: nn.Module, images: ImageSet, precision: str = "fp32") -> dict[str, float]:
        """Return "loss" and "accuracy" by the labels, and "agreement", on images that the model does not learn from."""
        logits = predict(model, images.images, precision=precision)  # (N, K)
        taught = predict(self.teacher, images.images, precision=precision)  # (N, K), by its own normalisation
        return {
            "loss": F.cross_entropy(logits.double(), images.labels).item(),
            "accuracy": accuracy(logits, images.labels),
            "agreement": accuracy(logits, taught.argmax(dim=1)),
        }

    def describe(self) -> dict[str, Any]:
        """Say what is learned from what, see :meth:`Task.describe`."""
        settings = {"way": self.way, "temperature": self.temperature, "alpha": self.alpha}
        return super().describe() | {"task": {"name": self.name, **settings}, "teacher": self.about_teacher}


def renormalised(images: Tensor, before: Normalisation, after: Normalisation) -> Tensor:
    """Take floats (B, C, H, W) from one normalisation to another."""
    if before == after:
        return images
    (mean, spread), (new_mean, new_spread) = (
        [torch.tensor(each, device=images.device).view(-1, 1, 1) for each in (known.mean, known.std)]  # (C, 1, 1)
        for known in (before, after)
    )
    return (images * spread + mean - new_mean) / new_spread
