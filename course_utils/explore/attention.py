"""Where a token looks: every layer, every head, every token of a picture, one click away.

It stands in lessons 00 (start), 03 (attention) and 07 (attention_maps).

Shapes: L layers, h heads, N tokens. The prefix tokens (class token, registers) stand before the patches, which stand in
raster order on a grid of (rows, columns).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.analysis.attention_maps import mean_attention_distance, rollout
from course_utils.analysis.evaluation import evaluation_mode
from course_utils.data import CIFAR10_CLASSES, classes_of, normalisation_of
from course_utils.explore.attention_picture import attention_picture
from course_utils.explore.explorer import Choice, PictureExplorer, example_pictures, first_query, prefix_names
from course_utils.model.vit import VisionTransformer
from course_utils.zoo.weights import load_pretrained

LOOKS_AT, LOOKED_AT = DIRECTIONS = ("looks at", "is looked at by")  # a row of the weights, a column of them
WHOLE = 65535  # a weight of 1, as it is sent
MOST_CLASSES = 3  # of the answer

Compute = Callable[[Tensor], tuple[Tensor, Tensor]]


def attend(
    model: VisionTransformer,
    image: Tensor,
) -> tuple[Tensor, Tensor]:
    """Show a model one picture.

    Args:
        model: It stays on its device; the image goes there.
        image: (C, H, W), uint8.

    Returns:
        The attention weights (L, h, N, N) and the probabilities of the classes (K,), both on the CPU.
    """
    with evaluation_mode(model) as device, torch.no_grad():
        logits, maps = model.forward_with_attention(normalisation_of(model)(image[None].to(device)))
    weights = torch.cat(list(maps.values()))  # for each layer (1, h, N, N) -> (L, h, N, N)
    return weights.float().cpu(), logits[0].float().softmax(dim=0).cpu()


def to_shares(weights: Tensor) -> np.ndarray:
    """Turn weights (..., N, N), whose rows sum to 1, into whole numbers of 16 bits: shares of 65535.

    Raises:
        ValueError: A row does not sum to 1, within what the rounding explains.
    """
    shares = (weights * WHOLE).round()
    off = (shares.sum(dim=-1) / WHOLE - 1).abs().amax().item()
    if shares.amin() < 0 or not off <= 0.5 * weights.shape[-1] / WHOLE + 1e-4:  # "not": NaN is refused too
        raise ValueError(f"Attention weights are not negative and each row sums to 1, but a row is off by {off:.2g}.")
    return shares.numpy().astype("<u2")


def looks_far(weights: Tensor, together: Tensor, grid: tuple[int, int], patch_size: int, prefix: int) -> np.ndarray:
    """Measure how far each head looks, the mean of the heads, and the rollout.

    Args:
        weights: (L, h, N, N).
        together: The rollout (N, N).
        grid: Rows and columns.
        patch_size: Side P of a patch in pixels.
        prefix: Tokens before the patches.

    Returns:
        Mean attention distance (L + 1, h + 1) in pixels: in the last column of the mean of the heads, in the last row
        of the rollout. NaN where no patch takes anything from a patch.
    """
    layers = torch.cat([weights, weights.mean(dim=1, keepdim=True)], dim=1)  # (L, h, N, N) -> (L, h + 1, N, N)
    every = torch.cat([layers, together.expand(1, *layers.shape[1:])])  # -> (L + 1, h + 1, N, N)
    return mean_attention_distance(every[None], grid, patch_size, prefix).numpy().astype("<f4")


def percent(share: float) -> str:
    """Write a share in percent; the browser does the same."""
    return f"{100 * share:.{1 if share >= 0.01 else 2}f}%"


class AttentionExplorer(PictureExplorer):
    """A picture and its patches: pick one, and see where it looks.

    Args:
        images: (count, C, H, W), uint8, or floats from 0 to 1: not normalised.
        names: One for each image.
        compute: From one image (3, H, W), uint8, to attention weights (L, h, N, N) and probabilities (K,).
        shape: Layers L and heads h.
        patch_size: Side P of a patch in pixels.
        prefix: Names of the tokens before the patches.
        classes: Names of the K classes.
        traits: What to show first: layer, head, query, direction, shared_scale, image, details.

    Raises:
        ValueError: ``compute`` gives other shapes than these.
    """

    summary = (
        "Attention explorer: pick a patch of a picture and see where it looks, in every layer and head of a model."
    )

    shape = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)  # L, h
    grid = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)  # rows, columns
    prefix = traitlets.List(traitlets.Unicode()).tag(sync=True)
    details = traitlets.Bool(True).tag(sync=True)  # False, for a first look: no layers, heads and directions
    uniform_distance = traitlets.Float().tag(sync=True)  # pixels, of a head that looks everywhere alike

    # What belongs to the picture.
    weights = traitlets.Bytes().tag(sync=True)  # (L * h + 1, N, N), uint16, shares of 65535; the last is the rollout
    distances = traitlets.Bytes().tag(sync=True)  # (L + 1, h + 1), float32, see looks_far
    largest = traitlets.Float().tag(sync=True)  # of all weights from or to a patch
    answer: traitlets.List[Any] = traitlets.List().tag(sync=True)  # [[class, probability], ...]

    # What the person picks.
    layer = Choice(lambda explorer: range(explorer.shape[0] + 1), note="the last is the rollout")
    head = Choice(lambda explorer: range(explorer.shape[1] + 1), note="the last is the mean of the heads")
    query = Choice(lambda explorer: range(explorer.num_tokens))  # a token, the prefix counted in
    direction = Choice(lambda explorer: DIRECTIONS, LOOKS_AT)
    shared_scale = traitlets.Bool(False).tag(sync=True, picked=True)

    def __init__(
        self,
        images: Tensor,
        names: list[str],
        compute: Compute,
        *,
        shape: tuple[int, int],
        patch_size: int,
        prefix: Sequence[str] = ("class token",),
        classes: Sequence[str] = CIFAR10_CLASSES,
        **traits: Any,
    ) -> None:
        height, width = images.shape[-2:]
        rows, columns = grid = height // patch_size, width // patch_size
        self.compute, self.patch_size, self.classes = compute, patch_size, tuple(classes)
        self.num_tokens = n = len(prefix) + rows * columns
        flat = torch.full((1, 1, 1, n, n), 1 / n)
        first = {
            "layer": shape[0] - 1,
            "head": shape[1],
            "query": first_query(prefix, grid),
            "uniform_distance": mean_attention_distance(flat, grid, patch_size, len(prefix)).item(),
        }
        super().__init__(images, names, shape=shape, grid=grid, prefix=list(prefix), **(first | traits))

    @classmethod
    def from_model(
        cls,
        model: VisionTransformer,
        images: Tensor,
        names: list[str],
        **traits: Any,
    ) -> AttentionExplorer:
        """Explore a Vision Transformer.

        Args:
            model: With or without class token and registers; it knows its normalisation and its classes.
            images: (count, C, H, W), uint8, or floats from 0 to 1, of the model's size.
            names: One for each image.
            traits: What to show first, see the class.

        Raises:
            ValueError: The model takes images of another size, or does not know its normalisation or classes.
        """
        config = model.config
        prefix = prefix_names(config)
        compute = partial(attend, model)
        shape = config.depth, config.num_heads
        return cls(
            images,
            names,
            compute,
            shape=shape,
            patch_size=config.patch_size,
            prefix=prefix,
            classes=classes_of(model),
            **traits,
        )

    @classmethod
    def example(cls) -> AttentionExplorer:
        """See :meth:`Explorer.example`."""
        return cls.from_model(load_pretrained("cifar_micro"), *example_pictures())

    def look_at(self, index: int) -> dict[str, Any]:
        """Compute weights, distances and the model's answer for one picture."""
        weights, probabilities = self.compute(self.images[index])
        n, p = self.num_tokens, len(self.prefix)
        if weights.shape != (*self.shape, n, n) or probabilities.shape != (len(self.classes),):
            raise ValueError(
                f"The weights must be {(*self.shape, n, n)} and the probabilities {(len(self.classes),)}, "
                f"not {tuple(weights.shape)} and {tuple(probabilities.shape)}."
            )
        together = rollout(weights)
        every = torch.cat([weights.flatten(0, 1), together[None]])  # (L, h, N, N) -> (L * h + 1, N, N)
        shares = to_shares(every)
        best = probabilities.topk(min(MOST_CLASSES, len(probabilities)))
        return {
            "weights": shares.tobytes(),
            "distances": looks_far(weights, together, self.grid, self.patch_size, p).tobytes(),
            "largest": float(max(shares[:, p:].max(), shares[:, :, p:].max()) / WHOLE),
            "answer": [[self.classes[k], value] for value, k in zip(*map(Tensor.tolist, best), strict=True)],
        }

    def values(self, layer: int | None = None, head: int | None = None) -> np.ndarray:
        """Return the weights between the query and every token (N,), in a layer and head, by default those shown."""
        layer, head = self.layer if layer is None else layer, self.head if head is None else head
        depth, heads = self.shape
        n = self.num_tokens
        shares = np.frombuffer(self.weights, "<u2").reshape(-1, n, n)  # (L * h + 1, N, N)
        if layer == depth:
            chosen = shares[-1:]  # the rollout
        else:
            start = layer * heads
            chosen = shares[start : start + heads] if head == heads else shares[start + head, None]
        lines = chosen[:, self.query] if self.direction == LOOKS_AT else chosen[:, :, self.query]  # (heads, N)
        return lines.sum(axis=0, dtype=np.int64) / (WHOLE * len(lines))

    def where(self) -> str:
        """Name the layer and head shown."""
        depth, heads = self.shape
        if self.layer == depth:
            return "Rollout through all layers"
        return f"Layer {self.layer}, {'mean of the heads' if self.head == heads else f'head {self.head}'}"

    def who(self) -> str:
        """Name the query."""
        if self.query < len(self.prefix):
            return f"the {self.prefix[self.query]}"
        return f"the patch in {self._place(self.query - len(self.prefix))}"

    def in_words(self) -> str:
        """Say what is to be seen. The browser says the same."""
        p, values = len(self.prefix), self.values()
        best = (-values[p:]).argsort(kind="stable")[:3]  # of equal values the first
        places = [f"{self._place(patch)} ({percent(values[p + patch])})" for patch in best.tolist()]
        others = "".join(f"; {name} {percent(values[token])}" for token, name in enumerate(self.prefix))
        if self.direction == LOOKS_AT:
            verb, mean = "looks most at", ""
        else:
            verb, mean = "is looked at most by", f" The mean over all tokens is {percent(values.mean())}."
        uniform = percent(1 / self.num_tokens)
        return f"{self.where()}: {self.who()} {verb} {', '.join(places)}{others}.{mean} Uniform would be {uniform}."

    def picture(self) -> Figure:
        """Draw the picture, the map shown over it, and the maps of all layers and heads."""
        p, (rows, columns), (depth, heads) = len(self.prefix), self.grid, self.shape
        maps = [[self.values(layer, head)[p:] for head in range(heads + 1)] for layer in range(depth)]
        name, probability = self.answer[0]
        return attention_picture(
            self.images[self.answered],
            torch.from_numpy(self.values()[p:].reshape(rows, columns)),
            f"{self.names[self.answered]}\nsays {name}, {probability:.0%}",
            f"{self.in_words()} The model says {name}.",
            title=f"{self.where()}:\n{self.who()}\n{self.direction}",
            marked=divmod(self.query - p, columns) if self.query >= p else None,
            uniform=1 / self.num_tokens,
            top=self.largest if self.shared_scale else None,
            overview=torch.tensor(np.reshape(maps, (depth, heads + 1, rows, columns))) if self.details else None,
        )

    def _place(self, patch: int) -> str:
        return "row {}, column {}".format(*divmod(patch, self.grid[1]))
