"""Checks of the exercises of lesson 08 (clinic): tests that find a slip, the ward, and a forward pass to mend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.analysis.clinic import patients, slips
from course_utils.analysis.clinic.quick_tests import floor_of_bounded_logits
from course_utils.analysis.clinic.symptoms import SYMPTOMS
from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.in_a_model import Flawed, as_in_a_model
from course_utils.model.config import ViTConfig
from course_utils.model.patches import patchify, unpatchify

# --- name_the_number


def _named(
    *,
    read: Callable[[Sequence[float]], float] = lambda losses: sum(losses[-10:]) / len(losses[-10:]),
    floors: Callable[..., tuple[float, ...]] = lambda k: (
        math.log(k),
        floor_of_bounded_logits(k, 1),
        floor_of_bounded_logits(k, 2),
    ),
    names: tuple[str, str, str] = ("same answer", "softmax", "tanh"),
    low: float = 0.1,
    near: float = 0.05,
) -> Callable[[Sequence[float], int], str]:
    """Make a way to name the number; each part of it can be done wrongly."""

    def name_the_number(losses: Sequence[float], num_classes: int) -> str:
        last = read(losses)
        if last < low:
            return "learned"
        for floor, name in zip(floors(num_classes), names, strict=True):
            if abs(last - floor) <= near:
                return name
        return "unknown"

    return name_the_number


def _around(value: float, wobble: float = 0.02, start: float = 3.0) -> tuple[float, ...]:
    """Fall from a start, then wobble around a value; the very last one is 0.2 off, and another one makes up for it."""
    tail = [value + wobble * (-1) ** i for i in range(8)]
    return (start, start, (start + value) / 2, *tail, value - 0.2, value + 0.2)


def _name_the_number_examples() -> list[tuple[Any, ...]]:
    floors = [(k, width, floor_of_bounded_logits(k, width)) for k in (10, 4, 100) for width in (0, 1, 2)]
    return [
        ((2.3, 2.31, 2.30, 2.3), 10),  # ln 10 = 2.303; fewer than ten
        *((_around(floor), k) for k, _, floor in floors),
        ((2.3, 1.0, *[0.02] * 8, 0.3, 0.1), 10),
        (_around(1.0), 10),
        (_around(1.9), 10),
        (_around(math.log(10) - 0.12), 10),
        (_around(math.log(10) - 0.08), 10),
        (_around(floor_of_bounded_logits(10, 2) + 0.04), 10),
        ((0.797,) * 3, 3),  # of 10 classes, not of 3
        ((2.3, *[0.1 + 0.02] * 10), 10),
        ((*[0.0] * 20, *[1.461] * 10), 10),
    ]


name_the_number = Exercise(
    "name_the_number",
    _named(),
    _name_the_number_examples,
    (
        Mistake(
            "only the last loss",
            "You look at one loss alone. Losses wobble: take the mean of the last ten (of all, if there are fewer).",
            _named(read=lambda losses: losses[-1]),
        ),
        Mistake(
            "the mean of all losses",
            "You take the mean of all losses, the high ones at the beginning too. Where does the curve *stop*? Take "
            "the last ten.",
            _named(read=lambda losses: sum(losses) / len(losses)),
        ),
        Mistake(
            "the smallest loss",
            "You take the smallest loss. One lucky step says little: take the mean of the last ten.",
            _named(read=min),
            _named(read=lambda losses: min(losses[-10:])),
        ),
        Mistake(
            "the first losses",
            "You take the first ten losses. The number that names a cause is the one at which the curve stops.",
            _named(read=lambda losses: sum(losses[:10]) / len(losses[:10])),
        ),
        Mistake(
            "always divided by ten",
            "You divide by ten, also where there are fewer losses than ten. Divide by how many there are.",
            _named(read=lambda losses: sum(losses[-10:]) / 10),
        ),
        Mistake(
            "always ten classes",
            "Your numbers are those of ten classes. With another K all three of them change.",
            _named(floors=lambda k: _floors(10)),
        ),
        Mistake(
            "K in place of K - 1",
            "Beside the right class there are K - 1 others, not K.",
            _named(floors=lambda k: (math.log(k), math.log(1 + k / math.e), math.log(1 + k / math.e**2))),
        ),
        Mistake(
            "times e in place of divided by e",
            "Your numbers for softmax and tanh lie above ln K. The others get *less* than the right class: divide by "
            "e, do not multiply.",
            _named(floors=lambda k: (math.log(k), math.log(1 + (k - 1) * math.e), math.log(1 + (k - 1) * math.e**2))),
        ),
        Mistake(
            "softmax and tanh exchanged",
            "A softmax ends between 0 and 1, a tanh between -1 and 1. The wider interval can say more: its loss stops "
            "lower.",
            _named(names=("same answer", "tanh", "softmax")),
        ),
        Mistake(
            "another logarithm",
            "Your ln K is to base 2 or 10. The natural logarithm is meant, math.log.",
            *(
                _named(floors=lambda k, base=base: tuple(each / math.log(base) for each in _floors(k)))
                for base in (2, 10)
            ),
            *(_named(floors=lambda k, base=base: (math.log(k, base), *_floors(k)[1:])) for base in (2, 10)),
        ),
        Mistake(
            "the nearest, however far",
            "You name the nearest number, however far it is. If none is within 0.05, say 'unknown'.",
            _named(near=math.inf),
            lambda losses, num_classes: _nearest(losses, num_classes),
        ),
        Mistake(
            "not near enough",
            "Your numbers must be met nearly exactly. Within 0.05 is near enough.",
            _named(near=1e-2),
            _named(near=1e-3),
            _named(near=1e-9),
        ),
        Mistake(
            "too far",
            "You call a number near that is more than 0.05 away.",
            _named(near=0.1),
            _named(near=0.15),
            _named(near=0.2),
        ),
        Mistake(
            "learned is forgotten",
            "A batch that was learned has a loss near 0: below 0.1 the name is 'learned'.",
            _named(low=-1.0),
        ),
    ),
    "ln K, ln(1 + (K - 1)/e) and ln(1 + (K - 1)/e²) are told apart, for any K.",
)


def _floors(k: int) -> tuple[float, float, float]:
    return math.log(k), floor_of_bounded_logits(k, 1), floor_of_bounded_logits(k, 2)


def _nearest(losses: Sequence[float], num_classes: int) -> str:
    last = sum(losses[-10:]) / len(losses[-10:])
    if last < 0.1:
        return "learned"
    return min(
        zip(_floors(num_classes), ("same answer", "softmax", "tanh"), strict=True), key=lambda each: abs(each[0] - last)
    )[1]


# --- tests 3, 4 and 5: each runs on healthy and on ill models

NEAR = 1e-4


@dataclass(frozen=True)
class _Case:
    """A model that is still to be made, in train mode, and what a test should say of it."""

    words: str
    right: bool
    make: Callable[[], nn.Module]

    def __repr__(self) -> str:
        return self.words


class _Function(nn.Module):
    """A model that is one function of its images, with one weight, so that gradients can be asked for."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.weight * self.function(images)


