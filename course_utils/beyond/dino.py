"""Lesson 14 (dino): a student learns from a teacher that is made of the student's own past. Nobody gives a label.

Two views of an image shall get the same answer. "The same answer for every image" would do as well; centring and
sharpening of the teacher's answers keep the model from it, in opposite ways.

Source: Caron et al. 2021, "Emerging Properties in Self-Supervised Vision Transformers", arXiv 2104.14294.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from course_utils.beyond.backbone import check_without_labels, encoder_config, kept_encoder
from course_utils.model.config import ViTConfig
from course_utils.model.initialise import initialise
from course_utils.model.resize import resize_positions
from course_utils.model.vit import VisionTransformer
from course_utils.support.settings import Count, Size

# ---------------------------------------------------------------------- the method, in functions


def teacher_shares(logits: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """Turn the teacher's logits (..., K) into what the student shall say (..., K); each row sums to 1.

    To take the centre (K,) away is centring: what the teacher says of all images alike does not count. To divide by a
    small temperature is sharpening: the largest output takes nearly all.
    """
    return ((logits - centre) / temperature).softmax(dim=-1)


def dino_loss(student: Tensor, shares: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-entropy between teacher and student, over all pairs of two different views of an image.

    Args:
        student: Logits (B, V, K) of all V views.
        shares: The teacher's (B, T, K), of the first T of these views.
        temperature: Of the student.

    Returns:
        The mean over images and pairs: a scalar. View t of the teacher and view t of the student are the same view, so
        that pair is left out.
    """
    logs = F.log_softmax(student / temperature, dim=-1)  # (B, V, K)
    # Each pair's cross-entropy. (A matrix product would do it at once, but autocast would round it to bfloat16.)
    pairs = torch.stack([-(view[:, None] * logs).sum(dim=-1) for view in shares.unbind(1)], dim=1)  # -> (B, T, V)
    same = torch.eye(*pairs.shape[1:], dtype=torch.bool, device=pairs.device)  # (T, V)
    count = pairs.numel() - len(pairs) * pairs.shape[1]  # each view of the teacher loses one pair an image
    return pairs.masked_fill(same, 0).sum() / count


def moved_centre(centre: Tensor, mean_logits: Tensor, momentum: float = 0.9) -> Tensor:
    """Return the centre (K,) after a step: a moving average of the teacher's mean logits (K,) over a whole batch."""
    return momentum * centre + (1 - momentum) * mean_logits


def momentum_at(step: int, total_steps: int, start: float = 0.996) -> float:
    """How much of itself the teacher keeps in a step: half a cosine from ``start`` to 1."""
    progress = step / max(1, total_steps - 1)  # from 0 to 1
    return 1 - (1 - start) * 0.5 * (1 + math.cos(math.pi * progress))


def entropy(shares: Tensor) -> Tensor:
    """Entropy of shares (..., K), in nats: (...). 0: all on one output. ln K: the same on all of them."""
    return torch.special.entr(shares).sum(dim=-1)  # entr is -p ln p, and 0 at 0


# ---------------------------------------------------------------------- the model


@dataclass(frozen=True)
class DinoConfig(ViTConfig):
    """Settings of :class:`Dino`: those of its encoder, and of the head behind it.

    Attributes:
        num_classes: 0. It names no classes.
        outputs: K, how many outputs the head has. They are no classes: what each one means is found in training.
        head_hidden: Width of the head's two hidden layers.
        head_bottleneck: Width of the vector, of length 1, whose cosines with K directions are the logits.

    Raises:
        TypeError, ValueError: As for :class:`ViTConfig`; or the position codes act inside attention, and small views
            have fewer patches.
    """

    num_classes: Count = 0
    outputs: Size = 1024
    head_hidden: Size = 256
    head_bottleneck: Size = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_without_labels(self, "student of DINO")


class DinoHead(nn.Module):
    """Three linear layers, a vector of length 1, and its cosines with K learned directions.

    Args:
        config: The settings.
    """

    def __init__(self, config: DinoConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(config.embed_dim, config.head_hidden),
            nn.GELU(),
            nn.Linear(config.head_hidden, config.head_hidden),
            nn.GELU(),
            nn.Linear(config.head_hidden, config.head_bottleneck),
        )
        self.last = nn.Linear(config.head_bottleneck, config.outputs, bias=False)
        initialise(self, depth=1)

    def forward(self, features: Tensor, train_last: bool = True) -> Tensor:
        """Map features (..., D) to logits (..., K), each between -1 and 1. The last layer may stay as it is."""
        vectors = F.normalize(self.layers(features), dim=-1)  # (..., D) -> (..., bottleneck)
        # Weight normalisation (Salimans and Kingma 2016) with all lengths 1: a row is a direction and nothing else.
        directions = F.normalize(self.last.weight, dim=-1)  # (K, bottleneck)
        if not train_last:
            # A gradient of 0, not none: several processes expect one from every parameter.
            directions = directions.detach() + 0 * directions
        return F.linear(vectors, directions)  # -> (..., K)


