"""Lesson 13 (masked): a masked autoencoder. Most patches are hidden, and the model says what was there.

The encoder is an ordinary Vision Transformer that sees the visible patches alone. After the training it is kept, and
nothing is hidden from it any more; the decoder has done its work.

Source: He et al. 2021, "Masked Autoencoders Are Scalable Vision Learners", arXiv 2111.06377.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.analysis.evaluation import evaluation_mode
from course_utils.beyond.backbone import check_without_labels, encoder_config, kept_encoder
from course_utils.data import ImageSet, normalisation_of
from course_utils.model.blocks import TransformerEncoder
from course_utils.model.config import ViTConfig
from course_utils.model.embeddings import POSITION_CODES
from course_utils.model.initialise import initialise
from course_utils.model.patches import patchify, unpatchify
from course_utils.model.vit import VisionTransformer
from course_utils.support.settings import Count, Size
from course_utils.training.recipes import Recipe
from course_utils.training.stream import seed_step
from course_utils.training.tasks import Task

EPS = 1e-6  # below the root, so that a patch of one colour can be normalised


def random_order(batch: int, patches: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw an order of the patches for each image: (B, N), int64, on the CPU. Every row holds 0 to N - 1 once.

    To keep the first patches of such an order and to hide the others is to draw them at random, without any twice.
    """
    return torch.rand(batch, patches, generator=generator).argsort(dim=1)  # sorting noise shuffles


def inverse_order(order: Tensor) -> Tensor:
    """Say at which place of an order (B, N) each patch stands: (B, N). It undoes the order."""
    return order.argsort(dim=1)  # patch 0 stands where the order holds 0, and so on


def take(tokens: Tensor, places: Tensor) -> Tensor:
    """Take tokens of each image: (B, N, D) at the places (B, M) -> (B, M, D)."""
    return tokens.gather(1, places[:, :, None].expand(-1, -1, tokens.shape[2]))


def hidden_patches(order: Tensor, visible: int) -> Tensor:
    """Mark which patches are hidden if the first ``visible`` of an order (B, N) are seen: (B, N), bool."""
    return inverse_order(order) >= visible


def count_visible(patches: int, mask_ratio: float) -> int:
    """Say how many of N patches stay visible: N (1 - ratio), rounded down, as in the authors' code.

    Raises:
        ValueError: None would stay, or none would be hidden.
    """
    visible = int(round(patches * (1 - mask_ratio), 6))  # rounded first: 10 * (1 - 0.9) is just below 1
    if not 1 <= visible < patches:
        raise ValueError(
            f"mask_ratio {mask_ratio} leaves {visible} of {patches} patches visible: at least one must be seen, and "
            "at least one hidden."
        )
    return visible


