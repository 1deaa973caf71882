"""Attempts at the exercises of lesson 04 (blocks), wrong and right, written as learners may write them."""

import math
from collections.abc import Callable

import torch
from torch import nn

from course_utils.checks.blocks import drop_path, gelu, layer_norm, pre_norm_block
from course_utils.checks.core import Exercise


def norm_of_everything(x, weight, bias, eps):
    centred = x - torch.mean(x)
    return centred * torch.rsqrt((centred**2).mean() + eps) * weight + bias


def norm_of_each_image(x, weight, bias, eps):
    done = []
    for image in x:
        done.append((image - image.mean()) / (image.var(correction=0) + eps).sqrt() * weight + bias)
    return torch.stack(done)


def norm_over_tokens(x, weight, bias, eps):
    turned = x.transpose(1, 2)  # (B, D, N)
    normed = torch.nn.functional.layer_norm(turned, turned.shape[-1:], eps=eps)
    return normed.transpose(1, 2) * weight + bias


def norm_over_images(x, weight, bias, eps):
    centre = x.mean(0)
    spread = ((x - centre) ** 2).mean(0)
    return weight * (x - centre) / (spread + eps) ** 0.5 + bias


def norm_over_the_batch(x, weight, bias, eps):
    rows = x.reshape(-1, x.shape[-1])  # (B, N, D) -> (B N, D)
    centred = rows - rows.mean(0)
    return (centred * torch.rsqrt(centred.square().mean(0) + eps) * weight + bias).reshape(x.shape)


def norm_with_lost_axis(x, weight, bias, eps):
    mean = x.mean(-1)
    variance = x.var(-1, correction=0)
    return weight * ((x - mean) / (variance + eps) ** 0.5) + bias


def norm_with_sample_variance(x, weight, bias, eps):
    mu, sigma2 = torch.mean(x, -1, True), torch.var(x, -1, keepdim=True)
    return weight * (x - mu) / (sigma2 + eps).sqrt() + bias


def norm_as_on_the_web(x, weight, bias, eps):
    mean = x.mean(-1, keepdim=True)
    std = x.std(-1, keepdim=True)
    return weight * (x - mean) / (std + eps) + bias


def norm_by_std_without_eps(x, weight, bias, eps):
    return weight * ((x - x.mean(2, keepdim=True)) / x.std(2, keepdim=True)) + bias


def norm_without_root(x, weight, bias, eps):
    mean = x.sum(-1, keepdim=True) / x.shape[-1]
    variance = ((x - mean) ** 2).sum(-1, keepdim=True) / x.shape[-1]
    return (x - mean) / (variance + eps) * weight + bias


def norm_with_eps_outside(x, weight, bias, eps):
    centred = x - x.mean(-1, keepdim=True)
    return centred / ((centred * centred).mean(-1, keepdim=True) ** 0.5 + eps) * weight + bias


def norm_without_eps(x, weight, bias, eps):
    return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True, correction=0) * weight + bias


def norm_with_mean_in(x, weight, bias, eps):
    variance = (x**2).mean(-1, keepdim=True) - x.mean(-1, keepdim=True) ** 2
    return x * (variance + eps) ** -0.5 * weight + bias


