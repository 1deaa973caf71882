"""Attempts at the exercises of lesson 01 (patches), wrong and right, written as learners may write them."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from course_utils.checks.core import Exercise
from course_utils.checks.patches import embed_by_convolution, patchify, unpatchify


def windows(images, size):
    """All patches as small images (B, C, P, P), in raster order."""
    height, width = images.shape[2:]
    corners = [(top, left) for top in range(0, height, size) for left in range(0, width, size)]
    return [images[:, :, top : top + size, left : left + size] for top, left in corners]


def patches_in_memory_order(images, patch_size):
    return images.contiguous().view(len(images), -1, images.shape[1] * patch_size * patch_size)


def patches_by_columns(images, patch_size):
    found = []
    for left in range(0, images.shape[3], patch_size):
        for top in range(0, images.shape[2], patch_size):
            found.append(images[:, :, top : top + patch_size, left : left + patch_size].flatten(1))
    return torch.stack(found, dim=1)


def patches_channel_last(images, patch_size):
    return torch.stack([patch.permute(0, 2, 3, 1).flatten(1) for patch in windows(images, patch_size)], dim=1)


def patches_mirrored(images, patch_size):
    return torch.stack([torch.einsum("bcij->bcji", patch).flatten(1) for patch in windows(images, patch_size)], dim=1)


def patches_by_two_unfolds(images, patch_size):
    b, c = images.shape[:2]
    windows = images.unfold(2, patch_size, patch_size).unfold(3, patch_size, patch_size)
    return windows.reshape(b, -1, c * patch_size * patch_size)


def patches_unfold_only(images, patch_size):
    return torch.nn.Unfold(patch_size, stride=patch_size)(images)


def patches_as_small_images(images, patch_size):
    return torch.stack(windows(images, patch_size), dim=1)


def patches_on_a_grid(images, patch_size):
    b, c, h, w = images.shape
    split = images.view(b, c, h // patch_size, patch_size, w // patch_size, patch_size)
    return torch.einsum("bcrpsq->brscpq", split).reshape(b, h // patch_size, w // patch_size, -1)


def patches_without_batch(images, patch_size):
    b, c, h, w = images.shape
    split = images.view(b, c, h // patch_size, patch_size, w // patch_size, patch_size)
    return torch.einsum("bcrpsq->brscpq", split).reshape(-1, c * patch_size * patch_size)


def patches_in_whole_numbers(images, patch_size):
    return torch.stack([patch.flatten(1) for patch in windows(images, patch_size)], dim=1).to(torch.int64)


def image_in_memory_order(patches, patch_size, image_size):
    return patches.contiguous().view(patches.shape[0], -1, image_size[0], image_size[1])


def image_by_columns(patches, patch_size, image_size):
    b, n, numbers = patches.shape
    h, w = image_size
    c = numbers // patch_size**2
    result = torch.zeros(b, c, h, w)
    for i in range(n):
        left, top = i // (h // patch_size) * patch_size, i % (h // patch_size) * patch_size
        result[:, :, top : top + patch_size, left : left + patch_size] = patches[:, i].view(
            b, c, patch_size, patch_size
        )
    return result


def image_channel_last_in_patch(patches, patch_size, image_size):
    b, n, numbers = patches.shape
    h, w = image_size
    c = numbers // patch_size**2
    result = torch.zeros(b, c, h, w)
    for i in range(n):
        top, left = i // (w // patch_size) * patch_size, i % (w // patch_size) * patch_size
        tile = patches[:, i].view(b, patch_size, patch_size, c)
        result[:, :, top : top + patch_size, left : left + patch_size] = torch.einsum("bijc->bcij", tile)
    return result


def image_of_mirrored_patches(patches, patch_size, image_size):
    b, n, numbers = patches.shape
    h, w = image_size
    c = numbers // patch_size**2
    result = torch.zeros(b, c, h, w)
    for i in range(n):
        top, left = i // (w // patch_size) * patch_size, i % (w // patch_size) * patch_size
        tile = patches[:, i].view(b, c, patch_size, patch_size)
        result[:, :, top : top + patch_size, left : left + patch_size] = tile.mT
    return result


def image_without_interleaving(patches, patch_size, image_size):
    b, n, numbers = patches.shape
    tiles = patches.view(b, n, numbers // patch_size**2, patch_size, patch_size)
    return tiles.transpose(1, 2).reshape(b, -1, *image_size)


def image_permuted_as_before(patches, patch_size, image_size):
    rows, columns = image_size[0] // patch_size, image_size[1] // patch_size
    tiles = patches.view(len(patches), rows, columns, -1, patch_size, patch_size)
    return torch.einsum("brskpq->bsprkq", tiles).reshape(len(patches), -1, *image_size)


def image_of_a_square_grid(patches, patch_size, image_size):
    side = math.isqrt(patches.shape[1])
    tiles = patches.view(patches.shape[0], side, side, -1, patch_size, patch_size)
    image = torch.einsum("brskpq->bkrpsq", tiles)
    return image.reshape(len(patches), -1, side * patch_size, side * patch_size)


def image_for_drawing(patches, patch_size, image_size):
    rows, columns = image_size[0] // patch_size, image_size[1] // patch_size
    c = patches.shape[-1] // patch_size**2
    tiles = patches.view(-1, rows, columns, c, patch_size, patch_size)
    return torch.einsum("brskpq->brpsqk", tiles).reshape(-1, *image_size, c)


def image_width_first(patches, patch_size, image_size):
    w, h = image_size
    tiles = patches.view(len(patches), h // patch_size, w // patch_size, -1, patch_size, patch_size)
    return torch.einsum("brskpq->bkrpsq", tiles).reshape(len(patches), -1, h, w)


def image_width_first_then_shape(patches, patch_size, image_size):
    grid = image_size[1] // patch_size, image_size[0] // patch_size
    tiles = patches.view(len(patches), *grid, -1, patch_size, patch_size)
    return torch.einsum("brskpq->bkrpsq", tiles).reshape(len(patches), -1, *image_size)


def convolved(images, weight, bias, patch_size, step=None):
    kernel = weight.view(weight.shape[0], images.shape[1], patch_size, patch_size)
    return torch.conv2d(images, kernel, bias, stride=(step or patch_size,) * 2)  # (B, D, rows, columns)


def tokens_last(images, weight, bias, patch_size):
    b, d = len(images), len(weight)
    return convolved(images, weight, bias, patch_size).reshape(b, d, -1)


def tokens_by_bare_reshape(images, weight, bias, patch_size):
    b, d = len(images), len(weight)
    n = (images.shape[2] // patch_size) * (images.shape[3] // patch_size)
    return convolved(images, weight, bias, patch_size).view(b, n, d)


def tokens_overlapping(images, weight, bias, patch_size):
    return torch.einsum("bdrs->brsd", convolved(images, weight, bias, patch_size, step=1)).flatten(1, 2)


def tokens_without_bias(images, weight, bias, patch_size):
    features = convolved(images, weight, torch.zeros_like(bias), patch_size)
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def tokens_channel_last_kernel(images, weight, bias, patch_size):
    d, c = weight.shape[0], images.shape[1]
    kernel = torch.einsum("dijc->dcij", weight.view(d, patch_size, patch_size, c))
    return F.conv2d(images, kernel, bias, stride=patch_size).flatten(2).mT


def tokens_by_columns(images, weight, bias, patch_size):
    features = convolved(images, weight, bias, patch_size)
    return torch.stack([features[:, :, r, s] for s in range(features.shape[3]) for r in range(features.shape[2])], 1)


def tokens_on_a_grid(images, weight, bias, patch_size):
    return torch.einsum("bdrs->brsd", convolved(images, weight, bias, patch_size))


def features_as_they_are(images, weight, bias, patch_size):
    return convolved(images, weight, bias, patch_size)


def tokens_window_by_window(images, weight, bias, patch_size):
    return torch.stack([patch @ weight.T + bias for patch in patches_by_loops(images, patch_size)])


def patches_by_loops(images, patch_size):
    small = patches_as_small_images(images, patch_size)
    return small.reshape(*small.shape[:2], -1)


WRONG_ATTEMPTS: list[tuple[Exercise, str, Callable]] = [
    (patchify, "a bare reshape", patches_in_memory_order),
    (patchify, "patches numbered down the columns", patches_by_columns),
    (patchify, "channel last inside a patch", patches_channel_last),
    (patchify, "rows and columns exchanged inside a patch", patches_mirrored),
    (patchify, "channels not moved into the patch", patches_by_two_unfolds),
    (patchify, "tokens on the last axis", patches_unfold_only),
    (patchify, "patches not flattened", patches_as_small_images),
    (patchify, "the grid not flattened", patches_on_a_grid),
    (patchify, "turned into whole numbers", patches_in_whole_numbers),
    (patchify, "images of a batch joined", patches_without_batch),
    (patchify, "a loop", patches_by_loops),
    (unpatchify, "a bare reshape", image_in_memory_order),
    (unpatchify, "patches placed down the columns", image_by_columns),
    (unpatchify, "channel read last inside a patch", image_channel_last_in_patch),
    (unpatchify, "rows and columns exchanged inside a patch", image_of_mirrored_patches),
    (unpatchify, "grid axes not beside their pixel axes", image_without_interleaving),
    (unpatchify, "patchify's own permutation", image_permuted_as_before),
    (unpatchify, "a square grid assumed", image_of_a_square_grid),
    (unpatchify, "channels on the last axis", image_for_drawing),
    (unpatchify, "width and height exchanged", image_width_first),
    (unpatchify, "width and height exchanged", image_width_first_then_shape),
    (embed_by_convolution, "tokens on the last axis", tokens_last),
    (embed_by_convolution, "a bare reshape of the output", tokens_by_bare_reshape),
    (embed_by_convolution, "stride left at 1", tokens_overlapping),
    (embed_by_convolution, "bias forgotten", tokens_without_bias),
    (embed_by_convolution, "kernel read with the channel last", tokens_channel_last_kernel),
    (embed_by_convolution, "tokens numbered down the columns", tokens_by_columns),
    (embed_by_convolution, "the grid not flattened", tokens_on_a_grid),
    (embed_by_convolution, "the grid not flattened", features_as_they_are),
    (embed_by_convolution, "patches cut in place of a convolution", tokens_window_by_window),
]


def patches_by_unfold(images, patch_size):
    return F.unfold(images, (patch_size, patch_size), stride=patch_size).mT


def image_by_fold(patches, patch_size, image_size):
    return F.fold(patches.mT, image_size, patch_size, stride=patch_size)


def image_by_einsum(patches, patch_size, image_size):
    drawn = image_for_drawing(patches, patch_size, image_size)
    return drawn.movedim(3, 1)


def tokens_by_einsum(images, weight, bias, patch_size):
    return torch.einsum("bdrs->brsd", convolved(images, weight, bias, patch_size)).flatten(1, 2)


def tokens_by_a_layer(images, weight, bias, patch_size):
    layer = torch.nn.Conv2d(images.shape[1], len(weight), patch_size, stride=patch_size)
    kernels = weight.reshape(layer.weight.shape)
    found = torch.func.functional_call(layer, {"weight": kernels, "bias": bias}, (images,))
    return found.flatten(start_dim=2).mT


RIGHT_ATTEMPTS: list[tuple[Exercise, Callable]] = [
    (patchify, patches_by_unfold),
    (unpatchify, image_by_fold),
    (unpatchify, image_by_einsum),
    (embed_by_convolution, tokens_by_einsum),
    (embed_by_convolution, tokens_by_a_layer),
]
