"""Attempts at the exercises of lesson 10 (cnn), wrong and right, written as learners may write them."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks.cnn import conv_cost, convolve, scramble, stem_tokens
from course_utils.checks.core import Exercise
from course_utils.model.patches import patchify, unpatchify

# ---- convolve


def windows(images, k, before=None, after=None, mode="constant"):
    """All windows (B, C, H', W', k, k)."""
    before, after = (k // 2 if side is None else side for side in (before, after))
    padded = F.pad(images, (before, after, before, after), mode=mode)
    return padded.unfold(2, k, 1).unfold(3, k, 1)


def results(found, kernels):
    return torch.einsum("bchwij,kcij->bkhw", found, kernels)


def upside_down(images, kernels):
    total = 0
    k = kernels.shape[-1]
    padded = F.pad(images, (k // 2,) * 4)
    for i in range(k):
        for j in range(k):
            piece = padded[:, :, k - 1 - i : k - 1 - i + images.shape[2], k - 1 - j : k - 1 - j + images.shape[3]]
            total = total + torch.einsum("bchw,kc->bkhw", piece, kernels[:, :, i, j])
    return total


def mirrored(images, kernels):
    return torch.einsum("bchwij,kcji->bkhw", windows(images, kernels.shape[-1]), kernels)


def smaller(images, kernels):
    return results(windows(images, kernels.shape[-1], 0, 0), kernels)


def zeros_below_and_right(images, kernels):
    return results(windows(images, kernels.shape[-1], 0, kernels.shape[-1] - 1), kernels)


def as_a_ring(images, kernels):
    total, half = 0, kernels.shape[-1] // 2
    for i in range(-half, half + 1):
        for j in range(-half, half + 1):
            moved = images.roll((-i, -j), dims=(2, 3))
            total = total + torch.einsum("bchw,kc->bkhw", moved, kernels[:, :, half + i, half + j])
    return total


def border_repeated(images, kernels):
    k = kernels.shape[-1]
    return results(windows(images, k, mode="replicate"), kernels)


def each_channel_alone(images, kernels):
    return torch.einsum("bchwij,kcij->bkchw", windows(images, kernels.shape[-1]), kernels)


def red_only(images, kernels):
    return torch.einsum("bhwij,kij->bkhw", windows(images, kernels.shape[-1])[:, 0], kernels[:, 0])


def averaged(images, kernels):
    k = kernels.shape[-1]
    products = windows(images, k)[:, None] * kernels[None, :, :, None, None]  # (B, K, C, H, W, k, k)
    return products.mean(dim=(2, 5, 6))


def averaged_over_channels(images, kernels):
    return each_channel_alone(images, kernels).mean(dim=2)


def three_by_three(images, kernels):
    k = kernels.shape[-1]
    if k == 1:
        return torch.einsum("bchw,kc->bkhw", images, kernels[:, :, 0, 0])
    total, m = 0, k // 2
    padded = F.pad(images, (1, 1, 1, 1))
    for i in range(3):
        for j in range(3):
            piece = padded[:, :, i : i + images.shape[2], j : j + images.shape[3]]
            total = total + torch.einsum("bchw,kc->bkhw", piece, kernels[:, :, m - 1 + i, m - 1 + j])
    return total


def channels_last(images, kernels):
    return torch.einsum("bchwij,kcij->bhwk", windows(images, kernels.shape[-1]), kernels)


def first_image(images, kernels):
    return results(windows(images[0:1], kernels.shape[-1]), kernels)


def through_numpy(images, kernels):
    return torch.from_numpy(results(windows(images, kernels.shape[-1]), kernels).detach().numpy())


def in_float64(images, kernels):
    return results(windows(images.double(), kernels.shape[-1]), kernels.double())


def with_a_layer(images, kernels):
    layer = nn.Conv2d(kernels.shape[1], kernels.shape[0], kernels.shape[-1], padding="same", bias=False)
    layer.weight.data = kernels
    return layer(images)


def one_by_one(images, kernels):
    return torch.stack([F.conv2d(image, kernels, padding="same") for image in images])


def convolve_by_loops(images, kernels):
    h, w = images.shape[2:]
    k = kernels.shape[3]
    padded = F.pad(images, [k // 2] * 4)
    rows = []
    for i in range(h):
        row = [(padded[:, None, :, i : i + k, j : j + k] * kernels).sum(dim=(2, 3, 4)) for j in range(w)]
        rows.append(torch.stack(row, dim=-1))
    return torch.stack(rows, dim=-2)


def convolve_by_unfold(images, kernels):
    columns = F.unfold(images, kernels.shape[2:], padding=kernels.shape[-1] // 2)
    return torch.einsum("bpn,kp->bkn", columns, kernels.flatten(1)).reshape(
        images.shape[0], -1, images.shape[2], images.shape[3]
    )


def convolve_by_matmul(images, kernels):
    found = windows(images, kernels.shape[-1]).permute(0, 2, 3, 1, 4, 5).flatten(3)  # (B, H, W, C*k*k)
    return (found @ kernels.reshape(len(kernels), -1).T).permute(0, 3, 1, 2)


def convolve_by_fourier(images, kernels):
    h, w = images.shape[-2:]
    k = kernels.shape[-1]
    size = (h + k - 1, w + k - 1)
    a = torch.fft.rfft2(F.pad(images, (k // 2,) * 4), s=size)
    b = torch.fft.rfft2(kernels, s=size)
    full = torch.fft.irfft2(torch.einsum("bcxy,kcxy->bkxy", a, b.conj()), s=size)
    return full[..., :h, :w]


def convolve_in_place(images, kernels):
    out = images.new_zeros(len(images), len(kernels), *images.shape[2:])
    half = kernels.shape[-1] // 2
    padded = F.pad(images, (half, half, half, half))
    for k, kernel in enumerate(kernels):
        for c in range(images.shape[1]):
            for i, line in enumerate(kernel[c]):
                for j, number in enumerate(line):
                    out[:, k] += number * padded[:, c, i : i + images.shape[2], j : j + images.shape[3]]
    return out


# ---- conv_cost


def without_stride(in_channels, out_channels, kernel_size, height, width, stride=1):
    return in_channels * out_channels * kernel_size * kernel_size * height * width


def one_stride(in_channels, out_channels, kernel_size, height, width, stride=1):
    return in_channels * out_channels * kernel_size**2 * height * width // stride


def stride_down_only(in_channels, out_channels, kernel_size, height, width, stride=1):
    return in_channels * out_channels * kernel_size**2 * -(-height // stride) * width


def rounded_down(in_channels, out_channels, kernel_size, height, width, stride=1):
    return in_channels * out_channels * kernel_size**2 * int(height / stride) * int(width / stride)


def in_fractions(in_channels, out_channels, kernel_size, height, width, stride=1):
    return in_channels * out_channels * kernel_size**2 * height * width / stride**2


def inside_only(in_channels, out_channels, kernel_size, height, width, stride=1):
    rows = len(range(0, height - kernel_size + 1, stride))
    columns = len(range(0, width - kernel_size + 1, stride))
    return rows * columns * in_channels * out_channels * kernel_size**2


def side_once(in_channels, out_channels, kernel_size, height, width, stride=1):
    places = len(range(0, height, stride)) * len(range(0, width, stride))
    return places * in_channels * out_channels * kernel_size


def one_channel_in(in_channels, out_channels, kernel_size, height, width, stride=1):
    places = len(range(0, height, stride)) * len(range(0, width, stride))
    return places * out_channels * kernel_size**2


def one_channel_out(in_channels, out_channels, kernel_size, height, width, stride=1):
    places = len(range(0, height, stride)) * len(range(0, width, stride))
    return places * in_channels * kernel_size**2


def parameters(in_channels, out_channels, kernel_size, height, width, stride=1):
    return nn.Conv2d(in_channels, out_channels, kernel_size, bias=False).weight.numel()


def operations(in_channels, out_channels, kernel_size, height, width, stride=1):
    places = len(range(0, height, stride)) * len(range(0, width, stride))
    return places * in_channels * out_channels * kernel_size**2 * 2


def square(in_channels, out_channels, kernel_size, height, width, stride=1):
    return len(range(0, height, stride)) ** 2 * in_channels * out_channels * kernel_size**2


def with_bias(in_channels, out_channels, kernel_size, height, width, stride=1):
    places = len(range(0, height, stride)) * len(range(0, width, stride))
    return places * (in_channels * out_channels * kernel_size**2 + out_channels)


def cost_by_formula(in_channels, out_channels, kernel_size, height, width, stride=1):
    pad = kernel_size // 2
    rows = (height + 2 * pad - kernel_size) // stride + 1
    columns = (width + 2 * pad - kernel_size) // stride + 1
    return in_channels * out_channels * kernel_size**2 * rows * columns


def cost_by_counting(in_channels, out_channels, kernel_size, height, width, stride=1):
    return sum(
        in_channels * out_channels * kernel_size**2
        for row in range(height) if row % stride == 0
        for column in range(width) if column % stride == 0
    )  # fmt: skip


def cost_by_a_layer(in_channels, out_channels, kernel_size, height, width, stride=1):
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False)
    return layer(torch.zeros(1, in_channels, height, width)).numel() * layer.weight[0].numel()


def cost_in_numpy(in_channels, out_channels, kernel_size, height, width, stride=1):
    sides = np.ceil(np.array([height, width]) / stride).astype(int)
    return sides.prod() * np.int64(in_channels * out_channels) * kernel_size**2


def cost_in_a_tensor(in_channels, out_channels, kernel_size, height, width, stride=1):
    return torch.tensor([math.ceil(height / stride), math.ceil(width / stride), in_channels, out_channels, kernel_size,
                         kernel_size]).prod()  # fmt: skip


# ---- scramble


def squares(images, p):
    h, w = images.shape[2:]
    return [images[:, :, i : i + p, j : j + p] for i in range(0, h, p) for j in range(0, w, p)]


def laid_out(pieces, images, p):
    across = images.shape[3] // p
    rows = [torch.cat(pieces[i : i + across], dim=3) for i in range(0, len(pieces), across)]
    return torch.cat(rows, dim=2)


def sent_away(images, patch_size, order):
    pieces = squares(images, patch_size)
    result = [None] * len(pieces)
    for place, target in enumerate(order.tolist()):
        result[target] = pieces[place]
    return laid_out(result, images, patch_size)


def down_the_columns(images, patch_size, order):
    p = patch_size
    h, w = images.shape[2:]
    places = [(i, j) for j in range(0, w, p) for i in range(0, h, p)]
    result = torch.empty_like(images)
    for (i, j), source in zip(places, order.tolist(), strict=True):
        a, b = places[source]
        result[:, :, i : i + p, j : j + p] = images[:, :, a : a + p, b : b + p]
    return result


def still_pieces(images, patch_size, order):
    return torch.stack([piece.flatten(1) for piece in squares(images, patch_size)], dim=1)[:, order]


def runs_at_the_end(images, patch_size, order):
    return patchify(images, patch_size).index_select(1, order).view(*images.shape)


def runs_from_the_start(images, patch_size, order):
    runs = images.flatten(1).unflatten(1, (len(order), -1))
    return runs[:, order].flatten(1).view_as(images)


def square_grid(images, patch_size, order):
    return unpatchify(torch.index_select(patchify(images, patch_size), 1, order), patch_size)


def width_before_height(images, patch_size, order):
    h, w = images.shape[2:]
    return unpatchify(patchify(images, patch_size)[:, order, :], patch_size, (w, h))


def batch_axis(images, patch_size, order):
    return unpatchify(patchify(images, patch_size)[order], patch_size, images.shape[2:])


def order_forgotten(images, patch_size, order):
    return laid_out(squares(images, patch_size), images, patch_size)


def one_image(images, patch_size, order):
    pieces = squares(images, patch_size)
    return laid_out([pieces[i] for i in order], images, patch_size)[0]


def always_floats(images, patch_size, order):
    result = torch.zeros(images.shape)
    p, across = patch_size, images.shape[3] // patch_size
    for place, source in enumerate(order.tolist()):
        i, j, a, b = place // across, place % across, source // across, source % across
        result[:, :, i * p : i * p + p, j * p : j * p + p] = images[:, :, a * p : a * p + p, b * p : b * p + p]
    return result


def detached(images, patch_size, order):
    pieces = squares(images.detach(), patch_size)
    return laid_out([pieces[i] for i in order], images, patch_size)


def scramble_by_squares(images, patch_size, order):
    pieces = squares(images, patch_size)
    return laid_out([pieces[i] for i in order.tolist()], images, patch_size)


def scramble_by_places(images, patch_size, order):
    h, w = images.shape[2:]
    numbers = torch.arange(h * w).reshape(1, 1, h, w)
    where = laid_out([squares(numbers, patch_size)[i] for i in order], numbers, patch_size).flatten()
    return images.flatten(2)[:, :, where].unflatten(2, (h, w))


def scramble_by_axes(images, patch_size, order):
    b, c, h, w = images.shape
    p = patch_size
    cut = images.reshape(b, c, h // p, p, w // p, p).transpose(3, 4).flatten(2, 3)  # (B, C, N, P, P)
    cut = torch.take_along_dim(cut, order.view(1, 1, -1, 1, 1), dim=2)
    return cut.unflatten(2, (h // p, w // p)).transpose(3, 4).reshape(b, c, h, w)


# ---- stem_tokens


def tokens_of(features):
    return torch.einsum("bdrs->brsd", features).flatten(1, 2)


def linear_stem(images, kernels):
    for kernel in kernels:
        images = F.conv2d(images, kernel, None, 2, 1)
    return tokens_of(images)


def relu_between(images, kernels):
    *first, last = kernels
    for kernel in first:
        images = F.relu(F.conv2d(images, kernel, stride=2, padding=1))
    return tokens_of(F.conv2d(images, last, stride=2, padding=1))


def relu_at_the_end(images, kernels):
    return F.relu(linear_stem(images, kernels))


def gelu_stem(images, kernels):
    for kernel in kernels:
        images = nn.GELU()(F.conv2d(images, kernel, stride=2, padding=1))
    return tokens_of(images)


def no_stride(images, kernels):
    for kernel in kernels:
        images = F.relu(F.conv2d(images, kernel, padding="same"))
    return tokens_of(images)


def pooled(images, kernels):
    for kernel in kernels:
        images = nn.MaxPool2d(2)(F.relu(F.conv2d(images, kernel, padding=1)))
    return tokens_of(images)


def no_zeros(images, kernels):
    for kernel in kernels:
        images = F.relu(F.conv2d(images, kernel, stride=(2, 2)))
    return tokens_of(images)


def zeros_at_the_end(images, kernels):
    for kernel in kernels:
        images = F.relu(F.conv2d(nn.ZeroPad2d((0, 1, 0, 1))(images), kernel, stride=2))
    return tokens_of(images)


def through(images, kernels):
    for kernel in kernels:
        images = F.conv2d(images, kernel, stride=2, padding=1).clamp(min=0)
    return images


def reshaped(images, kernels):
    features = through(images, kernels)
    return features.reshape(len(features), -1, features.shape[1])


def channels_first(images, kernels):
    features = through(images, kernels)
    return features.reshape(*features.shape[:2], -1)


def on_a_grid(images, kernels):
    return through(images, kernels).movedim(1, 3)


def by_columns(images, kernels):
    return torch.einsum("bdrs->bsrd", through(images, kernels)).flatten(1, 2)


def first_kernel(images, kernels):
    return tokens_of(through(images, [kernels[0]]))


def stem_without_graph(images, kernels):
    with torch.no_grad():
        return tokens_of(through(images, kernels))


def stem_in_float64(images, kernels):
    return tokens_of(through(images.double(), [kernel.double() for kernel in kernels]))


def stem_by_every_second_place(images, kernels):
    for kernel in kernels:
        images = torch.relu(F.conv2d(images, kernel, padding=1))[:, :, ::2, ::2]
    return images.flatten(2).mT


def stem_by_recursion(images, kernels):
    if not kernels:
        return images.flatten(start_dim=-2).swapaxes(-1, -2)
    return stem_by_recursion(F.relu(F.conv2d(images, kernels[0], stride=2, padding=1)), kernels[1:])


def stem_by_unfold(images, kernels):
    for kernel in kernels:
        rows, columns = images.shape[2] // 2, images.shape[3] // 2
        images = (kernel.flatten(1) @ F.unfold(images, 3, padding=1, stride=2)).relu().unflatten(2, (rows, columns))
    return torch.stack([images[:, :, i, j] for i in range(images.shape[2]) for j in range(images.shape[3])], dim=1)


def stem_by_maximum(images, kernels):
    for kernel in kernels:
        images = F.conv2d(F.pad(images, (1, 1, 1, 1)), kernel, stride=2)
        images = images.where(images > 0, torch.zeros_like(images))
    return tokens_of(images)


def single_for_double(images, patch_size, order):
    moved = scramble_by_squares(images, patch_size, order)
    return moved if images.dtype == torch.uint8 else moved.to(torch.float32)


WRONG_ATTEMPTS: list[tuple[Exercise, str, Callable]] = [
    (convolve, "another type of number", lambda i, k: convolve_by_unfold(i, k).float()),
    (convolve, "another type of number", lambda i, k: convolve_by_matmul(i.float(), k.float())),
    (scramble, "another type of number", single_for_double),
    (convolve, "kernel turned around", upside_down),
    (convolve, "rows and columns of the kernel exchanged", mirrored),
    (convolve, "no zeros around the image", smaller),
    (convolve, "zeros at one side only", zeros_below_and_right),
    (convolve, "no zeros but pixels at the border", as_a_ring),
    (convolve, "no zeros but pixels at the border", border_repeated),
    (convolve, "channels not added up", each_channel_alone),
    (convolve, "one channel only", red_only),
    (convolve, "a mean in place of a sum", averaged),
    (convolve, "a mean in place of a sum", averaged_over_channels),
    (convolve, "3 written in", three_by_three),
    (convolve, "channels on the last axis", channels_last),
    (convolve, "only the first image", first_image),
    (convolve, "no gradient", through_numpy),
    (convolve, "a ready-made function", one_by_one),
    (convolve, "another type of number", in_float64),
    (convolve, "a ready-made function", with_a_layer),
    (conv_cost, "stride forgotten", without_stride),
    (conv_cost, "stride in one direction only", one_stride),
    (conv_cost, "stride in one direction only", stride_down_only),
    (conv_cost, "sides not rounded up", rounded_down),
    (conv_cost, "sides not rounded up", in_fractions),
    (conv_cost, "places without the zeros", inside_only),
    (conv_cost, "kernel size counted once", side_once),
    (conv_cost, "channels of the image left out", one_channel_in),
    (conv_cost, "number of kernels left out", one_channel_out),
    (conv_cost, "weights counted, not their use", parameters),
    (conv_cost, "multiplications and additions counted apart", operations),
    (conv_cost, "a square image assumed", square),
    (conv_cost, "the bias counted", with_bias),
    (scramble, "the order read backwards", sent_away),
    (scramble, "pieces numbered down the columns", down_the_columns),
    (scramble, "pieces not put together again", still_pieces),
    (scramble, "put together by a bare reshape", runs_at_the_end),
    (scramble, "cut by a bare reshape", runs_from_the_start),
    (scramble, "a square image assumed", square_grid),
    (scramble, "a square image assumed", width_before_height),
    (scramble, "images of the batch exchanged", batch_axis),
    (scramble, "the order is not used", order_forgotten),
    (scramble, "only the first image", one_image),
    (scramble, "another type of number", always_floats),
    (scramble, "no gradient", detached),
    (stem_tokens, "no ReLU", linear_stem),
    (stem_tokens, "ReLU missing after the last or after the first", relu_between),
    (stem_tokens, "ReLU missing after the last or after the first", relu_at_the_end),
    (stem_tokens, "another activation", gelu_stem),
    (stem_tokens, "stride left at 1", no_stride),
    (stem_tokens, "halved by pooling", pooled),
    (stem_tokens, "no zeros around the image", no_zeros),
    (stem_tokens, "zeros at one side only", zeros_at_the_end),
    (stem_tokens, "a bare reshape to tokens", reshaped),
    (stem_tokens, "tokens on the last axis", channels_first),
    (stem_tokens, "the grid not flattened", on_a_grid),
    (stem_tokens, "tokens numbered down the columns", by_columns),
    (stem_tokens, "one convolution only", first_kernel),
    (stem_tokens, "no gradient", stem_without_graph),
    (stem_tokens, "another type of number", stem_in_float64),
]

RIGHT_ATTEMPTS: list[tuple[Exercise, Callable]] = [
    (convolve, convolve_by_loops),
    (convolve, convolve_by_unfold),
    (convolve, convolve_by_matmul),
    (convolve, convolve_by_fourier),
    (convolve, convolve_in_place),
    (conv_cost, cost_by_formula),
    (conv_cost, cost_by_counting),
    (conv_cost, cost_by_a_layer),
    (conv_cost, cost_in_numpy),
    (conv_cost, cost_in_a_tensor),
    (scramble, scramble_by_squares),
    (scramble, scramble_by_places),
    (scramble, scramble_by_axes),
    (stem_tokens, stem_by_every_second_place),
    (stem_tokens, stem_by_recursion),
    (stem_tokens, stem_by_unfold),
    (stem_tokens, stem_by_maximum),
]
