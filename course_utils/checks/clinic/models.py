"""Healthy and ill models on which a test is tried, and how it is tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.analysis.clinic import slips
from course_utils.model.config import ViTConfig
from course_utils.model.patches import patchify

NEAR = 1e-4


@dataclass(frozen=True)
class Case:
    """A model that is still to be made, in train mode, and what a test should say of it."""

    words: str
    right: bool
    make: Callable[[], nn.Module]

    def __repr__(self) -> str:
        return self.words


class Function(nn.Module):
    """A model that is one function of its images, with one weight, so that gradients can be asked for."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K)."""
        return self.weight * self.function(images)


class Usual(nn.Module):
    """A ViT made of PyTorch's own layers, in the manner of the usual libraries."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.codes = nn.Parameter(torch.randn(1, 6, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.3, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K)."""
        tokens = self.patch(images).flatten(2).transpose(1, 2) + self.codes  # (B, C, H, W) -> (B, N, D)
        return self.head(self.encoder(tokens).mean(dim=1))


SMALL = ViTConfig(image_size=(8, 12), patch_size=4, num_classes=5, embed_dim=16, depth=2, num_heads=2)


def vit(name: str = "no slip") -> Callable[[], nn.Module]:
    """Make our small model, with one of the slips in it. Its weights are larger than at a usual start."""
    slip = next(each for each in (slips.HEALTHY, *slips.SLIPS) if each.name == name)

    def make() -> nn.Module:
        model = slip.patient(0, SMALL).model
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(10)
        return model

    return make


