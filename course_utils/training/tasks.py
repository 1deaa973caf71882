"""What a training is about: which images, which loss, which figures. The trainer knows none of it and asks the task.

:class:`Classification` is the first one. Another one inherits from :class:`Task` and writes what is its own, most often
``loss`` and ``figures``; budget, resume, number formats, average of the weights, several processes and records come
with the trainer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.analysis.evaluation import accuracy, predict
from course_utils.data import ImageSet, Normalisation, remember
from course_utils.training.recipes import Recipe
from course_utils.training.stream import BatchStream


class Task(ABC):
    """What is learned from which images.

    Args:
        train_set: The images to learn from.
        validation_set: Looked at after every pass; None leaves it out. Never the test set.

    Attributes:
        name: What an experiment calls the task.

    Raises:
        ValueError: The training set is empty.
    """

    name: str

    def __init__(self, train_set: ImageSet, validation_set: ImageSet | None = None) -> None:
        if not len(train_set):
            raise ValueError("There are no images to learn from: the training set is empty.")
        self.train_set, self.validation_set = train_set, validation_set
        self._own_normalisation = train_set.normalisation

    def prepare(self, model: nn.Module, recipe: Recipe, seed: int, device: torch.device) -> None:
        """Get ready for a training, before its first step. Called once, by the trainer.

        A model that knows its normalisation keeps it, since its weights depend on it: the images are then normalised
        in its way. Any other model takes over that of the training images.

        Raises:
            ValueError: Model and images do not fit each other.
        """
        known = getattr(model, "normalisation", None)
        normalisation = known if isinstance(known, Normalisation) else self._own_normalisation
        self.train_set = replace(self.train_set, normalisation=normalisation)
        remember(model, self.train_set.normalisation, self.train_set.classes)
        self.stream = BatchStream(self.train_set, recipe, seed, device)
        self.recipe = recipe

    def batch(self, step: int, mixing: bool) -> tuple[Tensor, ...]:
        """Prepare the whole batch of a step; each tensor begins with the batch axis B.

        Args:
            step: Which step, from 0. The same step gives the same batch, whatever came before.
            mixing: Whether CutMix and MixUp may be used.
        """
        return self.stream.batch(step, mixing)

    @abstractmethod
    def loss(self, model: nn.Module, *batch: Tensor) -> dict[str, Tensor]:
        """Return what is to become smaller, as "loss", and any other figures: means over these images, scalars.

        Args:
            model: To be called as ``model(...)``, once: it may be wrapped for several processes.
            batch: What :meth:`batch` returned, or a part of it along the first axis.
        """

    def figures(self, model: nn.Module, images: ImageSet, precision: str = "fp32") -> dict[str, float]:
        """Return what is reported of a model on images that it does not learn from. Nothing, if not overridden."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Say what is learned from what: it goes into the record, and a checkpoint of another task does not fit."""
        return {
            "task": {"name": self.name},
            "data": self.train_set.describe(),
            "normalisation": asdict(self.train_set.normalisation),
        }

    def state(self) -> dict[str, Tensor]:
        """Return tensors of the task's own that change as it trains and belong into the checkpoint."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027 - most tasks have none
        """Put back what :meth:`state` returned."""

    def after_step(self, model: nn.Module, step: int) -> None:  # noqa: B027 - most tasks have nothing to do
        """Do what has to be done after each optimiser step, such as to move a teacher towards its student."""


class Classification(Task):
    """Name the class of an image: cross-entropy between logits (B, K) and classes (B,) or shares (B, K)."""

    name = "classification"

    def prepare(self, model: nn.Module, recipe: Recipe, seed: int, device: torch.device) -> None:
        """Get ready, see :meth:`Task.prepare`.

        Raises:
            ValueError: The model does not take these images, or has not one logit a class; or the validation images are
                of other classes or another shape.
        """
        self._compare_validation()
        classes = len(self.train_set.classes)
        found = self._answer_shape(model)  # before the model is given anything to remember
        if found != (1, classes):
            raise ValueError(
                f"The images have {classes} classes, but the model's answer to one image has the shape {found}, not "
                f"{(1, classes)}: make it with num_classes={classes}."
            )
        super().prepare(model, recipe, seed, device)

    def _compare_validation(self) -> None:
        """Refuse validation images that are no part of the same data set."""
        if self.validation_set is None:
            return
        for what, of in (("classes", lambda each: each.classes), ("shape", lambda each: tuple(each.images.shape[1:]))):
            one, other = of(self.train_set), of(self.validation_set)
            if one != other:
                raise ValueError(f"Training and validation images differ in their {what}: {one} and {other}.")

    def _answer_shape(self, model: nn.Module) -> tuple[int, ...]:
        """Show a model one image, and return the shape of what it says."""
        image = self.train_set.images[:1]  # (1, C, H, W)
        try:
            return tuple(predict(model, self.train_set.normalisation(image)).shape)
        except RuntimeError as error:  # of a layer: our own models say what is wrong as a ValueError
            raise ValueError(
                f"This {type(model).__name__} does not take images of {'x'.join(map(str, image.shape[1:]))}: {error}"
            ) from error

    def loss(self, model: nn.Module, *batch: Tensor) -> dict[str, Tensor]:
        """Return "loss" and "accuracy" of a batch: images (B, C, H, W), and classes (B,) or shares (B, K)."""
        images, targets = batch
        logits = model(images).float()  # (B, C, H, W) -> (B, K)
        hard = targets if targets.ndim == 1 else targets.argmax(dim=-1)  # (B,) classes, also of mixed targets (B, K)
        return {
            "loss": F.cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing),
            "accuracy": (logits.detach().argmax(dim=-1) == hard).float().mean(),
        }

    def figures(self, model: nn.Module, images: ImageSet, precision: str = "fp32") -> dict[str, float]:
        """Return "loss" and "accuracy" on images that the model does not learn from."""
        logits = predict(model, images.images, precision=precision)  # (N, K)
        loss = F.cross_entropy(logits.double(), images.labels)
        return {"loss": loss.item(), "accuracy": accuracy(logits, images.labels)}
