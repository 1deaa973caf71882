"""Lesson 07 (attention_maps): what the attention weights of a Vision Transformer are, and how to put a map to the test.

A weight says how much one token takes from another in one layer. Values, residual connections and MLPs are not in it,
so a map is no proof of what a prediction rests on. :func:`deletion_curve` is the test.

Shapes: B images, L layers, h heads, N tokens. The prefix tokens (class token, registers) stand before the patches,
which stand in raster order on a grid of (rows, columns).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.analysis.evaluation import evaluation_mode, predict
from course_utils.model.embeddings import grid_coordinates
from course_utils.model.vit import VisionTransformer

HEAD_FUSIONS: dict[str, Callable[..., Tensor]] = {"mean": torch.mean, "max": torch.amax, "min": torch.amin}


def collect(model: VisionTransformer, images: Tensor, layers: Sequence[int] | None = None) -> Tensor:
    """Run the model on a few images and keep its attention weights.

    Args:
        model: It stays on its device; the images go there.
        images: (B, C, H, W), normalised.
        layers: Which blocks, counted from 0, in the order wanted; negative numbers count from the end. None means all.

    Returns:
        Weights (B, L, h, N, N) on the CPU: row = the token that takes, column = the token it takes from. Each row sums
        to 1. All of them are in memory at once: B * L * h * N * N * 4 bytes.

    Raises:
        ValueError: There is no such layer, or none is asked for.
    """
    depth = model.config.depth
    wanted = list(range(depth) if layers is None else layers)
    if not wanted:
        raise ValueError("layers is empty: name at least one layer, or leave it out for all of them.")
    with evaluation_mode(model) as device, torch.no_grad():
        _, maps = model.forward_with_attention(images.to(device), wanted)  # for each layer (B, h, N, N)
    return torch.stack([maps[layer % depth] for layer in wanted], dim=1).cpu()  # -> (B, L, h, N, N)


def rollout(weights: Tensor, head_fusion: str = "mean", residual: float = 0.5, discard: float = 0.0) -> Tensor:
    """Follow the attention through the layers: the product of all layers' weights, with the residual connection in.

    One layer is taken to mix a token with ``(1 - residual) * attention + residual * identity``: an assumption, which
    leaves out the values, the MLPs and how long the vectors are. Every row of the result sums to 1, whatever the
    settings: rows are normalised again after fusing and discarding.

    Args:
        weights: (..., L, h, N, N). Take ``weights[:, :4]`` for the rollout up to the fourth layer.
        head_fusion: How the heads become one: "mean" (the paper), "max" or "min".
        residual: The share of the token itself, from 0 to 1. The paper takes one half, by convention.
        discard: Share of the smallest weights in each row that is set to 0, from 0 to below 1. It makes maps look
            tidier; it is no part of the paper.

    Returns:
        (..., N, N): row = a token after the last layer, column = the token of the input it comes from.

    Raises:
        ValueError: A setting is out of range, or the weights have another shape.

    Source: Abnar and Zuidema 2020, arXiv 2005.00928, section 3.
    """
    _check_weights(weights, "(..., L, h, N, N)")
    if head_fusion not in HEAD_FUSIONS:
        raise ValueError(f"head_fusion {head_fusion!r} is unknown: choose one of {', '.join(HEAD_FUSIONS)}.")
    if not 0 <= residual <= 1:
        raise ValueError(f"residual is a share from 0 to 1, not {residual}.")
    if not 0 <= discard < 1:
        raise ValueError(f"discard is a share from 0 to below 1, not {discard}.")
    n = weights.shape[-1]
    identity = torch.eye(n, device=weights.device)
    fused = HEAD_FUSIONS[head_fusion](weights.float(), dim=-3)  # (..., L, h, N, N) -> (..., L, N, N)
    if int(discard * n):  # else nothing is to be sorted
        smallest = fused.argsort(dim=-1)[..., : int(discard * n)]  # at least one weight of each row stays
        fused = fused.scatter(-1, smallest, 0.0)
    total = fused.sum(dim=-1, keepdim=True)  # (..., L, N, 1): keepdim, or the division would go down the columns
    # "min" can leave a row with nothing: that token then takes from itself alone.
    mixing = torch.where(total > 0, fused / total, identity)
    mixing = (1 - residual) * mixing + residual * identity
    result = identity.expand(mixing[..., 0, :, :].shape)
    for layer in mixing.unbind(dim=-3):
        result = layer @ result  # (..., N, N) @ (..., N, N)
    return result


def gradient_weighted(model: VisionTransformer, images: Tensor, class_index: int | Tensor | None = None) -> Tensor:
    """Weigh the attention by what it does for one class, and follow it through the layers.

    In each layer: the gradient of the class's logit with respect to the weights, times the weights, negative products
    set to 0, mean over the heads. This is A. The relevance R starts as the identity and becomes R + A R in each layer.

    Args:
        model: It stays on its device. The gradients of its parameters are not touched.
        images: (B, C, H, W), normalised.
        class_index: One class for all images, or one for each (B,). None means the predicted class.

    Returns:
        R minus the identity (B, N, N) on the CPU, not below 0, in no unit: compare within one image only. Row = a token
        after the last layer, column = a token of the input. Use it like a rollout.

    Raises:
        ValueError: There is no such class.

    Source: Chefer et al. 2021, arXiv 2103.15679, equations 5 and 6, after the same authors' arXiv 2012.09838.
    """
    with evaluation_mode(model) as device, torch.enable_grad():
        # The images ask for a gradient so that a model with frozen parameters works too.
        logits, maps = model.forward_with_attention(images.to(device).detach().requires_grad_())
        target = _target_class(logits, class_index)
        chosen = logits.gather(1, target[:, None]).sum()  # images do not mix: each gets the gradient of its own logit
        gradients = torch.autograd.grad(chosen, list(maps.values()))
    n = next(iter(maps.values())).shape[-1]
    relevance = torch.eye(n, device=device).expand(len(images), n, n)
    for weights, gradient in zip(maps.values(), gradients, strict=True):
        useful = (gradient * weights.detach()).clamp(min=0).mean(dim=1)  # (B, h, N, N) -> (B, N, N)
        relevance = relevance + useful @ relevance
    return (relevance - torch.eye(n, device=device)).cpu()


def class_token_grid(
    weights: Tensor, grid: tuple[int, int], num_prefix_tokens: int = 1, class_token: bool | None = None
) -> Tensor:
    """Take the weights from the class token to the patches, on the patch grid.

    Args:
        weights: (..., N, N), of one head, of many, or a rollout.
        grid: Rows and columns.
        num_prefix_tokens: Tokens before the patches.
        class_token: Whether token 0 is a class token. A model that pools its patches has none: then the map is the
            mean over the rows of all patches, as if each patch asked and the answers were pooled. None means: there is
            one if there is a prefix token at all. Say False for a model with registers only.

    Returns:
        (..., rows, columns). These are the weights as they are: what is missing to a sum of 1 lies on the prefix.

    Raises:
        ValueError: The number of tokens does not fit the grid, or there is no token that could be the class token.
    """
    _check_weights(weights, "(..., N, N)")
    _check_grid(weights, grid, num_prefix_tokens)
    if class_token is None:
        class_token = num_prefix_tokens > 0
    if class_token and not num_prefix_tokens:
        raise ValueError("A model without prefix tokens has no class token: leave class_token out, or say False.")
    to_patches = weights[..., num_prefix_tokens:]  # (..., N, N) -> (..., N, patches)
    row = to_patches[..., 0, :] if class_token else to_patches[..., num_prefix_tokens:, :].mean(dim=-2)
    return row.unflatten(-1, grid)  # (..., patches) -> (..., rows, columns)


def class_token_map(
    weights: Tensor,
    grid: tuple[int, int],
    image_size: int | tuple[int, int],
    num_prefix_tokens: int = 1,
    class_token: bool | None = None,
) -> Tensor:
    """Like :func:`class_token_grid`, drawn out to the pixels: (..., N, N) -> (..., H, W). See :func:`to_pixels`."""
    return to_pixels(class_token_grid(weights, grid, num_prefix_tokens, class_token), image_size)


def to_pixels(values: Tensor, image_size: int | tuple[int, int], mode: str = "nearest") -> Tensor:
    """Draw one number for each patch out to the pixels.

    Args:
        values: (..., rows, columns).
        image_size: (H, W), or one number for a square.
        mode: "nearest" shows what was computed: one value for each patch. "bilinear" looks smooth and hides the grid.

    Returns:
        (..., H, W).

    Raises:
        ValueError: The mode is unknown.
    """
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"mode {mode!r} is unknown: choose nearest or bilinear.")
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    flat = values.reshape(1, -1, *values.shape[-2:]).float()  # (..., rows, columns) -> (1, all, rows, columns)
    drawn = F.interpolate(flat, size, mode=mode, align_corners=False if mode == "bilinear" else None)
    return drawn.reshape(*values.shape[:-2], *size)  # -> (..., H, W)


def mean_attention_distance(
    weights: Tensor, grid: tuple[int, int], patch_size: int, num_prefix_tokens: int = 1
) -> Tensor:
    """How far a head looks: the distance in pixels from a patch to the patches it takes from, weighted.

    Distances run between patch centres. Prefix tokens have no place: they are left out, and each row is normalised
    again. (That is our choice; the paper does not say what it does with them.) A row with no weight at all on patches
    is left out of the mean.

    Args:
        weights: (B, L, h, N, N).
        grid: Rows and columns.
        patch_size: Side P of a patch in pixels.
        num_prefix_tokens: Tokens before the patches.

    Returns:
        (L, h), in pixels: the mean over all images and patches.

    Raises:
        ValueError: The number of tokens does not fit the grid.

    Source: ViT, arXiv 2010.11929, section 4.5 and figure 7, appendix D.7.
    """
    _check_weights(weights, "(B, L, h, N, N)")
    _check_grid(weights, grid, num_prefix_tokens)
    p = num_prefix_tokens
    centres = grid_coordinates(grid).to(weights.device).float() * patch_size  # (patches, 2), in pixels
    distances = (centres[:, None] - centres[None, :]).norm(dim=-1)  # -> (patches, patches)
    patches = weights[..., p:, p:].float()  # (B, L, h, N, N) -> (B, L, h, patches, patches)
    total = patches.sum(dim=-1)  # -> (B, L, h, patches)
    distance = (patches * distances).sum(dim=-1) / total  # -> (B, L, h, patches); 0 / 0 = NaN
    return distance.nanmean(dim=(0, 3))  # -> (L, h)


def attention_entropy(weights: Tensor) -> Tensor:
    """How spread out a head's attention is: from 0 (all on one token) to log N (the same on all N tokens).

    Args:
        weights: (B, L, h, N, N).

    Returns:
        (L, h), in nats: the mean over all images and all tokens that take.
    """
    _check_weights(weights, "(B, L, h, N, N)")
    return torch.special.entr(weights.float()).sum(dim=-1).mean(dim=(0, 3))  # (B, L, h, N, N) -> (L, h)


def position_similarity(codes: Tensor, num_prefix_tokens: int = 0) -> Tensor:
    """Cosine similarity of every patch's position code with every other's (ViT, figure 7).

    Args:
        codes: (N, D) or (1, N, D), as ``model.embeddings.position_code`` holds them.
        num_prefix_tokens: How many codes at the front belong to no patch; they are left out.

    Returns:
        (patches, patches), from -1 to 1.
    """
    codes = F.normalize(codes.detach().float().reshape(-1, codes.shape[-1])[num_prefix_tokens:], dim=-1)
    return codes @ codes.T  # (patches, D) @ (D, patches) -> (patches, patches)


@dataclass(frozen=True)
class DeletionCurve:
    """What becomes of a prediction as patches are taken away.

    Attributes:
        fractions: (F,), the shares of patches taken away.
        ordered: (B, F), probability of the class predicted for the whole image; the most important patches go first.
        random: (B, F), the same with the patches in random order, mean over several orders.
    """

    fractions: Tensor
    ordered: Tensor
    random: Tensor


def deletion_curve(
    model: nn.Module,
    images: Tensor,
    importance: Tensor,
    fractions: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    baseline: float | Tensor = 0.0,
    random_orders: int = 4,
    seed: int = 0,
) -> DeletionCurve:
    """Put a map to the test: take patches away, the most important first, and see how fast the prediction goes.

    If the map is right, the probability falls faster than with patches taken away in random order. A gap shows that the
    map finds patches that matter; pictures with holes are also unlike any that the model has seen.

    Args:
        model: Any model from images (B, C, H, W) to logits (B, K).
        images: (B, C, H, W), normalised.
        importance: (B, rows, columns): larger = goes sooner. Of equal values the first patch goes first.
        fractions: Shares of patches to take away, from 0 to 1.
        baseline: What stands in the holes. 0 is the data set's mean colour, since the images are normalised. Or a
            tensor that broadcasts to the images, (C, 1, 1) for a colour.
        random_orders: Random orders for each image.
        seed: Of the random orders.

    Returns:
        A :class:`DeletionCurve`.

    Raises:
        ValueError: The importance does not fit the images, holds NaN, or a setting is out of range.

    Source: Samek et al. 2015, arXiv 1509.06321 (region perturbation); Petsiuk et al. 2018, arXiv 1806.07421 (deletion).
    """
    if importance.ndim != 3 or len(importance) != len(images):
        raise ValueError(
            f"importance must be (B, rows, columns) with one map for each of the {len(images)} images, "
            f"not {tuple(importance.shape)}."
        )
    _, rows, columns = importance.shape
    height, width = images.shape[-2:]
    if height % rows or width % columns:
        raise ValueError(f"A map of {rows}x{columns} patches does not fit images {height} high, {width} wide.")
    if importance.isnan().any():
        raise ValueError("The importance holds NaN, so the patches have no order.")
    if not all(0 <= fraction <= 1 for fraction in fractions):
        raise ValueError(f"fractions are shares from 0 to 1, not {list(fractions)}.")
    if random_orders < 1:
        raise ValueError(f"random_orders must be at least 1, not {random_orders}.")

    patches = rows * columns
    removals = [round(fraction * patches) for fraction in fractions]
    target = predict(model, images).argmax(dim=1)  # (B,)
    hole = torch.as_tensor(baseline, dtype=images.dtype, device=images.device)

    def curve(scores: Tensor) -> Tensor:
        """Probability (B, F) of the target class when the patches with the largest scores (B, patches) go first."""
        order = scores.argsort(dim=1, descending=True, stable=True)
        rank = order.argsort(dim=1).reshape(-1, rows, columns)  # (B, rows, columns): 0 = goes first
        rank = to_pixels(rank, (height, width))[:, None].to(images.device)  # -> (B, 1, H, W)
        probabilities = []
        for count in removals:
            holed = torch.where(rank < count, hole, images)  # (B, 1, H, W) and (B, C, H, W) -> (B, C, H, W)
            probability = predict(model, holed).softmax(dim=1)
            probabilities.append(probability.gather(1, target[:, None]))  # (B, K) -> (B, 1)
        return torch.cat(probabilities, dim=1)  # F times (B, 1) -> (B, F)

    generator = torch.Generator().manual_seed(seed)
    random = [curve(torch.rand(len(images), patches, generator=generator)) for _ in range(random_orders)]
    return DeletionCurve(
        fractions=torch.tensor(removals) / patches,  # what was really taken away, after rounding to whole patches
        ordered=curve(importance.flatten(1)),
        random=torch.stack(random).mean(dim=0),
    )


def area_under_curve(fractions: Tensor, probabilities: Tensor) -> Tensor:
    """Mean height of a curve by the trapezoid rule: (..., F) -> (...). Lower means a better map in a deletion test.

    Raises:
        ValueError: The fractions do not rise.
    """
    if len(fractions) < 2 or (fractions.diff() < 0).any() or fractions[0] == fractions[-1]:
        raise ValueError("An area needs at least two different fractions, in rising order.")
    return torch.trapezoid(probabilities, fractions) / (fractions[-1] - fractions[0])


def _target_class(logits: Tensor, class_index: int | Tensor | None) -> Tensor:
    """Return one class for each image (B,), on the device of the logits (B, K)."""
    if class_index is None:
        return logits.argmax(dim=1)
    target = torch.as_tensor(class_index, device=logits.device)
    if target.numel() not in (1, len(logits)) or target.min() < 0 or target.max() >= logits.shape[1]:
        raise ValueError(
            f"class_index must be one class from 0 to {logits.shape[1] - 1}, "
            f"or one for each of the {len(logits)} images."
        )
    return target.expand(len(logits))


def _check_weights(weights: Tensor, shape: str) -> None:
    """Refuse a tensor that cannot hold attention weights of this shape; "..." stands for any number of axes."""
    axes = shape.count(",") + 1
    fits = weights.ndim >= axes - 1 if "..." in shape else weights.ndim == axes
    if not fits or weights.shape[-1] != weights.shape[-2]:
        raise ValueError(f"Attention weights must be {shape}, not {tuple(weights.shape)}.")


def _check_grid(weights: Tensor, grid: tuple[int, int], num_prefix_tokens: int) -> None:
    """Refuse weights over another number of tokens than prefix and grid make."""
    if weights.shape[-1] != num_prefix_tokens + grid[0] * grid[1]:
        raise ValueError(
            f"{weights.shape[-1]} tokens are not {num_prefix_tokens} prefix tokens and a grid of {grid[0]}x{grid[1]} "
            "patches."
        )
