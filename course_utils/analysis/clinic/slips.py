"""Lesson 08 (clinic): the slips, each built into a small Vision Transformer or its training, one at a time.

A slip changes one thing: what stands in the model, what enters it, or what the loop does. All else is as in a training
without one, weights at the start included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data import CIFAR10_NORMALISATION
from course_utils.model.attention import MultiHeadSelfAttention
from course_utils.model.blocks import TransformerBlock
from course_utils.model.config import ViTConfig
from course_utils.model.embeddings import ViTEmbeddings
from course_utils.model.patches import PatchEmbedding
from course_utils.model.vit import VisionTransformer

CONFIG = ViTConfig(patch_size=8, embed_dim=64, depth=3, num_heads=4, mlp_ratio=2.0)  # for a minute on one core
RATE = 1e-3

Seen = Literal["outside", "step", "second program"]


@dataclass
class Patient:
    """A model with all that belongs to its training.

    Attributes:
        model: Maps what ``enter`` returns to logits (B, K).
        enter: Turns uint8 images (B, C, H, W) into what the model gets.
        label: Turns the labels of a whole data set (N,) into those that the loop is given.
        optimizer: Made by ``make_optimizer`` when the first step needs it.
        zero: Whether the loop sets the gradients to zero.
    """

    model: nn.Module
    enter: Callable[[Tensor], Tensor] = CIFAR10_NORMALISATION
    label: Callable[[Tensor], Tensor] = lambda labels: labels
    make_optimizer: Callable[[nn.Module], torch.optim.Optimizer] = lambda model: _adamw(model, RATE)
    zero: bool = True
    optimizer: torch.optim.Optimizer | None = field(default=None, init=False)

    def step(self, model: nn.Module, images: Tensor, labels: Tensor) -> float:
        """Take one step of the loop, as ``examine`` wants it: images are what ``enter`` returned. Returns the loss."""
        if self.optimizer is None:
            self.optimizer = self.make_optimizer(model)
        model.train()
        if self.zero:
            self.optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()


@dataclass(frozen=True)
class Slip:
    """One slip.

    Attributes:
        name: What was done, in a few words.
        seen: "outside": by calling the model; "step": only by watching its own loop take steps; "second program": only
            by giving the same weights to another program.
        signs: The symptoms (keys of ``SYMPTOMS``) that lead to it. Without any, only a second program tells.
        commit: Changes the patient.
        config: What it changes in the settings.
    """

    name: str
    seen: Seen
    signs: tuple[str, ...]
    commit: Callable[[Patient], object] = lambda patient: None
    config: dict[str, object] = field(default_factory=dict, hash=False)

    def patient(self, seed: int = 0, config: ViTConfig = CONFIG) -> Patient:
        """Make a new model with this slip in it, or in its training."""
        torch.manual_seed(seed)
        patient = Patient(VisionTransformer(config.replace(**self.config)))
        self.commit(patient)
        return patient


# What stands in the model. A module takes another class, and keeps its weights.


class OverTheBatch(MultiHeadSelfAttention):
    """The axes of batch and tokens are exchanged, as in ``nn.MultiheadAttention`` without ``batch_first``."""

    def forward(self, x: Tensor, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """Let each token gather from the tokens of its place in the other images."""
        out, weights = super().forward(x.transpose(0, 1), need_weights)  # (B, N, D) -> (N, B, D)
        return out.transpose(0, 1), weights


class WrittenOut(MultiHeadSelfAttention):
    """Attention whose steps can be changed one by one."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Compare queries (B, h, N, d) with keys."""
        return q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)  # -> (B, h, N, N)

    def weights(self, scores: Tensor) -> Tensor:
        """Turn scores into weights, both (B, h, N, N)."""
        return scores.softmax(dim=-1)

    def forward(self, x: Tensor, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """Let every token gather from all tokens, (B, N, D) -> (B, N, D)."""
        q, k, v = self.queries_keys_values(x)  # three (B, h, N, d)
        weights = self.weights(self.scores(q, k))  # (B, h, N, N)
        joined = self.join(weights @ v)  # (B, h, N, d) -> (B, N, D)
        return self.projection(joined), weights if need_weights else None

    def join(self, heads: Tensor) -> Tensor:
        """Lay the heads side by side, (B, h, N, d) -> (B, N, D)."""
        return heads.transpose(1, 2).flatten(2)


class MaskLeftIn(WrittenOut):
    """A token sees only those before it, and the class token stands at the front."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Shut later tokens out."""
        later = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool, device=q.device).triu(1)  # (N, N)
        return super().scores(q, k).masked_fill(later, -math.inf)


class ScaledByWidth(WrittenOut):
    """The scores are divided by the root of the model's width."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Divide by the root of D."""
        return q @ k.transpose(-2, -1) / math.sqrt(self.head_dim * self.num_heads)


class NotScaled(WrittenOut):
    """The scores are not divided."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Divide by nothing."""
        return q @ k.transpose(-2, -1)


class OverTheQueries(WrittenOut):
    """The columns of the weights sum to 1, and the rows do not."""

    def weights(self, scores: Tensor) -> Tensor:
        """Take the softmax over the wrong axis."""
        return scores.softmax(dim=-2)


class BareHeads(WrittenOut):
    """The heads are split by a reshape without a transpose: each gets tokens that are cut up and mixed."""

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map tokens (B, N, D) to three (B, h, N, d)."""
        b, n, _ = x.shape
        q, k, v = (each.reshape(b, self.num_heads, n, self.head_dim) for each in self.qkv(x).chunk(3, dim=-1))
        return q, k, v

    def join(self, heads: Tensor) -> Tensor:
        """Join them likewise."""
        return heads.reshape(heads.shape[0], heads.shape[2], -1)


class BarePatches(PatchEmbedding):
    """Patches by one reshape: each is a piece of one channel, a few pixel rows long."""

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to tokens (B, N, D)."""
        return self.projection(images.reshape(len(images), -1, self.projection.in_features))


