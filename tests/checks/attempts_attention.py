"""Attempts at the exercises of lesson 03 (attention), wrong and right, written as learners may write them."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks.attention import attention_weights, multi_head_attention, softmax, split_heads


def softmax_overflow(scores):
    powers = torch.pow(torch.tensor(math.e), scores)
    totals = powers.sum(-1)
    return powers / totals.unsqueeze(-1)


def softmax_global_max(scores):
    powers = torch.exp(scores - torch.max(scores).item())
    return powers / torch.sum(powers, axis=-1, keepdims=True)


def softmax_columns(scores):
    largest, _ = scores.max(-2, keepdim=True)
    powers = torch.exp(scores - largest)
    return powers / powers.sum(-2, keepdim=True)


def softmax_columns_unstable(scores):
    powers = torch.exp(scores)
    return powers / torch.sum(powers, dim=0)


def softmax_all(scores):
    powers = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    return powers / powers.sum()


def softmax_lost_axis(scores):
    largest = scores.max(dim=-1)[0]
    powers = torch.exp(scores - largest)
    return powers / powers.sum(dim=-1)


def softmax_lost_axis_of_the_sum(scores):
    powers = torch.exp(scores - scores.max(dim=-1, keepdim=True)[0])
    return powers / torch.sum(powers, -1)


def softmax_no_exp(scores):
    return scores / torch.einsum("...n->...", scores)[..., None]


def softmax_not_normalised(scores):
    largest = scores.max(dim=-1, keepdim=True)[0]
    return torch.exp(scores - largest)


def softmax_log(scores):
    return scores - torch.logsumexp(scores, -1, keepdim=True)


def softmax_less_the_mean(scores):
    centred = scores - scores.sum(-1, keepdim=True) / scores.size(-1)
    return torch.exp(centred) / torch.exp(centred).sum(-1, keepdim=True)


def softmax_less_the_first(scores):
    powers = torch.exp(scores - scores[..., 0].unsqueeze(-1))
    return powers / powers.sum(-1).unsqueeze(-1)


def softmax_less_the_last(scores):
    powers = torch.exp(scores - scores[..., -1].unsqueeze(-1))
    return powers / powers.sum(-1).unsqueeze(-1)


def softmax_by_numpy(scores):
    numbers = scores.detach().numpy()
    powers = np.exp(numbers - numbers.max(-1, keepdims=True))
    return torch.from_numpy(powers / powers.sum(-1, keepdims=True))


def softmax_of_data(scores):
    powers = torch.exp(scores.data - scores.data.amax(-1, keepdim=True))
    return powers / powers.sum(-1, keepdim=True)


def softmax_without_gradient(scores):
    with torch.no_grad():
        return softmax_by_log(scores)


def softmax_in_double(scores):
    return softmax_by_log(scores.to(torch.float64))


def softmax_by_pytorch(scores):
    return nn.Softmax(dim=-1)(scores)


def softmax_by_functional(scores):
    return F.softmax(scores, -1)


def products(q, k):
    return torch.einsum("...id,...jd->...ij", q, k)


def weights_unscaled(q, k):
    return F.softmax(products(q, k), dim=-1)


def weights_by_d(q, k):
    return F.softmax(products(q / q.size(-1), k), -1)


def weights_multiplied(q, k):
    scale = np.sqrt(q.size(-1)).item()
    return torch.softmax(products(q * scale, k), -1)


def weights_by_tokens(q, k):
    return torch.softmax(products(q, k) / q.size(-2) ** 0.5, -1)


def weights_scaled_late(q, k):
    return torch.softmax(products(q, k), -1).div(q.shape[-1] ** 0.5)


def weights_of_queries(q, k):
    return torch.softmax(products(q, k) / q.shape[-1] ** 0.5, -2)


def weights_of_axis_1(q, k):
    return F.softmax(products(q, k) / q.shape[-1] ** 0.5, 1)


def weights_of_axis_2(q, k):
    return F.softmax(products(q, k) * q.size(-1) ** -0.5, 2)


def weights_of_axis_3(q, k):
    return F.softmax(products(q, k) * q.size(-1) ** -0.5, 3)


def weights_of_axes_1_and_2(q, k):
    return torch.softmax(torch.matmul(q, torch.transpose(k, 1, 2)) / math.sqrt(k.shape[-1]), -1)


def weights_of_axes_2_and_3(q, k):
    return torch.softmax(torch.matmul(q, torch.transpose(k, 2, 3)) / math.sqrt(k.shape[-1]), -1)


def weights_of_all_axes(q, k):
    return torch.softmax(torch.matmul(q, k.T) / math.sqrt(k.shape[-1]), -1)


def weights_among_queries(q, k):
    return torch.softmax(products(q, q) / math.sqrt(k.shape[-1]), -1)


def weights_detached(q, k):
    return torch.softmax(products(q, k.detach()) / math.sqrt(k.shape[-1]), -1)


def weights_in_double(q, k):
    return torch.softmax((products(q, k) / math.sqrt(k.shape[-1])).double(), -1)


def weights_exchanged(q, k):
    return torch.softmax(products(q, k).mT / q.shape[-1] ** 0.5, -1)


def weights_viewed(q, k):
    *before, tokens, width = k.shape
    turned = k.contiguous().view(*before, width, tokens)
    return torch.softmax(torch.matmul(q, turned) / width**0.5, -1)


def weights_not_transposed(q, k):
    return torch.softmax(torch.matmul(q, k) / math.sqrt(q.shape[-1]), -1)


def weights_no_softmax(q, k):
    return products(q, k) / q.shape[-1] ** 0.5


def split_bare(x, num_heads):
    b, n = x.shape[:2]
    return x.view(b, num_heads, n, -1)


def split_not_exchanged(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=2), dim=2)


def split_interleaved(x, num_heads):
    return torch.stack([x[:, :, head::num_heads] for head in range(num_heads)], dim=1)


def split_into_width(x, num_heads):
    return torch.stack(x.split(num_heads, dim=-1), dim=1)


def split_columns(x, num_heads):
    return torch.stack([part.mT for part in x.chunk(num_heads, dim=-1)], dim=1)


def split_heads_last(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=-1), dim=-1)


def split_heads_first(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=-1))


def split_tokens(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=1), dim=1)


def split_detached(x, num_heads):
    return torch.tensor(np.stack(np.split(x.detach().numpy(), num_heads, axis=-1), axis=1))


def split_in_double(x, num_heads):
    return torch.stack(x.double().chunk(num_heads, dim=-1), dim=1)


def thirds(x, qkv):
    width = x.shape[-1]
    every = F.linear(x, qkv.weight, qkv.bias)
    return every[..., :width], every[..., width : 2 * width], every[..., 2 * width :]


def one_by_one(x, qkv, num_heads, scale=None, dim=-1):
    """Every head by itself: a list of (B, N, d)."""
    outputs = []
    for q, k, v in zip(*(part.chunk(num_heads, -1) for part in thirds(x, qkv)), strict=True):
        scores = torch.einsum("bnd,bmd->bnm", q, k) / (scale or q.shape[-1] ** 0.5)
        outputs.append(torch.softmax(scores, dim) @ v)
    return outputs


def mha_bare_split(x, qkv, projection, num_heads):
    b, n, width = x.shape
    q, k, v = (part.contiguous().view(b, num_heads, n, width // num_heads) for part in thirds(x, qkv))
    return projection(F.scaled_dot_product_attention(q, k, v).permute(0, 2, 1, 3).reshape(b, n, width))


def mha_bare_split_and_join(x, qkv, projection, num_heads):
    b, n, width = x.shape
    q, k, v = (part.contiguous().view(b, num_heads, n, width // num_heads) for part in thirds(x, qkv))
    return projection(F.scaled_dot_product_attention(q, k, v).reshape(b, n, width))


def mha_bare_join(x, qkv, projection, num_heads):
    return projection(torch.stack(one_by_one(x, qkv, num_heads), dim=1).reshape(x.shape))


def mha_width_h(x, qkv, projection, num_heads):
    cut = [torch.stack(part.split(num_heads, dim=-1), dim=1) for part in thirds(x, qkv)]
    return projection(torch.cat(F.scaled_dot_product_attention(*cut).unbind(1), dim=-1))


def mha_interleaved(x, qkv, projection, num_heads):
    cut = [torch.stack([part[..., i::num_heads] for i in range(num_heads)], dim=1) for part in thirds(x, qkv)]
    return projection(torch.cat(F.scaled_dot_product_attention(*cut).unbind(1), dim=-1))


def mha_interleaved_and_back(x, qkv, projection, num_heads):
    cut = [torch.stack([part[..., i::num_heads] for i in range(num_heads)], dim=1) for part in thirds(x, qkv)]
    return projection(torch.stack(F.scaled_dot_product_attention(*cut).unbind(1), dim=-1).flatten(2))


def mha_with_weights(x, qkv, projection, num_heads):
    return mha_by_loop(x, qkv, projection, num_heads), mha_weights(x, qkv, projection, num_heads)


def mha_not_exchanged(x, qkv, projection, num_heads):
    b, n, width = x.shape
    q, k, v = (part.reshape(b, n, num_heads, width // num_heads) for part in thirds(x, qkv))
    return projection(F.scaled_dot_product_attention(q, k, v).reshape(b, n, width))


def mha_model_width(x, qkv, projection, num_heads):
    return projection(torch.cat(one_by_one(x, qkv, num_heads, scale=math.sqrt(x.shape[-1])), -1))


def mha_unscaled(x, qkv, projection, num_heads):
    return projection(torch.cat(one_by_one(x, qkv, num_heads, scale=1), -1))


def mha_by_d(x, qkv, projection, num_heads):
    return projection(torch.cat(one_by_one(x, qkv, num_heads, scale=x.shape[-1] // num_heads), -1))


def mha_unprojected(x, qkv, projection, num_heads):
    return torch.cat(one_by_one(x, qkv, num_heads), -1)


def mha_without_the_last_bias(x, qkv, projection, num_heads):
    return torch.cat(one_by_one(x, qkv, num_heads), -1) @ projection.weight.mT


def mha_with_residual(x, qkv, projection, num_heads):
    return torch.add(mha_by_loop(x, qkv, projection, num_heads), x)


def mha_softmax_of_queries(x, qkv, projection, num_heads):
    return projection(torch.cat(one_by_one(x, qkv, num_heads, dim=1), -1))


def mha_keys_first(x, qkv, projection, num_heads):
    k, q, v = (split_by_permute(part, num_heads) for part in thirds(x, qkv))
    return projection(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def mha_values_first(x, qkv, projection, num_heads):
    v, q, k = (split_by_permute(part, num_heads) for part in thirds(x, qkv))
    return projection(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def mha_head_by_head(x, qkv, projection, num_heads):
    b, n, width = x.shape
    every = qkv(x).view(b, n, num_heads, 3 * width // num_heads).permute(0, 2, 1, 3)
    q, k, v = every.chunk(3, dim=-1)
    return projection(F.scaled_dot_product_attention(q, k, v).permute(0, 2, 1, 3).reshape(b, n, width))


def mha_every_third(x, qkv, projection, num_heads):
    q, k, v = (split_by_permute(part, num_heads) for part in qkv(x).unflatten(-1, (x.shape[-1], 3)).unbind(-1))
    return projection(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def mha_one_head(x, qkv, projection, num_heads):
    return projection(F.scaled_dot_product_attention(*thirds(x, qkv)))


def mha_one_head_scaled_for_many(x, qkv, projection, num_heads):
    q, k, v = thirds(x, qkv)
    return projection(F.scaled_dot_product_attention(q, k, v, scale=(x.shape[-1] // num_heads) ** -0.5))


def mha_averaged(x, qkv, projection, num_heads):
    return projection(sum(one_by_one(x, qkv, num_heads)) / num_heads)


def mha_added(x, qkv, projection, num_heads):
    return projection(torch.stack(one_by_one(x, qkv, num_heads)).sum(0))


def mha_weights(x, qkv, projection, num_heads):
    q, k, _ = (split_by_permute(part, num_heads) for part in thirds(x, qkv))
    return weights_by_loop(q, k)


def mha_across_the_images(x, qkv, projection, num_heads):
    b, n, width = x.shape
    q, k, v = (part.view(b, n, num_heads, -1).permute(1, 2, 0, 3) for part in qkv(x).chunk(3, -1))
    return projection(F.scaled_dot_product_attention(q, k, v).permute(2, 0, 1, 3).reshape(b, n, width))


def mha_of_pytorch(x, qkv, projection, num_heads):
    layer = nn.MultiheadAttention(x.shape[-1], num_heads, bias=qkv.bias is not None, batch_first=True)
    layer.in_proj_weight, layer.in_proj_bias = qkv.weight, qkv.bias
    if layer.out_proj.bias is None:
        layer.out_proj.bias = projection.bias
    layer.out_proj.weight, layer.out_proj.bias = projection.weight, projection.bias
    return layer(x, x, x)[0]


def mha_values_detached(x, qkv, projection, num_heads):
    q, k, v = (split_by_permute(part, num_heads) for part in thirds(x, qkv))
    return projection(F.scaled_dot_product_attention(q, k, v.detach()).transpose(1, 2).flatten(2))


def mha_without_gradient(x, qkv, projection, num_heads):
    with torch.inference_mode():
        return mha_by_loop(x, qkv, projection, num_heads).clone()


def mha_in_double(x, qkv, projection, num_heads):
    return mha_by_loop(x, qkv, projection, num_heads).double()


def mha_by_loop(x, qkv, projection, num_heads):
    return projection(torch.cat(one_by_one(x, qkv, num_heads), dim=-1))


def mha_by_weights_alone(x, qkv, projection, num_heads):
    """Three maps cut out of the large one; image by image; the projection as a product."""
    width = x.shape[-1]
    images = []
    for image in x:
        kinds = []
        for start in (0, width, 2 * width):
            bias = 0 if qkv.bias is None else qkv.bias[start : start + width]
            kinds.append((image @ qkv.weight[start : start + width].T + bias).split(width // num_heads, dim=-1))
        heads = [softmax_by_log(q @ k.T / math.sqrt(q.shape[-1])) @ v for q, k, v in zip(*kinds, strict=True)]
        images.append(torch.hstack(heads) @ projection.weight.T + projection.bias)
    return torch.stack(images)


def weights_overflow(q, k):
    powers = torch.exp(q.matmul(k.transpose(-1, -2)) / q.size(-1) ** 0.5)
    return powers / powers.sum(-1)[..., None]


WRONG_ATTEMPTS = [
    (softmax, "large numbers overflow", softmax_overflow),
    (softmax, "one maximum for the whole tensor", softmax_global_max),
    (softmax, "over the wrong axis", softmax_columns),
    (softmax, "over the wrong axis", softmax_columns_unstable),
    (softmax, "normalised over everything", softmax_all),
    (softmax, "the summed axis is gone", softmax_lost_axis),
    (softmax, "the summed axis is gone", softmax_lost_axis_of_the_sum),
    (softmax, "no exponential", softmax_no_exp),
    (softmax, "not divided by the sum", softmax_not_normalised),
    (softmax, "the logarithm of the weights", softmax_log),
    (softmax, "another number than the largest is taken away", softmax_less_the_mean),
    (softmax, "another number than the largest is taken away", softmax_less_the_first),
    (softmax, "another number than the largest is taken away", softmax_less_the_last),
    (softmax, "PyTorch's own softmax", softmax_by_pytorch),
    (softmax, "PyTorch's own softmax", softmax_by_functional),
    (softmax, "no gradient", softmax_by_numpy),
    (softmax, "no gradient", softmax_of_data),
    (softmax, "no gradient", softmax_without_gradient),
    (softmax, "another type of number", softmax_in_double),
    (attention_weights, "not scaled", weights_unscaled),
    (attention_weights, "divided by d, not by its root", weights_by_d),
    (attention_weights, "multiplied by the root", weights_multiplied),
    (attention_weights, "scaled by the number of tokens", weights_by_tokens),
    (attention_weights, "scaled after the softmax", weights_scaled_late),
    (attention_weights, "softmax over the queries", weights_of_queries),
    (attention_weights, "axes counted from the front", weights_of_axis_1),
    (attention_weights, "axes counted from the front", weights_of_axis_2),
    (attention_weights, "axes counted from the front", weights_of_axis_3),
    (attention_weights, "axes counted from the front", weights_of_axes_1_and_2),
    (attention_weights, "axes counted from the front", weights_of_axes_2_and_3),
    (attention_weights, "axes counted from the front", weights_of_all_axes),
    (attention_weights, "the keys are not used", weights_among_queries),
    (attention_weights, "no gradient", weights_detached),
    (attention_weights, "another type of number", weights_in_double),
    (attention_weights, "queries and keys exchanged", weights_exchanged),
    (attention_weights, "reshaped in place of transposed", weights_viewed),
    (attention_weights, "keys not transposed", weights_not_transposed),
    (attention_weights, "no softmax", weights_no_softmax),
    (split_heads, "a bare reshape", split_bare),
    (split_heads, "tokens and heads not exchanged", split_not_exchanged),
    (split_heads, "interleaved channels", split_interleaved),
    (split_heads, "head width and number of heads exchanged", split_into_width),
    (split_heads, "tokens and channels exchanged", split_columns),
    (split_heads, "heads on the last axis", split_heads_last),
    (split_heads, "heads before the batch", split_heads_first),
    (split_heads, "the tokens are split", split_tokens),
    (split_heads, "no gradient", split_detached),
    (split_heads, "another type of number", split_in_double),
    (multi_head_attention, "heads split by a bare reshape", mha_bare_split),
    (multi_head_attention, "heads split by a bare reshape", mha_bare_split_and_join),
    (multi_head_attention, "joined by a bare reshape", mha_bare_join),
    (multi_head_attention, "heads cut in another way", mha_width_h),
    (multi_head_attention, "heads cut in another way", mha_interleaved),
    (multi_head_attention, "heads cut in another way", mha_interleaved_and_back),
    (multi_head_attention, "the weights are returned too", mha_with_weights),
    (multi_head_attention, "tokens attend among their own heads", mha_not_exchanged),
    (multi_head_attention, "scaled by the model width", mha_model_width),
    (multi_head_attention, "not scaled", mha_unscaled),
    (multi_head_attention, "divided by d, not by its root", mha_by_d),
    (multi_head_attention, "the output projection is missing", mha_unprojected),
    (multi_head_attention, "a bias is forgotten", mha_without_the_last_bias),
    (multi_head_attention, "the input is added", mha_with_residual),
    (multi_head_attention, "softmax over the wrong axis", mha_softmax_of_queries),
    (multi_head_attention, "queries, keys and values in another order", mha_keys_first),
    (multi_head_attention, "queries, keys and values in another order", mha_values_first),
    (multi_head_attention, "the result of the large map is cut in another way", mha_head_by_head),
    (multi_head_attention, "the result of the large map is cut in another way", mha_every_third),
    (multi_head_attention, "one head only", mha_one_head),
    (multi_head_attention, "one head only", mha_one_head_scaled_for_many),
    (multi_head_attention, "heads averaged or added", mha_averaged),
    (multi_head_attention, "heads averaged or added", mha_added),
    (multi_head_attention, "the weights in place of the tokens", mha_weights),
    (multi_head_attention, "images and tokens exchanged", mha_across_the_images),
    (multi_head_attention, "PyTorch's own multi-head attention", mha_of_pytorch),
    (multi_head_attention, "a loop", mha_by_loop),
    (multi_head_attention, "a loop", mha_by_weights_alone),
    (attention_weights, "large numbers overflow", weights_overflow),
    (multi_head_attention, "no gradient", mha_values_detached),
    (multi_head_attention, "no gradient", mha_without_gradient),
    (multi_head_attention, "another type of number", mha_in_double),
]


def softmax_by_log(scores):
    return torch.exp(scores - torch.logsumexp(scores, dim=-1, keepdim=True))


def softmax_by_unsqueeze(scores):
    largest, _ = torch.max(scores, -1)
    powers = torch.exp(scores - largest[..., None])
    return powers / torch.sum(powers, -1)[..., None]


def weights_by_loop(q, k):
    result = torch.zeros(*q.shape[:-1], k.shape[-2])
    for *before, query in np.ndindex(*q.shape[:-1]):
        scores = (k[tuple(before)] * q[(*before, query)]).sum(-1) * q.shape[-1] ** -0.5
        result[(*before, query)] = torch.softmax(scores, 0)
    return result


def weights_scaled_twice_by_the_fourth_root(q, k):
    fourth_root = q.shape[-1] ** 0.25
    return F.softmax(torch.matmul(q / fourth_root, (k / fourth_root).mT), dim=-1)


def split_by_chunks(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)


def split_by_permute(x, num_heads):
    b, n, width = x.shape
    return x.view(b, n, num_heads, width // num_heads).permute(0, 2, 1, 3)


def split_by_rearrangement(x, num_heads):
    return x.transpose(1, 2).unflatten(1, (num_heads, -1)).transpose(2, 3)


def mha_by_sdpa(x, qkv, projection, num_heads):
    b, n, width = x.shape
    every = qkv(x).reshape(b, n, 3, num_heads, width // num_heads).permute(2, 0, 3, 1, 4)
    return projection(F.scaled_dot_product_attention(*every).transpose(1, 2).reshape(b, n, width))


def mha_by_einsum(x, qkv, projection, num_heads):
    q, k, v = qkv(x).unflatten(-1, (3, num_heads, -1)).unbind(2)  # three (B, N, h, d)
    scores = torch.einsum("bnhd,bmhd->bhnm", q, k) * q.size(-1) ** -0.5
    return projection(torch.einsum("bhnm,bmhd->bnhd", scores.softmax(-1), v).flatten(-2))


RIGHT_ATTEMPTS = [
    (softmax, softmax_by_log),
    (softmax, softmax_by_unsqueeze),
    (attention_weights, weights_by_loop),
    (attention_weights, weights_scaled_twice_by_the_fourth_root),
    (split_heads, split_by_chunks),
    (split_heads, split_by_permute),
    (split_heads, split_by_rearrangement),
    (multi_head_attention, mha_by_sdpa),
    (multi_head_attention, mha_by_einsum),
]
