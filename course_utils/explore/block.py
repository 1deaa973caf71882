"""Lesson 04 (blocks): one token on its way through the blocks, station by station.

Shapes: L layers, S stations in a block, N tokens, D their width, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.analysis.evaluation import evaluation_mode
from course_utils.data import CIFAR10_CLASSES, classes_of, normalisation_of
from course_utils.explore.block_picture import block_picture
from course_utils.explore.explorer import Choice, PictureExplorer, example_pictures, first_query, prefix_names
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer
from course_utils.zoo.weights import load_pretrained


class Station(NamedTuple):
    """A place in a block where the token is looked at: its name, what made it, whether it lies on the stream."""

    name: str
    kind: str  # "stream", "norm", "attention" or "MLP"
    on_stream: bool


PRE_NORM = (
    Station("input x", "stream", True),
    Station("norm1", "norm", False),
    Station("attention", "attention", False),
    Station("x + attention", "stream", True),
    Station("norm2", "norm", False),
    Station("MLP", "MLP", False),
    Station("output", "stream", True),
)
POST_NORM = (
    Station("input x", "stream", True),
    Station("attention", "attention", False),
    Station("x + attention", "stream", True),
    Station("norm1", "norm", True),
    Station("MLP", "MLP", False),
    Station("norm1 + MLP", "stream", True),
    Station("output", "norm", True),
)
ADDED_TO = 0, 3  # in both orders: the stations of the stream that attention and MLP are added to


def stations(config: ViTConfig) -> tuple[Station, ...]:
    """Return the S = 7 stations of a block, in the order of the computation."""
    return PRE_NORM if config.pre_norm else POST_NORM


@dataclass(frozen=True)
class TokenPaths:
    """Where all tokens of one picture are at every station of every block. No number has a unit.

    Attributes:
        lengths: (L, S, N), the L2 norm of the token.
        to_block: (L, S, N), its cosine with the token as it entered the block.
        to_start: (L, S, N), its cosine with the token as it entered the first block.
        along: (L, 2, N), the cosine of what attention and MLP add with the stream that they are added to.
        early: (L + 1, K), class probabilities if the class token went straight from here to the final norm and the
            head: before the first block, and after each. The last row is what the model says. (0, 0) without a class
            token or a head.
    """

    lengths: Tensor
    to_block: Tensor
    to_start: Tensor
    along: Tensor
    early: Tensor


@torch.no_grad()
def follow_tokens(model: VisionTransformer, image: Tensor) -> TokenPaths:
    """Follow all tokens of one picture through all stations of all blocks.

    A token of length 0 has no direction: its cosines are 0.

    Args:
        model: It stays on its device; the image goes there.
        image: (C, H, W), normalised.

    Returns:
        :class:`TokenPaths` on the CPU, float32.

    Raises:
        ValueError: The image does not fit the model.

    Source of ``early``: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    with evaluation_mode(model) as device:  # no drop path: a branch adds what it puts out
        parts = {name: values[0] for name, values in model.intermediates(image[None].to(device)).items()}
        start = parts["embeddings"]  # (N, D)
        depth = model.config.depth
        outputs = torch.stack([start, *(parts[f"blocks.{layer}"] for layer in range(depth))])  # (L + 1, N, D)
        early = torch.zeros(0, 0)
        if model.config.has_class_token and model.config.num_classes:
            read = model.head(model.pool(model.encoder.norm(outputs)))  # (L + 1, N, D) -> (L + 1, D) -> (L + 1, K)
            early = read.softmax(dim=-1)
    tokens, along = [], []
    for layer in range(depth):
        norm1, attention, norm2, mlp = (
            parts[f"blocks.{layer}.{name}"] for name in ("norm1", "attention", "norm2", "mlp")
        )
        x, output = outputs[layer], outputs[layer + 1]
        if model.config.pre_norm:
            passed = torch.stack([x, norm1, attention, x + attention, norm2, mlp, output])  # (S, N, D)
        else:
            passed = torch.stack([x, attention, x + attention, norm1, mlp, norm1 + mlp, output])
        tokens.append(passed)
        along.append(F.cosine_similarity(torch.stack([attention, mlp]), passed[list(ADDED_TO)], dim=-1))  # (2, N)
    path = torch.stack(tokens)  # (L, S, N, D)
    return TokenPaths(
        lengths=path.norm(dim=-1).float().cpu(),
        to_block=F.cosine_similarity(path, path[:, :1], dim=-1).float().cpu(),
        to_start=F.cosine_similarity(path, start, dim=-1).float().cpu(),
        along=torch.stack(along).float().cpu(),
        early=early.float().cpu(),
    )


