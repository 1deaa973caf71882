"""Lesson 05 (vit): the whole Vision Transformer, from images to logits."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.func import functional_call

from course_utils.model.attention import MultiHeadSelfAttention
from course_utils.model.blocks import TransformerEncoder
from course_utils.model.config import ViTConfig
from course_utils.model.embeddings import RelativePositionBias, ViTEmbeddings, resize_positions
from course_utils.model.patches import resize_patch_weight


class TokenPool(nn.Module):
    """From the tokens of an image to one vector.

    - "class_token": take the first token (ViT).
    - "mean": the mean of the patch tokens.
    - "attention": a weighted mean of the patch tokens, with learned weights (Hassani et al. 2021, arXiv 2104.05704,
      "SeqPool").

    Args:
        config: The model's settings.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.pooling = config.pooling
        self.num_prefix_tokens = config.num_prefix_tokens
        if self.pooling == "attention":
            self.score = nn.Linear(config.embed_dim, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, N, D) to one vector for each image (B, D)."""
        if self.pooling == "class_token":
            return tokens[:, 0]  # (B, N, D) -> (B, D)
        patches = tokens[:, self.num_prefix_tokens :]  # (B, N, D) -> (B, patches, D)
        if self.pooling == "mean":
            return patches.mean(dim=1)  # -> (B, D)
        weights = self.score(patches).softmax(dim=1)  # -> (B, patches, 1)
        return (weights * patches).sum(dim=1)  # -> (B, D)


class VisionTransformer(nn.Module):
    """The Vision Transformer (Dosovitskiy et al. 2021, arXiv 2010.11929).

    Args:
        config: The settings; see :class:`ViTConfig`. ``ViTConfig.preset(name)`` has the usual ones.

    Example:
        >>> model = VisionTransformer(ViTConfig.preset("cifar_micro"))
        >>> model(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = ViTEmbeddings(config)
        self.encoder = TransformerEncoder(config)
        self.pool = TokenPool(config)
        self.head = nn.Linear(config.embed_dim, config.num_classes) if config.num_classes else nn.Identity()
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W), floats, normalised, to logits (B, K).

        Raises:
            ValueError: The images have another shape than the config says, or another dtype than the weights.
        """
        tokens, _ = self.encoder(self.embed(images))  # (B, C, H, W) -> (B, N, D)
        return self.head(self.pool(tokens))  # -> (B, D) -> (B, K)

    def forward_with_attention(
        self, images: Tensor, layers: Collection[int] | None = None
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Like calling the model, and return the attention weights of chosen layers too.

        Args:
            images: (B, C, H, W).
            layers: Which blocks, counted from 0; negative numbers count from the end. None means all.

        Returns:
            Logits (B, K), and for each layer its weights (B, h, N, N). They are the very weights that made the logits,
            so gradients flow through them.

        Raises:
            ValueError: There is no such layer.
        """
        depth = self.config.depth
        wanted = range(depth) if layers is None else layers
        outside = [layer for layer in wanted if not -depth <= layer < depth]
        if outside:
            raise ValueError(f"There is no layer {outside[0]}: this model has layers 0 to {depth - 1}.")
        tokens, maps = self.encoder(self.embed(images), {layer % depth for layer in wanted})
        return self.head(self.pool(tokens)), maps

    def intermediates(self, images: Tensor) -> dict[str, Tensor]:
        """Return what every named part of the model puts out, in the order of the computation.

        Args:
            images: (B, C, H, W).

        Returns:
            Name -> tensor: "patch_embedding", "embeddings", for each block "blocks.0.norm1", "blocks.0.attention",
            "blocks.0.norm2", "blocks.0.mlp", "blocks.0", and at the end "encoder", "pooled" and "logits". All but the
            last two are token sequences (B, N, D). In eval mode with pre-norm, a block's output is its input plus its
            "attention" plus its "mlp".
        """
        names: dict[str, nn.Module] = {
            "patch_embedding": self.embeddings.patch_embedding,
            "embeddings": self.embeddings,
        }
        for index, block in enumerate(self.encoder.blocks):
            names |= {f"blocks.{index}.{part}": getattr(block, part) for part in ("norm1", "attention", "norm2", "mlp")}
            names[f"blocks.{index}"] = block
        names |= {"encoder": self.encoder, "pooled": self.pool, "logits": self.head}

        found: dict[str, Tensor] = {}

        def keep(name: str):
            def hook(module: nn.Module, inputs: object, output: Tensor | tuple) -> None:
                found[name] = output[0] if isinstance(output, tuple) else output

            return hook

        handles = [module.register_forward_hook(keep(name)) for name, module in names.items()]
        try:
            self(images)
        finally:
            for handle in handles:
                handle.remove()
        return found

    def embed(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the tokens that enter the first block (B, N, D), after a check."""
        c = self.config
        if images.ndim != 4 or tuple(images.shape[1:]) != (c.in_channels, c.image_height, c.image_width):
            raise ValueError(
                f"This model takes images of shape (B, {c.in_channels}, {c.image_height}, {c.image_width}), "
                f"not {tuple(images.shape)}."
            )
        if not images.is_floating_point():
            raise ValueError(f"This model takes normalised float images, not {images.dtype}: see data.to_float.")
        dtype = next(self.parameters()).dtype
        if images.dtype != dtype and not torch.is_autocast_enabled(images.device.type):
            raise ValueError(f"The images are {images.dtype}, but the weights {dtype}: use images.to({dtype}).")
        return self.embeddings(images)

    def with_image_size(self, image_size: int | tuple[int, int]) -> VisionTransformer:
        """Return a copy of this model for images of another size, cut into patches of the same size.

        Learned position codes and relative biases are interpolated; the other codes are computed anew.

        Raises:
            ValueError: The patch size does not divide the new size.
        """
        return self._resized(self.config.replace(image_size=image_size))

    def with_patch_size(self, patch_size: int) -> VisionTransformer:
        """Return a copy of this model that cuts the same images into patches of another size.

        The map from patches to tokens is resized (see :func:`resize_patch_weight`), and so are position codes and
        relative biases, as for another image size.

        Raises:
            ValueError: The new patch size does not divide the image.

        Source: FlexiViT (Beyer et al. 2023, arXiv 2212.08013), section 3.4.
        """
        return self._resized(self.config.replace(patch_size=patch_size))

    @torch.no_grad()
    def _resized(self, config: ViTConfig) -> VisionTransformer:
        """Return a copy with a config that differs in image size and patch size alone."""
        other = VisionTransformer(config).to(next(self.parameters()))
        other.load_state_dict(self.resized_state(other))
        for new, old in zip(other.modules(), self.modules(), strict=True):
            if isinstance(new, MultiHeadSelfAttention) and isinstance(old, MultiHeadSelfAttention):
                new.implementation = old.implementation
        return other.train(self.training)

    def resized_state(self, other: VisionTransformer) -> dict[str, Tensor]:
        """Return this model's parameters in the shapes of another one, which differs in image and patch size alone.

        Gradients flow through the resizing. What needs none is returned as it is, not as a copy.
        """
        state: dict[str, Tensor] = dict(self.named_parameters())
        key = "embeddings.patch_embedding.projection.weight"
        state[key] = resize_patch_weight(state[key], self.config.in_channels, other.config.patch_size)
        if self.config.position == "learned":
            key = "embeddings.position_code"
            state[key] = resize_positions(
                state[key], self.config.grid, other.config.grid, self.config.num_prefix_tokens
            )
        for name, new in other.named_modules():
            old = self.get_submodule(name)
            if isinstance(new, RelativePositionBias) and isinstance(old, RelativePositionBias):
                table = old.table[None]  # (offsets, h) -> (1, offsets, h): a grid of offsets is a grid like any other
                state[f"{name}.table"] = resize_positions(table, old.offset_grid, new.offset_grid, old.num_extra)[0]
        return state


class AtPatchSize(nn.Module):
    """A model at work with patches of another size. It has no parameters of its own: training it trains the model.

    Args:
        model: Whose parameters are used. They are resized in every forward pass, and keep their shapes.
        patch_size: Side of the patches.

    Raises:
        ValueError: The patch size does not divide the image.
    """

    def __init__(self, model: VisionTransformer, patch_size: int) -> None:
        super().__init__()
        self.model = model
        self._frame = (model.with_patch_size(patch_size),)  # in a tuple: its own parameters are to be out of sight

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K)."""
        frame = self._frame[0].train(self.training)
        return functional_call(frame, self.model.resized_state(frame), (images,))


def initialise(model: VisionTransformer) -> None:
    """Fill a model with random numbers, as ViT and its successors do.

    Linear weights, class token, registers, position codes: normal with standard deviation 0.02, cut off at two standard
    deviations. Biases: 0. The last map of each residual branch: 0.02 / sqrt(2 L), so that the residual stream does not
    grow with the depth (Radford et al. 2019, section 2.3). Norms: scale 1, shift 0.
    """
    std = 0.02
    residual_std = std / (2 * model.config.depth) ** 0.5
    for name, parameter in model.named_parameters():
        if "norm" in name:
            continue  # PyTorch's own start: scale 1, shift 0
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            branch_end = name.endswith(("attention.projection.weight", "mlp.fc2.weight"))
            spread = residual_std if branch_end else std
            nn.init.trunc_normal_(parameter, std=spread, a=-2 * spread, b=2 * spread)
