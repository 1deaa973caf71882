"""Attempts at the exercises of lesson 05 (vit), wrong and right, written as learners may write them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from course_utils.checks.core import Exercise
from course_utils.checks.vit import parameters_of_block, shapes_of_forward, vit_forward

# ---- shapes_of_forward, as learners write it


def shapes(
    image_shape, patch_size, embed_dim, num_classes, *, pieces=None, patch=None, extra=1, in_patches=0, per_token=False
):
    batch, channels, height, width = image_shape
    pieces = pieces(height // patch_size, width // patch_size) if pieces else height * width // patch_size**2
    patch = patch(channels, patch_size) if patch else channels * patch_size * patch_size
    length = height * width // patch_size**2 + 1
    return {
        "patches": (batch, pieces + in_patches, patch),
        "patch tokens": (batch, pieces + in_patches, embed_dim),
        "tokens": (batch, pieces + extra, embed_dim),
        "pooled": (batch, length, embed_dim) if per_token else (batch, embed_dim),
        "logits": (batch, length, num_classes) if per_token else (batch, num_classes),
    }


def shapes_with(**settings):
    return lambda *arguments: shapes(*arguments, **settings)


def shapes_turned(*arguments):
    found = shapes(*arguments)
    return {name: (s[0], s[2], s[1]) if len(s) == 3 else s for name, s in found.items()}


def shapes_with_tokens_turned(*arguments):
    return shapes_turned(*arguments) | {"patches": shapes(*arguments)["patches"]}


def shapes_with_early_class_token(*arguments):
    return shapes(*arguments, in_patches=1) | {"patches": shapes(*arguments)["patches"]}


def shapes_with_logits_for_every_token(*arguments):
    return shapes(*arguments, per_token=True) | {"pooled": shapes(*arguments)["pooled"]}


# ---- parameters_of_block


def linear(inputs, outputs, bias=True):
    return inputs * outputs + (outputs if bias else 0)


def count(d, h, m, *, maps=4, norms=2, bias=True, mlp=None):
    attention = sum(linear(d, d, bias) for _ in range(maps))
    mlp = linear(d, m, bias) + linear(m, d, bias) if mlp is None else mlp(d, m)
    return attention + mlp + sum(d + d for _ in range(norms))


def count_with(**settings):
    return lambda d, h, m: count(d, h, m, **settings)


def count_each_head_at_full_width(d, h, m):
    total = count(d, h, m, maps=1)
    for _head in range(h):
        total += linear(d, 3 * d)
    return total


def count_everything_for_each_head(d, h, m):
    return count(d, h, m, maps=0) + h * (linear(d, 3 * d) + linear(d, d))


def count_joined_heads_of_full_width(d, h, m):
    return count(d, h, m, maps=0) + linear(d, 3 * d * h) + linear(h * d, d)


def count_one_head(d, h, m):
    return count(d, h, m, maps=1) + linear(d, 3 * (d // h))


def count_without_biases_of_attention(d, h, m):
    return sum((d * d, d * d, d * d, d * d, d * m, m, m * d, d, 2 * d, 2 * d))


def count_without_biases_of_mlp(d, h, m):
    return count(d, h, m, mlp=lambda d, m: m * d + d * m)


def count_scales_only(d, h, m):
    return count(d, h, m, norms=0) + d + d


# ---- vit_forward


def tokens_after(images, embeddings, blocks):
    sequence = embeddings(images)
    for layer in blocks:
        sequence, _ = layer(sequence)
    return sequence


def no_norm(images, embeddings, blocks, norm, head):
    tokens = tokens_after(images, embeddings, blocks)
    return head(tokens.select(1, 0))


def head_then_norm(images, embeddings, blocks, norm, head):
    scores = head(tokens_after(images, embeddings, blocks)[:, 0, :])
    return norm(scores)


def mean_of_all(images, embeddings, blocks, norm, head):
    tokens = norm(tokens_after(images, embeddings, blocks))
    return head(tokens.sum(1) / tokens.shape[1])


def mean_of_patches(images, embeddings, blocks, norm, head):
    tokens = norm(tokens_after(images, embeddings, blocks))
    return head(torch.stack(list(tokens.unbind(1))[1:]).mean(0))


def mean_then_norm(images, embeddings, blocks, norm, head):
    pooled = torch.einsum("bnd->bd", x := tokens_after(images, embeddings, blocks)) / x.shape[1]
    return head(norm(pooled))


def token(index):
    def attempt(images, embeddings, blocks, norm, head):
        tokens = norm(tokens_after(images, embeddings, blocks))
        return head(tokens.unbind(1)[index])

    return attempt


def first_image(images, embeddings, blocks, norm, head):
    tokens = norm(tokens_after(images, embeddings, blocks))
    return head(tokens[0])


def with_softmax(images, embeddings, blocks, norm, head):
    scores = token(0)(images, embeddings, blocks, norm, head).exp()
    return scores / scores.sum(1, keepdim=True)


def all_tokens(images, embeddings, blocks, norm, head):
    tokens = tokens_after(images, embeddings, blocks)
    return torch.stack([head(norm(each)) for each in tokens.unbind(1)], dim=1)


def blocks_side_by_side(images, embeddings, blocks, norm, head):
    start = embeddings(images)
    for block in blocks:
        x, _weights = block(start)
    return head(norm(x[:, 0]))


def return_in_the_loop(images, embeddings, blocks, norm, head):
    x = embeddings(images)
    for block in blocks:
        x, _ = block(x)
        return head(norm(x[:, 0]))


def norm_in_the_loop(images, embeddings, blocks, norm, head):
    x = embeddings(images)
    for block in blocks:
        x, _ = block(x)
        x = norm(x)
    return head(x[:, 0])


def pair_passed_on(images, embeddings, blocks, norm, head):
    out = embeddings(images)
    for layer in blocks:
        out = layer(out)
    out = norm(out)
    return head(out[:, 0])


@torch.no_grad()
def without_gradients(images, embeddings, blocks, norm, head):
    return head(norm(tokens_after(images, embeddings, blocks)[:, 0]))


def embeddings_cut_off(images, embeddings, blocks, norm, head):
    tokens = tokens_after(images, lambda x: embeddings(x).data, blocks)
    return head(norm(tokens))[:, 0]


def in_double(images, embeddings, blocks, norm, head):
    scores = head(norm(tokens_after(images, embeddings, blocks)[:, 0]))
    return torch.zeros(scores.shape, dtype=torch.float64) + scores


WRONG_ATTEMPTS: list[tuple[Exercise, str, Callable]] = [
    (shapes_of_forward, "the class token is missing", shapes_with(extra=0)),
    (shapes_of_forward, "the class token is there too early", shapes_with(in_patches=1)),
    (shapes_of_forward, "the class token is there too early", shapes_with_early_class_token),
    (shapes_of_forward, "patches counted along one side", shapes_with(pieces=lambda rows, columns: rows)),
    (shapes_of_forward, "patches counted along one side", shapes_with(pieces=lambda rows, columns: columns)),
    (shapes_of_forward, "the channels of a patch are missing", shapes_with(patch=lambda c, p: p**2)),
    (shapes_of_forward, "a patch is as long as its side", shapes_with(patch=lambda c, p: p * c)),
    (shapes_of_forward, "logits for every token", shapes_with(per_token=True)),
    (shapes_of_forward, "logits for every token", shapes_with_logits_for_every_token),
    (shapes_of_forward, "tokens and width exchanged", shapes_turned),
    (shapes_of_forward, "tokens and width exchanged", shapes_with_tokens_turned),
    (parameters_of_block, "the biases of the linear maps are missing", count_with(bias=False)),
    (parameters_of_block, "one map instead of queries, keys and values", count_with(maps=2)),
    (parameters_of_block, "the output projection of attention is missing", count_with(maps=3)),
    (parameters_of_block, "4 D are missing", count_with(norms=0)),
    (parameters_of_block, "4 D are missing", count_without_biases_of_attention),
    (parameters_of_block, "the biases of the linear maps are missing", count_without_biases_of_mlp),
    (parameters_of_block, "2 D are missing", count_with(norms=1)),
    (parameters_of_block, "2 D are missing", count_scales_only),
    (parameters_of_block, "the last norm of the model counted in", count_with(norms=3)),
    (parameters_of_block, "half of the MLP", count_with(mlp=lambda d, m: linear(d, m))),
    (parameters_of_block, "half of the MLP", count_with(mlp=lambda d, m: linear(m, d))),
    (parameters_of_block, "multiplied by the number of heads", count_each_head_at_full_width),
    (parameters_of_block, "multiplied by the number of heads", count_everything_for_each_head),
    (parameters_of_block, "multiplied by the number of heads", count_joined_heads_of_full_width),
    (parameters_of_block, "the maps of one head", count_one_head),
    (shapes_of_forward, "not whole numbers", shapes_with(pieces=lambda rows, columns: rows * columns / 1)),
    (parameters_of_block, "not whole numbers", lambda d, h, m: h * (4 * d * d / h) + 2 * d * m + 9 * d + m),
    (vit_forward, "no gradient", without_gradients),
    (vit_forward, "no gradient", embeddings_cut_off),
    (vit_forward, "another type of number", in_double),
    (vit_forward, "no final norm", no_norm),
    (vit_forward, "the head before the norm", head_then_norm),
    (vit_forward, "mean instead of the class token", mean_of_all),
    (vit_forward, "mean instead of the class token", mean_of_patches),
    (vit_forward, "mean instead of the class token", mean_then_norm),
    (vit_forward, "the last token instead of the first", token(-1)),
    (vit_forward, "the first patch instead of the class token", token(1)),
    (vit_forward, "the first image instead of the first token", first_image),
    (vit_forward, "a softmax at the end", with_softmax),
    (vit_forward, "every token is classified", all_tokens),
    (vit_forward, "every block starts from the embeddings", blocks_side_by_side),
    (vit_forward, "only the first block runs", return_in_the_loop),
    (vit_forward, "the norm after every block", norm_in_the_loop),
    (vit_forward, "the pair that a block returns is passed on", pair_passed_on),
]


def count_in_one_line(d, h, m):
    return 4 * d**2 + 2 * d * m + 9 * d + m


def norm_of_the_class_token_alone(images, embeddings, blocks, norm, head):
    class_token = tokens_after(images, embeddings, blocks)[:, :1]
    return head(norm(class_token)).squeeze(1)


def every_token_then_the_first(images, embeddings, blocks, norm, head):
    import functools

    tokens = functools.reduce(lambda x, block: block(x)[0], blocks, embeddings(images))
    return head(norm(tokens)).narrow(1, 0, 1).flatten(1)


RIGHT_ATTEMPTS: list[tuple[Exercise, Callable]] = [
    (shapes_of_forward, shapes),
    (parameters_of_block, count),
    (parameters_of_block, count_in_one_line),
    (vit_forward, token(0)),
    (vit_forward, norm_of_the_class_token_alone),
    (vit_forward, every_token_then_the_first),
]
