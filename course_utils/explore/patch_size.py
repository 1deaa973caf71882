"""Lessons 00 (start) and 11 (patch_size): what one model says about a picture, cut into patches of several sizes."""

from __future__ import annotations

import time
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.analysis.attention_maps import class_token_grid
from course_utils.analysis.evaluation import evaluation_mode
from course_utils.beyond.flexivit import PATCH_SIZES, FlexiViT
from course_utils.data.normalisation import classes_of, normalisation_of
from course_utils.explore.explorer import Choice, PictureExplorer, example_pictures
from course_utils.explore.patch_size_picture import patch_size_picture
from course_utils.explore.patchify import patch_costs, patch_sizes
from course_utils.model.vit import VisionTransformer
from course_utils.zoo.weights import load_pretrained

MOST_CLASSES = 10
FARTHEST = 4  # times smaller or larger than the model's own patches
TRIES = 3  # the fastest is what the model needs; the others were disturbed, or warmed up


class PatchSizeExplorer(PictureExplorer):
    """A picture, and what one model says about it with patches of several sizes. Nothing is trained anew.

    Beside the answer stand the number of patches, the time of one picture on this machine, and where the read-out
    looks: the last layer's weights on the patches, mean of the heads.

    Args:
        model: It knows its normalisation and its classes. A FlexiViT counts as trained with every size.
        images: (count, C, H, W), uint8, or floats from 0 to 1, of the model's size.
        names: One for each image.
        sizes: Patch sizes P in pixels. None: half the model's own to four times it, as far as they divide the images;
            of a FlexiViT 2, 4, 8 and 16, likewise.

    Raises:
        ValueError: A size does not divide the images, the model's own is not among the sizes, or the model takes
            images of another size or knows no normalisation or classes.
    """

    summary = "One picture cut into patches of several sizes, and what the same trained model then says about it."

    sizes = traitlets.List(traitlets.Int()).tag(sync=True)  # the patch sizes on offer, smallest first
    costs = traitlets.List(traitlets.Dict()).tag(sync=True)  # of each of the sizes: see patch_costs
    own_size = traitlets.Int().tag(sync=True)  # the patch size that the model was trained with; 0: with all of them
    milliseconds = traitlets.List(traitlets.Float()).tag(sync=True)  # of each of the sizes: one picture, this machine
    patch_size = Choice(lambda explorer: explorer.sizes)  # P in pixels

    # What belongs to the picture: the classes that are shown, and for each of the sizes their probabilities, and the
    # weights on the patches in raster order.
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    probabilities = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    maps = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)

    def __init__(
        self, model: VisionTransformer | FlexiViT, images: Tensor, names: list[str], sizes: list[int] | None = None
    ) -> None:
        config, height, width = model.config, *images.shape[-2:]
        flexible = isinstance(model, FlexiViT)
        if (height, width) != (config.image_height, config.image_width):
            raise ValueError(
                f"This model takes images of {config.image_height}x{config.image_width} pixels, not {height}x{width}."
            )
        own = config.patch_size
        if sizes is None and flexible:
            sizes = [p for p in patch_sizes(height, width) if p in PATCH_SIZES]
        elif sizes is None:
            sizes = [
                p for p in patch_sizes(height, width) if own <= FARTHEST * p and p <= FARTHEST * own and 2 * p >= own
            ]
        if own not in sizes:
            raise ValueError(f"The sizes must hold the model's own patch size, {own}, but they are {sizes}.")
        sizes = sorted(sizes)
        self.models = [model.with_patch_size(p) for p in sizes]
        self.all_classes, self._known = classes_of(model), dict[int, dict[str, Any]]()
        plain = self.models[sizes.index(own)].config
        super().__init__(
            images,
            names,
            sizes=sizes,
            costs=patch_costs(plain, sizes),
            own_size=0 if flexible else own,
            milliseconds=[_milliseconds(each) for each in self.models],
            patch_size=own,
        )

    @classmethod
    def example(cls) -> PatchSizeExplorer:
        """See :meth:`Explorer.example`."""
        return cls(load_pretrained("cifar_micro"), *example_pictures())

    def look_at(self, index: int) -> dict[str, Any]:
        """Ask the model about one picture, once with each patch size."""
        if index not in self._known:
            image, found, maps = self.images[index][None], [], []  # (1, C, H, W)
            for model in self.models:
                config = model.config
                with evaluation_mode(model) as device, torch.no_grad():
                    pixels = normalisation_of(model)(image.to(device))
                    logits, weights = model.forward_with_attention(pixels, [config.depth - 1])  # (1, K), (1, h, N, N)
                found.append(logits[0].float().softmax(dim=0).cpu())
                mean = weights[config.depth - 1][0].mean(dim=0).cpu()  # (1, h, N, N) -> (N, N)
                grid = class_token_grid(mean, config.grid, config.num_prefix_tokens, config.has_class_token)
                maps.append([float(f"{weight:.4g}") for weight in grid.flatten().tolist()])
            every = torch.stack(found)  # (sizes, K)
            shown = every.amax(dim=0).topk(min(MOST_CLASSES, every.shape[1])).indices.sort().values
            self._known[index] = {
                "classes": [self.all_classes[k] for k in shown.tolist()],
                "probabilities": every[:, shown].tolist(),
                "maps": maps,
            }
        return self._known[index]

    def best(self, patch_size: int) -> tuple[str, float]:
        """Return the answer for the picture with a patch size: a class and its probability."""
        values = self.probabilities[self.sizes.index(patch_size)]
        place = values.index(max(values))
        return self.classes[place], values[place]

    def in_words(self) -> str:
        """Say what is to be seen. The browser says the same."""
        p, (name, value), place = self.patch_size, self.best(self.patch_size), self.sizes.index(self.patch_size)
        trained = f"{self.own_size} × {self.own_size}" if self.own_size else "all of these sizes"
        return (
            f"{self.costs[place]['patches']} patches of {p} × {p} pixels, {self.milliseconds[place]:.1f} ms: the model "
            f"says {name}, {100 * value:.0f}%. It was trained with {trained}."
        )

    def picture(self) -> Figure:
        """Draw the picture, cut in every size, and below it what the model says."""
        tables = [dict(zip(self.classes, values, strict=True)) for values in self.probabilities]
        return patch_size_picture(
            self.images[self.answered],
            self.names[self.answered],
            dict(zip(self.sizes, tables, strict=True)),
            dict(zip(self.sizes, self.maps, strict=True)),
            self.own_size,
        )


def _milliseconds(model: VisionTransformer) -> float:
    """Time the forward pass of one picture, in milliseconds."""
    config, times = model.config, []
    with evaluation_mode(model) as device, torch.no_grad():
        image = torch.zeros(1, config.in_channels, config.image_height, config.image_width, device=device)
        for _ in range(TRIES):
            start = time.perf_counter()
            model(image)
            times.append(time.perf_counter() - start)
    return round(1000 * min(times), 1)