class BlockExplorer(PictureExplorer):
    """Follow one token through the stations of a block: how long it is, where it points, what is added to it.

    Make it with :meth:`from_model`.

    Args:
        images: (count, C, H, W), uint8, or floats from 0 to 1: not normalised.
        names: One for each image.
        follow: From one image, (3, H, W) and uint8, to its :class:`TokenPaths`.
        config: Of the model that ``follow`` asks.
        classes: Names of its K classes.
        traits: What to show first: image, token, layer, compare.

    Raises:
        ValueError: There is not one name for each class.
    """

    summary = (
        "One token on its way through the blocks of a Vision Transformer: how long it is at every station, how far it "
        "has turned, and what attention and MLP add to it."
    )

    grid = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)  # rows and columns of patches
    prefix = traitlets.List(traitlets.Unicode()).tag(sync=True)  # names of the tokens before the patches
    width = traitlets.Int().tag(sync=True)  # D
    depth = traitlets.Int().tag(sync=True)  # L
    stations = traitlets.List(traitlets.Any()).tag(sync=True)  # S times name, kind, whether it lies on the stream
    added_to = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=ADDED_TO, read_only=True).tag(sync=True)

    # Of the picture; float32, little-endian. See TokenPaths.
    lengths = traitlets.Bytes().tag(sync=True)  # (L, S, N)
    to_block = traitlets.Bytes().tag(sync=True)  # (L, S, N), cosines
    to_start = traitlets.Bytes().tag(sync=True)  # (L, S, N), cosines
    along = traitlets.Bytes().tag(sync=True)  # (L, 2, N), cosines
    early = traitlets.List(traitlets.Any()).tag(sync=True)  # L + 1 times: likeliest class, its probability; or empty

    token = Choice(lambda explorer: range(explorer.config.num_tokens), note="prefix tokens come first")
    layer = Choice(lambda explorer: range(explorer.config.depth))
    compare = Choice(lambda explorer: ("block", "start"), "block")  # where the token entered: angles from there

    def __init__(
        self,
        images: Tensor,
        names: list[str],
        follow: Callable[[Tensor], TokenPaths],
        config: ViTConfig,
        classes: Sequence[str] = CIFAR10_CLASSES,
        **traits: Any,
    ) -> None:
        if config.num_classes and len(classes) != config.num_classes:
            raise ValueError(f"There are {len(classes)} names for the {config.num_classes} classes of the model.")
        self.follow, self.config, self.classes = follow, config, tuple(classes)
        prefix = prefix_names(config)
        about_model = {
            "grid": config.grid,
            "prefix": prefix,
            "width": config.embed_dim,
            "depth": config.depth,
            "stations": [list(station) for station in stations(config)],
        }
        first = {"token": first_query(prefix, config.grid)}
        super().__init__(images, names, **(about_model | first | traits))

    @classmethod
    def from_model(
        cls,
        model: VisionTransformer,
        images: Tensor,
        names: list[str],
        **traits: Any,
    ) -> BlockExplorer:
        """Explore a model on a few images.

        Args:
            model: It knows its normalisation and its classes, and is asked anew for each picture that is chosen.
            images: (count, C, H, W), uint8, or floats from 0 to 1: not normalised.
            names: One for each image.
            traits: What to show first, see the class.

        Raises:
            ValueError: The images do not fit the model, names are missing, or it knows no normalisation or classes.
        """
        normalise = normalisation_of(model)

        def follow(image: Tensor) -> TokenPaths:
            return follow_tokens(model, normalise(image[None])[0])

        return cls(images, names, follow, model.config, classes_of(model), **traits)

    @classmethod
    def example(cls) -> BlockExplorer:
        """See :meth:`Explorer.example`."""
        return cls.from_model(load_pretrained("cifar_micro"), *example_pictures())

    def paths(self, index: int) -> TokenPaths:
        """Follow the tokens of one of the pictures."""
        return self.follow(self.images[index])

    def look_at(self, index: int) -> dict[str, Any]:
        """See :meth:`PictureExplorer.look_at`."""
        paths = self.paths(index)
        best = [row.argmax().item() for row in paths.early]
        return {
            "lengths": _little_endian(paths.lengths),
            "to_block": _little_endian(paths.to_block),
            "to_start": _little_endian(paths.to_start),
            "along": _little_endian(paths.along),
            "early": [[self.classes[k], row[k].item()] for k, row in zip(best, paths.early, strict=True)],
        }

    def picture(self) -> Figure:
        """Draw the token's path through the chosen block, and its length in all of them."""
        paths, patch = self.paths(self.image), self.token - len(self.prefix)
        place = divmod(patch, self.config.grid[1])
        from_block = self.compare == "block"
        return block_picture(
            self.images[self.image],
            self.names[self.image],
            self.prefix[self.token] if patch < 0 else f"patch row {place[0]}, column {place[1]}",
            None if patch < 0 else place,
            self.config.grid,
            self.layer,
            stations(self.config),
            paths.lengths[..., self.token],  # (L, S, N) -> (L, S)
            (paths.to_block if from_block else paths.to_start)[self.layer, :, self.token],
            paths.along[self.layer, :, self.token],
            since="this block" if from_block else "the first block",
            readings=[self.classes[row.argmax()] for row in paths.early[1:]] if self.token == 0 else [],
        )


def _little_endian(values: Tensor) -> bytes:
    return values.numpy().astype("<f4").tobytes()
