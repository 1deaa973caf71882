"""How a model is trained: one frozen dataclass, the named recipes, and the learning-rate schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from course_utils.support.settings import (
    Count,
    NotNegative,
    Positive,
    Rate,
    Rule,
    Settings,
    Share,
    Size,
    look_up,
)

Optimizer = Literal["adamw", "muon"]
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)
Fraction = Annotated[float, Rule("a number above 0 and at most 1", lambda x: 0 < x <= 1)]
BUDGETS = ("epochs", "steps", "minutes")


@dataclass(frozen=True)
class Recipe(Settings):
    """Everything about a training run that changes its result, apart from model, data and seed.

    Exactly one of ``epochs``, ``steps`` and ``minutes`` is the budget. The schedule always ends where the budget ends.

    Attributes:
        epochs: Budget as passes over the training images; 2.5 is allowed.
        steps: Budget as optimiser steps.
        minutes: Budget as wall-clock time. The trainer measures its speed first and fits the number of steps.
        batch_size: Images in one optimiser step, over all processes and micro-batches together.
        accumulate: Micro-batches that a step is cut into, to save memory.
        optimizer: One of ``OPTIMIZERS``: "adamw" (Loshchilov and Hutter 2019, arXiv 1711.05101), or "muon" for the
            matrices inside the blocks and AdamW for the rest (see :class:`course_utils.training.muon.Muon`).
        learning_rate: Peak learning rate, the same for both optimisers.
        final_learning_rate: Where the cosine ends (Loshchilov and Hutter 2017, arXiv 1608.03983).
        warmup: Share of the steps over which the rate rises to its peak, in equal parts; the first step has one part.
        betas: AdamW's two decay rates.
        weight_decay: On weight matrices only: not on biases, norms, tokens, position codes and bias tables.
        clip_norm: Largest allowed norm of the whole gradient. 0 switches clipping off.
        label_smoothing: Share of the target spread evenly over all classes (Szegedy et al. 2016, arXiv 1512.00567).
        early_patch_size: Patch size in the early steps; 0 for the model's own. Patches twice as wide make a quarter as
            many tokens, so about a quarter of the multiply-adds and a step about three times as fast, and what it
            teaches lasts (Anagnostidis et al. 2023, arXiv 2311.03233). The parameters keep their shapes: see
            :class:`course_utils.model.resize.AtPatchSize`.
        early: Share of the steps, at the start, that have ``early_patch_size``.
        whitening: Where the map from patches to tokens starts: 0 at random; else it whitens the patches of the training
            images, and this is the standard deviation of a token's numbers (see
            :mod:`course_utils.training.whitening`). The trainer puts this start in place of what is there, so leave it
            at 0 to go on with a model that is trained already.
        code_start: Standard deviation with which learned position codes start, drawn anew with the seed; None leaves
            what is there, which in a new model is 0.02.
        crop_padding: Random crop after padding by so many pixels (reflected). 0 switches it off.
        flip: Whether half of the images are mirrored, left and right exchanged.
        rand_augment_n: RandAugment's n, the operations an image goes through (arXiv 1909.13719). 0: off.
        rand_augment_m: RandAugment's m, from 0 to 30.
        erasing: Probability that a rectangle of an image is erased (arXiv 1708.04896).
        cutmix: Probability that a batch goes through CutMix (arXiv 1905.04899).
        mixup: Probability that a batch goes through MixUp (arXiv 1710.09412).
        mixup_alpha: MixUp's Beta(alpha, alpha).
        unmixed: Share of the steps, at the end, in which neither CutMix nor MixUp is used.
        ema: Decay of the running average of the weights, which is evaluated beside them. 0 switches it off.
        freeze: For a model that is trained already: the embeddings and so many blocks, counted from the images, stay as
            they are (see :func:`course_utils.training.layers.layer_numbers`). As many as the model has blocks leave
            the head alone to learn. 0: nothing is frozen.
        backbone_rate: Learning rate of all but the head, as a share of ``learning_rate``.
        layer_decay: Learning rate of each layer, as a share of that of the layer behind it: the first layers, which are
            the most general, move least (BEiT, arXiv 2106.08254, appendix). 1: all layers alike.

    Raises:
        TypeError: A setting is of the wrong type. The sentence names it.
        ValueError: A setting is impossible. So does this one.
    """

    epochs: Positive | None = None
    steps: Size | None = None
    minutes: Positive | None = None
    batch_size: Size = 128
    accumulate: Size = 1
    optimizer: Optimizer = "adamw"
    learning_rate: Positive = 1e-3
    final_learning_rate: NotNegative = 1e-5
    warmup: Share = 0.05
    betas: Annotated[tuple[Rate, Rate], Rule("two numbers from 0 to below 1")] = (0.9, 0.999)
    weight_decay: NotNegative = 0.05
    clip_norm: NotNegative = 1.0
    label_smoothing: Rate = 0.1
    early_patch_size: Count = 0
    early: Rate = 0.0
    whitening: NotNegative = 0.0
    code_start: NotNegative | None = None
    crop_padding: Count = 4
    flip: bool = True
    rand_augment_n: Count = 0
    rand_augment_m: Annotated[int, Rule("a whole number from 0 to 30", lambda m: 0 <= m <= 30)] = 9
    erasing: Share = 0.0
    cutmix: Share = 0.0
    mixup: Share = 0.0
    mixup_alpha: Positive = 0.8
    unmixed: Share = 0.15
    ema: Rate = 0.0
    freeze: Count = 0
    backbone_rate: Fraction = 1.0
    layer_decay: Fraction = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        budgets = sum(getattr(self, name) is not None for name in BUDGETS)
        if budgets != 1:
            raise ValueError(f"A recipe has one budget: give epochs, steps or minutes, not {budgets} of them.")
        if self.batch_size % self.accumulate:
            raise ValueError(f"accumulate {self.accumulate} does not divide batch_size {self.batch_size}.")
        if self.final_learning_rate > self.learning_rate:
            raise ValueError(
                f"final_learning_rate must not be above learning_rate {self.learning_rate}, "
                f"but it is {self.final_learning_rate}."
            )
        if (self.early_patch_size > 0) != (self.early > 0):
            raise ValueError("early_patch_size and early belong together: give both, or neither.")
        if self.cutmix + self.mixup > 1:
            raise ValueError("cutmix and mixup are exclusive: their probabilities must not add up to more than 1.")

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some settings changed. A new budget takes the place of the old one."""
        if any(changes.get(name) is not None for name in BUDGETS):
            changes = dict.fromkeys(BUDGETS) | changes
        return super().replace(**changes)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Recipe:
        """Return a named recipe, with some settings changed if you like.

        Raises:
            ValueError: No recipe has that name.
        """
        return look_up("recipe", name, RECIPES).replace(**changes)