def seeded(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """Make a model with the same random numbers each time, in train mode."""

    def seeded() -> nn.Module:
        torch.manual_seed(1)
        return make().train()

    return seeded


def cnn() -> nn.Module:
    """Make a small CNN."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.Flatten(),
        nn.Linear(8 * 4 * 6, 5),
    )


def linear() -> nn.Module:
    """Make one linear map."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 12, 5))


def sums(images: Tensor) -> Tensor:
    """Two logits: the sum of an image, and minus that."""
    total = images.flatten(1).sum(dim=1)  # (B, C, H, W) -> (B,)
    return torch.stack([total, -total], dim=1)  # -> (B, 2)


def bag(images: Tensor) -> Tensor:
    """Two logits from the largest numbers of the patches: their order plays no part, their inside does."""
    patches = patchify(images, 4)  # (B, C, H, W) -> (B, N, C*P*P)
    slope = torch.linspace(-1.0, 2.0, patches.shape[2])
    score = (patches @ slope).tanh().mean(dim=1)  # (B,)
    return torch.stack([score, 1 - score], dim=1)


HEALTHY = (
    Case("one linear map", True, seeded(linear)),
    Case("our ViT", True, vit()),
    Case("a ViT of PyTorch's own layers, with dropout", True, seeded(Usual)),
    Case("a CNN with batch norm and dropout", True, seeded(cnn)),
)
IMAGES = torch.randn(5, 3, 8, 12, generator=torch.Generator().manual_seed(7))  # 2 x 3 patches of 4 pixels
ONE_OTHER = IMAGES[[0, 0, 0, 0, 1]]  # only the last image differs
WHOLE = torch.arange(5.0).view(5, 1, 1, 1) + torch.arange(3 * 8 * 12).view(1, 3, 8, 12) % 7  # sums without rounding


def on_images(cases: Sequence[Case], *more: Any) -> list[tuple[Any, ...]]:
    """Give each case the same images."""
    return [(case, *more) for case in cases]


@dataclass(frozen=True)
class Said:
    """What a test said of a model; wrong ones with what the model was called with.

    Two wrong tests that say the same may do so for different reasons.
    """

    words: str

    def __repr__(self) -> str:
        return self.words


def run_case(attempt: Callable[..., Any], case: Case, images: Tensor, *more: Any) -> Any:
    """Run a test on a new model, and say what it said."""
    model, calls = case.make().train(), []
    model.register_forward_pre_hook(lambda _, given: calls.append(given[0].detach().clone()))
    found = attempt(model, images, *more)
    if isinstance(found, np.bool_) or (isinstance(found, Tensor) and found.dtype == torch.bool and found.ndim == 0):
        found = bool(found)
    if isinstance(found, bool):
        if found == case.right:
            return Said(str(found))
        with_what = ", ".join(sorted({_kind(each, images, *more) for each in calls}))
        twice = " more than once" if len(calls) > 1 and with_what == "the images" else ""
        return Said(f"{found}; the model was called with: {with_what or 'nothing'}{twice}")
    if isinstance(found, (int, float)) or (isinstance(found, Tensor) and found.numel() == 1):
        return Said("a number, where True or False is asked for")
    return found


def _kind(given: Tensor, images: Tensor, patch_size: int = 4) -> str:
    """Say in words what a model was given, compared with the images (B, C, H, W)."""
    if given.ndim != 4 or given.shape[1:] != images.shape[1:]:
        return "something of another shape"
    if len(given) != len(images):
        return "one image" if len(given) == 1 else "some of the images"
    if torch.equal(given, images):
        return "the images"
    if torch.equal(given, given[:1].expand_as(given)):
        return "copies of one image"

    def whole(each: Tensor) -> Tensor:  # the numbers of each image
        return each.flatten(1).sort(dim=1).values

    if not torch.equal(whole(given), whole(images)):
        same = torch.equal(given.flatten().sort().values, images.flatten().sort().values)
        return "the images in another order" if same else "other images"
    if any(torch.equal(given, images.flip(axes)) for axes in ((-1,), (-2,), (-1, -2))):
        return "images turned over"
    before, after = patchify(images, patch_size), patchify(given, patch_size)  # (B, N, C*P*P)
    if torch.equal(before.sort(dim=2).values, after.sort(dim=2).values):
        return "patches with their numbers shuffled inside"
    if _same_pieces(before, after):
        return "patches in another order"
    rows = (images.reshape(before.shape), given.reshape(before.shape))
    return "other pieces in another order" if _same_pieces(*rows) else "pixels in other places"


def _same_pieces(one: Tensor, other: Tensor) -> bool:
    """Whether each piece of one (B, N, L) is a piece of the other, of the same image."""
    equal = (one[:, :, None] == other[:, None]).all(dim=-1)  # (B, N, N)
    return bool(equal.any(dim=2).all())


def logits_of(model: nn.Module, images: Tensor, evaluate: bool = True) -> Tensor:
    """Run a model in eval mode, or in train mode, without gradients."""
    model.train(not evaluate)
    with torch.no_grad():
        return model(images)


def far(one: Tensor, other: Tensor, near: float = NEAR) -> bool:
    """Whether some logit lies further away than allowed."""
    return bool(((one - other).abs() > near).any())


EXACT = "Two ways to the same number differ in the last digits, because the sums run in another order. You ask for "
TRAIN = (
    "The model comes in train mode, where dropout is at work and batch norm looks at the whole batch: call "
    "model.eval() first."
)


def of_function(function: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    """Make a model of one function."""
    return seeded(lambda: Function(function))


def with_dropout(function: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    """Make a model of one function, and dropout behind it."""
    return seeded(lambda: nn.Sequential(Function(function), nn.Dropout()))


def small_map(images: Tensor) -> Tensor:
    """Two small logits from linear maps: a slope over all pixels, and their sum."""
    slope = torch.linspace(-1.0, 1.0, images[0].numel())
    return 1e-3 * torch.stack([images.flatten(1) @ slope, images.flatten(1).sum(dim=1)], dim=1)


ABSOLUTE = (
    "You look for the largest difference with its sign: where all logits fall, none is above 0. Take `abs()` of each "
    "difference first, then the largest."
)
AVERAGED = (
    "You take a mean, or a sum, before you look how large the change is. One logit of one image that changes by 0.0005 "
    "drowns in the mean, and a rise takes a fall away. Look at each difference by itself."
)
ONE_CLASS = "You look at the logits of one class only. The change may be in any of them: compare all."


def level(images: Tensor) -> Tensor:
    """Return the mean of each image: (B, C, H, W) -> (B,)."""
    return images.mean(dim=(1, 2, 3))


def one_logit(number: Tensor, which: int) -> Tensor:
    """Make three logits of 0.3, one of which has a number (B,) on top: (B, 3)."""
    return 0.3 + number[:, None] * F.one_hot(torch.tensor(which), 3)


_RAMP = torch.arange(6.0).view(1, 1, 2, 3).repeat_interleave(4, 2).repeat_interleave(4, 3).expand(1, 3, 8, 12)
_EVEN = torch.ones_like(_RAMP)  # all patches are equal: their order cannot matter
LAST_IN_ORDER = torch.cat([_EVEN, _EVEN, _EVEN, _EVEN, _RAMP])
FIRST_IN_ORDER = LAST_IN_ORDER.flip(0)


def in_order(images: Tensor) -> Tensor:
    """Return 1 for an image whose patches of 4 pixels grow from 0 to 5 in the order of reading, else about -1 or 0."""
    means = F.avg_pool2d(images.mean(dim=1, keepdim=True), 4).flatten(1)  # (B, C, H, W) -> (B, N)
    return (10 * (means @ torch.arange(float(means.shape[1])) - 54)).tanh()  # 55 if they do; less in any other order


def others(images: Tensor) -> Tensor:
    """Return the mean square of all other images of a batch, about 1, and 0 for an image alone: (B,)."""
    squares = images.square().flatten(1).mean(dim=1)
    return (squares.sum() - squares) / max(len(images) - 1, 1)
