"""The endless stream of training batches.

Each pass over the data is a fresh shuffle, and step s takes the next ``batch_size`` images of the stream. So no image
is dropped or repeated within a pass, every batch has the same size, and any step's batch can be made again at any time.
"""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from course_utils.data import ImageSet
from course_utils.data.augment import Augmentation, mix
from course_utils.training.recipes import Recipe


def seed_step(seed: int, step: int, purpose: str) -> None:
    """Seed torch's global generator for one purpose ("data", "model 0", ...) of one step."""
    digest = hashlib.blake2b(f"{seed} {step} {purpose}".encode(), digest_size=8).digest()
    torch.manual_seed(int.from_bytes(digest, "big") >> 1)


class BatchStream:
    """The batches of a training run, by step.

    Args:
        image_set: The training images; they are moved to the device once.
        recipe: Batch size, augmentation and mixing.
        seed: Of shuffle, augmentation and mixing.
        device: Where the batches shall lie.
    """

    def __init__(
        self,
        image_set: ImageSet,
        recipe: Recipe,
        seed: int,
        device: torch.device,
    ) -> None:
        self.images, self.labels = image_set.images.to(device), image_set.labels.to(device)
        self.recipe, self.seed, self.device = recipe, seed, device
        self.num_classes = len(image_set.classes)
        self.augment = Augmentation(
            image_set.normalisation,
            padding=recipe.crop_padding,
            flip=recipe.flip,
            rand_augment_n=recipe.rand_augment_n,
            rand_augment_m=recipe.rand_augment_m,
            erasing_probability=recipe.erasing,
        )
        self._shuffle: tuple[int, Tensor] = (-1, torch.empty(0))  # of which pass, and the order

    def images_before(self, step: int) -> int:
        """Images of the stream that come before a step."""
        return step * self.recipe.batch_size

    def indices(self, step: int) -> Tensor:
        """Which training images make up the batch of a step: (batch_size,), on the CPU."""
        n, position = len(self.images), self.images_before(step)
        end = position + self.recipe.batch_size
        parts = []
        while position < end:
            number, offset = divmod(position, n)
            if self._shuffle[0] != number:
                generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
                self._shuffle = number, torch.randperm(n, generator=generator)
            parts.append(self._shuffle[1][offset : offset + end - position])
            position += len(parts[-1])
        return torch.cat(parts)

    def batch(self, step: int, mixing: bool = True) -> tuple[Tensor, Tensor]:
        """Prepare the whole batch of a step.

        Args:
            step: Which step, from 0.
            mixing: Whether CutMix and MixUp may be used.

        Returns:
            Images (B, C, H, W), augmented and normalised, and targets: classes (B,), or shares (B, K) if mixed.
        """
        seed_step(self.seed, step, "data")
        chosen = self.indices(step).to(self.device)
        images, labels = self.augment(self.images[chosen]), self.labels[chosen]  # (B, C, H, W), (B,)
        recipe = self.recipe
        if not mixing or recipe.cutmix + recipe.mixup == 0:
            return images, labels
        return mix(
            images,
            labels,
            self.num_classes,
            cutmix_probability=recipe.cutmix,
            mixup_probability=recipe.mixup,
            mixup_alpha=recipe.mixup_alpha,
        )


class BatchesAhead(Dataset[tuple[Tensor, ...]]):
    """The batches of a run's steps, prepared ahead of their use by worker processes: bit for bit the same.

    Args:
        batch: Prepares the batch of a step, on the CPU.
    """

    def __init__(self, batch: Callable[[int], tuple[Tensor, ...]]) -> None:
        self.batch = batch

    def __getitem__(self, step: int) -> tuple[Tensor, ...]:
        """Prepare the batch of a step."""
        return self.batch(step)

    def of_steps(self, steps: range, workers: int, pin_memory: bool) -> Iterator[tuple[Tensor, ...]]:
        """Prepare the batches of these steps in ``workers`` processes, one thread each, and hand them out in order.

        Args:
            steps: Which steps.
            workers: How many processes, at least 1. They end with the iterator.
            pin_memory: Whether the batches come in memory from which a GPU can fetch them by itself.
        """
        loader = DataLoader(
            self,
            batch_size=None,  # an item is a batch already
            sampler=steps,
            num_workers=workers,
            worker_init_fn=_ignore_stop_signals,
            pin_memory=pin_memory,
        )
        return iter(loader)


def _ignore_stop_signals(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal, but when to stop is for the process that trains to decide."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
