"""Lesson 01 (patches): cut an image into patches, put it together again, and turn each patch into a token."""

from __future__ import annotations

from torch import Tensor, nn


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut images into square patches, in raster order: left to right, then top to bottom.

    The numbers of a patch stand in the order (channel, row, column). This is the order of a convolution's kernel, so
    one reshape turns the weights of a linear map into those of a convolution (see :class:`ConvPatchEmbedding`).

    Args:
        images: One image (C, H, W) or a batch (B, C, H, W). H and W need not be equal.
        patch_size: Side P of a patch in pixels.

    Returns:
        The patches: (N, C*P*P) for one image, (B, N, C*P*P) for a batch, with N = (H/P) * (W/P).

    Raises:
        ValueError: The tensor has another number of axes, or P does not divide H and W.

    Source: ViT, arXiv 2010.11929, section 3.1.
    """
    if images.ndim not in (3, 4):
        raise ValueError(f"images must be (C, H, W) or (B, C, H, W), but this tensor has shape {tuple(images.shape)}.")
    if patch_size < 1:
        raise ValueError(f"patch_size must be at least 1, not {patch_size}.")
    *batch, c, height, width = images.shape
    p = patch_size
    if height % p or width % p:
        raise ValueError(
            f"patch_size {p} does not divide the image, {height} high and {width} wide: "
            "choose a patch_size that divides both, or crop or resize the image."
        )
    rows, columns = height // p, width // p
    patches = images.reshape(-1, c, rows, p, columns, p)  # (B, C, H, W) -> (B, C, rows, P, columns, P)
    patches = patches.permute(0, 2, 4, 1, 3, 5)  # -> (B, rows, columns, C, P, P)
    # in einops: rearrange(images, "b c (rows p1) (columns p2) -> b (rows columns) (c p1 p2)", p1=p, p2=p)
    return patches.reshape(*batch, rows * columns, c * p * p)  # -> (B, N, C*P*P)


def unpatchify(patches: Tensor, patch_size: int, image_size: tuple[int, int] | None = None) -> Tensor:
    """Put patches together again: the exact inverse of :func:`patchify`.

    Args:
        patches: (N, C*P*P) or (B, N, C*P*P), in raster order.
        patch_size: Side P of a patch in pixels.
        image_size: Height and width in pixels. Not needed for square images.

    Returns:
        The image (C, H, W) or the images (B, C, H, W).

    Raises:
        ValueError: The number of patches or their length does not fit.
    """
    if patches.ndim not in (2, 3):
        raise ValueError(f"patches must be (N, C*P*P) or (B, N, C*P*P), not {tuple(patches.shape)}.")
    if patch_size < 1:
        raise ValueError(f"patch_size must be at least 1, not {patch_size}.")
    *batch, n, patch_dim = patches.shape
    p = patch_size
    if image_size is None:
        side = round(n**0.5)
        if side * side != n:
            raise ValueError(f"{n} patches make no square image: give image_size=(height, width).")
        image_size = (side * p, side * p)
    rows, columns = image_size[0] // p, image_size[1] // p
    if (rows * p, columns * p) != tuple(image_size) or rows * columns != n:
        raise ValueError(f"{n} patches of side {p} do not fill an image of size {tuple(image_size)}.")
    if patch_dim % (p * p):
        raise ValueError(f"A patch of side {p} holds C*{p * p} numbers, but these hold {patch_dim}.")
    c = patch_dim // (p * p)
    images = patches.reshape(-1, rows, columns, c, p, p)  # (B, N, C*P*P) -> (B, rows, columns, C, P, P)
    images = images.permute(0, 3, 1, 4, 2, 5)  # -> (B, C, rows, P, columns, P)
    # in einops: rearrange(patches, "b (rows columns) (c p1 p2) -> b c (rows p1) (columns p2)", rows=rows, p1=p, p2=p)
    return images.reshape(*batch, c, rows * p, columns * p)  # -> (B, C, H, W)


class PatchEmbedding(nn.Module):
    """One linear map, shared by all patches, from the numbers of a patch to a token of width D (ViT, equation 1).

    The paper's equation has no bias; its authors' code and this module have one.

    Args:
        patch_size: Side P of a patch in pixels.
        in_channels: Channels C of the images.
        embed_dim: Width D of a token.
    """

    def __init__(self, patch_size: int, in_channels: int, embed_dim: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.projection = nn.Linear(in_channels * patch_size**2, embed_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to tokens (B, N, D)."""
        patches = patchify(images, self.patch_size)  # (B, C, H, W) -> (B, N, C*P*P)
        return self.projection(patches)  # -> (B, N, D)


class ConvPatchEmbedding(nn.Module):
    """The same map as :class:`PatchEmbedding`, written as a convolution whose kernel and stride are both P.

    Most libraries write it so. Each weight is the same number in another shape: (D, C*P*P) there, (D, C, P, P) here.

    Args:
        patch_size: Side P of a patch in pixels.
        in_channels: Channels C of the images.
        embed_dim: Width D of a token.
    """

    def __init__(self, patch_size: int, in_channels: int, embed_dim: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(in_channels, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to tokens (B, N, D)."""
        features = self.projection(images)  # (B, C, H, W) -> (B, D, H/P, W/P)
        return features.flatten(2).transpose(1, 2)  # -> (B, N, D)

    @classmethod
    def from_linear(cls, linear: PatchEmbedding) -> ConvPatchEmbedding:
        """Make the convolution that equals a linear patch embedding."""
        d, patch_dim = linear.projection.weight.shape
        c = patch_dim // linear.patch_size**2
        conv = cls(linear.patch_size, c, d).to(linear.projection.weight)
        conv.load_state_dict(
            {
                "projection.weight": linear_to_conv_weight(linear.projection.weight, c),
                "projection.bias": linear.projection.bias,
            }
        )
        return conv

    def to_linear(self) -> PatchEmbedding:
        """Make the linear patch embedding that equals this convolution."""
        d, c, p, _ = self.projection.weight.shape
        linear = PatchEmbedding(p, c, d).to(self.projection.weight)
        linear.load_state_dict(
            {
                "projection.weight": conv_to_linear_weight(self.projection.weight),
                "projection.bias": self.projection.bias,
            }
        )
        return linear


def linear_to_conv_weight(weight: Tensor, in_channels: int) -> Tensor:
    """Reshape the weight of a linear patch embedding, (D, C*P*P), to that of the convolution, (D, C, P, P)."""
    side = round((weight.shape[1] // in_channels) ** 0.5)
    return weight.reshape(weight.shape[0], in_channels, side, side)


def conv_to_linear_weight(weight: Tensor) -> Tensor:
    """Reshape the weight of a strided convolution, (D, C, P, P), to that of the linear map, (D, C*P*P)."""
    return weight.flatten(1)