class _Usual(nn.Module):
    """A ViT made of PyTorch's own layers, in the manner of the usual libraries."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.codes = nn.Parameter(torch.randn(1, 6, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.3, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 5)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patch(images).flatten(2).transpose(1, 2) + self.codes  # (B, C, H, W) -> (B, N, D)
        return self.head(self.encoder(tokens).mean(dim=1))


_SMALL = ViTConfig(image_size=(8, 12), patch_size=4, num_classes=5, embed_dim=16, depth=2, num_heads=2)


def _vit(name: str = "no slip") -> Callable[[], nn.Module]:
    """Make our small model, with one of the slips in it. Its weights are larger than at a usual start."""
    slip = next(each for each in (slips.HEALTHY, *slips.SLIPS) if each.name == name)

    def make() -> nn.Module:
        model = slip.patient(0, _SMALL).model
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(10)
        return model

    return make


def _seeded(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    def seeded() -> nn.Module:
        torch.manual_seed(1)
        return make().train()

    return seeded


def _cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.Flatten(),
        nn.Linear(8 * 4 * 6, 5),
    )


def _linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 12, 5))


def _sums(images: Tensor) -> Tensor:
    """Two logits: the sum of an image, and minus that."""
    total = images.flatten(1).sum(dim=1)  # (B, C, H, W) -> (B,)
    return torch.stack([total, -total], dim=1)  # -> (B, 2)


def _bag(images: Tensor) -> Tensor:
    """Two logits from the largest numbers of the patches: their order plays no part, their inside does."""
    patches = patchify(images, 4)  # (B, C, H, W) -> (B, N, C*P*P)
    slope = torch.linspace(-1.0, 2.0, patches.shape[2])
    score = (patches @ slope).tanh().mean(dim=1)  # (B,)
    return torch.stack([score, 1 - score], dim=1)


_HEALTHY = (
    _Case("one linear map", True, _seeded(_linear)),
    _Case("our ViT", True, _vit()),
    _Case("a ViT of PyTorch's own layers, with dropout", True, _seeded(_Usual)),
    _Case("a CNN with batch norm and dropout", True, _seeded(_cnn)),
)
_IMAGES = torch.randn(5, 3, 8, 12, generator=torch.Generator().manual_seed(7))  # 2 x 3 patches of 4 pixels
_ONE_OTHER = _IMAGES[[0, 0, 0, 0, 1]]  # only the last image differs
_WHOLE = torch.arange(5.0).view(5, 1, 1, 1) + torch.arange(3 * 8 * 12).view(1, 3, 8, 12) % 7  # sums without rounding


def _each(cases: Sequence[_Case], *more: Any) -> list[tuple[Any, ...]]:
    return [(case, *more) for case in cases]


def _run_case(attempt: Callable[..., Any], case: _Case, images: Tensor, *more: Any) -> Any:
    """Run a test on a new model.

    Returns:
        True or False if that is right. Else what was said, and with what the model was called: two wrong tests that say
        the same may do so for different reasons.
    """
    model, calls = case.make().train(), []
    model.register_forward_pre_hook(lambda _, given: calls.append(given[0].detach().clone()))
    found = attempt(model, images, *more)
    if isinstance(found, np.bool_) or (isinstance(found, Tensor) and found.dtype == torch.bool and found.ndim == 0):
        found = bool(found)
    if isinstance(found, bool):
        if found == case.right:
            return found
        with_what = ", ".join(dict.fromkeys(_kind(each, images, *more) for each in calls))
        twice = " more than once" if len(calls) > 1 and with_what == "the images" else ""
        return Flawed(f"{found}; the model was called with: {with_what or 'nothing'}{twice}")
    if isinstance(found, (int, float)):
        return Flawed("a number, where True or False is asked for")
    if isinstance(found, Tensor) and found.numel() == 1:
        return Flawed("a number, where True or False is asked for")
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
    """Whether each image has the same pieces (B, N, ...) in some order, as far as their sums tell."""
    sums = [each.sum(dim=2).sort(dim=1).values for each in (one, other)]  # (B, N)
    return torch.allclose(sums[0], sums[1], atol=1e-4)


def _logits(model: nn.Module, images: Tensor, evaluate: bool = True) -> Tensor:
    model.train(not evaluate)
    with torch.no_grad():
        return model(images)


def _far(one: Tensor, other: Tensor, near: float = NEAR) -> bool:
    return bool(((one - other).abs() > near).any())


_EXACT = "Two ways to the same number differ in the last digits, because the sums run in another order. You ask for "
_TRAIN = (
    "The model comes in train mode, where dropout is at work and batch norm looks at the whole batch: call "
    "model.eval() first."
)


# --- notices_the_image


def _image_cases() -> list[tuple[Any, ...]]:
    sums = _Case("the logits are the sum s of the image, and -s", True, _of(_sums))
    return [
        (_Case("all logits are 0.3, whatever the image", False, _of(_constant)), _IMAGES),
        *_each([sums], _WHOLE),
        *_each([sums], _ONE_OTHER),
        *_each([sums], _IMAGES[[2, 3, 2, 2, 2]]),
        *_each(_HEALTHY, _IMAGES),
        *_each(
            (
                _Case("a ViT whose causal mask was left in", False, _vit("causal mask left in")),
                _Case("a ViT with attention over the batch", False, _vit("attention over the batch, class token")),
                _Case("the same logits, and dropout", False, _with_dropout(_constant)),
                _Case("logits that differ by rounding only", False, _of(_nearly_constant)),
                _Case("logits that differ by about 0.01", True, _of(_slightly)),
            ),
            _IMAGES,
        ),
    ]


def _of(function: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    return _seeded(lambda: _Function(function))


def _with_dropout(function: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    return _seeded(lambda: nn.Sequential(_Function(function), nn.Dropout()))


def _constant(images: Tensor) -> Tensor:
    return torch.full((len(images), 3), 0.3)


def _nearly_constant(images: Tensor) -> Tensor:
    return _constant(images) + 1e-6 * torch.arange(len(images))[:, None]


def _slightly(images: Tensor) -> Tensor:
    return _constant(images) + 2e-3 * torch.arange(len(images))[:, None]


def _notices(compare: Callable[..., bool], evaluate: bool = True) -> Callable[[nn.Module, Tensor], bool]:
    return lambda model, images: compare(_logits(model, images, evaluate))


notices_the_image = Exercise(
    "notices_the_image",
    lambda model, images: _far((logits := _logits(model, images)), logits[:1]),
    _image_cases,
    (
        Mistake(
            "always the same answer",
            "Your test says the same of every model. It must be False where all images get the same logits.",
            lambda model, images: True,
            lambda model, images: False,
        ),
        Mistake("train mode", _TRAIN, _notices(lambda logits: _far(logits, logits[:1]), evaluate=False)),
        Mistake(
            "the other way round",
            "True and False are exchanged: True is for a model that notices which image it sees.",
            _notices(lambda logits: not _far(logits, logits[:1])),
        ),
        Mistake(
            "exactly equal",
            _EXACT + "exactly equal logits, so rounding counts as a difference. Call it a change from 0.0001 on.",
            _notices(lambda logits: not torch.equal(logits, logits[:1].expand_as(logits))),
            _notices(lambda logits: not torch.allclose(logits, logits[:1])),
            _notices(lambda logits: _far(logits, logits[:1], 1e-7)),
        ),
        Mistake(
            "too far apart",
            "You ask for a large difference. A new model has small logits: a change from 0.0001 on counts.",
            *(_notices(lambda logits, near=near: _far(logits, logits[:1], near)) for near in (0.01, 0.05, 0.1, 0.5)),
        ),
        Mistake(
            "classes instead of images",
            "You compare the classes of one image with each other. Compare the *images*: the rows of (B, K).",
            _notices(lambda logits: _far(logits, logits[:, :1])),
            _notices(lambda logits: bool((logits.std(dim=1) > NEAR).any())),
        ),
        Mistake(
            "only the first two images",
            "You look at two images only, and they may happen to be equal. Compare all images with one of them.",
            _notices(lambda logits: _far(logits[0], logits[1])),
        ),
        Mistake(
            "all images must differ",
            "You ask that every image differs from the next. It is enough if some image gets other logits.",
            _notices(lambda logits: bool(((logits[1:] - logits[:-1]).abs() > NEAR).any(dim=1).all())),
            _notices(lambda logits: bool(((logits[1:] - logits[:1]).abs() > NEAR).all())),
        ),
        Mistake(
            "only the predicted class",
            "You compare the predicted classes. A new model names the same class for nearly every image, although its "
            "logits differ: compare the logits.",
            _notices(lambda logits: len(logits.argmax(dim=1).unique()) > 1),
        ),
        Mistake(
            "the same images twice",
            "You give the model the same images twice. The *images* should be different, not the calls.",
            lambda model, images: _far(_logits(model, images), _logits(model, images)),
        ),
        Mistake(
            "the logits are added up",
            "You add up the logits of an image, and what one of them gains another may lose. Compare them one by one.",
            _notices(lambda logits: _far(logits.sum(dim=1), logits.sum(dim=1)[:1])),
            _notices(lambda logits: _far(logits.mean(dim=1), logits.mean(dim=1)[:1])),
        ),
        Mistake(
            "a number",
            "You return how much changes. The task asks for True or False: is it more than 0.0001?",
            lambda model, images: ((logits := _logits(model, images)) - logits[:1]).abs().max().item(),
            lambda model, images: ((logits := _logits(model, images)) - logits[:1]).abs().max(),
        ),
    ),
    "It finds a mask left in and attention over the batch, and accuses no healthy model.",
    run=_run_case,
)


# --- notices_the_order


def _order_cases() -> list[tuple[Any, ...]]:
    return _each(
        (
            _Case("a bag of patches: the largest of their first numbers", False, _of(_largest)),
            *_HEALTHY,
            _Case("a bag of patches: the mean of one number each", False, _of(_bag)),
            _Case("a ViT without position codes", False, _vit("no position codes")),
            _Case("a ViT with one code for all patches", False, _vit("one code for all")),
            _Case("a bag of patches, and dropout", False, _with_dropout(_bag)),
            _Case("one linear map with small weights", True, _of(_small_map)),
        ),
        _IMAGES,
        4,
    )


def _largest(images: Tensor) -> Tensor:
    """Two logits: the largest number among the first ones of the patches, and minus that; nothing is rounded."""
    first = patchify(images, 4)[:, :, 0].amax(dim=1)  # (B, C, H, W) -> (B, N, C*P*P) -> (B,)
    return torch.stack([first, -first], dim=1)


def _small_map(images: Tensor) -> Tensor:
    slope = torch.linspace(-1.0, 1.0, images[0].numel())
    return 1e-3 * torch.stack([images.flatten(1) @ slope, images.flatten(1).sum(dim=1)], dim=1)


def _shuffle(images: Tensor, patch_size: int) -> Tensor:
    patches = patchify(images, patch_size)  # (B, C, H, W) -> (B, N, C*P*P)
    return unpatchify(patches.roll(1, dims=1), patch_size, (images.shape[2], images.shape[3]))


def _ordered(
    change: Callable[[Tensor, int], Tensor] = _shuffle,
    judge: Callable[..., Any] = _far,
    evaluate: bool = True,
) -> Callable[[nn.Module, Tensor, int], Any]:
    return lambda model, images, patch_size: judge(
        _logits(model, change(images, patch_size), evaluate), _logits(model, images, evaluate)
    )


def _inside(images: Tensor, patch_size: int) -> Tensor:
    patches = patchify(images, patch_size).roll(1, dims=2)
    return unpatchify(patches, patch_size, (images.shape[2], images.shape[3]))


def _bare(images: Tensor, patch_size: int) -> Tensor:
    count = images.shape[2] * images.shape[3] // patch_size**2
    return images.reshape(len(images), count, -1).roll(1, dims=1).reshape(images.shape)


notices_the_order = Exercise(
    "notices_the_order",
    _ordered(),
    _order_cases,
    (
        Mistake(
            "always the same answer",
            "Your test says the same of every model. It must be False where patches may change places unnoticed.",
            lambda model, images, patch_size: True,
            _ordered(judge=lambda one, other: False),
        ),
        Mistake("train mode", _TRAIN, _ordered(evaluate=False)),
        Mistake(
            "the other way round",
            "True and False are exchanged: True is for a model that notices that patches have changed places.",
            _ordered(judge=lambda one, other: not _far(one, other)),
        ),
        Mistake(
            "exactly equal",
            _EXACT + "exactly equal logits, so rounding counts as a change. Call it a change from 0.0001 on.",
            _ordered(judge=lambda one, other: not torch.equal(one, other)),
            _ordered(judge=lambda one, other: _far(one, other, 1e-9)),
        ),
        Mistake(
            "too far apart",
            "You ask for a large change. A new model has small logits: a change from 0.0001 on counts.",
            *(_ordered(judge=lambda a, b, near=near: _far(a, b, near)) for near in (0.05, 0.1, 0.5, 1.0)),
        ),
        Mistake(
            "the images are shuffled",
            "You change the order of the images in the batch: then the logits move along with them, in every model. "
            "Leave axis 0 as it is; the patches stand on axis 1 of what patchify returns.",
            _ordered(lambda images, patch_size: images.roll(1, dims=0)),
            _ordered(lambda images, patch_size: images.flip(0)),
        ),
        Mistake(
            "shuffled inside the patches",
            "You shuffle the numbers inside each patch. The patches should stay whole and change places: axis 1 of "
            "(B, N, C*P*P), not axis 2.",
            _ordered(_inside),
            _ordered(lambda images, patch_size: images.roll(1, dims=1)),
        ),
        Mistake(
            "the image is turned over",
            "You turn the image over. That moves the patches, but it turns each of them over too, which any model "
            "notices. Move patches, and leave what is in them as it is.",
            _ordered(lambda images, patch_size: images.flip(-1)),
            _ordered(lambda images, patch_size: images.flip(-2)),
            _ordered(lambda images, patch_size: images.flip((-1, -2))),
        ),
        Mistake(
            "moved by some pixels",
            "You move the image by a few pixels, so each patch gets a part of its neighbour. Move by whole patches.",
            _ordered(lambda images, patch_size: images.roll(1, dims=-1)),
            _ordered(lambda images, patch_size: images.roll(1, dims=-2)),
            _ordered(lambda images, patch_size: images.roll((1, 1), dims=(-2, -1))),
        ),
        Mistake(
            "pieces by a bare reshape",
            "Your pieces are no patches: one reshape of (B, C, H, W) cuts each channel into rows of pixels. Use "
            "patchify and unpatchify.",
            _ordered(_bare),
        ),
        Mistake(
            "only the predicted class",
            "You compare the predicted classes. Logits can change without another class winning: compare the logits.",
            _ordered(judge=lambda one, other: not torch.equal(one.argmax(dim=1), other.argmax(dim=1))),
        ),
        Mistake(
            "nothing moves",
            "Your patches come back to where they were, so no logit can change. Is the new order in use?",
            _ordered(lambda images, patch_size: images),
        ),
        Mistake(
            "a number",
            "You return how much changes. The task asks for True or False: is it more than 0.0001?",
            _ordered(judge=lambda one, other: (one - other).abs().max().item()),
            _ordered(judge=lambda one, other: (one - other).abs().max()),
        ),
    ),
    "It finds missing codes and one code for all, and accuses no healthy model.",
    run=_run_case,
)


# --- same_alone


def _alone_cases() -> list[tuple[Any, ...]]:
    return [
        (_Case("the logits are s and -s: s is the sum of this image and all before it", False, _of(_before)), _IMAGES),
        *_each([_Case("the logits are the sum s of the image, and -s", True, _of(_sums))], _WHOLE),
        *_each(_HEALTHY, _IMAGES),
        *_each(
            (
                _Case("a ViT with attention over the batch", False, _vit("attention over the batch, mean pooling")),
                _Case("the mean of the batch is taken away from the logits", False, _of(_centred)),
                _Case("half of the next image comes in", False, _of(lambda images: _next(_sums(images), 0.5))),
                _Case(
                    "a little of the next image comes in", False, _of(lambda images: _next(_small_map(images), 0.05))
                ),
                _Case("what one logit gets from other images, the other one loses", False, _of(_exchanged)),
            ),
            _IMAGES,
        ),
    ]


def _before(images: Tensor) -> Tensor:
    return _sums(images).cumsum(dim=0)


def _centred(images: Tensor) -> Tensor:
    return _small_map(images) - _small_map(images).mean(dim=0)


def _next(logits: Tensor, share: float) -> Tensor:
    """Add a share of the next image's logits (B, K); the last one has no next."""
    return logits + share * torch.cat([logits[1:], torch.zeros_like(logits[:1])])


