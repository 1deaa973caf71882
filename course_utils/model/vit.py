"""Lesson 05 (vit): the whole Vision Transformer, from images to logits."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor, nn

from course_utils.model.blocks import TransformerEncoder
from course_utils.model.config import ViTConfig
from course_utils.model.embeddings import TokenPool, ViTEmbeddings, check_images
from course_utils.model.hooks import kept_outputs
from course_utils.model.initialise import initialise
from course_utils.model.resize import resized


class VisionTransformer(nn.Module):
    """The Vision Transformer (Dosovitskiy et al. 2020, arXiv 2010.11929).

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
        initialise(self, config.depth)

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
        parts: dict[str, nn.Module] = {
            "patch_embedding": self.embeddings.patch_embedding,
            "embeddings": self.embeddings,
        }
        for index, block in enumerate(self.encoder.blocks):
            parts |= {f"blocks.{index}.{part}": getattr(block, part) for part in ("norm1", "attention", "norm2", "mlp")}
            parts[f"blocks.{index}"] = block
        parts |= {"encoder": self.encoder, "pooled": self.pool, "logits": self.head}
        with kept_outputs(parts) as found:
            self(images)
        return found

    def embed(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the tokens that enter the first block (B, N, D), after a check."""
        check_images(images, self.config, dtype=next(self.parameters()).dtype)
        return self.embeddings(images)

    def with_image_size(self, image_size: int | tuple[int, int]) -> VisionTransformer:
        """Return a copy of this model for images of another size, cut into patches of the same size.

        Learned position codes and relative biases are interpolated; the other codes are computed anew.

        Raises:
            ValueError: The patch size does not divide the new size.
        """
        return resized(self, self.config.replace(image_size=image_size))

    def with_patch_size(self, patch_size: int) -> VisionTransformer:
        """Return a copy of this model that cuts the same images into patches of another size.

        The map from patches to tokens is resized (see :mod:`course_utils.model.resize`), and so are position codes and
        relative biases, as for another image size.

        Raises:
            ValueError: The new patch size does not divide the image, or the patches pass through no linear map.

        Source: FlexiViT (Beyer et al. 2022, arXiv 2212.08013), section 3.4.
        """
        return resized(self, self.config.replace(patch_size=patch_size))
