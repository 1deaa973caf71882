"""Attempts at the exercises of lesson 02 (embeddings), wrong and right, written as learners may write them."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks.core import Exercise
from course_utils.checks.embeddings import add_class_token, embed, position_similarity, sincos_2d
from course_utils.model.patches import PatchEmbedding, patchify


def image_by_image(build):
    """Make a function of a batch from one of an image's tokens (N, D) and the class token (D,)."""
    return lambda tokens, class_token: torch.stack([build(image, class_token[0, 0]) for image in tokens])


def end(tokens, class_token):
    return torch.hstack((tokens, class_token.repeat(tokens.shape[0], 1, 1)))


def end_without_batch(tokens, class_token):
    return torch.hstack((tokens, class_token))


def batch_forgotten(tokens, class_token):
    return torch.hstack((class_token, tokens))


def wider(tokens, class_token):
    b, n, _ = tokens.shape
    return torch.dstack((class_token.repeat(b, n, 1), tokens))


def wider_behind(tokens, class_token):
    b, n, _ = tokens.shape
    return torch.concat((tokens, class_token.repeat(b, n, 1)), dim=-1)


def wider_error(tokens, class_token):
    b = tokens.shape[0]
    return torch.concat((class_token.repeat(b, 1, 1), tokens), dim=2)


def wider_error_last(tokens, class_token):
    return torch.concatenate((class_token.repeat(tokens.size(0), 1, 1), tokens), dim=-1)


def wider_no_batch(tokens, class_token):
    return torch.concat((class_token, tokens), dim=2)


def wider_no_batch_last(tokens, class_token):
    return torch.concat((class_token, tokens), dim=-1)


def one_more_image(tokens, class_token):
    n = tokens.size(1)
    return torch.vstack((class_token.repeat(1, n, 1), tokens))


def one_more_image_error(tokens, class_token):
    return torch.vstack((class_token, tokens))


def added(tokens, class_token):
    result = tokens.clone()
    for i in range(tokens.shape[1]):
        result[:, i] += class_token[0, 0]
    return result


def first_patch_lost(tokens, class_token):
    result = tokens.clone()
    result[:, 0] = class_token[0, 0]
    return result


def for_each_patch(tokens, class_token):
    b, n, _ = tokens.shape
    return torch.hstack((class_token.repeat(b, n, 1), tokens))


def zeros_in_front(tokens, class_token):
    b, n, d = tokens.shape
    result = torch.zeros(b, n + 1, d)
    result[:, 1:] = tokens
    return result


def pairwise(rule, along=0):
    """Make a table of all pairs of codes (or of columns), one entry at a time."""

    def table(codes):
        items = codes.unbind(along)
        return torch.tensor([[float(rule(a, b, codes)) for b in items] for a in items])

    return table


def wrong_axis(codes):
    lengths = torch.sqrt((codes**2).sum(dim=0))
    scaled = codes / lengths
    return torch.einsum("id,jd->ij", scaled, scaled)


def columns_unit_rows(codes):
    unit = codes / codes.norm(dim=-1)[:, None]
    return torch.einsum("nd,ne->de", unit, unit)


def unit_times_unit(codes):
    unit = codes / torch.sqrt((codes**2).sum(dim=1, keepdim=True))
    return torch.matmul(unit, unit)


def with_itself(codes):
    return torch.stack([(code @ code) / code.norm() ** 2 for code in codes])


def with_itself_columns(codes):
    return torch.ones(codes.shape[1])


def centred_cosine(codes):
    centred = codes - codes.mean(1).unsqueeze(1)
    unit = F.normalize(centred, dim=-1)
    return torch.einsum("id,jd->ij", unit, unit)


def unit_distances(codes):
    unit = codes / codes.norm(dim=1)[:, None]
    return (unit[:, None] - unit[None]).norm(dim=-1)