def _exchanged(images: Tensor) -> Tensor:
    total = images.flatten(1).sum(dim=1)
    return torch.stack([total + total.sum(), -total - total.sum()], dim=1)


def _one_by_one(model: nn.Module, images: Tensor, evaluate: bool = True) -> Tensor:
    return torch.cat([_logits(model, image[None], evaluate) for image in images])


def _alone(
    alone: Callable[[nn.Module, Tensor], Tensor] = _one_by_one,
    judge: Callable[..., Any] = lambda one, other: not _far(one, other),
    evaluate: bool = True,
) -> Callable[[nn.Module, Tensor], Any]:
    return lambda model, images: judge(alone(model, images), _logits(model, images, evaluate))


same_alone = Exercise(
    "same_alone",
    _alone(),
    _alone_cases,
    (
        Mistake(
            "always the same answer",
            "Your test says the same of every model. It must be False where an image gets other logits alone.",
            lambda model, images: True,
            lambda model, images: False,
        ),
        Mistake(
            "train mode",
            _TRAIN,
            _alone(lambda model, images: _one_by_one(model, images, False), evaluate=False),
        ),
        Mistake(
            "the other way round",
            "True and False are exchanged: True is for a model that gives an image the same logits alone.",
            _alone(judge=_far),
        ),
        Mistake(
            "exactly equal",
            _EXACT + "exactly equal logits, so healthy models are accused. Up to 0.0001 is equal.",
            _alone(judge=torch.equal),
            _alone(judge=lambda one, other: bool((one == other).all())),
            _alone(judge=lambda one, other: not _far(one, other, 1e-9)),
        ),
        Mistake(
            "too coarse",
            "You allow a difference that is too large: a small share of another image stays unseen. Allow 0.0001.",
            *(_alone(judge=lambda a, b, near=near: not _far(a, b, near)) for near in (0.01, 0.05, 0.1)),
        ),
        Mistake(
            "only the first image",
            "You look at the first image only. A model may mix only the images behind it in: look at all of them.",
            lambda model, images: not _far(_logits(model, images[:1]), _logits(model, images)[:1]),
        ),
        Mistake(
            "only the last image",
            "You look at the last image only. A model may mix only the images before it in: look at all of them.",
            lambda model, images: not _far(_logits(model, images[-1:]), _logits(model, images)[-1:]),
        ),
        Mistake(
            "copies of one image",
            "You compare with a batch of copies. Where all images are equal, nothing can be mixed in. Use the batch.",
            lambda model, images: (
                not _far(
                    torch.cat([_logits(model, image.expand_as(images))[:1] for image in images]),
                    _one_by_one(model, images),
                )
            ),
        ),
        Mistake(
            "another order of the batch",
            "You give the same batch in another order. A model that mixes images mixes the same ones then. Give each "
            "image *alone*.",
            lambda model, images: not _far(_logits(model, images.flip(0)).flip(0), _logits(model, images)),
            lambda model, images: not _far(_logits(model, images.roll(1, 0)).roll(-1, 0), _logits(model, images)),
        ),
        Mistake(
            "each with the wrong one",
            "You compare each image with the whole batch, or with another image's logits. Row i of the batch belongs "
            "to image i.",
            lambda model, images: not _far(_one_by_one(model, images)[:, None], _logits(model, images)[None]),
            lambda model, images: not _far(_one_by_one(model, images), _logits(model, images)[:1]),
        ),
        Mistake(
            "only the predicted class",
            "You compare the predicted classes. Logits can change without another class winning: compare the logits.",
            _alone(judge=lambda one, other: torch.equal(one.argmax(dim=1), other.argmax(dim=1))),
        ),
        Mistake(
            "the logits are added up",
            "You add up the logits of an image, and what one of them gains another may lose. Compare them one by one.",
            _alone(judge=lambda one, other: not _far(one.sum(dim=1), other.sum(dim=1))),
        ),
        Mistake(
            "a number",
            "You return how much changes. The task asks for True or False: is it at most 0.0001?",
            _alone(judge=lambda one, other: (one - other).abs().max().item()),
            _alone(judge=lambda one, other: (one - other).abs().max()),
        ),
    ),
    "It finds images that are mixed, and accuses no healthy model, with batch norm and dropout in it.",
    run=_run_case,
)