def norm_by_root_mean_square(x, weight, bias, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight + bias


def norm_without_parameters(x, weight, bias, eps):
    return torch.nn.functional.layer_norm(x, (x.shape[-1],), eps=eps)


def norm_without_shift(x, weight, bias, eps):
    return torch.nn.functional.layer_norm(x, (x.shape[-1],), weight=weight, eps=eps)


def norm_without_scale(x, weight, bias, eps):
    return torch.nn.functional.layer_norm(x, (x.shape[-1],), eps=eps) + bias


def norm_shifted_first(x, weight, bias, eps):
    shifted = torch.nn.functional.layer_norm(x, (x.shape[-1],), bias=bias, eps=eps)
    return weight * shifted


def normal_probability(x):
    return torch.distributions.Normal(0.0, 1.0).cdf(x)


def gelu_by_tanh(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


def gelu_by_sigmoid(x):
    return x / (1 + torch.exp(-1.702 * x))


def gelu_as_silu(x):
    return x / (1 + torch.exp(-x))


def gelu_as_relu(x):
    return torch.where(x > 0, x, torch.zeros_like(x))


def gelu_twice(x):
    return x + x * torch.erf(x * 0.5**0.5)


def gelu_without_root_of_two(x):
    return (x + x * torch.erf(x)) / 2


def gelu_as_probability(x):
    return normal_probability(x)


def gelu_without_one(x):
    return x * torch.special.erf(x / 2**0.5) / 2


def gelu_without_one_and_half(x):
    return torch.special.erf(x / 2**0.5) * x


def gelu_mirrored(x):
    return x * torch.special.erfc(x / 2**0.5) / 2


def block_post_norm(x, norm1, attention, norm2, mlp):
    after_attention = norm1(attention(x) + x)
    return norm2(mlp(after_attention) + after_attention)


def block_without_residuals(x, norm1, attention, norm2, mlp):
    for step in (norm1, attention, norm2, mlp):
        x = step(x)
    return x


def block_without_first_residual(x, norm1, attention, norm2, mlp):
    hidden = attention(norm1(x))
    branch = mlp(norm2(hidden))
    return hidden + branch


def block_without_second_residual(x, norm1, attention, norm2, mlp):
    hidden = x + attention(norm1(x))
    hidden = norm2(hidden)
    return mlp(hidden)


def block_on_the_stream(x, norm1, attention, norm2, mlp):
    x = norm1(x)
    x = x + attention(x)
    x = norm2(x)
    return x + mlp(x)


def block_parallel(x, norm1, attention, norm2, mlp):
    attended = attention(norm1(x))
    thought = mlp(norm2(x))
    return x + attended + thought


def block_that_forgets(x, norm1, attention, norm2, mlp):
    residual = x
    y = residual + attention(norm1(x))
    return residual + mlp(norm2(y))


def block_as_one_chain(x, norm1, attention, norm2, mlp):
    y = attention(norm1(x))
    y = mlp(norm2(y))
    return y + x


def block_with_first_norm_twice(x, norm1, attention, norm2, mlp):
    for layer in (attention, mlp):
        x = x + layer(norm1(x))
    return x


def block_with_second_norm_twice(x, norm1, attention, norm2, mlp):
    for layer in (attention, mlp):
        x = x + layer(norm2(x))
    return x


def block_with_swapped_norms(x, norm1, attention, norm2, mlp):
    for norm, layer in ((norm2, attention), (norm1, mlp)):
        x = x + layer(norm(x))
    return x


def block_with_late_norms(x, norm1, attention, norm2, mlp):
    x = norm1(attention(x)) + x
    return norm2(mlp(x)) + x


def block_without_norms(x, norm1, attention, norm2, mlp):
    y = x + attention(x)
    return y + mlp(y)


def block_mlp_first(x, norm1, attention, norm2, mlp):
    y = x + mlp(norm2(x))
    return y + attention(norm1(y))


def block_mlp_first_other_norms(x, norm1, attention, norm2, mlp):
    y = x + mlp(norm1(x))
    return y + attention(norm2(y))


def image_by_image(branch, draw, choose):
    return torch.stack([choose(image, float(number)) for image, number in zip(branch, draw, strict=True)])


def drop_without_rescaling(branch, draw, rate):
    return image_by_image(branch, draw, lambda image, number: image * 0 if number < rate else image)


def drop_the_wrong_ones(branch, draw, rate):
    return image_by_image(branch, draw, lambda image, number: image / (1 - rate) if number < rate else image * 0)


def drop_with_the_rate_of_keeping(branch, draw, rate):
    keep = draw[:, None, None] < rate
    return torch.where(keep, branch / rate, torch.zeros(()))


def drop_and_shrink(branch, draw, rate):
    return image_by_image(branch, draw, lambda image, number: image * 0 if number < rate else image * (1 - rate))


def drop_and_divide_by_rate(branch, draw, rate):
    keep = 1 - (draw < rate).float()[:, None, None]
    return keep * branch / rate


def drop_numbers(branch, draw, rate):
    mask = torch.where(draw < rate, 0.0, 1.0)
    return torch.einsum("bnd,d->bnd", branch, mask) / (1 - rate)


def drop_tokens(branch, draw, rate):
    mask = torch.where(draw < rate, 0.0, 1.0)
    return torch.einsum("bnd,n->bnd", branch, mask) / (1 - rate)


def drop_nothing(branch, draw, rate):
    return branch * (1 / (1 - rate))


def drop_nothing_at_all(branch, draw, rate):
    return branch.clone()


def norm_with_three_axes_named(x, weight, bias, eps):
    mean = torch.einsum("bnd->bn", x)[..., None] / x.shape[2]
    variance = torch.einsum("bnd->bn", (x - mean) ** 2)[..., None] / x.shape[2]
    return (x - mean) * (variance + eps) ** -0.5 * weight + bias


def norm_by_pytorch(x, weight, bias, eps):
    layer = nn.LayerNorm(x.shape[-1], eps=eps)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer(x)


def norm_without_graph(x, weight, bias, eps):
    with torch.no_grad():
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * weight + bias


def norm_of_a_copy(x, weight, bias, eps):
    x = x.data  # scale and shift still get their gradients
    return (x - x.mean(-1, True)) / (x.var(-1, keepdim=True, correction=0) + eps).sqrt() * weight + bias


def norm_in_double(x, weight, bias, eps):
    x = x.double()
    return (x - x.mean(-1, True)) / (x.var(-1, keepdim=True, correction=0) + eps).sqrt() * weight + bias


def gelu_by_pytorch(x):
    return nn.GELU()(x)


def gelu_by_method_in_float64(x):
    return x * (1 + torch.special.erf(x.to(torch.float64) / 2**0.5)) / 2


def gelu_through_numpy(x):
    import numpy as np

    values = np.array([math.erf(value / 2**0.5) for value in x.detach().flatten().tolist()], dtype=np.float32)
    return torch.from_numpy(x.detach().numpy() * 0.5 * (1 + values.reshape(x.shape)))


def block_with_detached_attention(x, norm1, attention, norm2, mlp):
    y = attention(norm1(x)).detach() + x
    return y + mlp(norm2(y)).detach()


def block_in_double(x, norm1, attention, norm2, mlp):
    y = x.double() + attention(norm1(x))
    return y + mlp(norm2(y.float()))


def drop_without_equal(branch, draw, rate):
    return torch.stack([x / (1 - rate) if d.item() > rate else 0 * x for x, d in zip(branch, draw, strict=True)])


def drop_into_a_new_tensor(branch, draw, rate):
    new = torch.tensor(branch.tolist())
    new[draw < rate] = 0
    return new / (1 - rate)


def drop_in_double(branch, draw, rate):
    mask = torch.tensor([0.0 if d < rate else 1 / (1 - rate) for d in draw.tolist()], dtype=torch.float64)
    return branch * mask[:, None, None]


def drop_and_make_up_for_this_batch(branch, draw, rate):
    kept = draw.ge(rate).to(branch.dtype)
    return kept[:, None, None] * branch * (len(kept) / kept.sum())


WRONG_ATTEMPTS: list[tuple[Exercise, str, Callable]] = [
    (layer_norm, "one mean for everything", norm_of_everything),
    (layer_norm, "one mean for everything", norm_of_each_image),
    (layer_norm, "over the tokens", norm_over_tokens),
    (layer_norm, "over the batch", norm_over_images),
    (layer_norm, "over the batch", norm_over_the_batch),
    (layer_norm, "the axis is lost", norm_with_lost_axis),
    (layer_norm, "variance divided by D - 1", norm_with_sample_variance),
    (layer_norm, "x.std with eps beside it", norm_as_on_the_web),
    (layer_norm, "x.std with eps beside it", norm_by_std_without_eps),
    (layer_norm, "divided by the variance", norm_without_root),
    (layer_norm, "eps outside the root", norm_with_eps_outside),
    (layer_norm, "eps is missing", norm_without_eps),
    (layer_norm, "the mean stays in", norm_with_mean_in),
    (layer_norm, "the mean stays in", norm_by_root_mean_square),
    (layer_norm, "no scale, no shift", norm_without_parameters),
    (layer_norm, "scale or shift missing", norm_without_shift),
    (layer_norm, "scale or shift missing", norm_without_scale),
    (layer_norm, "shift before scale", norm_shifted_first),
    (layer_norm, "three axes only", norm_with_three_axes_named),
    (layer_norm, "PyTorch's own", norm_by_pytorch),
    (layer_norm, "no gradient", norm_without_graph),
    (layer_norm, "no gradient", norm_of_a_copy),
    (layer_norm, "another type of number", norm_in_double),
    (gelu, "PyTorch's own", gelu_by_pytorch),
    (gelu, "no gradient", gelu_through_numpy),
    (gelu, "another type of number", gelu_by_method_in_float64),
    (pre_norm_block, "no gradient", block_with_detached_attention),
    (pre_norm_block, "another type of number", block_in_double),
    (drop_path, "drops at the rate itself", drop_without_equal),
    (drop_path, "no gradient", drop_into_a_new_tensor),
    (drop_path, "another type of number", drop_in_double),
    (gelu, "the tanh approximation", gelu_by_tanh),
    (gelu, "the sigmoid approximation", gelu_by_sigmoid),
    (gelu, "SiLU", gelu_as_silu),
    (gelu, "ReLU", gelu_as_relu),
    (gelu, "the half is missing", gelu_twice),
    (gelu, "erf of x itself", gelu_without_root_of_two),
    (gelu, "the probability alone", gelu_as_probability),
    (gelu, "the 1 is missing", gelu_without_one),
    (gelu, "the 1 is missing", gelu_without_one_and_half),
    (gelu, "mirrored", gelu_mirrored),
    (pre_norm_block, "post-norm", block_post_norm),
    (pre_norm_block, "a residual is missing", block_without_residuals),
    (pre_norm_block, "a residual is missing", block_without_first_residual),
    (pre_norm_block, "a residual is missing", block_without_second_residual),
    (pre_norm_block, "the norm stands on the residual stream", block_on_the_stream),
    (pre_norm_block, "both branches from the same input", block_parallel),
    (pre_norm_block, "the second addition takes the first x", block_that_forgets),
    (pre_norm_block, "the second addition takes the first x", block_as_one_chain),
    (pre_norm_block, "one norm used twice", block_with_first_norm_twice),
    (pre_norm_block, "one norm used twice", block_with_second_norm_twice),
    (pre_norm_block, "the norms are swapped", block_with_swapped_norms),
    (pre_norm_block, "the norm comes after the branch", block_with_late_norms),
    (pre_norm_block, "no norms", block_without_norms),
    (pre_norm_block, "MLP first", block_mlp_first),
    (pre_norm_block, "MLP first", block_mlp_first_other_norms),
    (drop_path, "divided by the share of this batch", drop_and_make_up_for_this_batch),
    (drop_path, "not rescaled", drop_without_rescaling),
    (drop_path, "keeps what should be dropped", drop_the_wrong_ones),
    (drop_path, "keeps what should be dropped", drop_with_the_rate_of_keeping),
    (drop_path, "multiplied, not divided", drop_and_shrink),
    (drop_path, "divided by the drop rate", drop_and_divide_by_rate),
    (drop_path, "along the wrong axis", drop_numbers),
    (drop_path, "along the wrong axis", drop_tokens),
    (drop_path, "nothing is dropped", drop_nothing),
    (drop_path, "nothing is dropped", drop_nothing_at_all),
]


def norm_by_moments(x, weight, bias, eps):
    centred = x - x.sum(-1, keepdim=True) / x.size(-1)
    return torch.addcmul(bias, weight, centred * centred.pow(2).mean(-1, keepdim=True).add(eps).rsqrt())


def norm_token_by_token(x, weight, bias, eps):
    rows = x.reshape(-1, x.shape[-1])
    done = torch.empty_like(rows)
    for place, numbers in enumerate(rows):
        centred = numbers - sum(numbers) / len(numbers)
        done[place] = centred / (sum(centred**2) / len(numbers) + eps) ** 0.5 * weight + bias
    return done.reshape(x.shape)


def norm_by_var_mean(x, weight, bias, eps):
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return (x - mean).div(torch.sqrt(variance + eps)).mul(weight).add(bias)


def gelu_by_erfc(x):
    return x * torch.special.erfc(-x / 2**0.5) / 2


def gelu_in_place_of_a_copy(x):
    phi = x.clone()
    phi.div_(math.sqrt(2)).erf_().add_(1).mul_(0.5)
    return phi * x


def gelu_by_normal(x):
    return normal_probability(x) * x


def block_by_loop(x, norm1, attention, norm2, mlp):
    for norm, layer in ((norm1, attention), (norm2, mlp)):
        x = layer(norm(x)) + x
    return x


def block_as_a_sum(x, norm1, attention, norm2, mlp):
    attended = attention(norm1(x))
    return x + attended + mlp(norm2(x + attended))


def drop_image_by_image(branch, draw, rate):
    return image_by_image(branch, draw, lambda image, number: image * 0 if number < rate else image / (1 - rate))


def drop_by_einsum(branch, draw, rate):
    return torch.einsum("bnd,b->bnd", branch, (draw >= rate).float() / (1 - rate))


def drop_by_where(branch, draw, rate):
    return torch.where((draw < rate)[:, None, None], 0.0, branch / (1 - rate))


def drop_by_index(branch, draw, rate):
    kept = branch.clone() / (1 - rate)
    kept[draw < rate] = 0
    return kept


RIGHT_ATTEMPTS: list[tuple[Exercise, Callable]] = [
    (layer_norm, norm_by_moments),
    (layer_norm, norm_token_by_token),
    (layer_norm, norm_by_var_mean),
    (gelu, gelu_by_erfc),
    (gelu, gelu_in_place_of_a_copy),
    (gelu, gelu_by_normal),
    (pre_norm_block, block_by_loop),
    (pre_norm_block, block_as_a_sum),
    (drop_path, drop_image_by_image),
    (drop_path, drop_by_einsum),
    (drop_path, drop_by_where),
    (drop_path, drop_by_index),
]
