"""Lesson 01 (patches): a picture cut into patches, the sequence that they make, and what each patch size costs."""

from __future__ import annotations

import math
from typing import Any

import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.explore.explorer import Choice, PictureExplorer, example_pictures, is_one_of
from course_utils.explore.patchify_picture import patchify_picture
from course_utils.model.config import ViTConfig
from course_utils.model.counting import count_multiply_adds, count_parameters

LARGEST_SEQUENCE = 1024  # patches; a longer sequence would have tokens too small to click


def patch_sizes(height: int, width: int) -> list[int]:
    """Return the patch sizes, in pixels, that divide an image into at most ``LARGEST_SEQUENCE`` patches.

    Raises:
        ValueError: There is none.
    """
    side = math.gcd(height, width)
    sizes = [p for p in range(1, side + 1) if side % p == 0 and height * width <= LARGEST_SEQUENCE * p**2]
    if not sizes:
        raise ValueError(
            f"No patch size cuts an image of {height}x{width} pixels into at most {LARGEST_SEQUENCE} patches: "
            "crop or resize the images."
        )
    return sizes


def patch_costs(config: ViTConfig, sizes: list[int]) -> list[dict[str, float]]:
    """Count what a model costs with each of these patch sizes, everything else as it is.

    Args:
        config: The model. Its own patch size is the one that the others are compared with.
        sizes: Patch sizes P in pixels.

    Returns:
        For each size a dictionary: "patches"; "others" (tokens that hold no patch: the class token); "numbers" in a
        patch; "scores" of one head in one layer; parameters of the "patch embedding" and the "positions";
        "multiply-adds" of one image; "attention share" of them that are attention products, from 0 to 1; "relative",
        the multiply-adds as a multiple of those with ``config.patch_size``.
    """
    reference = sum(count_multiply_adds(config).values())
    costs = []
    for p in sizes:
        model = config.replace(patch_size=p)
        parameters, products = count_parameters(model), count_multiply_adds(model)
        total = sum(products.values())
        costs.append(
            {
                "patches": model.num_patches,
                "others": model.num_prefix_tokens,
                "numbers": model.patch_dim,
                "scores": model.num_tokens**2,
                "patch embedding": parameters["patch embedding"],
                "positions": parameters["positions"],
                "multiply-adds": total,
                "attention share": products["attention products"] / total,
                "relative": total / reference,
            }
        )
    return costs


def patch_at(place: tuple[int, int], patch_size: int, width: int) -> int:
    """Return the number, in raster order, of the patch that holds a pixel (row, column) of an image of this width."""
    row, column = place
    return row // patch_size * (width // patch_size) + column // patch_size


def middle_of(patch: int, patch_size: int, width: int) -> tuple[int, int]:
    """Return the pixel (row, column) in the middle of a patch: the inverse of :func:`patch_at`."""
    row, column = divmod(patch, width // patch_size)
    return row * patch_size + patch_size // 2, column * patch_size + patch_size // 2


class PatchifyExplorer(PictureExplorer):
    """A picture with its patch grid, the same patches as a sequence, and the cost of each patch size.

    Args:
        images: (count, 3, H, W), uint8, or floats from 0 to 1: not normalised. H and W need not be equal.
        names: One for each image.
        preset: The model whose costs are counted, for images of this size.

    Raises:
        ValueError: The images or names are refused, no patch size fits, or no preset has that name.
    """

    summary = "A picture cut into patches, the sequence of tokens that they make, and what each patch size costs."

    sizes = traitlets.List(traitlets.Int()).tag(sync=True)  # the patch sizes on offer, smallest first
    costs = traitlets.List(traitlets.Dict()).tag(sync=True)  # of each of the sizes: see patch_costs
    reference = traitlets.Int().tag(sync=True)  # the patch size that the others are compared with
    model_words = traitlets.Unicode().tag(sync=True)  # whose costs these are
    patch_size = Choice(lambda explorer: explorer.sizes)  # P in pixels
    # A pixel (row, column): the mark is on the patch that holds it, whatever the patch size.
    place = traitlets.Tuple(traitlets.Any(), traitlets.Any(), default_value=(0, 0)).tag(sync=True, picked=True)
    # Number of the marked patch, counted from 0. The browser sets the place, and this follows.
    patch = Choice(lambda explorer: range(explorer.grid[0] * explorer.grid[1])).tag(sync=False)

    def __init__(self, images: Tensor, names: list[str], *, preset: str = "cifar_micro") -> None:
        height, width = images.shape[-2:]
        own, sizes = ViTConfig.preset(preset).patch_size, patch_sizes(height, width)
        reference = own if own in sizes else sizes[len(sizes) // 2]
        config = ViTConfig.preset(preset, image_size=(height, width), patch_size=reference)
        super().__init__(
            images,
            names,
            sizes=sizes,
            costs=patch_costs(config, sizes),
            reference=reference,
            model_words=f"{preset}: {config.depth} blocks, {config.num_heads} heads, width {config.embed_dim}",
            patch_size=reference,
            place=(height // 2, width // 2),
        )

    @classmethod
    def example(cls) -> PatchifyExplorer:
        """See :meth:`Explorer.example`."""
        return cls(*example_pictures())

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the patches."""
        height, width = self.picture_size
        return height // self.patch_size, width // self.patch_size

    @traitlets.validate("place")
    def _check_place(self, proposal: Any) -> tuple[int, int]:
        (row, column), (height, width) = proposal["value"], self.picture_size
        if not (is_one_of(row, range(height)) and is_one_of(column, range(width))):
            raise traitlets.TraitError(f"There is no pixel {(row, column)} in an image of {height}x{width} pixels.")
        return proposal["value"]

    @traitlets.observe("patch_size", "place")
    def _follow_place(self, change: Any) -> None:
        """With another patch size the mark stays where it was in the picture."""
        self.patch = patch_at(self.place, self.patch_size, self.picture_size[1])

    @traitlets.observe("patch")
    def _follow_patch(self, change: Any) -> None:
        width = self.picture_size[1]
        if patch_at(self.place, self.patch_size, width) != self.patch:
            self.place = middle_of(self.patch, self.patch_size, width)

    def picture(self) -> Figure:
        """Draw the picture with its grid, the patches, and the multiply-adds of every patch size."""
        return patchify_picture(
            self.images[self.image],
            self.names[self.image],
            self.patch_size,
            self.patch,
            {size: cost["relative"] for size, cost in zip(self.sizes, self.costs, strict=True)},
            self.reference,
        )