def by_hand(numbers: Callable):
    """Make a code patch by patch with the math module: ``numbers(row, column, speeds)`` lists what it consists of."""

    def build(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = [base ** (-i / count) for i in range(count)]
        return torch.tensor(
            [numbers(row, column, speeds) for row in range(grid[0]) for column in range(grid[1])], dtype=torch.float32
        )

    return build


def sines(place, speeds):
    return [math.sin(place * speed) for speed in speeds]


def cosines(place, speeds):
    return [math.cos(place * speed) for speed in speeds]


def in_turns(place, speeds):
    return [wave(place * speed) for speed in speeds for wave in (math.sin, math.cos)]


def with_speeds(make):
    """Make a code in NumPy with the speeds that ``make(embed_dim, base)`` gives."""

    def build(grid, embed_dim, base=10_000.0):
        speeds = make(embed_dim, base)
        rows, columns = np.indices(grid).reshape(2, -1)
        parts = [np.sin(np.outer(rows, speeds)), np.cos(np.outer(rows, speeds))]
        parts += [np.sin(np.outer(columns, speeds)), np.cos(np.outer(columns, speeds))]
        return torch.from_numpy(np.hstack(parts)).float()

    return build


right_code = by_hand(lambda r, c, w: sines(r, w) + cosines(r, w) + sines(c, w) + cosines(c, w))


def down_the_columns(grid, embed_dim, base=10_000.0):
    codes = right_code(grid, embed_dim, base)
    return torch.stack([codes[row * grid[1] + column] for column in range(grid[1]) for row in range(grid[0])])


def along_the_sequence(grid, embed_dim, base=10_000.0):
    half = embed_dim // 2
    speeds = [base ** (-i / half) for i in range(half)]
    return torch.tensor([sines(k, speeds) + cosines(k, speeds) for k in range(grid[0] * grid[1])])


def both_added(grid, embed_dim, base=10_000.0):
    half = embed_dim // 2
    speeds = [base ** (-i / half) for i in range(half)]

    def waves(place):
        return torch.tensor(sines(place, speeds) + cosines(place, speeds))

    return torch.stack([waves(row) + waves(column) for row in range(grid[0]) for column in range(grid[1])])


def one_number_a_token(rule):
    """Make the layer token by token and number by number, from ``rule``: how a patch (C, P, P) becomes a list."""

    def layer(images, patch_size, weight, bias, class_token, position_code):
        result = []
        for image in images:
            rows = [class_token[0, 0]]
            for top in range(0, image.shape[1], patch_size):
                for left in range(0, image.shape[2], patch_size):
                    piece = image[:, top : top + patch_size, left : left + patch_size]
                    rows.append((weight * rule(piece)).sum(dim=1) + bias)
            result.append(torch.stack(rows) + position_code[0])
        return torch.stack(result)

    return layer


def convolved(images, patch_size, weight, bias):
    """The tokens of the patches by a convolution: (B, N, D)."""
    kernels = weight.unflatten(1, (images.shape[1], patch_size, patch_size))
    return F.conv2d(images, kernels, bias, stride=patch_size).flatten(2).mT


def layer(*, bias=True, class_token="given", codes="right", end="all"):
    """Make the layer from a convolution and a sequence that is filled in, with slips."""

    def build(images, p, w, b, c, e):
        patches = convolved(images, p, w, b if bias else None)
        n = patches.shape[1]
        sequence = patches.new_zeros(len(images), n + 1, patches.shape[2])
        start, token_at = (0, n) if class_token == "end" else (1, 0)
        sequence[:, start : start + n] = patches
        if class_token != "zeros":
            sequence[:, token_at] = c[0, 0]
        if class_token == "biased":
            sequence[:, 0] += b
        if codes == "right":
            sequence += e
        elif codes == "patches only":
            sequence[:, 1:] += e[0, 1:]
        elif codes == "moved":
            sequence[:, 1:] += e[0, :n]
        elif codes == "first":
            sequence += e[0, 0]
        elif codes == "times":
            sequence *= e
        elif codes == "beside":
            sequence = torch.dstack((sequence, e.repeat(len(images), 1, 1)))
        return sequence if end == "all" else sequence[0]

    return build


def rows_of_pixels(images, p, w, b, c, e):
    pieces = images.view(images.shape[0], e.shape[1] - 1, w.shape[1])
    return torch.hstack((c.repeat(images.shape[0], 1, 1), F.linear(pieces, w, b))) + e


def down_the_image(images, p, w, b, c, e):
    turned = F.conv2d(images, w.unflatten(1, (-1, p, p)), b, stride=p).mT.flatten(2).mT
    return torch.hstack((c.repeat(images.shape[0], 1, 1), turned)) + e


def not_turned(images, p, w, b, c, e):
    return torch.matmul(F.unfold(images, p, stride=p).mT, w)


def patches_only(images, p, w, b, c, e):
    return convolved(images, p, w, b) + e[:, 1:]


def patches_and_all_codes(images, p, w, b, c, e):
    return convolved(images, p, w, b) + e


def new_projection(images, p, w, b, c, e):
    tokens = PatchEmbedding(p, images.shape[1], w.shape[0])(images)
    return torch.hstack((c.repeat(images.shape[0], 1, 1), tokens)) + e


def token_for_one_image(images, p, w, b, c, e):
    return torch.hstack((c, convolved(images, p, w, b))) + e


def unfolded(images, p, w, b, c, e):
    tokens = F.linear(F.unfold(images, p, stride=p).transpose(1, 2), w, b)
    return torch.hstack((c.repeat(images.shape[0], 1, 1), tokens)) + e


def each_with_its_code(images, p, w, b, c, e):
    tokens = torch.einsum("bnk,dk->bnd", patchify(images, p), w) + b + e[:, 1:]
    return torch.concatenate(((c + e[:, :1]).expand(images.size(0), 1, -1), tokens), axis=1)


def by_the_package(images, p, w, b, c, e):
    module = nn.Linear(w.shape[1], w.shape[0])
    tokens = torch.func.functional_call(module, {"weight": w, "bias": b}, (patchify(images, p),))
    return torch.stack([torch.vstack((c[0], each)) for each in tokens]) + e


def cosine_rule(a, b, codes):
    return (a @ b) / (a.norm() * b.norm())


WRONG_ATTEMPTS: list[tuple[Exercise, str, Callable]] = [
    (add_class_token, "appended at the end", end),
    (add_class_token, "appended at the end", end_without_batch),
    (add_class_token, "not repeated for each image", batch_forgotten),
    (add_class_token, "joined along the width", wider),
    (add_class_token, "joined along the width", wider_behind),
    (add_class_token, "joined along the width", wider_error),
    (add_class_token, "joined along the width", wider_error_last),
    (add_class_token, "joined along the width", wider_no_batch),
    (add_class_token, "joined along the width", wider_no_batch_last),
    (add_class_token, "joined along the batch", one_more_image),
    (add_class_token, "joined along the batch", one_more_image_error),
    (add_class_token, "added instead of put in front", added),
    (add_class_token, "put over the first patch", first_patch_lost),
    (add_class_token, "one class token for each patch", for_each_patch),
    (add_class_token, "a new token instead of the given one", zeros_in_front),
    (position_similarity, "lengths left in", pairwise(lambda a, b, _: (a * b).sum())),
    (position_similarity, "divided by one length only", pairwise(lambda a, b, _: (a @ b) / a.norm())),
    (position_similarity, "divided by one length only", pairwise(lambda a, b, _: (a @ b) / b.norm())),
    (position_similarity, "length of the columns", wrong_axis),
    (position_similarity, "one length for all codes", pairwise(lambda a, b, codes: (a @ b) / codes.norm() ** 2)),
    (position_similarity, "one length for all codes", pairwise(lambda a, b, codes: (a @ b) / codes.norm())),
    (position_similarity, "squared lengths", pairwise(lambda a, b, _: (a @ b) / ((a @ a) * (b @ b)))),
    (position_similarity, "lengths in the wrong shape", lambda codes: torch.div(codes, codes.pow(2).sum(1).sqrt())),
    (position_similarity, "lengths below 1 kept", pairwise(lambda a, b, _: a @ b / max(1, a.norm() * b.norm()))),
    (
        position_similarity,
        "lengths below 1 kept",
        pairwise(lambda a, b, _: a @ b / (max(1, a.norm()) * max(1, b.norm()))),
    ),
    (position_similarity, "transpose forgotten", unit_times_unit),
    (position_similarity, "columns compared", pairwise(cosine_rule, along=1)),
    (position_similarity, "columns compared", columns_unit_rows),
    (position_similarity, "columns compared", pairwise(lambda a, b, _: a @ b, along=1)),
    (position_similarity, "each code with itself only", with_itself),
    (position_similarity, "each code with itself only", with_itself_columns),
    (position_similarity, "mean taken away first", torch.corrcoef),
    (position_similarity, "mean taken away first", centred_cosine),
    (position_similarity, "distances", pairwise(lambda a, b, _: (a - b).norm())),
    (position_similarity, "distances", unit_distances),
    (
        sincos_2d,
        "column before row",
        by_hand(lambda r, c, w: sines(c, w) + cosines(c, w) + sines(r, w) + cosines(r, w)),
    ),
    (sincos_2d, "patches column by column", down_the_columns),
    (
        sincos_2d,
        "cosine before sine",
        by_hand(lambda r, c, w: cosines(r, w) + sines(r, w) + cosines(c, w) + sines(c, w)),
    ),
    (sincos_2d, "all sines first", by_hand(lambda r, c, w: sines(r, w) + sines(c, w) + cosines(r, w) + cosines(c, w))),
    (sincos_2d, "sine and cosine in turns", by_hand(lambda r, c, w: in_turns(r, w) + in_turns(c, w))),
    (
        sincos_2d,
        "speeds fall too slowly",
        with_speeds(lambda d, base: 1 / base ** (2 * np.arange(d // 4) / d)),
    ),
    (sincos_2d, "speeds fall too slowly", with_speeds(lambda d, base: base ** (-np.arange(d // 4) / d))),
    (
        sincos_2d,
        "speeds fall too far",
        with_speeds(lambda d, base: np.exp(-np.linspace(0, 1, d // 4) * np.log(base))),
    ),
    (
        sincos_2d,
        "speeds fall too far",
        with_speeds(lambda d, base: base ** -(np.arange(0, d // 2, 2) / (d // 4))),
    ),
    (sincos_2d, "speeds grow", with_speeds(lambda d, base: base ** (np.arange(d // 4) / (d // 4)))),
    (sincos_2d, "one speed for all", with_speeds(lambda d, base: np.ones(d // 4))),
    (sincos_2d, "base written in", with_speeds(lambda d, base: 10_000 ** (-np.arange(d // 4) / (d // 4)))),
    (sincos_2d, "number of the patch instead of row and column", along_the_sequence),
    (
        sincos_2d,
        "counted from 1",
        by_hand(lambda r, c, w: sines(r + 1, w) + cosines(r + 1, w) + sines(c + 1, w) + cosines(c + 1, w)),
    ),
    (sincos_2d, "row and column added", both_added),
    (sincos_2d, "one axis used twice", by_hand(lambda r, c, w: 2 * (sines(c, w) + cosines(c, w)))),
    (sincos_2d, "one axis used twice", by_hand(lambda r, c, w: 2 * (sines(r, w) + cosines(r, w)))),
    (sincos_2d, "another width", by_hand(lambda r, c, w: sines(r, w) + sines(c, w))),
    (sincos_2d, "another width", by_hand(lambda r, c, w: sines(r, w) + cosines(r, w))),
    (
        sincos_2d,
        "another width",
        with_speeds(lambda d, base: 1 / base ** (np.arange(d // 2) / (d // 2))),
    ),
    (embed, "patches cut by a bare reshape", rows_of_pixels),
    (embed, "patches in another order", one_number_a_token(lambda piece: piece.permute(1, 2, 0).flatten())),
    (embed, "patches in another order", one_number_a_token(lambda piece: piece.mT.flatten())),
    (embed, "patches in another order", down_the_image),
    (embed, "weight not turned round", not_turned),
    (embed, "no bias", layer(bias=False)),
    (embed, "the bias added to the class token too", layer(class_token="biased")),
    (embed, "no position codes", layer(codes="none")),
    (embed, "no class token", patches_only),
    (embed, "no class token", patches_and_all_codes),
    (embed, "no class token", lambda i, p, w, b, c, e: convolved(i, p, w, b)),
    (embed, "the class token without its code", layer(codes="patches only")),
    (embed, "codes moved by one", lambda i, p, w, b, c, e: layer(codes="moved")(i, p, w, b, c, e)),
    (embed, "the class token at the end", layer(class_token="end")),
    (embed, "the class token not repeated for each image", token_for_one_image),
    (embed, "zeros in place of the class token", layer(class_token="zeros")),
    (embed, "a projection of its own", new_projection),
    (embed, "codes multiplied", layer(codes="times")),
    (embed, "codes joined along the width", layer(codes="beside")),
    (embed, "the same code for all tokens", layer(codes="first")),
    (embed, "one image only", layer(end="first")),
]

RIGHT_ATTEMPTS = [
    (add_class_token, lambda tokens, c: torch.hstack((c.repeat(tokens.shape[0], 1, 1), tokens))),
    (add_class_token, image_by_image(lambda image, c: torch.vstack((c, image)))),
    (position_similarity, pairwise(cosine_rule)),
    (position_similarity, lambda codes: torch.cosine_similarity(codes[:, None], codes[None], dim=-1)),
    (sincos_2d, right_code),
    (sincos_2d, with_speeds(lambda d, base: 1 / base ** (np.arange(d // 4) * 4 / d))),
    (embed, one_number_a_token(lambda piece: piece.flatten())),
    (embed, layer()),
    (embed, unfolded),
    (embed, each_with_its_code),
    (embed, by_the_package),
]
