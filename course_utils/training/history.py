"""The figures of a training as it goes on: sums of the steps since the last entry, and the entries."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_utils.training import distributed


class History:
    """What a record tells of the course of a training.

    Attributes:
        entries: One for each pass, or as often as the trainer reports.
        seconds: Spent on steps, in all parts of a resumed run; not on validation and saving.
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, float]] = []
        self.seconds = 0.0
        self._pending: list[tuple[int, int, dict[str, Tensor]]] = []  # (step, images, sums) still on the device
        self._sums: dict[str, float] = {}  # of this process, since the last entry
        self._images = 0

    def add(self, step: int, images: int, sums: dict[str, Tensor]) -> None:
        """Note the figures of a step, as sums over so many images. They stay on the device until :meth:`read`."""
        self._pending.append((step, images, sums))

    @property
    def unread(self) -> int:
        """How many steps wait to be read."""
        return len(self._pending)

    def read(self) -> int | None:
        """Take the waiting figures from the device, which has to wait for that.

        Returns:
            The first step whose loss is not a finite number; None if there is none.
        """
        while self._pending:
            step, images, sums = self._pending.pop(0)
            values = {name: value.item() for name, value in sums.items()}
            if not math.isfinite(values["loss"]):
                return step
            self._sums = {name: self._sums.get(name, 0.0) + value for name, value in values.items()}
            self._images += images
        return None

    def means(self) -> dict[str, float]:
        """Return the mean of each figure since the last entry, over the images of this process."""
        return {name: value / self._images for name, value in self._sums.items()} if self._images else {}

    def gather(self, device: torch.device) -> None:
        """Bring the sums of all processes together in the main one; the others begin anew."""
        *sums, images = distributed.add_up([*self._sums.values(), self._images], device)
        main = distributed.rank() == 0
        self._sums = {name: value * main for name, value in zip(self._sums, sums, strict=True)}
        self._images = round(images) * main

    def close(self, entry: dict[str, float], device: torch.device) -> None:
        """Add an entry: what is given, and behind it the mean of each figure since the last one, as "train_NAME"."""
        self.gather(device)
        means = {f"train_{name}": mean for name, mean in self.means().items()}
        self.entries.append({**entry, **means, "seconds": self.seconds})
        self._sums, self._images = {}, 0

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep, apart from what stands in the record; :meth:`gather` first."""
        return {"sums": self._sums, "images": self._images}

    def load_state(self, entries: list[dict[str, float]], seconds: float, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.entries, self.seconds = entries, seconds
        if distributed.rank() == 0:
            self._sums, self._images = state["sums"], state["images"]
