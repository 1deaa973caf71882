"""Attempts at the exercises of lesson 11 (patch_size), wrong and right, written as learners may write them."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks.patch_size import flexi_loss, resize_codes, resize_kernel

# ---- resize_kernel


def like_a_picture(weight, matrix):
    d, p = weight.shape[0], matrix.shape[1]
    return torch.einsum("qp,dcp->dcq", matrix, weight.reshape(d, -1, p)).reshape(d, -1)


def like_a_picture_and_divided(weight, matrix):
    return like_a_picture(weight, matrix) / (matrix.shape[0] / matrix.shape[1])


def pinv_of_the_transposed(weight, matrix):
    kernels = weight.view(weight.shape[0], -1, matrix.size(1))
    return torch.flatten(kernels @ torch.linalg.pinv(matrix.T), 1)


def without_inverse(weight, matrix):
    kernels = weight.view(weight.shape[0], -1, matrix.size(1))
    return torch.flatten(kernels @ matrix, 1)


def by_inv(weight, matrix):
    kernels = weight.reshape(len(weight), -1, matrix.shape[1])
    undo = torch.linalg.inv(matrix)
    return (kernels @ undo).reshape(len(weight), -1)


def all_channels_at_once(weight, matrix):
    return torch.matmul(weight, torch.linalg.pinv(matrix))


def channel_fastest(weight, matrix):
    d, p = weight.shape[0], matrix.shape[1]
    kernels = weight.reshape(d, p, -1).permute(0, 2, 1)  # wrong: (D, P*P, C)
    return (kernels @ torch.linalg.pinv(matrix)).reshape(d, -1)


def joined_pixel_by_pixel(weight, matrix):
    d, p = weight.shape[0], matrix.shape[1]
    new = weight.reshape(d, -1, p) @ torch.linalg.pinv(matrix)
    return new.transpose(1, 2).reshape(d, -1)


def still_three_axes(weight, matrix):
    return weight.reshape(weight.shape[0], -1, matrix.shape[1]) @ torch.pinverse(matrix)


def pinv_and_scale(weight, matrix):
    d, (q, p) = len(weight), matrix.shape
    return (weight.reshape(d, -1, p) @ torch.linalg.pinv(matrix)).reshape(d, -1) * (p / q)


def by_the_formula_for_larger(weight, matrix):
    d, p = len(weight), matrix.shape[1]
    inverse = torch.inverse(matrix.T @ matrix) @ matrix.T
    return (weight.reshape(d, -1, p) @ inverse).reshape(d, -1)


def detached_kernel(weight, matrix):
    d, p = len(weight), matrix.shape[1]
    new = weight.detach().numpy().reshape(d, -1, p) @ np.linalg.pinv(matrix.detach().numpy())
    return torch.from_numpy(new.reshape(d, -1))


def kernel_in_double(weight, matrix):
    d, p = len(weight), matrix.shape[1]
    return (weight.double().reshape(d, -1, p) @ torch.linalg.pinv(matrix.double())).reshape(d, -1)


def by_einsum(weight, matrix):
    kernels = weight.reshape(weight.shape[0], -1, matrix.shape[1])
    return torch.einsum("dcp,pq->dcq", kernels, torch.linalg.pinv(matrix)).flatten(start_dim=1)


def channel_by_channel(weight, matrix):
    inverse = torch.linalg.pinv(matrix)
    return torch.cat([part @ inverse for part in weight.split(matrix.shape[1], dim=1)], dim=1)


def row_by_row(weight, matrix):
    inverse, rows = torch.linalg.pinv(matrix).T, []
    for kernel in weight:
        rows.append(torch.cat([inverse @ channel for channel in kernel.split(matrix.shape[1])]))
    return torch.stack(rows)


def one_large_matrix(weight, matrix):
    channels = weight.shape[1] // matrix.shape[1]
    return weight @ torch.block_diag(*[torch.linalg.pinv(matrix)] * channels)


def by_transposes(weight, matrix):
    undo = torch.linalg.pinv(matrix.T)  # (Q*Q, P*P)
    d, p = weight.shape[0], matrix.shape[1]
    columns = weight.reshape(-1, p).T  # (P*P, D*C)
    return (undo @ columns).T.reshape(d, -1)


def in_double_and_back(weight, matrix):
    kernels = weight.double().unflatten(1, (-1, matrix.shape[1]))
    return (kernels @ torch.linalg.pinv(matrix.double())).flatten(1).to(weight.dtype)


def by_singular_values(weight, matrix):
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    one_over = torch.where(s > 1e-5 * s.max(), 1 / s, torch.zeros_like(s))
    return (weight.unflatten(1, (-1, matrix.shape[1])) @ (vh.T * one_over @ u.T)).flatten(1)


# ---- resize_codes


def stretched(patches, old, new, **how):
    how = how or {"mode": "bicubic", "antialias": True}
    d = patches.shape[-1]
    picture = patches.reshape(1, old[0], old[1], d).permute(0, 3, 1, 2)
    picture = F.interpolate(picture, size=tuple(new), **how)
    return picture.permute(0, 2, 3, 1).reshape(1, -1, d)


def no_class_token(codes, old_grid, new_grid):
    return stretched(codes[:, 1:, :], old_grid, new_grid)


def all_on_the_grid(codes, old_grid, new_grid):
    picture = codes.reshape(1, old_grid[0], old_grid[1], codes.shape[-1])
    return F.interpolate(picture.permute(0, 3, 1, 2), new_grid, mode="bicubic", antialias=True)


def class_token_last(codes, old_grid, new_grid):
    return torch.cat((stretched(codes[:, 1:], old_grid, new_grid), codes[:, 0:1]), 1)


def class_token_zero(codes, old_grid, new_grid):
    return torch.cat([torch.zeros_like(codes[:, :1]), stretched(codes[:, 1:], old_grid, new_grid)], 1)


def as_a_line(codes, old_grid, new_grid):
    line = codes[:, 1:].transpose(1, 2)
    line = F.interpolate(line, size=new_grid[0] * new_grid[1], mode="linear", align_corners=False)
    return torch.cat([codes[:, :1], line.transpose(1, 2)], dim=1)


def bare_reshape(codes, old_grid, new_grid):
    picture = codes[:, 1:].reshape(1, codes.shape[2], *old_grid)
    picture = F.interpolate(picture, new_grid, mode="bicubic", antialias=True)
    return torch.cat([codes[:, :1], picture.flatten(2).transpose(1, 2)], dim=1)


def bare_reshape_back(codes, old_grid, new_grid):
    picture = codes[:, 1:].unflatten(1, old_grid).permute(0, 3, 1, 2)
    picture = F.interpolate(picture, new_grid, mode="bicubic", antialias=True)
    return torch.cat([codes[:, :1], picture.reshape(1, -1, codes.shape[-1])], dim=1)


def grid_turned(codes, old_grid, new_grid):
    rows, columns = old_grid
    return torch.cat([codes[:, :1], stretched(codes[:, 1:], (columns, rows), new_grid)], dim=1)


def bilinear(codes, old_grid, new_grid):
    return torch.cat([codes[:, :1], stretched(codes[:, 1:], old_grid, new_grid, mode="bilinear")], dim=1)


def not_antialiased(codes, old_grid, new_grid):
    return torch.cat([codes[:, :1], stretched(codes[:, 1:], old_grid, new_grid, mode="bicubic")], dim=1)


def codes_scaled(codes, old_grid, new_grid):
    factor = (old_grid[0] * old_grid[1]) / (new_grid[0] * new_grid[1])
    return torch.cat([codes[:, :1], factor * stretched(codes[:, 1:], old_grid, new_grid)], dim=1)


def codes_without_gradient(codes, old_grid, new_grid):
    with torch.no_grad():
        return torch.cat([codes[:, :1], stretched(codes[:, 1:], old_grid, new_grid)], dim=1)


def codes_in_double(codes, old_grid, new_grid):
    codes = codes.double()
    return torch.cat([codes[:, :1], stretched(codes[:, 1:], old_grid, new_grid)], dim=1)


def codes_right(codes, old_grid, new_grid):
    return torch.cat([codes[:, :1], stretched(codes[:, 1:], old_grid, new_grid)], dim=1)


def by_split_and_mt(codes, old_grid, new_grid):
    first, rest = codes.split([1, codes.shape[1] - 1], dim=1)
    picture = rest.mT.reshape(1, -1, *old_grid)
    picture = nn.functional.interpolate(picture, new_grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat((first, picture.flatten(2).mT), 1)


def number_by_number(codes, old_grid, new_grid):
    columns = []
    for number in codes[0, 1:].T:
        picture = number.reshape(1, 1, *old_grid)
        columns.append(F.interpolate(picture, new_grid, mode="bicubic", antialias=True).flatten())
    return torch.cat([codes[0, :1], torch.stack(columns, dim=1)])[None]


def by_an_upsampling_of_scale(codes, old_grid, new_grid):
    picture = codes[:, 1:].view(1, *old_grid, -1).movedim(-1, 1)
    picture = F.interpolate(picture, size=new_grid, mode="bicubic", antialias=True)
    return torch.cat([codes[:, 0].unsqueeze(1), picture.movedim(1, -1).flatten(1, 2)], dim=1)


# ---- flexi_loss


def first_size(model, images, labels, patch_sizes):
    return nn.CrossEntropyLoss()(model(images, patch_sizes[0]), labels)


def never_the_last(model, images, labels, patch_sizes):
    place = torch.randint(0, len(patch_sizes) - 1, (1,)).item()
    return F.cross_entropy(model(images, patch_sizes[place]), labels)


def seeded_each_time(model, images, labels, patch_sizes):
    torch.manual_seed(3)
    place = torch.randint(0, len(patch_sizes), (1,)).item()
    return F.cross_entropy(model(images, patch_sizes[place]), labels)


def the_index(model, images, labels, patch_sizes):
    patch_size = torch.randint(0, len(patch_sizes), (1,)).item()
    return F.cross_entropy(model(images, patch_size), labels)


def a_tensor_as_size(model, images, labels, patch_sizes):
    patch_size = torch.tensor(patch_sizes)[torch.randint(len(patch_sizes), (1,))]
    return F.cross_entropy(model(images, patch_size), labels)


def every_size(model, images, labels, patch_sizes):
    total = 0
    for patch_size in patch_sizes:
        total = total + F.cross_entropy(model(images, patch_size), labels)
    return total / len(patch_sizes)


def by_random(model, images, labels, patch_sizes):
    return F.cross_entropy(model(images, random.choice(patch_sizes)), labels)


def by_numpy(model, images, labels, patch_sizes):
    return F.cross_entropy(model(images, int(np.random.choice(patch_sizes))), labels)  # noqa: NPY002 - as many write it


def drawn(patch_sizes):
    return patch_sizes[torch.randint(len(patch_sizes), (1,)).item()]


def softmax_first(model, images, labels, patch_sizes):
    shares = torch.softmax(model(images, drawn(patch_sizes)), dim=1)
    return F.cross_entropy(shares, labels)


def no_softmax(model, images, labels, patch_sizes):
    return F.nll_loss(model(images, drawn(patch_sizes)), labels)


def summed(model, images, labels, patch_sizes):
    return nn.CrossEntropyLoss(reduction="sum")(model(images, drawn(patch_sizes)), labels)


def for_each_image(model, images, labels, patch_sizes):
    return F.cross_entropy(model(images, drawn(patch_sizes)), labels, reduction="none")


def divided_by_count(model, images, labels, patch_sizes):
    return F.cross_entropy(model(images, drawn(patch_sizes)), labels) / len(patch_sizes)


def times_size(model, images, labels, patch_sizes):
    patch_size = drawn(patch_sizes)
    return patch_size / max(patch_sizes) * F.cross_entropy(model(images, patch_size), labels)


def as_a_number(model, images, labels, patch_sizes):
    return F.cross_entropy(model(images, drawn(patch_sizes)), labels).item()


def without_a_graph(model, images, labels, patch_sizes):
    with torch.no_grad():
        return F.cross_entropy(model(images, drawn(patch_sizes)), labels)


def only_logits(model, images, labels, patch_sizes):
    return model(images, drawn(patch_sizes))


def loss_right(model, images, labels, patch_sizes):
    return F.cross_entropy(model(images, drawn(patch_sizes)), labels)


def loss_by_permutation(model, images, labels, patch_sizes):
    patch_size = patch_sizes[torch.randperm(len(patch_sizes))[0]]
    return nn.CrossEntropyLoss()(model(images, patch_size=patch_size), labels)


def loss_by_rand(model, images, labels, patch_sizes):
    place = int(torch.rand(()) * len(patch_sizes))
    logits = model(images, patch_sizes[place])
    return -logits.log_softmax(dim=1)[range(len(labels)), labels].mean()


def loss_by_multinomial(model, images, labels, patch_sizes):
    place = torch.multinomial(torch.ones(len(patch_sizes)), 1).item()
    log_shares = F.log_softmax(model(images, patch_sizes[place]), -1)
    return F.nll_loss(log_shares, labels)


def loss_by_tensor(model, images, labels, patch_sizes):
    sizes = torch.tensor(patch_sizes)
    size = int(sizes[torch.randint(high=len(sizes), size=())])
    return F.cross_entropy(input=model(images, size), target=labels)


def without_dropout(model, images, labels, patch_sizes):
    model.train(False)
    return loss_right(model, images, labels, patch_sizes)


def there_and_back(model, images, labels, patch_sizes):
    loss = loss_by_rand(model, images, labels, patch_sizes)
    torch.autograd.backward(loss)
    return loss


WRONG_ATTEMPTS = [
    (flexi_loss, "eval mode", without_dropout),
    (flexi_loss, "backward inside", there_and_back),
    (resize_kernel, "the kernel is enlarged like a picture", like_a_picture),
    (resize_kernel, "enlarged like a picture, divided by the number of pixels", like_a_picture_and_divided),
    (resize_kernel, "pseudo-inverse applied from the wrong side", pinv_of_the_transposed),
    (resize_kernel, "pseudo-inverse applied from the wrong side", without_inverse),
    (resize_kernel, "an ordinary inverse", by_inv),
    (resize_kernel, "channels forgotten", all_channels_at_once),
    (resize_kernel, "channels and pixels exchanged", channel_fastest),
    (resize_kernel, "joined pixel by pixel", joined_pixel_by_pixel),
    (resize_kernel, "channels left apart", still_three_axes),
    (resize_kernel, "scaled by the number of pixels", pinv_and_scale),
    (resize_kernel, "only for larger patches", by_the_formula_for_larger),
    (resize_kernel, "no gradient", detached_kernel),
    (resize_kernel, "another type of number", kernel_in_double),
    (resize_codes, "the class token's code is lost", no_class_token),
    (resize_codes, "the class token is taken for a patch", all_on_the_grid),
    (resize_codes, "the class token's code at the end", class_token_last),
    (resize_codes, "zeros for the class token", class_token_zero),
    (resize_codes, "interpolated along the sequence", as_a_line),
    (resize_codes, "a bare reshape to (1, D, rows, columns)", bare_reshape),
    (resize_codes, "a bare reshape back", bare_reshape_back),
    (resize_codes, "rows and columns exchanged", grid_turned),
    (resize_codes, "another kind of interpolation", bilinear),
    (resize_codes, "another kind of interpolation", not_antialiased),
    (resize_codes, "scaled like a kernel", codes_scaled),
    (resize_codes, "no gradient", codes_without_gradient),
    (resize_codes, "another type of number", codes_in_double),
    (flexi_loss, "always the same size", first_size),
    (flexi_loss, "always the same size", never_the_last),
    (flexi_loss, "always the same size", seeded_each_time),
    (flexi_loss, "the index in place of the size", the_index),
    (flexi_loss, "the index in place of the size", a_tensor_as_size),
    (flexi_loss, "all sizes in one step", every_size),
    (flexi_loss, "drawn by Python or NumPy", by_random),
    (flexi_loss, "drawn by Python or NumPy", by_numpy),
    (flexi_loss, "softmax before the cross-entropy", softmax_first),
    (flexi_loss, "the softmax in the wrong place, or none", no_softmax),
    (flexi_loss, "the sum over the images", summed),
    (flexi_loss, "one loss for each image", for_each_image),
    (flexi_loss, "weighted by the size", divided_by_count),
    (flexi_loss, "weighted by the size", times_size),
    (flexi_loss, "a Python number", as_a_number),
    (flexi_loss, "a Python number", without_a_graph),
    (flexi_loss, "the logits", only_logits),
]

RIGHT_ATTEMPTS = [
    *[
        (resize_kernel, attempt)
        for attempt in (
            by_einsum,
            channel_by_channel,
            row_by_row,
            one_large_matrix,
            by_transposes,
            in_double_and_back,
            by_singular_values,
        )
    ],
    *[(resize_codes, each) for each in (codes_right, by_split_and_mt, number_by_number, by_an_upsampling_of_scale)],
    *[
        (flexi_loss, each)
        for each in (loss_right, loss_by_permutation, loss_by_rand, loss_by_multinomial, loss_by_tensor)
    ],
]
