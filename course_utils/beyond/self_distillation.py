"""Lesson 14 (dino): DINO as a task of the trainer: views, loss, centre and teacher, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.analysis.evaluation import accuracy, evaluation_mode, predict
from course_utils.analysis.probes import knn
from course_utils.beyond.dino import Dino, dino_loss, entropy, momentum_at, moved_centre, teacher_shares
from course_utils.data import ImageSet, normalisation_of
from course_utils.data.views import random_views
from course_utils.model.vit import VisionTransformer
from course_utils.training import distributed
from course_utils.training.recipes import Recipe, steps_of
from course_utils.training.stream import seed_step
from course_utils.training.tasks import Task

KNOWN = 5000  # training images whose labels the k-NN test looks at


class SelfDistillation(Task):
    """Give all views of an image the answer that the teacher gives to another view of it. Labels are not used.

    Of the recipe's augmentation nothing is used: the views are the augmentation. Its budget is in steps or epochs.

    Args:
        train_set: The images to learn from.
        validation_set: Looked at after every pass.
        small_views: How many small views of each image, beside the two large ones.
        small_size: Side of a small view in pixels; the patch size divides it.
        large_scale: Smallest and largest share of the image's area that a large view shows.
        small_scale: Likewise for a small view.
        student_temperature: The student's logits are divided by it.
        teacher_temperature: Likewise for the teacher. Smaller than the student's: this is the sharpening.
        centring: Whether the centre is taken away from the teacher's logits.
        centre_momentum: How much of itself the centre keeps in a step.
        teacher_momentum: How much of itself the teacher keeps in the first step; in the last one it is 1.
        frozen: Share of the steps, at the start, in which the head's last layer stays as it is.

    Raises:
        ValueError: The training set is empty, or a number is impossible.
    """

    name = "self_distillation"

    def __init__(
        self,
        train_set: ImageSet,
        validation_set: ImageSet | None = None,
        small_views: int = 4,
        small_size: int = 16,
        large_scale: Sequence[float] = (0.4, 1.0),
        small_scale: Sequence[float] = (0.1, 0.4),
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        centring: bool = True,
        centre_momentum: float = 0.9,
        teacher_momentum: float = 0.996,
        frozen: float = 0.05,
    ) -> None:
        super().__init__(train_set, validation_set)
        if min(student_temperature, teacher_temperature) <= 0:
            raise ValueError("student_temperature and teacher_temperature must be above 0.")
        if not all(0 <= share <= 1 for share in (centre_momentum, teacher_momentum, frozen)):
            raise ValueError("centre_momentum, teacher_momentum and frozen must be numbers from 0 to 1.")
        self.settings = {
            "small_views": small_views,
            "small_size": small_size,
            "large_scale": list(large_scale),
            "small_scale": list(small_scale),
            "student_temperature": student_temperature,
            "teacher_temperature": teacher_temperature,
            "centring": centring,
            "centre_momentum": centre_momentum,
            "teacher_momentum": teacher_momentum,
            "frozen": frozen,
        }
        self.small_views, self.small_size = small_views, small_size
        self.large_scale, self.small_scale = (large_scale[0], large_scale[1]), (small_scale[0], small_scale[1])
        self.student_temperature, self.teacher_temperature = student_temperature, teacher_temperature
        self.centring, self.centre_momentum = centring, centre_momentum
        self.teacher_momentum, self.frozen = teacher_momentum, frozen

    def prepare(self, model: nn.Module, recipe: Recipe, seed: int, device: torch.device) -> None:
        """Get ready, see :meth:`Task.prepare`.

        Raises:
            ValueError: The model is not :class:`Dino`, or takes other images; or the budget is in minutes.
        """
        if not isinstance(model, Dino):
            raise ValueError(f"self_distillation trains a Dino, and this is a {type(model).__name__}.")
        config, steps = model.config, steps_of(recipe, len(self.train_set))
        if steps is None:
            raise ValueError("self_distillation needs a budget in steps or epochs: the teacher's momentum follows it.")
        if self.small_views and self.small_size % config.patch_size:
            raise ValueError(f"patch_size {config.patch_size} does not divide small_size {self.small_size}.")
        shape = tuple(self.train_set.images.shape[1:])
        if shape != (config.in_channels, config.image_height, config.image_width) or shape[1] != shape[2]:
            raise ValueError(f"The images are {'x'.join(map(str, shape))}: the config must say so, and they be square.")
        super().prepare(model, recipe, seed, device)
        self.model, self.seed, self.total_steps = model, seed, steps
        self.step = 0
        self._sum, self._answers = torch.zeros_like(model.centre), 0  # of the teacher's logits, over a whole batch

    def batch(self, step: int, mixing: bool) -> tuple[Tensor, ...]:
        """Return large views (B, 2, C, H, W) and small views (B, S, C, h, w) of the images of a step, normalised."""
        stream = self.stream
        images = stream.images[stream.indices(step).to(stream.device)]  # (B, C, H, W)
        seed_step(self.seed, step, "views")
        groups = [random_views(images, 2, images.shape[-1], self.large_scale)]
        if self.small_views:
            groups.append(random_views(images, self.small_views, self.small_size, self.small_scale))
        normalise = self.train_set.normalisation
        return tuple(normalise(views.flatten(0, 1)).unflatten(0, views.shape[:2]) for views in groups)

    def loss(self, model: nn.Module, *batch: Tensor) -> dict[str, Tensor]:
        """Return "loss", and three figures of the teacher's shares, in nats.

        "entropy": of each answer, in the mean. "batch_entropy": of the mean answer to these images. "kl": how far the
        student is from the teacher. One output for all: both entropies go to 0. All outputs alike: both go to ln K.
        """
        student, teacher = model(*batch, train_last=self.step >= self.frozen * self.total_steps)
        student, teacher = student.float(), teacher.float()  # (B, V, K), (B, T, K)
        self._sum = self._sum + teacher.sum(dim=(0, 1))  # (B, T, K) -> (K,)
        self._answers += teacher.shape[0] * teacher.shape[1]
        shares = teacher_shares(teacher, self._centre(), self.teacher_temperature)  # (B, T, K)
        loss = dino_loss(student, shares, self.student_temperature)
        each = entropy(shares).mean()
        return {
            "loss": loss,
            "entropy": each,
            "batch_entropy": entropy(shares.mean(dim=(0, 1))),
            "kl": loss.detach() - each,
        }

    def after_step(self, model: nn.Module, step: int) -> None:
        """Move centre and teacher."""
        mean = distributed.sum_of_all(self._sum) / (self._answers * distributed.world_size())  # (K,)
        self.model.centre.copy_(moved_centre(self.model.centre, mean, self.centre_momentum))
        self.model.follow(momentum_at(step, self.total_steps, self.teacher_momentum))
        self.step = step + 1
        self._sum, self._answers = torch.zeros_like(mean), 0

    def state(self) -> dict[str, Tensor]:
        """Return which step comes next. Teacher and centre are parts of the model."""
        return {"step": torch.tensor(self.step)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state` returned."""
        self.step = int(state["step"])

    def figures(self, model: nn.Module, images: ImageSet, precision: str = "fp32") -> dict[str, float]:
        """Return figures of whole images that the model does not learn from.

        "loss" (the cross-entropy of the same view), "entropy", "batch_entropy" and "kl" as in :meth:`loss`, over all
        images together; and "knn_accuracy": how often 20 neighbours among at most 5,000 training images, by the
        teacher's encoder, name the right class.
        """
        found = self._answers_to(model, images, precision)
        encoder: VisionTransformer = model.backbone  # type: ignore[assignment]
        known = self.train_set.subset(range(0, len(self.train_set), -(-len(self.train_set) // KNOWN)))
        features, queries = (predict(encoder, each.images, precision=precision) for each in (known, images))  # (., D)
        votes = knn(features, known.labels, queries, k=min(20, len(known)))  # type: ignore[arg-type]
        return found | {"knn_accuracy": accuracy(votes, images.labels)}

    def describe(self) -> dict[str, Any]:
        """Say what is learned from what, see :meth:`Task.describe`."""
        return super().describe() | {"task": {"name": self.name, **self.settings}}

    def _answers_to(self, model: nn.Module, images: ImageSet, precision: str) -> dict[str, float]:
        """Hold the teacher's answers to whole images against the student's."""
        normalise, each, cross = normalisation_of(model), 0.0, 0.0
        total = torch.zeros_like(self.model.centre)  # (K,)
        with evaluation_mode(model) as device, torch.no_grad():
            for pixels in images.images.split(256):  # (N, C, H, W) -> (B, C, H, W)
                with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                    student, teacher = model(normalise(pixels.to(device))[:, None])  # two (B, 1, K)
                shares = teacher_shares(teacher.float(), self._centre(), self.teacher_temperature)[:, 0]  # (B, K)
                logs = F.log_softmax(student.float()[:, 0] / self.student_temperature, dim=-1)  # (B, K)
                total = total + shares.sum(dim=0)  # -> (K,)
                each += entropy(shares).sum().item()
                cross -= (shares * logs).sum().item()
        count = len(images)
        return {
            "loss": cross / count,
            "entropy": each / count,
            "batch_entropy": entropy(total / count).item(),
            "kl": (cross - each) / count,
        }

    def _centre(self) -> Tensor:
        """Return what is taken away from the teacher's logits: (K,)."""
        return self.model.centre if self.centring else torch.zeros_like(self.model.centre)