def normalise_patches(patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give each patch (..., C*P*P) mean 0 and variance 1, so that the model has to find structure, not brightness.

    Returns:
        The patches; and mean and spread (..., 1), with which ``patches * spread + mean`` takes it back. The spread is
        the root of the unbiased variance (divided by C*P*P - 1) plus 1e-6.
    """
    mean = patches.mean(dim=-1, keepdim=True)  # (..., C*P*P) -> (..., 1)
    spread = (patches.var(dim=-1, keepdim=True) + EPS).sqrt()
    return (patches - mean) / spread, mean, spread


def patch_targets(images: Tensor, patch_size: int, normalised: bool = True) -> Tensor:
    """Return what is to be said of images (B, C, H, W): their patches (B, N, C*P*P), normalised each for itself."""
    patches = patchify(images, patch_size)  # (B, C, H, W) -> (B, N, C*P*P)
    return normalise_patches(patches)[0] if normalised else patches


def masked_loss(predicted: Tensor, targets: Tensor, hidden: Tensor) -> Tensor:
    """Return the mean square of the error on hidden patches; what is seen does not count.

    Args:
        predicted: (B, N, C*P*P).
        targets: Likewise.
        hidden: (B, N), True where a patch was hidden.
    """
    errors = (predicted - targets).square().mean(dim=-1)  # (B, N, C*P*P) -> (B, N)
    return (errors * hidden).sum() / hidden.sum()


@dataclass(frozen=True)
class MaskedConfig(ViTConfig):
    """Settings of a :class:`MaskedAutoencoder`: those of its encoder, and some more.

    Attributes:
        num_classes: 0. It names no classes.
        decoder_dim: Width of the decoder's tokens.
        decoder_depth: Blocks of the decoder. One or two are enough for small images.
        decoder_heads: Attention heads of the decoder.
        normalised_targets: True: the model says how a patch differs from its own mean, in its own spread. Better for
            what the encoder learns. False: it says the pixels. Better to look at.

    Raises:
        TypeError, ValueError: As for :class:`ViTConfig`; or the position codes act inside attention, where all patches
            would have to be present; or the pooling has weights; or the decoder's width does not fit.
    """

    num_classes: Count = 0
    decoder_dim: Size = 64
    decoder_depth: Size = 1
    decoder_heads: Size = 4
    normalised_targets: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_without_labels(self, "masked autoencoder")
        if self.pooling == "attention":
            raise ValueError("pooling 'attention' has weights that masked images do not train: 'mean' has none.")
        if self.decoder_dim % self.decoder_heads or self.decoder_dim % 4:
            raise ValueError(
                f"decoder_dim {self.decoder_dim} must be a multiple of decoder_heads {self.decoder_heads}, and of 4: "
                "sine and cosine of row and column."
            )

    def decoder_config(self) -> ViTConfig:
        """Return the settings of the decoder's blocks. Its positions are fixed waves, since nothing else is known."""
        return encoder_config(self).replace(
            embed_dim=self.decoder_dim,
            depth=self.decoder_depth,
            num_heads=self.decoder_heads,
            position="sincos2d",
            drop_path=0.0,
        )


class MaskedDecoder(nn.Module):
    """From the tokens of the visible patches to the pixels of all: a narrow, shallow transformer.

    Args:
        config: Of the whole model.
    """

    position_code: Tensor

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        inner = config.decoder_config()
        self.num_prefix_tokens = inner.num_prefix_tokens
        self.entry = nn.Linear(config.embed_dim, inner.embed_dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, inner.embed_dim))  # stands where nothing was seen
        self.register_buffer("position_code", POSITION_CODES["sincos2d"].added(inner), persistent=False)
        self.blocks = TransformerEncoder(inner)
        self.exit = nn.Linear(inner.embed_dim, inner.patch_dim)
        initialise(self, inner.depth)

    def forward(self, encoded: Tensor, order: Tensor) -> Tensor:
        """Say what stands in every patch.

        Args:
            encoded: Tokens that the encoder returned: prefix, then visible patches, (B, prefix + visible, D).
            order: Of the patches (B, N): the first ones are the visible ones.

        Returns:
            (B, N, C*P*P), in raster order.
        """
        tokens = self.entry(encoded)  # (B, prefix + visible, D) -> (B, prefix + visible, D')
        prefix, seen = tokens[:, : self.num_prefix_tokens], tokens[:, self.num_prefix_tokens :]
        unseen = self.mask_token.expand(len(seen), order.shape[1] - seen.shape[1], -1)  # (B, hidden, D')
        shuffled = torch.cat([seen, unseen], dim=1)  # -> (B, N, D'), in the order of ``order``
        patches = take(shuffled, inverse_order(order))  # the same shape, in raster order
        tokens = torch.cat([prefix, patches], dim=1) + self.position_code  # -> (B, prefix + N, D')
        tokens, _ = self.blocks(tokens)
        return self.exit(tokens[:, self.num_prefix_tokens :])  # -> (B, N, C*P*P)


class MaskedAutoencoder(nn.Module):
    """An encoder that sees some patches, and a decoder that says what stands in all.

    Args:
        config: The settings.

    Example:
        >>> model = MaskedAutoencoder(MaskedConfig(embed_dim=96, depth=4))
        >>> model(torch.zeros(2, 3, 32, 32), random_order(2, 64), visible=16).shape
        torch.Size([2, 64, 48])
    """

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = VisionTransformer(encoder_config(config))
        self.decoder = MaskedDecoder(config)

    @property
    def backbone(self) -> VisionTransformer:
        """The encoder: an ordinary Vision Transformer without a head, to be saved, probed, or fine-tuned."""
        return kept_encoder(self, self.encoder)

    def forward(self, images: Tensor, order: Tensor | None = None, visible: int | None = None) -> Tensor:
        """Say what stands in every patch.

        Args:
            images: (B, C, H, W), floats, normalised.
            order: Of the patches, (B, N), see :func:`random_order`. None: raster order.
            visible: How many patches of that order the encoder sees. None: all.

        Returns:
            (B, N, C*P*P): pixels, or normalised patches, as the config says.
        """
        if order is None:
            order = torch.arange(self.config.num_patches, device=images.device).expand(len(images), -1)  # (B, N)
        return self.decoder(self.encode(images, order[:, :visible]), order)

    def encode(self, images: Tensor, places: Tensor) -> Tensor:
        """Run the encoder on some patches: (B, C, H, W) and places (B, M) -> tokens (B, prefix + M, D)."""
        tokens = self.encoder.embed(images)  # (B, C, H, W) -> (B, prefix + N, D)
        # Only now are patches taken away: a token that stays has been told its place.
        count = self.config.num_prefix_tokens
        kept = torch.cat([tokens[:, :count], take(tokens[:, count:], places)], dim=1)  # -> (B, prefix + M, D)
        return self.encoder.encoder(kept)[0]

    @torch.no_grad()
    def reconstruct(self, images: Tensor, order: Tensor, visible: int) -> Tensor:
        """Return the images (B, C, H, W), with the hidden patches as the model thinks that they are.

        A model of normalised targets is told mean and spread of each hidden patch here, which it cannot know: it draws
        the structure, not the colour.
        """
        patches = patchify(images, self.config.patch_size)  # (B, C, H, W) -> (B, N, C*P*P)
        said = self(images, order, visible).to(patches.dtype)
        if self.config.normalised_targets:
            _, mean, spread = normalise_patches(patches)
            said = said * spread + mean
        hidden = hidden_patches(order, visible)[:, :, None]  # (B, N) -> (B, N, 1)
        size = (self.config.image_height, self.config.image_width)
        return unpatchify(torch.where(hidden, said, patches), self.config.patch_size, size)