class DinoNetwork(nn.Module):
    """An encoder and a head: what student and teacher both are.

    Args:
        config: The settings.
    """

    def __init__(self, config: DinoConfig) -> None:
        super().__init__()
        self.encoder = VisionTransformer(encoder_config(config))
        self.head = DinoHead(config)

    def forward(self, views: Tensor, train_last: bool = True) -> Tensor:
        """Map views (B, V, C, h, w) to logits (B, V, K). Their sides are those of the config, or smaller."""
        features = encode_any_size(self.encoder, views.flatten(0, 1))  # (B, V, C, h, w) -> (B*V, C, h, w) -> (B*V, D)
        return self.head(features, train_last).unflatten(0, views.shape[:2])  # (B*V, K) -> (B, V, K)


class Dino(nn.Module):
    """Student, teacher, and the centre of the teacher's answers. All three travel with the weights.

    Args:
        config: The settings.

    Example:
        >>> model = Dino(DinoConfig(embed_dim=96, depth=4))
        >>> student, teacher = model(torch.zeros(2, 2, 3, 32, 32), torch.zeros(2, 4, 3, 16, 16))
        >>> student.shape, teacher.shape
        (torch.Size([2, 6, 1024]), torch.Size([2, 2, 1024]))
    """

    centre: Tensor

    def __init__(self, config: DinoConfig) -> None:
        super().__init__()
        self.config = config
        self.student = DinoNetwork(config)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False).eval()  # the same at first, and never trained
        self.register_buffer("centre", torch.zeros(config.outputs))

    @property
    def backbone(self) -> VisionTransformer:
        """The teacher's encoder: what is kept, an ordinary Vision Transformer without a head."""
        return kept_encoder(self, self.teacher.encoder)

    def train(self, mode: bool = True) -> Dino:
        """Switch to training or to evaluation. The teacher never drops anything."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, images: Tensor, small: Tensor | None = None, train_last: bool = True) -> Any:
        """Let the student answer to all views, and the teacher to the large ones.

        Args:
            images: Large views (B, T, C, H, W), floats, normalised; or plain images (B, C, H, W).
            small: Small views (B, S, C, h, w), if there are any.
            train_last: Whether the student's last layer gets a gradient.

        Returns:
            Logits of the student (B, T + S, K), large views first, and of the teacher (B, T, K), without gradient. Of
            plain images: the student's alone, (B, K).
        """
        if images.ndim == 4:
            return self.student(images[:, None], train_last)[:, 0]  # (B, C, H, W) -> (B, 1, ...) -> (B, K)
        groups = [images] if small is None else [images, small]
        student = torch.cat([self.student(views, train_last) for views in groups], dim=1)  # -> (B, T + S, K)
        with torch.no_grad():
            return student, self.teacher(images)

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the teacher towards the student: it keeps ``momentum`` of itself."""
        move = get_ema_multi_avg_fn(momentum)  # slow = momentum * slow + (1 - momentum) * fast, all in one call
        move(list(self.teacher.parameters()), list(self.student.parameters()), None)  # type: ignore[arg-type]


def encode_any_size(encoder: VisionTransformer, images: Tensor) -> Tensor:
    """Return the pooled features (B, D) of images of any size that the patch size divides.

    Position codes are interpolated to the grid of these images, and gradients flow through that.
    """
    config, parts = encoder.config, encoder.embeddings
    if tuple(images.shape[2:]) == (config.image_height, config.image_width):
        return encoder.pool(encoder.encoder(encoder.embed(images))[0])  # (B, C, H, W) -> (B, N, D) -> (B, D)
    tokens = parts.patch_embedding(images)  # (B, C, h, w) -> (B, n, D)
    prefix = [token.expand(len(tokens), -1, -1) for token in (parts.class_token, parts.registers) if token is not None]
    tokens = torch.cat([*prefix, tokens], dim=1)  # -> (B, prefix + n, D)
    if parts.position_code is not None:
        grid = (images.shape[2] // config.patch_size, images.shape[3] // config.patch_size)
        tokens = tokens + resize_positions(parts.position_code, config.grid, grid, config.num_prefix_tokens)
    return encoder.pool(encoder.encoder(parts.dropout(tokens))[0])  # -> (B, D)