# --- diagnoses

_RIGHT = {letter: patients.diagnosis(letter) for letter in patients.LETTERS}
_TELLS = {
    "same answer": "its row of test 3 is 0: other images change nothing",
    "no order": "its row of test 4 is 0, but for rounding, while test 3 is not",
    "not alone": "its row of test 5 is far above rounding",
    "no gradient": "test 6 counts parameters without a gradient, and test 3 is not 0",
    "softmax": "look at the number at which one batch stops",
    "gradients add up": "compare the gradient's length after ten steps with that after one",
}


def _run_diagnoses(attempt: Callable[[], Any]) -> Any:
    """Return "right", or which patient comes first whose diagnosis is wrong, or what is wrong with the form."""
    found = attempt()
    if not isinstance(found, dict):
        return found
    for letter, right in _RIGHT.items():
        if letter not in found:
            return Flawed(f"no diagnosis of patient {letter}")
        if found[letter] not in SYMPTOMS:
            return Flawed("a word that is not in the list")
        if found[letter] != right:
            return Flawed(f"another diagnosis of patient {letter}")
    return "all six are right" if len(found) == len(_RIGHT) else Flawed("more than six patients")


def _wrong_of(letter: str) -> Callable[[], dict[str, str]]:
    other = "labels" if _RIGHT[letter] != "labels" else "pixels"
    return lambda: {**_RIGHT, letter: other}


