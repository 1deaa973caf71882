"""Lesson 00 (start): what a trained model says about a picture when it is cut into patches of another size."""

from __future__ import annotations

from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.analysis.evaluation import evaluation_mode
from course_utils.data.normalisation import classes_of, normalisation_of
from course_utils.explore.explorer import Choice, PictureExplorer, example_pictures
from course_utils.explore.patch_size_picture import patch_size_picture
from course_utils.explore.patchify import patch_costs, patch_sizes
from course_utils.model.vit import VisionTransformer
from course_utils.zoo.weights import load_pretrained

MOST_CLASSES = 10
FARTHEST = 4  # times smaller or larger than the model's own patches


class PatchSizeExplorer(PictureExplorer):
    """A picture, and what one model says about it with patches of several sizes. Nothing is trained anew.

    Args:
        model: It knows its normalisation and its classes.
        images: (count, C, H, W), uint8, or floats from 0 to 1, of the model's size.
        names: One for each image.
        sizes: Patch sizes P in pixels. None: half the model's own to four times it, as far as they divide the images.

    Raises:
        ValueError: A size does not divide the images, the model's own is not among the sizes, or the model takes
            images of another size or knows no normalisation or classes.
    """

    summary = "One picture cut into patches of several sizes, and what the same trained model then says about it."

    sizes = traitlets.List(traitlets.Int()).tag(sync=True)  # the patch sizes on offer, smallest first
    costs = traitlets.List(traitlets.Dict()).tag(sync=True)  # of each of the sizes: see patch_costs
    own_size = traitlets.Int().tag(sync=True)  # the patch size that the model was trained with
    patch_size = Choice(lambda explorer: explorer.sizes)  # P in pixels

    # What belongs to the picture: the classes that are shown, and for each of the sizes their probabilities.
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    probabilities = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)

    def __init__(
        self, model: VisionTransformer, images: Tensor, names: list[str], sizes: list[int] | None = None
    ) -> None:
        config, height, width = model.config, *images.shape[-2:]
        if (height, width) != (config.image_height, config.image_width):
            raise ValueError(
                f"This model takes images of {config.image_height}x{config.image_width} pixels, not {height}x{width}."
            )
        own = config.patch_size
        if sizes is None:
            sizes = [
                p for p in patch_sizes(height, width) if own <= FARTHEST * p and p <= FARTHEST * own and 2 * p >= own
            ]
        if own not in sizes:
            raise ValueError(f"The sizes must hold the model's own patch size, {own}, but they are {sizes}.")
        sizes = sorted(sizes)
        self.models = [model if p == own else model.with_patch_size(p) for p in sizes]
        self.all_classes, self._known = classes_of(model), dict[int, dict[str, Any]]()
        super().__init__(images, names, sizes=sizes, costs=patch_costs(config, sizes), own_size=own, patch_size=own)

    @classmethod
    def example(cls) -> PatchSizeExplorer:
        """See :meth:`Explorer.example`."""
        return cls(load_pretrained("cifar_micro"), *example_pictures())

    def look_at(self, index: int) -> dict[str, Any]:
        """Ask the model about one picture, once with each patch size."""
        if index not in self._known:
            image, found = self.images[index][None], []  # (1, C, H, W)
            for model in self.models:
                with evaluation_mode(model) as device, torch.no_grad():
                    logits = model(normalisation_of(model)(image.to(device)))  # -> (1, K)
                found.append(logits[0].float().softmax(dim=0).cpu())
            every = torch.stack(found)  # (sizes, K)
            shown = every.amax(dim=0).topk(min(MOST_CLASSES, every.shape[1])).indices.sort().values
            self._known[index] = {
                "classes": [self.all_classes[k] for k in shown.tolist()],
                "probabilities": every[:, shown].tolist(),
            }
        return self._known[index]

    def best(self, patch_size: int) -> tuple[str, float]:
        """Return the answer for the picture with a patch size: a class and its probability."""
        values = self.probabilities[self.sizes.index(patch_size)]
        place = values.index(max(values))
        return self.classes[place], values[place]

    def in_words(self) -> str:
        """Say what is to be seen. The browser says the same."""
        p, (name, value) = self.patch_size, self.best(self.patch_size)
        cost = self.costs[self.sizes.index(p)]
        return (
            f"{cost['patches']} patches of {p} × {p} pixels: the model says {name}, {100 * value:.0f}%. "
            f"It was trained with {self.own_size} × {self.own_size}."
        )

    def picture(self) -> Figure:
        """Draw the picture, cut in every size, and below it what the model says."""
        tables = [dict(zip(self.classes, values, strict=True)) for values in self.probabilities]
        return patch_size_picture(
            self.images[self.answered],
            self.names[self.answered],
            dict(zip(self.sizes, tables, strict=True)),
            self.own_size,
        )
