"""Attempts at the exercises of lesson 03 (attention), wrong and right, written as learners may write them."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.checks.attention import attention_weights, causal_weights, softmax, split_heads


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


def products(q, k):
    return torch.einsum("bhid,bhjd->bhij", q, k)


def weights_model_width(q, k):
    embed_dim = q.shape[1] * q.shape[3]
    return F.softmax(products(q, k) * embed_dim**-0.5, dim=-1)


def weights_unscaled(q, k):
    return F.softmax(products(q, k), dim=3)


def weights_by_d(q, k):
    return F.softmax(products(q / q.size(3), k), -1)


def weights_multiplied(q, k):
    scale = np.sqrt(q.size(-1)).item()
    return torch.softmax(products(q * scale, k), -1)


def weights_by_tokens(q, k):
    return torch.softmax(products(q, k) / len(q[0, 0]) ** 0.5, -1)


def weights_scaled_late(q, k):
    return torch.softmax(products(q, k), -1).div(q.shape[-1] ** 0.5)


def weights_of_queries(q, k):
    return torch.softmax(products(q, k) / q.shape[-1] ** 0.5, 2)


def weights_of_heads(q, k):
    return F.softmax(products(q, k) / q.shape[-1] ** 0.5, 1)


def weights_exchanged(q, k):
    return torch.softmax(products(q, k).mT / q.shape[-1] ** 0.5, -1)


def weights_viewed(q, k):
    batch, heads, tokens, width = k.shape
    turned = k.contiguous().view(batch, heads, width, tokens)
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


def allowed(scores):
    n = scores.shape[-1]
    return torch.arange(n)[:, None] >= torch.arange(n)[None, :]


def causal_zero(scores):
    return F.softmax(scores * allowed(scores), dim=-1)


def causal_late(scores):
    return F.softmax(scores, dim=-1) * allowed(scores)


def causal_upper(scores):
    return F.softmax(scores.masked_fill(allowed(scores).T.logical_not(), -float("inf")), dim=-1)


def causal_strict(scores):
    strict = torch.tril(torch.ones_like(scores), -1)
    return F.softmax(scores.masked_fill(strict == 0, float("-inf")), dim=-1)


def causal_strict_finite(scores):
    strict = torch.tril(torch.ones_like(scores), -1)
    return F.softmax(torch.where(strict == 1, scores, torch.tensor(-1e9)), dim=-1)


def causal_nan(scores):
    mask = torch.triu(torch.ones_like(scores), 1)
    return F.softmax(scores + mask * float("-inf"), dim=-1)


def causal_zeros_shut(scores):
    lower = torch.tril(scores)
    lower[lower == 0] = float("-inf")
    return F.softmax(lower, dim=-1)


def causal_minus_one(scores):
    return F.softmax(scores + torch.tril(torch.ones_like(scores)), dim=-1)


def causal_none(scores):
    powers = scores.exp()
    return powers / powers.sum(-1, keepdim=True)


def causal_infinite_weights(scores):
    return torch.where(allowed(scores), F.softmax(scores, dim=-1), torch.tensor(-float("inf")))


def causal_columns(scores):
    return F.softmax(torch.where(allowed(scores), scores, torch.tensor(float("-inf"))), dim=-2)


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
    (attention_weights, "scaled by the model width", weights_model_width),
    (attention_weights, "not scaled", weights_unscaled),
    (attention_weights, "divided by d, not by its root", weights_by_d),
    (attention_weights, "multiplied by the root", weights_multiplied),
    (attention_weights, "scaled by the number of tokens", weights_by_tokens),
    (attention_weights, "scaled after the softmax", weights_scaled_late),
    (attention_weights, "softmax over the queries", weights_of_queries),
    (attention_weights, "softmax over the heads or the images", weights_of_heads),
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
    (causal_weights, "0 in place of minus infinity", causal_zero),
    (causal_weights, "weights taken away after the softmax", causal_late),
    (causal_weights, "the wrong triangle", causal_upper),
    (causal_weights, "a token does not see itself", causal_strict),
    (causal_weights, "a token does not see itself", causal_strict_finite),
    (causal_weights, "0 times minus infinity", causal_nan),
    (causal_weights, "scores of 0 shut out too", causal_zeros_shut),
    (causal_weights, "a one in place of infinity", causal_minus_one),
    (causal_weights, "no mask", causal_none),
    (causal_weights, "minus infinity after the softmax", causal_infinite_weights),
    (causal_weights, "softmax over the queries", causal_columns),
]


def softmax_by_log(scores):
    return torch.exp(scores - torch.logsumexp(scores, dim=-1, keepdim=True))


def softmax_by_unsqueeze(scores):
    largest, _ = torch.max(scores, -1)
    powers = torch.exp(scores - largest[..., None])
    return powers / torch.sum(powers, -1)[..., None]


def weights_by_loop(q, k):
    result = torch.zeros(*q.shape[:-1], k.shape[-2])
    for image, head, query in np.ndindex(*q.shape[:-1]):
        scores = (k[image, head] * q[image, head, query]).sum(-1) * q.shape[-1] ** -0.5
        result[image, head, query] = torch.softmax(scores, 0)
    return result


def weights_scaled_twice_by_the_fourth_root(q, k):
    fourth_root = q.shape[-1] ** 0.25
    return F.softmax(torch.matmul(q / fourth_root, (k / fourth_root).mT), dim=-1)


def split_by_chunks(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)


def split_by_permute(x, num_heads):
    b, n, width = x.shape
    return x.view(b, n, num_heads, width // num_heads).permute(0, 2, 1, 3)


def causal_by_loop(scores):
    result = torch.zeros_like(scores)
    for row in range(scores.shape[-1]):
        result[..., row, : row + 1] = scores[..., row, : row + 1].softmax(-1)
    return result


def causal_by_large_number(scores):
    return torch.softmax(torch.where(allowed(scores), scores, torch.tensor(-1e9)), -1)


RIGHT_ATTEMPTS = [
    (softmax, softmax_by_log),
    (softmax, softmax_by_unsqueeze),
    (attention_weights, weights_by_loop),
    (attention_weights, weights_scaled_twice_by_the_fourth_root),
    (split_heads, split_by_chunks),
    (split_heads, split_by_permute),
    (causal_weights, causal_by_loop),
    (causal_weights, causal_by_large_number),
]