class MaskedImages(Task):
    """Say what stands in hidden patches. Labels are not used.

    Args:
        train_set: The images to learn from.
        validation_set: Looked at after every pass.
        mask_ratio: Share of the patches that is hidden, in each image others.
    """

    name = "masked_images"

    def __init__(self, train_set: ImageSet, validation_set: ImageSet | None = None, mask_ratio: float = 0.75) -> None:
        super().__init__(train_set, validation_set)
        self.mask_ratio = mask_ratio

    def prepare(self, model: nn.Module, recipe: Recipe, seed: int, device: torch.device) -> None:
        """Get ready, see :meth:`Task.prepare`.

        Raises:
            ValueError: The model is none that learns from hidden patches, or takes other images.
        """
        if not isinstance(model, MaskedAutoencoder):
            raise ValueError(f"masked_images trains a MaskedAutoencoder, and this is a {type(model).__name__}.")
        self.config, self.patches = model.config, model.config.num_patches
        self.visible = count_visible(self.patches, self.mask_ratio)
        with torch.no_grad():  # says what is wrong with the images, before the first step
            model.encoder.embed(torch.zeros(1, *self.train_set.images.shape[1:]).to(next(model.parameters())))
        super().prepare(model, recipe, seed, device)
        self.seed = seed

    def batch(self, step: int, mixing: bool) -> tuple[Tensor, ...]:
        """Return images (B, C, H, W) and an order of the patches for each (B, N)."""
        images, _ = super().batch(step, mixing=False)
        seed_step(self.seed, step, "mask")
        return images, random_order(len(images), self.patches).to(images.device)

    def loss(self, model: nn.Module, *batch: Tensor) -> dict[str, Tensor]:
        """Return "loss": the mean square on the hidden patches."""
        images, order = batch
        predicted = model(images, order, self.visible).float()  # (B, C, H, W), (B, N) -> (B, N, C*P*P)
        targets = patch_targets(images, self.config.patch_size, self.config.normalised_targets)  # (B, N, C*P*P)
        return {"loss": masked_loss(predicted, targets, hidden_patches(order, self.visible))}

    def figures(self, model: nn.Module, images: ImageSet, precision: str = "fp32") -> dict[str, float]:
        """Return "loss" on images that the model does not learn from, with the same masks each time."""
        return {"loss": loss_on(model, images, self.mask_ratio, precision)}

    def describe(self) -> dict[str, Any]:
        """Say what is learned from what, see :meth:`Task.describe`."""
        return super().describe() | {"task": {"name": self.name, "mask_ratio": self.mask_ratio}}


def loss_on(model: nn.Module, images: ImageSet, mask_ratio: float = 0.75, precision: str = "fp32") -> float:
    """Return the mean square on hidden patches over many images, with the same masks each time.

    Args:
        model: A :class:`MaskedAutoencoder` that knows its normalisation.
        images: The images.
        mask_ratio: Share of the patches that is hidden; it need not be that of the training.
        precision: "fp32", or "bf16" for autocast.
    """
    config: MaskedConfig = model.config  # type: ignore[assignment]
    visible, normalise = count_visible(config.num_patches, mask_ratio), normalisation_of(model)
    total, masks = 0.0, torch.Generator().manual_seed(0)
    with evaluation_mode(model) as device, torch.no_grad():
        for some in images.images.split(256):  # (N, C, H, W) -> (B, C, H, W)
            order = random_order(len(some), config.num_patches, masks).to(device)
            pixels = normalise(some.to(device))
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                predicted = model(pixels, order, visible)  # -> (B, N, C*P*P)
            targets = patch_targets(pixels, config.patch_size, config.normalised_targets)
            loss = masked_loss(predicted.float(), targets, hidden_patches(order, visible))
            total += loss.item() * len(some)  # each image hides as many patches
    return total / len(images)