class OneCodeForAll(ViTEmbeddings):
    """All patches get the code of the first one."""

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to tokens (B, N, D)."""
        tokens = self.patch_embedding(images)  # -> (B, N - 1, D)
        assert self.class_token is not None
        assert self.position_code is not None
        tokens = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)  # -> (B, N, D)
        return tokens + self.position_code[:, :1]  # (1, 1, D): the same for all


class NoResidual(TransformerBlock):
    """A block that forgets its input."""

    def forward(self, x: Tensor, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """Map tokens (B, N, D) to tokens (B, N, D)."""
        attended, weights = self.attention(self.norm1(x), need_weights)
        return self.mlp(self.norm2(attended)), weights


class CutOff(nn.Module):
    """Hand the logits on without what a gradient needs, and hide the error that PyTorch would raise."""

    def forward(self, logits: Tensor) -> Tensor:
        """Return equal logits (B, K)."""
        return logits.detach().requires_grad_()


def _all(part: str, other: type[nn.Module]) -> Callable[[Patient], None]:
    """Give all modules of a name another class."""

    def commit(patient: Patient) -> None:
        for name, module in patient.model.named_modules():
            if name.rpartition(".")[2] == part or (part == "block" and isinstance(module, TransformerBlock)):
                module.__class__ = other

    return commit


def _behind_the_head(layer: nn.Module) -> Callable[[Patient], None]:
    def commit(patient: Patient) -> None:
        patient.model.head = nn.Sequential(patient.model.get_submodule("head"), layer)

    return commit


def _large_head(patient: Patient) -> None:
    nn.init.normal_(patient.model.get_parameter("head.weight"), std=0.7)


def _no_last_norm(patient: Patient) -> None:
    patient.model.get_submodule("encoder").norm = nn.Identity()


# What enters


def _set(**changes: object) -> Callable[[Patient], None]:
    def commit(patient: Patient) -> None:
        for name, value in changes.items():
            setattr(patient, name, value)

    return commit


def _divided_twice(images: Tensor) -> Tensor:
    centre, spread = (
        torch.tensor(each).view(3, 1, 1) for each in (CIFAR10_NORMALISATION.mean, CIFAR10_NORMALISATION.std)
    )
    return (images / 255 / 255 - centre.to(images.device)) / spread.to(images.device)


def _others_labels(labels: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return labels[torch.randperm(len(labels), generator=generator)]


# What the loop does


def _adamw(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate)


def _rate(rate: float) -> Callable[[Patient], None]:
    return _set(make_optimizer=lambda model: _adamw(model, rate))


def _another_models(patient: Patient) -> None:
    other = VisionTransformer(CONFIG)  # made anew after the optimiser, most often by running a cell twice
    patient.make_optimizer = lambda model: _adamw(other, RATE)


HEALTHY = Slip("no slip", "outside", ())
LARGE_CODES = Slip(
    "no slip: position codes start large",
    "outside",
    (),
    lambda patient: nn.init.normal_(patient.model.get_parameter("embeddings.position_code")),
)

SLIPS: tuple[Slip, ...] = (
    Slip("attention over the batch, class token", "outside", ("same answer",), _all("attention", OverTheBatch)),
    Slip("causal mask left in", "outside", ("same answer",), _all("attention", MaskLeftIn)),
    Slip("divided by 255 twice", "outside", ("pixels",), _set(enter=_divided_twice)),
    Slip("labels of other images", "outside", ("labels",), _set(label=_others_labels)),
    Slip("optimiser of another model", "step", ("nothing moves",), _another_models),
    Slip("gradient cut off", "outside", ("no gradient",), _behind_the_head(CutOff())),
    Slip("softmax before the loss", "outside", ("softmax",), _behind_the_head(nn.Softmax(dim=-1))),
    Slip("tanh on the logits", "outside", ("tanh",), _behind_the_head(nn.Tanh())),
    Slip("head starts too large", "outside", ("first loss",), _large_head),
    Slip("rate 0.000001", "step", ("crawls",), _rate(1e-6)),
    Slip(
        "plain SGD at Adam's rate",
        "step",
        ("crawls",),
        _set(make_optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=RATE)),
    ),
    Slip("rate 0.01", "step", ("jumps",), _rate(1e-2)),
    Slip("rate 0.1", "step", ("jumps",), _rate(1e-1)),
    Slip("gradients not set to zero", "step", ("gradients add up",), _set(zero=False)),
    Slip(
        "attention over the batch, mean pooling",
        "outside",
        ("not alone",),
        _all("attention", OverTheBatch),
        {"pooling": "mean"},
    ),
    Slip("no position codes", "outside", ("no order",), config={"position": "none"}),
    Slip("one code for all", "outside", ("no order",), _all("embeddings", OneCodeForAll)),
    Slip("patches by a bare reshape", "second program", (), _all("patch_embedding", BarePatches)),
    Slip("heads by a bare reshape", "second program", (), _all("attention", BareHeads)),
    Slip("scaled by the model width", "second program", (), _all("attention", ScaledByWidth)),
    Slip("scores not scaled", "second program", (), _all("attention", NotScaled)),
    Slip("softmax over the wrong axis", "second program", (), _all("attention", OverTheQueries)),
    Slip("last norm missing", "second program", (), _no_last_norm),
    Slip("no residual", "outside", ("one batch",), _all("block", NoResidual)),
    Slip("pixels from 0 to 255", "outside", ("pixels",), _set(enter=lambda images: images.float())),
)
