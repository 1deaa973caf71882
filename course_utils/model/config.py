"""The settings of a Vision Transformer, in one frozen dataclass, and the named presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from course_utils.support.settings import Count, Positive, Rate, Rule, Settings, Size, look_up

Position = Literal["none", "learned", "sincos2d", "rotary", "relative"]
Pooling = Literal["class_token", "mean", "attention"]
Norm = Literal["layernorm", "rmsnorm"]
Activation = Literal["gelu", "gelu_tanh"]
Sides = Annotated[Size | tuple[Size, Size], Rule("one whole number or two (height, width), each at least 1")]

POSITIONS: tuple[Position, ...] = get_args(Position)
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
NORMS: tuple[Norm, ...] = get_args(Norm)
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


@dataclass(frozen=True)
class ViTConfig(Settings):
    """Everything that decides the shape of a Vision Transformer (Dosovitskiy et al. 2020, arXiv 2010.11929).

    The defaults are a 2.7 million parameter model for CIFAR-10. A frozen dataclass cannot be changed by accident;
    ``config.replace(depth=12)`` makes a changed copy. Impossible settings are refused with a sentence that names them.

    Attributes:
        image_size: Height and width of the images in pixels. One number means a square.
        patch_size: Side P of a square patch in pixels. It must divide height and width.
        in_channels: Channels C of an image: 3 for RGB, 1 for grey.
        num_classes: Classes K. 0 means no classification head: the model then returns the pooled features.
        embed_dim: Width D of every token.
        depth: Number L of transformer blocks.
        num_heads: Attention heads h. They share the width: each head has d = D / h numbers.
        mlp_ratio: Hidden width of the MLP, as a multiple of D.
        qkv_bias: Whether the linear maps to queries, keys and values have a bias.
        position: How a token knows its place: one of ``POSITIONS``.
        pooling: How the tokens become one vector: one of ``POOLINGS``. Only "class_token" adds a class token.
        num_registers: Extra learned tokens that no read-out uses (Darcet et al. 2023, arXiv 2309.16588).
        norm: Which normalisation: one of ``NORMS``.
        pre_norm: True: normalise the input of attention and MLP (ViT). False: normalise after the residual addition
            (the first Transformer, Vaswani et al. 2017).
        norm_eps: The small number under the root in the normalisation.
        activation: Of the MLP, one of ``ACTIVATIONS``: the exact GELU, or its tanh approximation.
        dropout: Dropout after the embeddings, the attention projection and the MLP layers.
        attention_dropout: Dropout on the attention weights.
        drop_path: Stochastic depth rate of the last block; it grows linearly from 0 in the first (Huang et al. 2016).

    Raises:
        TypeError: A setting is of the wrong type: a count or size is not a whole number, a rate is no number.
        ValueError: A setting is impossible. The sentence says which one and what to do.
    """

    image_size: Sides = 32
    patch_size: Size = 4
    in_channels: Size = 3
    num_classes: Count = 10
    embed_dim: Size = 192
    depth: Size = 6
    num_heads: Size = 3
    mlp_ratio: Positive = 4.0
    qkv_bias: bool = True
    position: Position = "learned"
    pooling: Pooling = "class_token"
    num_registers: Count = 0
    norm: Norm = "layernorm"
    pre_norm: bool = True
    norm_eps: Positive = 1e-6
    activation: Activation = "gelu"
    dropout: Rate = 0.0
    attention_dropout: Rate = 0.0
    drop_path: Rate = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_height % self.patch_size or self.image_width % self.patch_size:
            raise ValueError(
                f"patch_size {self.patch_size} does not divide image_size {self.image_height}x{self.image_width}: "
                "choose a patch_size that divides both sides, or resize the images."
            )
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"num_heads {self.num_heads} does not divide embed_dim {self.embed_dim}: "
                "each head needs the same whole number of dimensions."
            )
        if self.position == "sincos2d" and self.embed_dim % 4:
            raise ValueError(
                f"position 'sincos2d' needs an embed_dim that 4 divides (sine and cosine of row and column), "
                f"not {self.embed_dim}."
            )
        if self.position == "rotary" and self.head_dim % 4:
            raise ValueError(
                f"position 'rotary' needs a head width that 4 divides (pairs for row and column), but embed_dim "
                f"{self.embed_dim} over num_heads {self.num_heads} is {self.head_dim}."
            )
        if self.mlp_hidden_dim < 1:
            raise ValueError(f"mlp_ratio must leave the MLP at least one hidden unit, not {self.mlp_ratio}.")

    @property
    def image_height(self) -> int:
        """Height H of the images in pixels."""
        return self.image_size[0] if isinstance(self.image_size, tuple) else self.image_size

    @property
    def image_width(self) -> int:
        """Width W of the images in pixels."""
        return self.image_size[1] if isinstance(self.image_size, tuple) else self.image_size

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the patch grid: (H / P, W / P)."""
        return self.image_height // self.patch_size, self.image_width // self.patch_size

    @property
    def num_patches(self) -> int:
        """Number of patches: rows times columns of the grid."""
        return self.grid[0] * self.grid[1]

    @property
    def has_class_token(self) -> bool:
        """Whether a class token stands before all others, and is what the head reads."""
        return self.pooling == "class_token"

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens that stand before the patches: the class token, if there is one, and the registers."""
        return self.has_class_token + self.num_registers

    @property
    def num_tokens(self) -> int:
        """Length N of the sequence that the encoder sees."""
        return self.num_prefix_tokens + self.num_patches

    @property
    def patch_dim(self) -> int:
        """Numbers in one patch: C * P * P."""
        return self.in_channels * self.patch_size**2

    @property
    def head_dim(self) -> int:
        """Width d of one attention head: D / h."""
        return self.embed_dim // self.num_heads

    @property
    def mlp_hidden_dim(self) -> int:
        """Hidden width of the MLP: D * mlp_ratio, rounded down."""
        return int(round(self.embed_dim * self.mlp_ratio, 6))  # rounding first: 49 * (1 / 49) is just below 1

    @classmethod
    def preset(cls, name: str, **changes: Any) -> ViTConfig:
        """Return a named preset, with some settings changed if you like.

        Raises:
            ValueError: No preset has that name.
        """
        return look_up("preset", name, PRESETS).replace(**changes)


PRESETS: dict[str, ViTConfig] = {
    # CIFAR-10. nano: beside a small CNN in lesson 10 (cnn). micro: minutes on a CPU. small: an evening on a CPU.
    # deep: for a graphics card.
    "cifar_nano": ViTConfig(embed_dim=64, depth=6, num_heads=4, mlp_ratio=2.0),
    "cifar_micro": ViTConfig(embed_dim=128, depth=6, num_heads=4, mlp_ratio=2.0),
    "cifar_small": ViTConfig(embed_dim=192, depth=6, num_heads=6, mlp_ratio=2.0),
    "cifar_deep": ViTConfig(embed_dim=192, depth=9, num_heads=12, mlp_ratio=2.0, drop_path=0.1),
    # ImageNet, as in the paper's table 1.
    "vit_b_16": ViTConfig(224, 16, 3, 1000, embed_dim=768, depth=12, num_heads=12),
    "vit_l_16": ViTConfig(224, 16, 3, 1000, embed_dim=1024, depth=24, num_heads=16),
    "vit_h_14": ViTConfig(224, 14, 3, 1000, embed_dim=1280, depth=32, num_heads=16),
}