# A dozen passes of a small model on two cores: the images do not repeat often enough to need more than crop and flip.
_HALF_HOUR = Recipe(minutes=30, optimizer="muon", learning_rate=4e-3, warmup=0.1, label_smoothing=0.0)

RECIPES: dict[str, Recipe] = {
    # A trained model and images that it has not seen: small steps, smaller still in the first layers.
    "fine-tune": Recipe(
        steps=200, batch_size=32, learning_rate=1e-3, warmup=0.1, label_smoothing=0.0, layer_decay=0.75
    ),
    # A few passes: too few to see each image as many small patches from the beginning.
    "cpu-minutes": _HALF_HOUR.replace(minutes=5, early_patch_size=8, early=0.8, whitening=0.2),
    "half-hour": _HALF_HOUR,
    # Tens of passes, some hours on a CPU: mild augmentation.
    "evening": Recipe(
        epochs=50,
        optimizer="muon",
        learning_rate=3e-3,
        early_patch_size=8,
        early=0.6,
        rand_augment_n=1,
        rand_augment_m=6,
        cutmix=0.5,
        unmixed=0.25,
    ),
    # Hundreds of passes, for a GPU: strong augmentation, and an average of the weights.
    "gpu-long": Recipe(
        epochs=300,
        batch_size=512,
        optimizer="muon",
        learning_rate=4e-3,
        warmup=0.02,
        rand_augment_n=2,
        cutmix=0.5,
        mixup=0.25,
        erasing=0.1,
        unmixed=0.1,
        ema=0.9998,
    ),
}


def steps_of(recipe: Recipe, images: int) -> int | None:
    """Return how many steps a budget in steps or epochs is, with so many training images. None: it is in minutes."""
    if recipe.epochs is not None:
        return max(1, round(recipe.epochs * images / recipe.batch_size))
    return recipe.steps


def learning_rate_at(step: int, total_steps: int, recipe: Recipe) -> float:
    """Learning rate of one step: a straight rise, then half a cosine down to ``final_learning_rate``.

    Args:
        step: The step that is about to be taken, from 0 to ``total_steps`` - 1.
        total_steps: Steps that the budget affords.
        recipe: Holds the peak, the end and the share of warm-up.
    """
    warmup_steps = round(recipe.warmup * total_steps)
    if step < warmup_steps:
        return recipe.learning_rate * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - 1 - warmup_steps)  # from 0 to 1
    span = recipe.learning_rate - recipe.final_learning_rate
    return recipe.final_learning_rate + span * 0.5 * (1 + math.cos(math.pi * progress))
