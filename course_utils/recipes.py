"""How a model is trained: one frozen dataclass, the named recipes, and the learning-rate schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from course_utils.settings import Settings, look_up

OPTIMIZERS = ("adamw", "muon")


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
            matrices inside the blocks and AdamW for the rest (see :class:`course_utils.muon.Muon`).
        learning_rate: Peak learning rate, the same for both optimisers.
        final_learning_rate: Where the cosine ends (Loshchilov and Hutter 2017, arXiv 1608.03983).
        warmup: Share of the steps over which the rate rises from 0 to its peak.
        betas: AdamW's two decay rates.
        weight_decay: On weight matrices only: not on biases, norms, tokens, position codes and bias tables.
        clip_norm: Largest allowed norm of the whole gradient. 0 switches clipping off.
        label_smoothing: Share of the target spread evenly over all classes (Szegedy et al. 2016, arXiv 1512.00567).
        early_patch_size: Patch size in the early steps; 0 for the model's own. Patches twice as wide make a quarter as
            many tokens and a step about four times as cheap, and what it teaches lasts (Anagnostidis et al. 2024,
            arXiv 2311.03233). The parameters keep their shapes: see :class:`course_utils.vit.AtPatchSize`.
        early: Share of the steps, at the start, that have ``early_patch_size``.
        whitening: Where the map from patches to tokens starts: 0 at random; else it whitens the patches of the training
            images, and this is the standard deviation of a token's numbers (see
            :func:`course_utils.patches.whitening_weight`). The trainer puts this start in place of what is there, so
            leave it at 0 to go on with a model that is trained already.
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

    Raises:
        ValueError: A setting is impossible. The sentence names it.
    """

    epochs: float | None = None
    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 128
    accumulate: int = 1
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    warmup: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    label_smoothing: float = 0.1
    early_patch_size: int = 0
    early: float = 0.0
    whitening: float = 0.0
    crop_padding: int = 4
    flip: bool = True
    rand_augment_n: int = 0
    rand_augment_m: int = 9
    erasing: float = 0.0
    cutmix: float = 0.0
    mixup: float = 0.0
    mixup_alpha: float = 0.8
    unmixed: float = 0.15
    ema: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))  # a list, as JSON gives it back
        budgets = {name: getattr(self, name) for name in ("epochs", "steps", "minutes")}
        given = [name for name, value in budgets.items() if value is not None]
        if len(given) != 1:
            raise ValueError(f"A recipe has one budget: give epochs, steps or minutes, not {len(given)} of them.")
        if not budgets[given[0]] > 0:
            raise ValueError(f"{given[0]} must be above 0, not {budgets[given[0]]}.")
        for name in ("batch_size", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.batch_size % self.accumulate:
            raise ValueError(f"accumulate {self.accumulate} does not divide batch_size {self.batch_size}.")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer {self.optimizer!r} is unknown: choose one of {', '.join(OPTIMIZERS)}.")
        for name in ("learning_rate", "mixup_alpha"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}.")
        if not 0 <= self.final_learning_rate <= self.learning_rate:
            raise ValueError(
                f"final_learning_rate must lie between 0 and learning_rate {self.learning_rate}, "
                f"not {self.final_learning_rate}."
            )
        for name in ("weight_decay", "clip_norm", "early_patch_size", "whitening", "crop_padding", "rand_augment_n"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, but it is {getattr(self, name)}.")
        if not 0 <= self.rand_augment_m <= 30:
            raise ValueError(f"rand_augment_m goes from 0 to 30, so {self.rand_augment_m} is impossible.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are two numbers from 0 to below 1, not {self.betas}.")
        if (self.early_patch_size > 0) != (self.early > 0):
            raise ValueError("early_patch_size and early belong together: give both, or neither.")
        for name in ("warmup", "erasing", "cutmix", "mixup", "unmixed"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {getattr(self, name)}.")
        if self.cutmix + self.mixup > 1:
            raise ValueError("cutmix and mixup are exclusive: their probabilities must not add up to more than 1.")
        for name in ("early", "label_smoothing", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} goes from 0 to below 1, so {getattr(self, name)} is impossible.")

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some settings changed. A new budget takes the place of the old one."""
        if any(changes.get(name) is not None for name in ("epochs", "steps", "minutes")):
            changes = {"epochs": None, "steps": None, "minutes": None} | changes
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