def _without(letter: str) -> Callable[[], dict[str, str]]:
    return lambda: {key: value for key, value in _RIGHT.items() if key != letter}


diagnoses = Exercise(
    "diagnoses",
    lambda: dict(_RIGHT),
    lambda: [()],
    (
        *(
            Mistake(
                f"patient {letter}",
                f"Patient {letter} has something else. Which test tells: {_TELLS[_RIGHT[letter]]}.",
                _wrong_of(letter),
            )
            for letter in _RIGHT
        ),
        Mistake(
            "a patient is missing",
            "One of the six patients has no diagnosis. The keys are the letters A to F.",
            *map(_without, _RIGHT),
        ),
        Mistake(
            "another word",
            "One of your words is not in the list of symptoms. Copy them letter by letter.",
            lambda: {**_RIGHT, "A": "position codes"},
        ),
        Mistake(
            "too many patients",
            "There are six patients, A to F. G comes later.",
            lambda: {**_RIGHT, "G": "no order"},
        ),
    ),
    "All six: you would have found each of these slips in your own model.",
    run=_run_diagnoses,
)


# --- mended_logits


def _parts() -> nn.ModuleDict:
    """Make the parts of the patient to mend: three patches on a row, width 4, three classes."""
    torch.manual_seed(3)
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, norm_first=True)
    parts = nn.ModuleDict(
        {
            "embed": nn.Linear(12, 4),
            "encoder": nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
            "head": nn.Linear(4, 3),
        }
    )
    parts.class_token = nn.Parameter(torch.randn(1, 1, 4))  # type: ignore[assignment]
    parts.codes = nn.Parameter(torch.randn(1, 7, 4))  # type: ignore[assignment]
    return parts


def _mended(
    *,
    tokens: Callable[[Any, Tensor], Tensor] | None = None,
    axes: Callable[[Any, Tensor], Tensor] | None = None,
    read: Callable[[Tensor], Tensor] = lambda x: x[:, 0],
    end: Callable[[Tensor], Tensor] = lambda logits: logits,
) -> Callable[[nn.Module, Tensor], Tensor]:
    """Make a forward pass; each part of it can be done wrongly."""
    encode = axes or (lambda parts, x: parts.encoder(x.transpose(0, 1)).transpose(0, 1))
    build = tokens or _tokens
    return lambda parts, images: end(parts.head(read(encode(parts, build(parts, images)))))


def _embedded(parts: Any, images: Tensor) -> Tensor:
    return parts.embed(patchify(images, 2))  # (B, C, H, W) -> (B, N - 1, D)


def _tokens(parts: Any, images: Tensor) -> Tensor:
    patches = _embedded(parts, images)
    return torch.cat([parts.class_token.expand(len(patches), -1, -1), patches], dim=1) + parts.codes  # -> (B, N, D)


def _class_last(parts: Any, images: Tensor) -> Tensor:
    patches = _embedded(parts, images)
    return torch.cat([patches, parts.class_token.expand(len(patches), -1, -1)], dim=1) + parts.codes


def _without_codes(parts: Any, images: Tensor) -> Tensor:
    return _tokens(parts, images) - parts.codes


def _one_code(parts: Any, images: Tensor) -> Tensor:
    return _without_codes(parts, images) + parts.codes[:, :1]


def _patches_coded_only(parts: Any, images: Tensor) -> Tensor:
    patches = _embedded(parts, images) + parts.codes[:, 1:]
    return torch.cat([parts.class_token.expand(len(patches), -1, -1), patches], dim=1)


def _codes_cut(parts: Any, images: Tensor) -> Tensor:
    return _without_codes(parts, images).detach() + parts.codes


def _bare_patches(parts: Any, images: Tensor) -> Tensor:
    patches = parts.embed(images.reshape(len(images), -1, 12))
    return torch.cat([parts.class_token.expand(len(patches), -1, -1), patches], dim=1) + parts.codes


def _over_the_batch(parts: Any, x: Tensor) -> Tensor:
    return parts.encoder(x)


def _reshaped(parts: Any, x: Tensor) -> Tensor:
    b, n, d = x.shape
    return parts.encoder(x.reshape(n, b, d)).reshape(b, n, d)


def _masked(parts: Any, x: Tensor) -> Tensor:
    mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
    return parts.encoder(x.transpose(0, 1), mask=mask).transpose(0, 1)


mended_logits = Exercise(
    "mended_logits",
    _mended(),
    lambda: [
        (_parts(), torch.randn(b, 3, 4, 6, generator=torch.Generator().manual_seed(seed)))
        for b, seed in ((2, 1), (3, 2))
    ],
    (
        Mistake(
            "the class token sees itself alone",
            "The class token sees no patch, so all images get the same logits. This encoder was made without "
            "batch_first: it takes (N, B, D). Given (B, N, D) it lets the images look at each other. Exchange the axes "
            "before, and back after. (A causal mask would do the same harm.)",
            _mended(axes=_over_the_batch),
            _mended(axes=_over_the_batch, end=lambda logits: logits.softmax(dim=-1)),
            _mended(axes=_masked),
        ),
        Mistake(
            "the axes are not changed back",
            "Behind the encoder the axes are still (N, B, D), so you read all tokens of the first image. Exchange them "
            "back before you take the class token.",
            _mended(axes=lambda parts, x: parts.encoder(x.transpose(0, 1))),
        ),
        Mistake(
            "a reshape in place of a transpose",
            "reshape does not exchange axes: it cuts the same row of numbers into other pieces, and mixes images and "
            "tokens. Use transpose(0, 1).",
            _mended(axes=_reshaped),
        ),
        Mistake(
            "softmax at the end",
            "A softmax is still at the end. Cross-entropy takes logits; with a softmax before it one batch stops at "
            "ln(1 + (K - 1)/e).",
            _mended(end=lambda logits: logits.softmax(dim=-1)),
            _mended(end=lambda logits: logits.log_softmax(dim=-1)),
            _mended(end=lambda logits: logits.softmax(dim=0)),
        ),
        Mistake(
            "no position codes",
            "parts.codes is not in use: the patches may change places, and nothing changes. Add it to the tokens.",
            _mended(tokens=_without_codes),
        ),
        Mistake(
            "one code for all",
            "All tokens get the same code. parts.codes is (1, N, D), one row for each token: add all of it.",
            _mended(tokens=_one_code),
        ),
        Mistake(
            "the class token has no code",
            "parts.codes has N rows, the first of them for the class token. Put the class token in front first, then "
            "add the codes.",
            _mended(tokens=_patches_coded_only),
        ),
        Mistake(
            "the class token stands last",
            "You put the class token behind the patches. It should stand in front, and be read from there.",
            _mended(tokens=_class_last),
            _mended(tokens=_class_last, read=lambda x: x[:, -1]),
        ),
        Mistake(
            "another token is read",
            "You read the last token, or the mean of all. The head wants the class token: the first one.",
            _mended(read=lambda x: x[:, -1]),
            _mended(read=lambda x: x.mean(dim=1)),
            _mended(read=lambda x: x[:, 1:].mean(dim=1)),
        ),
        Mistake(
            "patches by a bare reshape",
            "Your patches come from a reshape alone: each holds rows of one channel. Use patchify(images, 2).",
            _mended(tokens=_bare_patches),
        ),
        Mistake(
            "the gradient is cut off",
            "The logits are right, but no gradient comes through to all parts: leave out detach, .data and no_grad.",
            _mended(tokens=_codes_cut),
            _mended(end=lambda logits: logits.detach()),
        ),
    ),
    "Three slips are mended: the axes, the codes, and the end.",
    run=as_in_a_model(_mended()),
)
